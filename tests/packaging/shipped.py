"""The pack as a user gets it: what a publish uploads, and that as a folder."""

from __future__ import annotations

import shutil
import subprocess
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
    lines = (ROOT / ".comfyignore").read_text().splitlines()
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    ignored = pathspec.PathSpec.from_lines("gitignore", patterns)
    return tuple(path for path in project_files() if not ignored.match_file(name(path)))


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
