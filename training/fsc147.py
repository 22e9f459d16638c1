"""Reads FSC-147 (Ranjan et al. 2021) as its authors publish it, and FSC-147-S, the subset of the T2ICount authors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from headcount.core.errors import CountError

from .counted_pictures import CountedPicture, picture_file
from .files import read_json, read_picture, read_text

PICTURES = "images_384_VarV2"
DENSITIES = "gt_density_map_adaptive_384_VarV2"
SPLITS = "FSC_147/Train_Test_Val_FSC_147.json"
POINTS = "FSC_147/annotation_FSC147_384.json"
NOUNS = "FSC_147/ImageClasses_FSC147.txt"
SPLIT_NAMES = ("train", "val", "test")


class Fsc147:
    """Its training pictures, as a counting set.

    Args:
        folder: holds the folders images_384_VarV2, gt_density_map_adaptive_384_VarV2 and FSC_147.
        split: "train", "val" or "test".

    Raises:
        CountError: a file is missing or damaged; the message names file and line or entry.
    """

    def __init__(self, folder: Path, split: str = "train") -> None:
        self._pictures, self._densities = folder / PICTURES, folder / DENSITIES
        nouns = read_nouns(folder / NOUNS)
        self._items = [(name, _noun_of(name, nouns, folder)) for name in read_split(folder / SPLITS, split)]
        for name, _ in self._items:
            for path in (self._pictures / name, self._density_path(name)):
                if not path.is_file():
                    raise CountError(f"{folder / SPLITS}, {split}: there is no file {path}")

    def __len__(self) -> int:
        return len(self._items)

    def sample(self, index: int) -> tuple[np.ndarray, str, np.ndarray]:
        """Picture (H, W, 3) uint8, noun, density (H, W) float32."""
        name, noun = self._items[index]
        picture, path = read_picture(self._pictures / name), self._density_path(name)
        try:
            density = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise CountError(f"{path} is not a whole .npy file ({error})") from error
        if density.shape != picture.shape[:2]:
            raise CountError(
                f"{path} has the shape {density.shape}; its picture {self._pictures / name} is {picture.shape[:2]}"
            )
        return picture, noun, density.astype(np.float32)

    def _density_path(self, name: str) -> Path:
        return self._densities / Path(name).with_suffix(".npy")


def fsc147_counted(folder: Path, split: str) -> list[CountedPicture]:
    """Pictures of a split with their number of annotated points.

    Raises:
        CountError: a file is missing or damaged; the message names file and line or entry.
    """
    nouns, points_file = read_nouns(folder / NOUNS), folder / POINTS
    annotations = read_json(points_file)
    found = []
    for name in read_split(folder / SPLITS, split):
        points = annotations.get(name, {}).get("points") if isinstance(annotations, dict) else None
        if not isinstance(points, list):
            raise CountError(f'{points_file}: expected an entry "{name}" with a list "points"')
        found.append(picture_file(folder / PICTURES / name, _noun_of(name, nouns, folder), len(points)))
    return found


def fsc147s_counted(folder: Path, listed: Path) -> list[CountedPicture]:
    """Pictures of FSC-147-S, either version.

    Args:
        folder: of FSC-147, whose pictures it uses.
        listed: FSC-147-S.json or FSC-147-S-v1.json.

    Raises:
        CountError: the file is missing or damaged; the message names the entry.
    """
    entries = read_json(listed)
    if not isinstance(entries, dict):
        raise CountError(f'{listed}: expected entries such as "7.jpg": {{"class": "people", "count": 1}}')
    found = []
    for name, entry in entries.items():
        if not _is_entry(entry):
            raise CountError(f'{listed}: "{name}" is {entry!r}; expected {{"class": "people", "count": 1}}')
        found.append(picture_file(folder / PICTURES / name, entry["class"], entry["count"]))
    return found


def read_split(path: Path, split: str) -> list[str]:
    """Names of a split's pictures.

    Raises:
        CountError: the file is missing or damaged, or has no such split.
    """
    splits = read_json(path)
    names = splits.get(split) if isinstance(splits, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise CountError(f'{path}: expected a list of picture names under "{split}"')
    return names


def read_nouns(path: Path) -> dict[str, str]:
    """Picture name to noun, as written.

    Raises:
        CountError: the file is missing, or a line is not a name, a tab and a noun.
    """
    nouns: dict[str, str] = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        name, tab, noun = line.partition("\t")
        if not tab or not noun.strip():
            raise CountError(f"{path}, line {number}: {line!r}; expected a picture's name, a tab and a noun")
        nouns[name.strip()] = noun.strip()
    return nouns


def _noun_of(name: str, nouns: Mapping[str, str], folder: Path) -> str:
    if name not in nouns:
        raise CountError(f"{folder / NOUNS} has no line for {name}, which {folder / SPLITS} names")
    return nouns[name]


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict) and isinstance(entry.get("class"), str) and isinstance(entry.get("count"), int | float)
    )
