"""Runs the Registry's own command-line tool on a clone of this checkout: `python .ci/check_registry.py`.

`comfy node validate` must find nothing, and `comfy node pack` must pack what tests/packaging takes for the shipped files. Both
run offline; the tool itself is installed anew each time, which takes up to a minute, so .ci/run leaves it to
publish.yml and the tests check the same rules by themselves. Only what is committed is looked at.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LARGEST_ZIP = 60_000_000
FINE = "All validation checks passed"


def main() -> int:
    """Returns 0 when the tool is content and packs the right files."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        comfy = _install(folder / "tools")
        clone = folder / "headcount"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        said = _comfy(comfy, "validate", clone, home=folder)
        packed = _comfy(comfy, "pack", clone, home=folder)
        print(said, packed, sep="")
        return max(0 if FINE in said and "Warning" not in said else 1, _check_zip(clone))


def _install(folder: Path) -> Path:
    """A virtual environment with comfy-cli and ruff. Returns its command."""
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    subprocess.run([str(programs / "python"), "-m", "pip", "install", "--quiet", "comfy-cli", "ruff"], check=True)
    return programs / "comfy"


def _comfy(comfy: Path, action: str, clone: Path, home: Path) -> str:
    """What `comfy node <action>` says in the clone; its settings go to `home`."""
    command = [str(comfy), "--skip-prompt", "--no-enable-telemetry", "node", action]
    environment = {**os.environ, "HOME": str(home), "COLUMNS": "200"}
    done = subprocess.run(command, cwd=clone, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return f"comfy node {action}: {done.stdout}{done.stderr}" + (
        f"ended with {done.returncode}\n" if done.returncode else ""
    )


def _check_zip(clone: Path) -> int:
    archive = (clone / "node.zip").rename(clone.parent / "node.zip")  # else it counts as a new file of the clone
    sys.path.insert(0, str(clone))
    from tests.packaging.shipped import name, shipped_files

    expected = {name(path) for path in shipped_files()}
    with zipfile.ZipFile(archive) as packed:
        found = set(packed.namelist())
    size = archive.stat().st_size
    print(f"{len(found)} files, {size / 1e6:.1f} MB")
    for file in sorted(found ^ expected):
        print(f"{file}: {'packed, though not expected' if file in found else 'not packed'}")
    return 0 if found == expected and size < LARGEST_ZIP else 1


if __name__ == "__main__":
    sys.exit(main())
