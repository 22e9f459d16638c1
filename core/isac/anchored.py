"""Headcount's own objective: every asked instance present, nothing beside them, every place one noun's.

What it changes against the paper, and why. The paper's L_ins falls when two instance masks overlap less, so it also
falls when instances vanish: measured on the Shapes model, its losses halve and the counts stay as they were (method
isac_paper of benchmarks/effect.py). This objective keeps ISAC's frame (one gradient step on the latent before every denoising
step, from the model's own attention) and asks for presence, in the spirit of Attend-and-Excite (Chefer et al. 2023,
eq. 1 and 2), but per instance instead of per word:

- a place is picked for each of the N asked instances where its noun is looked at from most (`pick_places`);
- presence: at each place the noun's attention should reach `PRESENT` of what strong instances have;
- surplus: further than `spacing` from all places no attention to the noun should exceed `ABSENT` of that;
- mixing: at another noun's place neither, and at its own place the noun has `OWN` of what it and the strongest other one get;
- binding, when asked for: the same rule for the attributes at a place of a noun that has any. v4 of the paper asks that the
  maps of a noun and its attribute overlap somewhere, which one of three red cats is enough for.

All are hinges: a picture that already shows the right layout gets no gradient and is left as it is. A single object is left
alone whatever its size, as in the paper, and an artist's own boxes stand in for the places where there are any.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..attention import (
    AttentionCall,
    Grid,
    Heads,
    HeadSums,
    add_token_columns,
    head_counts,
    largest_grid,
    localised,
    mean_over_layers,
    noun_columns,
    outline,
)
from ..counting import NounBoxes
from .differentiate import CallGradient, ObjectiveStep, StepLosses, differentiated
from .map_gradients import MapGradient, MapGradients
from .presence_losses import CELLS, picture_losses
from .target import PromptTarget
from .words import ConceptTokens, words_of

LEVEL_SIDES = 12, 36
"""Sides of the square grids between which a level is read. Every common size of SD 1.5, 2.1 and SDXL has one with five
cross-attention layers or more."""
JOINT_DEPTH = 0.2, 0.4
"""Which part of a transformer's joint attention is read where it is not known which heads localise, as shares of its calls.

