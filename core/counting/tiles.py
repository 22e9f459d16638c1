"""Dense images are looked at in parts: four tiles that overlap, each of which owns what has its centre in its quarter.

Reference: SAM3Count (CVPRW 2026) tiles an image where a detector's queries do not suffice for what it shows. Ours: which
objects are taken from a tile follows from their size alone, so that nothing is counted twice or cut in two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .box import Box
from .detections import Detected

_EDGE = 2  # pixels from a tile's edge within which an object may be cut
OVERLAP = 0.25
"""By how much of its own side a tile reaches over the middle of the image. Objects up to that size are whole in the tile that
owns their centre."""


@dataclass(frozen=True)
class Tile:
    """A part of an image, in pixels.

    Attributes:
        left, top, right, bottom: what is looked at.
        middle: (x, y) where the four tiles' own areas meet.
        size: (height, width) of the image.
    """

    left: int
    top: int
    right: int
    bottom: int
    middle: tuple[float, float]
    size: tuple[int, int]

    def owns(self, box: Box) -> bool:
        """Whether the centre of a box, in the image's pixels, lies in this tile's own quarter."""
        (x, y), (across, down) = box.middle, self.middle
        return (x >= across) == (self.left > 0) and (y >= down) == (self.top > 0)

    def cuts(self, box: Box) -> bool:
        """Whether a box reaches an edge of the tile that is none of the image's: the object may go on beyond it."""
        height, width = self.size
        return (
            (self.left > 0 and box.x < self.left + _EDGE)
            or (self.top > 0 and box.y < self.top + _EDGE)
            or (self.right < width and box.x + box.width > self.right - _EDGE)
            or (self.bottom < height and box.y + box.height > self.bottom - _EDGE)
        )


def four_tiles(height: int, width: int) -> list[Tile]:
    """The four tiles of an image, row by row."""
    down, across = _length(height), _length(width)
    middle, size = (width / 2, height / 2), (height, width)
    return [
        Tile(left, top, left + across, top + down, middle, size)
        for top in (0, height - down)
        for left in (0, width - across)
    ]


def overlap_of(height: int, width: int) -> float:
    """Pixels up to which the sides of an object may be, so that the tile that owns it shows it whole."""
    # An object whose centre lies at the middle reaches half its side beyond it, as each tile does with half the overlap.
    return min(2 * _length(side) - side for side in (height, width)) - 2 * _EDGE


def joined(whole: Sequence[Detected], tiles: Sequence[tuple[Tile, Sequence[Detected]]]) -> list[Detected]:
    """What an image shows, from a look at all of it and looks at its tiles.

    Args:
        whole: what the look at the whole image found.
        tiles: each of the four tiles, and what was found in it, in the tile's own pixels.

    Returns:
        From each tile the objects that it owns and does not cut; from the whole image those that are too large for a tile to
        show them whole. A large object can be in both: they are duplicates, see `distinct`.
    """
    limit = overlap_of(*tiles[0][0].size)
    found = [item for item in whole if max(item.box.width, item.box.height) > limit]
    for tile, seen in tiles:
        moved = [replace(item, box=_moved(item.box, tile)) for item in seen]
        found += [item for item in moved if tile.owns(item.box) and not tile.cuts(item.box)]
    return found


def _length(side: int) -> int:
    """Of a tile, so that two of them overlap by `OVERLAP` of their own length."""
    return min(side, round(side / (2 - OVERLAP)))


def _moved(box: Box, tile: Tile) -> Box:
    return replace(box, x=box.x + tile.left, y=box.y + tile.top)
