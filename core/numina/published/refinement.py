"""One frame's layout with the asked number of instances: the smallest go, copies of the smallest come."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from ...errors import CountError
from ..layout import FIRST_ADDED, REMOVED
from ..masks import Centre, centre_of_mass, cut_out, disc, smallest, squared_distances
from ..settings import PublishedSettings


def refine_frames(before: Tensor, asked: int, settings: PublishedSettings) -> Tensor:
    """(F, h, w) layouts of one noun, frame by frame, each with the places of an earlier frame; see `refine`."""
    frames, earlier = list[Tensor](), list[Centre]()
    for layout in before:
        after, centres = refine(layout, int(layout.amax()), asked, earlier, settings)
        earlier = centres if settings.earlier == "before" else centres + earlier[len(centres) :]
        frames.append(after)
    return torch.stack(frames)


def refine(
    layout: Tensor, found: int, asked: int, earlier: list[Centre], settings: PublishedSettings
) -> tuple[Tensor, list[Centre]]:
    """Remove or add instances until there are as many as asked (NUMINA, section 3.3, eq. 10).

    Args:
        layout: (h, w) integers: 0 background, 1 to 99 instances.
        found: how many it has.
        asked: how many are wanted.
        earlier: centres of what was added in an earlier frame, in order.

    Returns:
        A copy of the layout with -1 for removed cells and 100, 101 ... for added instances, and their centres as rows
        and columns.
    """
    layout, centres = layout.clone(), list[Centre]()
    surplus = found - asked if settings.corrections != "addition" else 0
    missing = asked - found if settings.corrections != "removal" else 0
    for _ in range(surplus):
        number = smallest(layout)
        if number is not None:
            layout[layout == number] = REMOVED
    for index in range(missing):
        template = _template(layout, settings)
        if template is None:
            break
        centre = _place(layout > 0, template, earlier[index] if index < len(earlier) else None, settings)
        _stamp(layout, template, centre, FIRST_ADDED + index)
        centres.append(centre)
    return layout, centres


def _template(layout: Tensor, settings: PublishedSettings) -> Tensor | None:
    """The smallest instance cut to its bounding box, or what stands for one."""
    number = smallest(layout)
    if number is not None:
        return cut_out(layout == number)
    if settings.stand_in == "nothing":
        return None
    circle = disc(settings.radius)
    return circle if settings.stand_in == "circle" else torch.ones_like(circle)


def _place(taken: Tensor, template: Tensor, earlier: Centre | None, settings: PublishedSettings) -> Centre:
    """The cheapest centre: little overlap, near the middle of what is there, near the place in the frame before."""
    grid = (taken.shape[0], taken.shape[1])
    if template.shape[0] > grid[0] or template.shape[1] > grid[1]:
        raise CountError(
            f"nothing was found to copy, and a {settings.stand_in} of {template.shape[0]} x {template.shape[1]} cells does "
            f"not fit into an attention map of {grid[0]} x {grid[1]}. Set method to robust, or make the image larger"
        )
    overlap = conv2d(taken[None, None].double(), template[None, None].double())[0, 0].round()
    rows, columns = (
        torch.arange(count, dtype=torch.float64) + side // 2
        for count, side in zip(overlap.shape, template.shape, strict=True)
    )
    cost = overlap + settings.lambda_center * squared_distances(rows, columns, centre_of_mass(taken, grid))
    if earlier is not None:
        cost = cost + settings.lambda_temporal * squared_distances(rows, columns, earlier)
    step = settings.placement_step
    cost = cost[::step, ::step]
    row, column = divmod(int(cost.flatten().argsort(stable=True)[0]), cost.shape[1])
    return row * step + template.shape[0] // 2, column * step + template.shape[1] // 2


def _stamp(layout: Tensor, template: Tensor, centre: Centre, number: int) -> None:
    """Write the template over whatever is there."""
    top, left = centre[0] - template.shape[0] // 2, centre[1] - template.shape[1] // 2
    layout[top : top + template.shape[0], left : left + template.shape[1]][template] = number
