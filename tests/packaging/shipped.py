"""The pack as a user gets it: what a publish uploads, and that as a folder."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pathspec
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@cache
def project_files() -> tuple[Path, ...]:
    """Tracked files and new ones that git does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("not a git checkout")
    return tuple(path for line in sorted(set(listing.stdout.splitlines())) if (path := ROOT / line).is_file())


@cache
def shipped_files() -> tuple[Path, ...]:
    """Project files less .comfyignore, read as comfy-cli does; .ci/check_registry.py compares with the real one."""
    is_shipped = shipping_rule((ROOT / ".comfyignore").read_text())
    return tuple(path for path in project_files() if is_shipped(name(path)))


def shipping_rule(comfyignore: str) -> Callable[[str], bool]:
    """Whether a file of this path within the pack is shipped."""
    patterns = [line.strip() for line in comfyignore.splitlines() if line.strip() and not line.startswith("#")]
    ignored = pathspec.PathSpec.from_lines("gitignore", patterns)
    return lambda path: not ignored.match_file(path)


def name(path: Path) -> str:
    """Path within the pack, as git writes it."""
    return path.relative_to(ROOT).as_posix()


def copy_to(folder: Path) -> Path:
    """Put the shipped files into `folder`, as an installer does. Returns the folder."""
    for path in shipped_files():
        target = folder / name(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return folder


def pack(archive: Path) -> Path:
    """Write what a publish uploads: a zip of the shipped files. Returns the archive."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for path in shipped_files():
            packed.write(path, name(path))
    return archive


def install(archive: Path, folder: Path) -> Path:
    """Install a zip as ComfyUI Manager does, over an earlier release too. Returns the folder.

    The Manager keeps the names that a zip held in the file .tracking. Of these it removes what the next zip has not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tracking = folder / ".tracking"
    earlier = set(tracking.read_text().splitlines()) if tracking.is_file() else set()
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
        names = packed.namelist()
    for gone in earlier.difference(names):
        (folder / gone).unlink(missing_ok=True)
    tracking.write_text("\n".join(names))
    return folder
