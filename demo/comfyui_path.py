"""Which ComfyUI everything here runs on, and with which packages: COMFYUI_PATH, or the copy that `make setup` unpacks.

Imports nothing but Python's own modules: set-up needs it before there is anything else.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

SETTING = "COMFYUI_PATH"
ROOT = Path(__file__).resolve().parent.parent
OWN = ROOT / ".comfyui"
"""Where `make setup` unpacks its copy."""
OLDEST = (0, 30, 0)
_VERSION = re.compile(r"__version__\s*=\s*[\"'](\d+)\.(\d+)\.(\d+)")


def named_folder() -> Path | None:
    """The folder that COMFYUI_PATH names; None where it is empty."""
    named = os.environ.get(SETTING)
    return Path(named).expanduser().resolve() if named else None


def comfyui_folder() -> Path:
    """Folder of the ComfyUI to use.

    Raises:
        FileNotFoundError: there is no ComfyUI in that folder, or one that is too old.
    """
    named = named_folder()
    folder = named or OWN
    if not all((folder / part).is_file() for part in ("main.py", "comfy/sd.py")):
        given = f"{SETTING} names {folder}" if named else f"{SETTING} is empty"
        fix = "run `make setup`, or set COMFYUI_PATH to the folder that ComfyUI's main.py lies in"
        raise FileNotFoundError(f"{given}, and there is no ComfyUI in {folder}: {fix}")
    version = version_in(folder)
    if version is not None and version < OLDEST:
        raise FileNotFoundError(
            f"{SETTING} names ComfyUI {dotted(version)} in {folder}: it has to be {dotted(OLDEST)} or newer"
        )
    return folder


def packages_of(comfyui: Path) -> Path:
    """Where set-up puts what another ComfyUI needs and .venv has not, or has in another version: its own page, too.

    The folder goes in front of .venv's packages; it is named after the list, so that no two ComfyUIs share one by mistake.
    """
    requirements = comfyui / "requirements.txt"
    wanted = requirements.read_bytes() if requirements.is_file() else b""
    return ROOT / ".cache" / "packages" / hashlib.sha256(wanted).hexdigest()[:16]


def version_in(folder: Path) -> tuple[int, ...] | None:
    """ComfyUI's version, of its own file; None where a fork has no such file."""
    file = folder / "comfyui_version.py"
    found = _VERSION.search(file.read_text()) if file.is_file() else None
    return tuple(map(int, found.groups())) if found else None


def dotted(version: tuple[int, ...]) -> str:
    """A version as it is written: "0.30.0"."""
    return ".".join(map(str, version))
