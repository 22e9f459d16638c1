"""The newest web page of ComfyUI, beside the one that its version pins: `python -m demo.newest_page` fetches it once a day.

The browser tests open both. Without a network the page of an earlier day stays; where there is none, its tests are skipped.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from .comfy_host import ROOT

FOLDER = ROOT / ".cache" / "newest_page"
STAMP = FOLDER / "fetched.txt"
PACKAGE = "comfyui-frontend-package"
STATIC = "comfyui_frontend_package/static/"
FRESH_SECONDS = 24 * 3600.0
ANSWER_SECONDS = 300.0

log = logging.getLogger("setup")


def newest_page() -> Path | None:
    """The page's folder, for ComfyUI's --front-end-root; None where it was never fetched."""
    return FOLDER if STAMP.is_file() else None


def main() -> None:
    """Fetch the page unless that was done within a day."""
    logging.basicConfig(level=logging.INFO, format="setup: %(message)s")
    if STAMP.is_file() and time.time() - STAMP.stat().st_mtime < FRESH_SECONDS:
        return
    FOLDER.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER.parent) as temporary:
        wheel = _download(Path(temporary))
        if wheel is None:
            log.info(
                "the newest page could not be fetched: %s", "the old one stays" if newest_page() else "there is none"
            )
            return
        _unpack(wheel, Path(temporary))
    log.info("the newest page is that of %s", STAMP.read_text())


def _download(folder: Path) -> Path | None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-qq",
        "--disable-pip-version-check",
        "--no-deps",
        "--retries",
        "0",
    ]
    try:
        subprocess.run(
            [*command, "--only-binary", ":all:", "--dest", str(folder), PACKAGE],
            check=True,
            capture_output=True,
            timeout=ANSWER_SECONDS,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None
    return next(folder.glob("*.whl"))


def _unpack(wheel: Path, folder: Path) -> None:
    """Put the page into FOLDER, without the maps to its sources. Appears whole or not at all."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith(STATIC) and not name.endswith(".map")]
        archive.extractall(folder, names)
    (folder / STATIC / STAMP.name).write_text(wheel.name.split("-py3")[0])
    shutil.rmtree(FOLDER, ignore_errors=True)
    (folder / STATIC).rename(FOLDER)


if __name__ == "__main__":
    main()
