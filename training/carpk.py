"""Reads CARPK (Hsieh et al. 2017): cars on car parks, seen from above."""

from __future__ import annotations

from pathlib import Path

from headcount.core.errors import CountError

from .counted_pictures import CountedPicture, picture_file
from .files import read_text

NOUN = "cars"


def carpk_counted(folder: Path, split: str) -> list[CountedPicture]:
    """Pictures of a split in their own size, one car per line of their annotation.

    Args:
        folder: holds the folders Images, Annotations and ImageSets.
        split: "train" or "test".

    Raises:
        CountError: a file is missing, or a line of an annotation is not a box.
    """
    names = [line.strip() for line in read_text(folder / "ImageSets" / f"{split}.txt").splitlines() if line.strip()]
    return [
        picture_file(folder / "Images" / f"{name}.png", NOUN, _cars(folder / "Annotations" / f"{name}.txt"))
        for name in names
    ]


def _cars(path: Path) -> int:
    cars = 0
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        if len(line.split()) < 4:
            raise CountError(f"{path}, line {number}: {line!r}; expected the four edges of a box")
        cars += 1
    return cars
