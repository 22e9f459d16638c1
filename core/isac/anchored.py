"""Headcount's own objective: every asked instance present, nothing beside them, every place one noun's.

What it changes against the paper, and why. The paper's L_ins falls when two instance masks overlap less, so it also
falls when instances vanish: measured on the Shapes model, its losses halve and the counts stay as they were (see
benchmarks/isac_effect.py). This objective keeps ISAC's frame (one gradient step on the latent before every denoising
step, from the model's own attention) and asks for presence, in the spirit of Attend-and-Excite (Chefer et al. 2023,
eq. 1 and 2), but per instance instead of per word:

- a place is picked for each of the N asked instances where its noun is looked at from most (`pick_anchors`);
- presence: at each place the noun's attention should reach `PRESENT` of what strong instances have;
- surplus: further than `spacing` from all places no attention to the noun should exceed `ABSENT` of that;
- mixing: at another noun's place neither, and at its own place `OWN` of the attention to all counted nouns is the noun's.

All are hinges: a picture that already shows the right layout gets no gradient and is left as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..attention.aggregate import largest_grid, mean_over_layers
from ..attention.calls import AttentionCall
from ..attention.foreground import noun_columns
from .anchors import Anchor, cell_distances, pick_anchors, smoothed
from .differentiate import Pull, StepLosses, pulls_of
from .target import Target

PRESENT = 0.7
ABSENT = 0.45
OWN = 0.7
SPACING = 3 / 16
_OWN_WEIGHT = 4.0
_SURPLUS_CELLS = 4
_CELLS = 16 * 16


def semantic_calls(calls: list[AttentionCall]) -> list[AttentionCall]:
    """Cross-attention calls on the grid nearest to 16 x 16 cells.

    There the words' meaning is strongest (Hertz et al. 2022; Attend-and-Excite, section 4): finer layers draw texture,
    coarser ones blur instances together.
    """
    cross = [call for call in calls if call.columns("cross") is not None]
    sizes = {call.grid[0] * call.grid[1] for call in cross}
    nearest = min(sizes, key=lambda cells: max(cells / _CELLS, _CELLS / cells), default=0)
    return [call for call in cross if call.grid[0] * call.grid[1] == nearest]


def _units(heat: Tensor, anchors: tuple[Anchor, ...]) -> tuple[Tensor, Tensor]:
    """What counts as no attention and as an instance's full attention: floors per noun (k,), and one span ().

    A floor is the map's median. The span reaches from there to the mean of the stronger half of a noun's places, for
    the noun that has most: a noun that is nowhere to be seen must not be measured by itself.
    """
    floors, spans = heat.median(1).values, []
    for noun, own in enumerate(heat):
        at = own[[anchor.pixel for anchor in anchors if anchor.noun == noun]]
        spans.append(at.topk((len(at) + 1) // 2).values.mean() - floors[noun])
    return floors, torch.stack(spans).amax().clamp_min(1e-6)


def _instance_loss(strength: Tensor, own: list[int], free: Tensor) -> Tensor:
    """Presence at the noun's own places, surplus in the free cells."""
    beside = strength[free]
    highest = beside.topk(min(_SURPLUS_CELLS, len(beside))).values
    return torch.relu(PRESENT - strength[own]).sum() + torch.relu(highest - ABSENT).sum()


def _mixing_loss(heat: Tensor, strength: Tensor, anchors: tuple[Anchor, ...]) -> Tensor:
    """Attention to other nouns at each place: (k, P) maps to (); 0 for a single noun."""
    if len(heat) == 1:
        return heat.new_zeros(())
    pixels = [anchor.pixel for anchor in anchors]
    owner = torch.tensor([anchor.noun for anchor in anchors], device=heat.device)
    is_own = owner == torch.arange(len(heat), device=heat.device)[:, None]
    at = heat[:, pixels]
    share = at[owner, torch.arange(len(pixels), device=heat.device)] / at.sum(0)
    foreign = torch.relu(strength[:, pixels] - ABSENT)[~is_own]
    return foreign.sum() + _OWN_WEIGHT * torch.relu(OWN - share).sum()


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
    # Attention splits among the tokens of a word: their sum, not their mean, compares with other words.
    pieces = cross.new_tensor([[len(positions)] for positions in target.tokens])
    instance, semantic = [], []
    for item in cross:
        blurred = smoothed(noun_columns(item, target.tokens).T * pieces, grid)
        anchors = pick_anchors(blurred.detach(), target.counts, distances, reach)
        floors, span = _units(blurred.detach(), anchors)
        strength = (blurred - floors[:, None]) / span
        free = ~(distances[[anchor.pixel for anchor in anchors]] < reach).any(0)
        parts = [
            _instance_loss(own, [anchor.pixel for anchor in anchors if anchor.noun == noun], free)
            for noun, own in enumerate(strength)
        ]
        instance.append(torch.stack(parts).sum())
        semantic.append(_mixing_loss(blurred, strength, anchors))
    by_instance, by_class = torch.stack(instance), torch.stack(semantic)
    return StepLosses(by_instance, by_class, by_instance + by_class)


@dataclass(frozen=True)
class AnchoredObjective:
    """The anchored losses as an objective of one step."""

    target: Target
    spacing: float = SPACING

    def select(self, calls: list[AttentionCall]) -> list[AttentionCall]:
        return semantic_calls(calls)

    def __call__(self, calls: list[AttentionCall]) -> tuple[StepLosses, list[Pull]]:
        return pulls_of(lambda own: anchored_losses(own, self.target, self.spacing), calls)
