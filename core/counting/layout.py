"""The artist's own layout: one box for each object that the prompt asks for, on the unit square."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import CountError
from ..prompts import CountedObject, same_noun
from .box import Box
from .box_forms import parsed, read_rows
from .counted import Point
from .labels import clean_label, listed, owner_of

ROUNDING = 1.0  # pixels that a box may reach beyond the image: its sides are whole numbers, those of a canvas are not
THOUSANDTHS = 1000  # the unit of the elements of ComfyUI's Create Bounding Boxes


@dataclass(frozen=True)
class UnitBox:
    """A rectangle as shares of the image: left and right of its width, top and bottom of its height, all 0 to 1."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def middle(self) -> Point:
        """(x, y) of its middle."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def middle_cell(self, grid: tuple[int, int]) -> tuple[int, int]:
        """Row and column of the cell of an (h, w) grid that its middle lies in."""
        x, y = self.middle
        return min(int(y * grid[0]), grid[0] - 1), min(int(x * grid[1]), grid[1] - 1)

    def cells(self, grid: tuple[int, int]) -> Tensor:
        """(h, w) bool, the cells whose middle lies in it; that of its own middle always does.

        Args:
            grid: (h, w).
        """
        height, width = grid
        rows, columns = (torch.arange(side, dtype=torch.float64) + 0.5 for side in grid)
        rows, columns = rows / height, columns / width
        inside = ((rows >= self.top) & (rows < self.bottom))[:, None] & (columns >= self.left) & (columns < self.right)
        inside[self.middle_cell(grid)] = True
        return inside


NounBoxes = tuple[tuple[UnitBox, ...], ...]
"""Per object of the prompt, its boxes."""


def own_layout(
    boxes: Any, objects: Sequence[CountedObject], size: tuple[int, int], images: int = 1
) -> tuple[NounBoxes, ...]:
    """Which boxes are whose, image by image.

    Args:
        boxes: in any form that `read_boxes` knows, in pixels, or the elements of ComfyUI's Create Bounding Boxes (bbox in
            thousandths, top first, and desc). One list is for all images. A box belongs to the longest noun that its
            label ends in, singular or plural, with the noun's adjectives or without; without a label it is the prompt's
            only object's.
        objects: what the prompt asks for, K of them.
        size: (H, W) of the images in pixels.
        images: N.

    Returns:
        N layouts: per object as many boxes as are asked for, in the order in which they were drawn.

    Raises:
        CountError: boxes that cannot be read, of another number of images, outside of the image or without an area, a
            label that is nothing the prompt asks for, or another number of boxes than it asks for.
    """
    rows = read_rows(_in_pixels(boxes, size)) or [[]]
    if len(rows) not in (1, images):
        raise CountError(
            f"the layout is of {len(rows)} images, but there {'is' if images == 1 else 'are'} {images} in this run: give one "
            "list of boxes for all of them, or one per image"
        )
    layouts = tuple(_by_object(row, objects, size) for row in rows)
    return layouts if len(layouts) == images else layouts * images


def _by_object(boxes: Sequence[Box], objects: Sequence[CountedObject], size: tuple[int, int]) -> NounBoxes:
    """The boxes of one image."""
    found: list[list[UnitBox]] = [[] for _ in objects]
    owned = [(box, _owners(box.label, objects)) for box in boxes]
    for box, candidates in sorted(owned, key=lambda one: len(one[1])):  # a "cat" takes what no "red cat" does
        free = (index for index in candidates if len(found[index]) < objects[index].count)
        found[next(free, candidates[0])].append(_on_unit_square(box, size))
    for item, own in zip(objects, found, strict=True):
        if len(own) != item.count:
            name = " ".join((*item.attributes, item.noun))
            raise CountError(
                f"the layout has {len(own)} box{'' if len(own) == 1 else 'es'} for '{name}', but the prompt asks for "
                f"{item.count}: draw one box for each, or ask for {len(own)}"
            )
    return tuple(tuple(own) for own in found)


def _owners(label: str, objects: Sequence[CountedObject]) -> list[int]:
    """The objects that a label can mean: several where they differ in their adjectives, which it does not name."""
    names = [" ".join((*item.attributes, item.noun)) for item in objects]
    if not clean_label(label):
        if len(objects) == 1:
            return [0]
        raise CountError(
            f"a box of the layout has no label, and the prompt asks for {listed(names)}: label each box with one of them. "
            "Create Bounding Boxes gives its labels at elements, its bboxes have none"
        )
    named = owner_of(label, names)
    if named is not None:
        return [named]
    nouns = [item.noun for item in objects]
    owner = owner_of(label, nouns)
    if owner is None:
        raise CountError(
            f"a box of the layout is labelled '{label}', which the prompt does not ask for: label each box with one of "
            f"{listed(names)}, or let Count Prompt count it"
        )
    return [index for index, noun in enumerate(nouns) if same_noun(noun, nouns[owner])]


def _on_unit_square(box: Box, size: tuple[int, int]) -> UnitBox:
    height, width = size
    place = f"a box of the layout is at x {box.x:g}, y {box.y:g}, {box.width:g} wide and {box.height:g} high"
    right, bottom = box.x + box.width, box.y + box.height
    if min(box.x, box.y) < -ROUNDING or right > width + ROUNDING or bottom > height + ROUNDING:
        raise CountError(
            f"{place}, which lies outside of the image of {width} x {height}: draw it on a canvas of that size, or connect "
            "elements of Create Bounding Boxes, which fit any size"
        )
    left, top = max(box.x, 0.0) / width, max(box.y, 0.0) / height
    right, bottom = min(right, width) / width, min(bottom, height) / height
    if right <= left or bottom <= top:
        raise CountError(f"{place}, which has no area: its width and height must be above 0")
    return UnitBox(left, top, right, bottom)


def _in_pixels(value: Any, size: tuple[int, int]) -> Any:
    """The same with elements of Create Bounding Boxes as boxes with corners in pixels."""
    if isinstance(value, str):
        return _in_pixels(parsed(value), size)
    if isinstance(value, list | tuple):
        # Segments and the like are named tuples: they stay what they are.
        return value if hasattr(value, "_fields") else [_in_pixels(one, size) for one in value]
    if not isinstance(value, Mapping) or not {"bbox", "desc", "type"} <= set(value):
        return value
    shares = [_share(one) for one in value["bbox"]] if isinstance(value["bbox"], list | tuple) else []
    if len(shares) != 4:
        return value
    sides = (size[0], size[1]) * 2
    top, left, bottom, right = (share * side for share, side in zip(shares, sides, strict=True))
    return {"xmin": left, "ymin": top, "xmax": right, "ymax": bottom, "label": value["desc"] or None}


def _share(number: Any) -> float:
    """Thousandths as a share; not a number stays none."""
    return number / THOUSANDTHS if isinstance(number, int | float) and not isinstance(number, bool) else math.nan
