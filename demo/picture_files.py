"""Where the pictures of the help pages and workflows are, and how they are written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from .comfy_host import ROOT
from .contact_sheet import captioned, fitted

WORKFLOWS, HELP = ROOT / "workflows", ROOT / "web" / "docs"
_THUMBNAIL, _CELL = 512, 226


def save(picture: Image.Image, path: Path) -> None:
    """Write a JPEG and say so."""
    path.parent.mkdir(exist_ok=True)
    picture.convert("RGB").save(path, quality=88, optimize=True)
    print(path.relative_to(ROOT), flush=True)


def thumbnail(lines: Sequence[Sequence[tuple[str, np.ndarray]]], path: Path) -> None:
    """Write a workflow's square picture: lines of captioned pictures."""
    square_thumbnail(captioned(lines, _CELL), path)


def square_thumbnail(picture: Image.Image, path: Path) -> None:
    """Write a workflow's square picture."""
    save(fitted(np.asarray(picture), _THUMBNAIL), path)
