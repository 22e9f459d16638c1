"""Pictures with a true count: what a network is validated and evaluated on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from headcount.core.errors import CountError
from PIL import Image, UnidentifiedImageError


@dataclass(frozen=True)
class CountedPicture:
    """One picture of a test set.

    Attributes:
        name: in the report.
        noun: what is counted.
        count: the truth.
        read: gives the picture, (H, W, 3) uint8.
    """

    name: str
    noun: str
    count: float
    read: Callable[[], np.ndarray]


def picture_file(path: Path, noun: str, count: float) -> CountedPicture:
    """A picture that is read when it is needed."""
    return CountedPicture(path.name, noun, count, partial(read_picture, path))


def read_picture(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB.

    Raises:
        CountError: the file is missing or no picture.
    """
    try:
        with Image.open(path) as picture:
            return np.array(picture.convert("RGB"))
    except FileNotFoundError as error:
        raise CountError(f"there is no picture {path}") from error
    except (UnidentifiedImageError, OSError) as error:
        raise CountError(f"{path} is not a whole picture ({error})") from error


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
