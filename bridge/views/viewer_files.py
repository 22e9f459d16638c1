"""The Attention Map Viewer's files in ComfyUI's temporary folder: whole or not there, and bounded in all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

MAX_BYTES = 64 * 2**20  # of all views on the disk; older ones go first
MAX_VIEWS = 256  # likewise
_PREFIX = "view_"


def write_view(views: Path, name: str, files: Mapping[str, bytes]) -> None:
    """Write the files of one view into the folder `views`/`name`, and remove the oldest views beyond what is kept.

    Each file appears whole: a page may be reading while the same view is written again. Where writing fails, nothing
    unfinished is left.

    Raises:
        OSError: the disk is full, or the folder cannot be written to.
    """
    folder = views / name
    was_there = folder.is_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in files.items():
            _write(folder / file, content)
        os.utime(folder)
    except OSError:
        if not was_there:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    _prune(views, keep=folder)


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise


def _prune(views: Path, keep: Path) -> None:
    """Keep the newest views, up to `MAX_BYTES` and `MAX_VIEWS` in all; `keep` in any case."""
    with suppress(OSError):  # what another process removes meanwhile is gone anyway
        folders = [one for one in views.iterdir() if one.name.startswith(_PREFIX) and one.is_dir() and one != keep]
        newest = [keep, *sorted(folders, key=lambda one: one.stat().st_mtime_ns, reverse=True)]
        total = 0
        for place, folder in enumerate(newest):
            total += sum(file.stat().st_size for file in folder.iterdir())
            if place and (total > MAX_BYTES or place >= MAX_VIEWS):
                shutil.rmtree(folder, ignore_errors=True)