Objects are told apart early there (Zhang et al. 2025, arXiv 2504.10148), and words are found most sharply in the last double
blocks of Flux, 15 to 18 of 57 (ConceptAttention, Helbling et al. 2025). On the Emoji transformer this part does not localise,
and steering by it does harm: see `core.attention.localising`."""


def semantic_calls(calls: list[AttentionCall]) -> list[AttentionCall]:
    """Cross-attention calls of the level that has most of them among the levels of `LEVEL_SIDES`.

    There the words' meaning is strongest (Hertz et al. 2022; Attend-and-Excite, section 4): finer layers draw texture,
    coarser ones blur instances together. Of levels with equally many calls, and where none has such a size, the one
    nearest to 16 x 16 cells. A bottleneck of that size is one layer, which says little: SD 1.5 has it at 1024 pixels.
    """
    cross = [call for call in calls if call.columns("cross") is not None]
    layers = Counter(_cells(call) for call in cross)
    smallest, largest = (side**2 for side in LEVEL_SIDES)
    usable = {cells: number for cells, number in layers.items() if smallest <= cells <= largest}
    level = max(
        usable or layers, key=lambda cells: (usable.get(cells, 0), -max(cells / CELLS, CELLS / cells)), default=0
    )
    return [call for call in cross if _cells(call) == level]


def _read_calls(calls: list[AttentionCall]) -> list[AttentionCall]:
    """Those of `semantic_calls` that the objective reads: of joint attention, which has one grid in all layers, a part."""
    used = semantic_calls(calls)
    if not all(call.kind == "joint" for call in used):
        return used
    first, last = (share * len(used) for share in JOINT_DEPTH)
    return used[math.floor(first) : math.ceil(last)]


@dataclass(frozen=True)
class AnchoredObjective:
    """The anchored losses as an objective, differentiated through the few places that they touch.

    Attributes:
        target: the same for all pictures of the batch.
        spacing: least distance between two instances, as a share of the grid's shorter side; None for `map_spacing`.
        bind: keep attributes with their noun; nothing changes where fewer than two nouns have any.
        layouts: per picture, where its instances are to be; () where the maps say it.
        heads: those that are read of a joint attention, see `core.attention.localising`; none where that is not known.
    """

    target: PromptTarget
    spacing: float | None = None
    bind: bool = False
    layouts: tuple[NounBoxes, ...] = ()
    heads: Heads = field(default_factory=dict)

    def losses(self, cross: Tensor, grid: Grid, words: ConceptTokens) -> StepLosses:
        """Losses of (B, P, T) cross-attention to tokens in which `words` has its positions. Differentiable."""
        # Attention splits among the tokens of a word: their sum, not their mean, compares with other words.
        pieces = cross.new_tensor([[len(positions)] for positions in words.positions])
        pictures = [
            picture_losses(
                noun_columns(item, words.positions).T * pieces, grid, words, self.target.counts, self.spacing, boxes
            )
            for item, boxes in zip(cross, self.layouts or [None] * len(cross), strict=True)
        ]
        instance, semantic, urgency = (
            torch.stack([getattr(picture, name) for picture in pictures])
            for name in ("instance", "semantic", "urgency")
        )
        return StepLosses(instance, semantic, instance + semantic, urgency)

    def select(self, calls: list[AttentionCall]) -> list[AttentionCall]:
        localising = [call for call in calls if call.place in self.heads]
        return localising if localising else _read_calls(calls)

    def part(self, call: AttentionCall) -> AttentionCall:
        """What is read of a selected call."""
        return localised(call, self.heads) or call

    def start(self) -> ObjectiveStep:
        return _AnchoredStep(self)

    def __call__(self, calls: list[AttentionCall]) -> tuple[StepLosses, list[CallGradient]]:
        """Losses, and gradients at calls that are all at hand."""
        return differentiated(self, calls)


def anchored_losses(calls: list[AttentionCall], objective: AnchoredObjective) -> StepLosses:
    """Losses of one model call, differentiable as a whole; see the module for what they mean.

    Args:
        calls: the recorded calls; only those that the objective selects are used.

    Returns:
        `instance` is presence and surplus, `semantic` mixing and binding, `total` their sum.

    Raises:
        CountError: no cross-attention was recorded, or token positions do not fit it.
    """
    used = [objective.part(call) for call in objective.select(calls)]
    grid = largest_grid(used)
    return objective.losses(mean_over_layers(used, "cross", grid), grid, words_of(objective.target, objective.bind))


class _AnchoredStep:
    """A step of `AnchoredObjective`. It keeps the sum of the attention to the nouns' tokens."""

    def __init__(self, objective: AnchoredObjective) -> None:
        self._objective = objective
        self._words = words_of(objective.target, objective.bind)
        self._seen: list[AttentionCall] = []
        self._sums = HeadSums()
        self._gradients = MapGradients([], {})

    def accumulate(self, call: AttentionCall) -> None:
        call = self._objective.part(call)
        self._seen.append(outline(call))
        with torch.inference_mode(False):
            add_token_columns(self._sums, call, self._words.tokens)

    def finish(self) -> StepLosses:
        grid, tokens = largest_grid(self._seen), self._words.tokens
        with torch.inference_mode(False), torch.enable_grad():
            leaf = self._sums.mean("cross", grid).requires_grad_()
            self._sums = HeadSums()
            losses = self._objective.losses(leaf, grid, self._words.within(tokens))
            if not bool(losses.total.detach().any()):
                return losses.detached()
            (by_token,) = torch.autograd.grad(losses.total.sum(), leaf)
        self._gradients = MapGradients(
            [_map_gradient(item, grid, tokens) for item in by_token], head_counts(self._seen)
        )
        return losses.detached()

    def has_gradient(self, call: AttentionCall) -> bool:
        return self._gradients.has_gradient(call)

    def gradient(self, call: AttentionCall) -> CallGradient:
        found = self._gradients.at(self._objective.part(call))
        heads = self._objective.heads.get(call.place)
        if heads is None:
            return found
        whole = CallGradient(call, torch.zeros_like(call.queries), torch.zeros_like(call.keys))
        whole.queries[:, list(heads)], whole.keys[:, list(heads)] = found.queries, found.keys
        return whole


def _cells(call: AttentionCall) -> int:
    return call.grid[0] * call.grid[1]


def _map_gradient(by_token: Tensor, grid: Grid, tokens: tuple[int, ...]) -> MapGradient | None:
    """One picture's (P, c) gradient, which leaves self-attention alone."""
    nowhere = torch.zeros(0, dtype=torch.int64, device=by_token.device)
    gradient = MapGradient(grid, nowhere, by_token.new_zeros(0, len(by_token)), tokens, by_token).without_zeros()
    return gradient if gradient.tokens else None
