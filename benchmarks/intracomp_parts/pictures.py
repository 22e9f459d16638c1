"""The folder of a run: pictures as PNG, one JSON line per picture and one per count, so that a run can be resumed.

`pictures.jsonl` says of each picture what was asked, how it was made and where it is; `counts.jsonl` what a counter saw in
it. A row's key is a digest of everything that decides the result, so a changed setting is another row. Several processes
may write to one folder.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from training.files import read_picture, write_whole

from ..lab.store import append_row, read_rows


@dataclass(frozen=True)
class PictureRow:
    """One finished picture.

    Attributes:
        key: digest of model, settings, method, prompt and seed, in hexadecimal digits.
        file: path of the PNG in the store's folder.
        family, number, prompt, asked: see `prompts.Ask`.
        image: number of the picture among those of its prompt.
        seed: seed of its noise.
        vocabulary: name of the benchmark's nouns.
        model: name and digest of the model's file or of a workflow, and the sampler's settings.
        method: name of the method.
        method_settings: all settings of the method.
        code: digest of the pack's code that made it; not part of the key.
        seconds: time for sampling and decoding.
    """

    key: str
    file: str
    family: str
    number: int
    prompt: str
    asked: dict[str, int]
    image: int
    seed: int
    vocabulary: str
    model: dict[str, Any]
    method: str
    method_settings: dict[str, Any]
    code: str
    seconds: float


@dataclass(frozen=True)
class CountRow:
    """What the counter called `counter` saw in the picture `key`: noun -> how many."""

    key: str
    counter: str
    counts: dict[str, int]


class Store:
    """Reads and adds to the folder `out`."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self._pictures, self._counts = out / "pictures.jsonl", out / "counts.jsonl"
        self._refused = out / "refused.jsonl"
        out.mkdir(parents=True, exist_ok=True)

    def refused(self) -> dict[str, str]:
        """Key of each picture at which a node failed -> what it said. Without the file they are tried again."""
        return {row["key"]: row["why"] for row in read_rows(self._refused)}

    def add_refused(self, row: PictureRow, why: str) -> None:
        """Write down that a picture cannot be made."""
        append_row(self._refused, {"key": row.key, "prompt": row.prompt, "method": row.method, "why": why})

    def pictures(self) -> dict[str, PictureRow]:
        """Finished pictures by key; those whose file is gone are not finished."""
        rows = (PictureRow(**row) for row in read_rows(self._pictures))
        return {row.key: row for row in rows if (self.out / row.file).is_file()}

    def counts(self) -> dict[tuple[str, str], dict[str, int]]:
        """Counts by key of the picture and name of the counter."""
        return {(row["key"], row["counter"]): row["counts"] for row in read_rows(self._counts)}

    def add_picture(self, row: PictureRow, pixels: np.ndarray) -> None:
        """Write a (H, W, 3) uint8 picture, then its row."""
        write_whole(self.out / row.file, lambda path: Image.fromarray(pixels).save(path, format="PNG"))
        append_row(self._pictures, asdict(row))

    def add_counts(self, row: CountRow) -> None:
        """Write the counts of one picture."""
        append_row(self._counts, asdict(row))

    def pixels(self, row: PictureRow) -> np.ndarray:
        """The (H, W, 3) uint8 picture of a row."""
        return read_picture(self.out / row.file)


def picture_name(method: str, prompt: str, image: int, key: str) -> str:
    """A path that a person can read: "pictures/isac/a-photo-of-three-cats-0-<key>.png"."""
    words, folder = (re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:80] for text in (prompt, method))
    return f"pictures/{folder}/{words}-{image}-{key}.png"


def in_part(key: str, part: tuple[int, int]) -> bool:
    """Whether a picture belongs to a part (i, n). By its key, so that counting finds the same pictures as drawing."""
    return int(key, 16) % part[1] == part[0]
