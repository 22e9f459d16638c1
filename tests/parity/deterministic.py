"""Weights, pictures and prompts out of nothing but names and integer arithmetic, the same on every machine.

Recorded results of the published code hang on these rules; a changed rule makes them worthless.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

START, END, POSITIONS = 49406, 49407, 77
_CHUNK = 1 << 22


@dataclass(frozen=True)
class Case:
    """A picture to count in; `ids` are CLIP's of `noun`."""

    name: str
    height: int
    width: int
    noun: str
    ids: tuple[int, ...]


CASES = (
    Case("c0", 384, 384, "apples", (14032,)),  # one window
    Case("c1", 384, 528, "sea shells", (2102, 19265)),  # two that overlap by 240 pixels
    Case("c2", 450, 421, "hot air balloons", (2069, 1922, 18130)),  # four; no side is a multiple of 8
)

DATA_CHOICES = (("a", 1.375, 100, 200, True), ("b", None, 0, 77, False))
"""What the recorded training transform was told: name, enlargement, top, left, whether to mirror."""


def hashes(seed: int, first: int, last: int) -> NDArray[np.uint64]:
    """splitmix64's finaliser of (seed << 32) + i + 0x9E3779B97F4A7C15 for i from `first` to `last`, that excluded."""
    numbers = np.arange(first, last, dtype=np.uint64)
    with np.errstate(over="ignore"):  # modulo 2^64 is meant
        mixed = numbers + (np.uint64(seed) << np.uint64(32)) + np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def weight(name: str, shape: Sequence[int]) -> NDArray[np.float32]:
    """One weight of a checkpoint: uniform around an offset, seeded by its name."""
    offset, scale = _offset_and_scale(name, tuple(shape))
    seed, values = zlib.crc32(name.encode()), np.empty(int(np.prod(shape, dtype=np.int64)), np.float32)
    for first in range(0, len(values), _CHUNK):
        last = min(first + _CHUNK, len(values))
        top_bits = (hashes(seed, first, last) >> np.uint64(40)).astype(np.float32)
        values[first:last] = top_bits * np.float32(2**-23) - np.float32(1)
    values *= np.float32(scale)
    values += np.float32(offset)
    return values.reshape(shape)


def _offset_and_scale(name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    owner, _, leaf = name.rpartition(".")
    if name.endswith("regressor.reg_head.4.bias"):
        return -0.3, 0.0  # the last ReLU cuts a part off
    if len(shape) == 1:
        if leaf == "weight":
            return 1.0, 0.1
        meets_text = owner.endswith(("img_txt_fusion2.norm2", "img_txt_fusion2.norm3"))
        return (0.5 if meets_text else 0.0), 0.1  # otherwise similarities would lie around 0
    tables = {"token_embedding": 0.5, "position_embedding": 0.25}
    role = owner.rpartition(".")[2]
    if role in tables:
        return 0.0, tables[role]
    gain = 1.5 if role in ("to_q", "to_k", "q_proj", "k_proj") else 1.0  # attention is not to be flat
    return 0.0, gain * float(np.sqrt(3.0 / int(np.prod(shape[1:]))))


def checksum(values: NDArray[np.float32]) -> int:
    """crc32 of the little-endian bytes."""
    return zlib.crc32(np.ascontiguousarray(values, "<f4").tobytes())


def tokens(case: Case) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(77,) ids between start and end, filled up with the end token, and (77,) 1 on the noun's own."""
    ids, mask = np.full(POSITIONS, END), np.zeros(POSITIONS, np.float32)
    said = slice(1, 1 + len(case.ids))
    ids[0], ids[said], mask[said] = START, case.ids, 1
    return ids, mask


def picture(case: Case) -> NDArray[np.uint8]:
    """(H, W, 3) discs on a gradient, with noise."""
    number, height, width = CASES.index(case), case.height, case.width
    y, x = np.ogrid[:height, :width]
    ramps = (40 + x * 120 // width + 0 * y, 60 + y * 100 // height + 0 * x, 90 + (x + y) * 60 // (width + height))
    canvas = np.stack(ramps, -1)
    drawn = [int(value) for value in hashes(1000 + number, 0, 400)]
    for disc in range(24 + 8 * number):
        down, right, size, shade = drawn[4 * disc : 4 * disc + 4]
        inside = (y - down % height) ** 2 + (x - right % width) ** 2 <= (6 + size % 15) ** 2
        colour = (200 + shade % 56, (shade >> 8) % 120, (shade >> 16) % 90)
        canvas[inside] = [colour[(channel + disc) % 3] for channel in range(3)]
    noise = (hashes(2000 + number, 0, canvas.size) >> np.uint64(60)).astype(np.int64)
    return np.clip(canvas + noise.reshape(canvas.shape) - 8, 0, 255).astype(np.uint8)
