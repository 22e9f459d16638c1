"""Checks the pack's inner order (import-linter) and its types (mypy; strict in core), whatever this folder is called.

Both tools want an importable package with a proper name, and a clone's folder may have any: so they get a temporary
folder `headcount` that holds links to the pack's parts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("nodes", "bridge", "core")


def main() -> int:
    """Run the tools on the links. Returns 0 when all are content."""
    with tempfile.TemporaryDirectory() as temporary:
        package = Path(temporary) / "headcount"
        package.mkdir()
        (package / "__init__.py").touch()  # the pack's own imports nodes, which would make every `from ..` a step back
        for part in PARTS:
            (package / part).symlink_to(ROOT / part)
        tools = Path(sys.executable).parent
        settings, cache = ROOT / "pyproject.toml", ROOT / ".mypy_cache"
        imports = [tools / "lint-imports", "--config", settings, "--no-cache"]
        types = [tools / "mypy", "--config-file", settings, "--cache-dir", cache]
        strict, rest = (
            [*types, "--strict", "-p", "headcount.core"],
            [*types, "-p", "headcount.bridge", "-p", "headcount.nodes"],
        )
        environment = {**os.environ, "PYTHONPATH": temporary}
        codes = [
            subprocess.run(command, cwd=temporary, env=environment).returncode for command in (imports, strict, rest)
        ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
