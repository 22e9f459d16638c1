"""Headcount's own objective: every asked instance present, nothing beside them, every place one noun's.

What it changes against the paper, and why. The paper's L_ins falls when two instance masks overlap less, so it also
falls when instances vanish: measured on the Shapes model, following it loses objects (see benchmarks/isac_effect.py).
This objective keeps ISAC's frame (one gradient step on the latent before every denoising step, from the model's own
attention, instances before classes) and asks for presence, in the spirit of Attend-and-Excite (Chefer et al. 2023,
eq. 1 and 2), but per instance instead of per word:

- a place is picked for each of the N asked instances where the noun is looked at from most (`pick_anchors`);
- presence: at each place the noun's attention should reach `PRESENT` of what its strong instances have;
- surplus: further than `spacing` from all places no attention to the noun should exceed `ABSENT` of that;
- mixing: at another noun's place neither.

All three are hinges: a picture that already shows the right layout gets no gradient and is left as it is.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..attention.aggregate import largest_grid, mean_over_layers
from ..attention.calls import AttentionCall
from ..attention.foreground import noun_columns
from .anchors import Anchor, cell_distances, pick_anchors, smoothed
from .objective import StepLosses, Target

PRESENT = 0.7
ABSENT = 0.45
SPACING = 3 / 16
_SURPLUS_CELLS = 4
_CELLS = 16 * 16


def semantic_calls(calls: list[AttentionCall]) -> list[AttentionCall]:
    """Cross-attention calls on the grid nearest to 16 x 16 cells.

    There the words' meaning is strongest (Hertz et al. 2022; Attend-and-Excite, section 4): finer layers draw texture,
    coarser ones blur instances together.
    """
    cross = [call for call in calls if call.kind == "cross"]
    sizes = {call.grid[0] * call.grid[1] for call in cross}
    nearest = min(sizes, key=lambda cells: max(cells / _CELLS, _CELLS / cells), default=0)
    return [call for call in cross if call.grid[0] * call.grid[1] == nearest]


def _strength(heat: Tensor, anchors: list[int]) -> Tensor:
    """One noun's map in units of its strong instances: 0 at the map's median, 1 at the mean of its stronger half."""
    fixed = heat.detach()
    floor = fixed.median()
    strong = fixed[anchors].topk((len(anchors) + 1) // 2).values.mean()
    return (heat - floor) / (strong - floor).clamp_min(1e-6)


def _losses_of_noun(
    heat: Tensor, noun: int, anchors: tuple[Anchor, ...], distances: Tensor, spacing: float
) -> tuple[Tensor, Tensor]:
    own = [anchor.pixel for anchor in anchors if anchor.noun == noun]
    foreign = [anchor.pixel for anchor in anchors if anchor.noun != noun]
    strength = _strength(heat, own)
    presence = torch.relu(PRESENT - strength[own]).sum()
    taken = (distances[[anchor.pixel for anchor in anchors]] < spacing).any(0)
    beside = strength[~taken]
    highest = beside.topk(min(_SURPLUS_CELLS, len(beside))).values
    return presence + torch.relu(highest - ABSENT).sum(), torch.relu(strength[foreign] - ABSENT).sum()


def anchored_losses(calls: list[AttentionCall], target: Target, spacing: float = SPACING) -> StepLosses:
    """Losses of one model call; see the module for what they mean.

    Args:
        calls: the recorded calls; only cross-attention near 16 x 16 cells is used.
        target: the same for all pictures of the batch.
        spacing: least distance between two instances, as a share of the grid's shorter side.

    Returns:
        `instance` is presence and surplus, `semantic` mixing, `total` their sum.

    Raises:
        CountError: no cross-attention was recorded, or token positions do not fit it.
    """
    used = semantic_calls(calls)
    grid = largest_grid(used)
    cross = mean_over_layers(used, "cross", grid)
    distances = cell_distances(grid, cross.device)
    reach = spacing * min(grid)
    instance, semantic = [], []
    for item in cross:
        blurred = smoothed(noun_columns(item, target.tokens).T, grid)
        anchors = pick_anchors(blurred.detach(), target.counts, distances, reach)
        parts = [_losses_of_noun(own, noun, anchors, distances, reach) for noun, own in enumerate(blurred)]
        instance.append(torch.stack([part[0] for part in parts]).sum())
        semantic.append(torch.stack([part[1] for part in parts]).sum())
    by_instance, by_class = torch.stack(instance), torch.stack(semantic)
    return StepLosses(by_instance, by_class, by_instance + by_class)
