"""Reads what people give, with errors that name file and fault, and writes files that are whole at any time."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from headcount.core.errors import CountError
from PIL import Image, UnidentifiedImageError


def read_picture(source: Path | BytesIO) -> np.ndarray:
    """(H, W, 3) uint8 RGB.

    Raises:
        CountError: the file is missing or no picture.
    """
    try:
        with Image.open(source) as picture:
            return np.array(picture.convert("RGB"))
    except FileNotFoundError as error:
        raise CountError(f"there is no picture {source}") from error
    except (UnidentifiedImageError, OSError) as error:
        raise CountError(f"{source} is not a whole picture ({error})") from error


def read_json(path: Path) -> Any:
    """A JSON file's content.

    Raises:
        CountError: the file is missing or damaged.
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise CountError(f"{path}, line {error.lineno}: no valid JSON ({error.msg})") from error


def read_text(path: Path) -> str:
    """A text file's content.

    Raises:
        CountError: the file is missing or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise CountError(f"there is no file {path}") from error
    except UnicodeDecodeError as error:
        raise CountError(f"{path} is not a text file in UTF-8 ({error})") from error


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Have `write` fill a file beside `path`, with the same ending, then put it there: a stopped run leaves no half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"unfinished_{path.name}")
    write(unfinished)
    unfinished.replace(path)
