"""Free places in an image: where another object would stand, far from those that are there."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..counting import Box

MAX_PLACES = 4  # proposed for one object
_SCALES = (1.0, 0.85, 0.7, 0.55)  # an object where nothing is free at full size is drawn smaller
_MARGIN = 0.1  # least gap around it, as a share of its longer side
_CENTRES = 49  # per axis
_CENTRAL = 1e-4  # of the distance from the image's centre: of equal gaps, the central place is the better one


def free_places(taken: Sequence[Box], sides: tuple[float, float], size: tuple[int, int]) -> list[Box]:
    """Places for one more object, the freest first: where the gap to the nearest box or edge is largest.

    Args:
        taken: what is there.
        sides: width and height that the object would have. It becomes smaller, down to 55 %, where nothing is free.
        size: (H, W) of the image.

    Returns:
        1 to `MAX_PLACES` boxes inside the image. Only the first one may touch what is there, where nothing is free even for
        the smallest.
    """
    for scale in _SCALES:
        width, height = (min(side * scale, limit) for side, limit in zip(sides, reversed(size), strict=True))
        centres = _centres(width, height, size)
        gaps = _gaps(centres, width, height, taken, size)
        if float(gaps.amax()) >= _MARGIN * max(width, height):
            break
    return [Box(x - width / 2, y - height / 2, width, height) for x, y in _peaks(centres, gaps, max(width, height))]


def _centres(width: float, height: float, size: tuple[int, int]) -> Tensor:
    """(P, 2) x and y of all centres that keep the object inside the image."""
    across = torch.linspace(width / 2, size[1] - width / 2, _CENTRES, dtype=torch.float64)
    down = torch.linspace(height / 2, size[0] - height / 2, _CENTRES, dtype=torch.float64)
    return torch.cartesian_prod(across, down)


def _gaps(centres: Tensor, width: float, height: float, taken: Sequence[Box], size: tuple[int, int]) -> Tensor:
    """(P,) distance of an object at each centre from the nearest box or edge; below 0 where it overlaps a box."""
    half = centres.new_tensor([width / 2, height / 2])
    limit = centres.new_tensor([size[1], size[0]])
    gaps = torch.minimum(centres - half, limit - centres - half).amin(1)
    for box in taken:
        middle = centres.new_tensor(box.middle)
        apart = (centres - middle).abs() - half - centres.new_tensor([box.width / 2, box.height / 2])
        outside = apart.clamp_min(0).norm(dim=1)
        gaps = torch.minimum(gaps, torch.where(outside > 0, outside, apart.amax(1)))
    off_centre: Tensor = (centres - limit / 2).norm(dim=1)
    return gaps - _CENTRAL * off_centre


def _peaks(centres: Tensor, gaps: Tensor, side: float) -> list[tuple[float, float]]:
    """The freest centres that lie apart from each other by half of the object, freest first."""
    places: list[tuple[float, float]] = []
    left = gaps.clone()
    while len(places) < MAX_PLACES:
        best = int(left.argmax())
        if places and float(left[best]) < 0:
            break
        x, y = centres[best].tolist()
        places.append((x, y))
        left[(centres - centres[best]).abs().amax(1) < side / 2] = -torch.inf
    return places
