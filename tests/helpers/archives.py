"""Files of weights that are not to be unpacked."""

from __future__ import annotations

import zipfile
from pathlib import Path

import torch


def zip_bomb(folder: Path) -> Path:
    """FOLDER/bomb.pth, which unpacks to 32 MB of zeros from a few KB."""
    torch.save({"weight": torch.zeros(8_000_000)}, folder / "good.pth")
    with (
        zipfile.ZipFile(folder / "good.pth") as good,
        zipfile.ZipFile(folder / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for name in good.namelist():
            bomb.writestr(name, good.read(name))
    return folder / "bomb.pth"
