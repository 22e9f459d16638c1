"""Attention of all heads, layers and resolutions as one self- and one cross-attention map (ISAC, eq. 3, 4 and 14)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..errors import CountError
from .calls import AttentionCall, Grid, Kind, mean_probabilities
from .fused import mean_columns
from .grids import resize_both, resize_queries


@dataclass(frozen=True)
class AttentionMaps:
    """Attention of one model call on one grid.

    Attributes:
        self_attention: (B, P, P), row p says where pixel p looks.
        cross_attention: (B, P, T), column j says where token j is looked at from.
        grid: (h, w), P = h * w.
    """

    self_attention: Tensor
    cross_attention: Tensor
    grid: Grid

    def propagated(self) -> Tensor:
        """Cross-attention spread along self-attention, SA @ CA (ISAC, eq. 7): (B, P, T)."""
        return self.self_attention @ self.cross_attention


def show_both_kinds(calls: Sequence[AttentionCall]) -> bool:
    """Whether self-attention and attention to the text are both among `calls`."""
    return all(any(call.columns(kind) is not None for call in calls) for kind in ("self", "cross"))


def largest_grid(calls: Iterable[AttentionCall]) -> Grid:
    """The finest grid among `calls`.

    Raises:
        CountError: there are no calls.
    """
    grids = [call.grid for call in calls]
    if not grids:
        raise CountError("the model made no attention call that could be recorded")
    return max(grids, key=lambda grid: grid[0] * grid[1])


@dataclass
class HeadSums:
    """Attention of one kind, added up over heads and layers grid by grid; resizing is linear, so it can wait."""

    parts: dict[tuple[Grid, Grid], Tensor] = field(default_factory=dict)
    heads: int = 0

    def add(self, call: AttentionCall, probabilities: Tensor) -> None:
        """Take in (B, N, K) probabilities, the mean over the heads of `call`."""
        grids = (call.grid, call.image_grid or call.grid)
        part = probabilities * call.queries.shape[1]
        self.parts[grids] = self.parts[grids] + part if grids in self.parts else part
        self.heads += call.queries.shape[1]

    @property
    def grid(self) -> Grid:
        """The finest grid of queries among what was added.

        Raises:
            CountError: nothing was added.
        """
        if not self.parts:
            raise CountError("the model made no attention call that could be recorded")
        return max((grid for grid, _ in self.parts), key=lambda grid: grid[0] * grid[1])

    def mean(self, kind: Kind, target: Grid) -> Tensor:
        """Mean over everything added, resized to `target` (ISAC, eq. 3 and 4): (B, P, P) or (B, P, T).

        Raises:
            CountError: nothing was added.
        """
        if not self.parts:
            raise CountError(f"the model made no {kind}-attention call that could be recorded")
        resized = [
            resize_both(part, grid, target, image_grid) if kind == "self" else resize_queries(part, grid, target)
            for (grid, image_grid), part in self.parts.items()
        ]
        return torch.stack(resized).sum(0) / self.heads if len(resized) > 1 else resized[0] / self.heads


def probabilities_by_kind(call: AttentionCall, kinds: tuple[Kind, ...] = ("self", "cross")) -> dict[Kind, Tensor]:
    """Kind to (B, N, K) probabilities, the mean over the heads, for the wanted kinds that the call has; computed once."""
    columns = [(kind, part) for kind in kinds if (part := call.columns(kind)) is not None]
    if len(columns) == 1:  # the rest of a joint call's matrix need not be kept
        kind, part = columns[0]
        return {kind: mean_probabilities(call, part)}
    if not columns:
        return {}
    probabilities = mean_probabilities(call)
    return {kind: probabilities[..., part] for kind, part in columns}


def head_sums(calls: Iterable[AttentionCall], kinds: tuple[Kind, ...] = ("self", "cross")) -> dict[Kind, HeadSums]:
    """Sums of the wanted kinds."""
    sums: dict[Kind, HeadSums] = {kind: HeadSums() for kind in kinds}
    for call in calls:
        for kind, probabilities in probabilities_by_kind(call, kinds).items():
            sums[kind].add(call, probabilities)
    return sums


def mean_over_layers(calls: Iterable[AttentionCall], kind: Kind, target: Grid) -> Tensor:
    """Mean attention of one kind over heads and layers, resized to `target` (ISAC, eq. 3 and 4): (B, P, K).

    Raises:
        CountError: no call of this kind was recorded.
    """
    return head_sums(calls, (kind,))[kind].mean(kind, target)


def add_token_columns(sums: HeadSums, call: AttentionCall, tokens: tuple[int, ...]) -> None:
    """Take the columns of some text tokens of a call into `sums`, without graph; no text tokens, nothing to take.

    The matrices of joint calls, whose rows are long, are never made.

    Raises:
        CountError: a token lies outside of the context.
    """
    part = call.columns("cross")
    if part is None:
        return
    text = len(range(call.keys.shape[2])[part])
    if max(tokens, default=0) >= text:
        raise CountError(f"token position {max(tokens)} does not fit a context of {text} tokens")
    if call.kind == "joint":
        sums.add(call, mean_columns(call, tokens))
    else:
        with torch.no_grad():
            sums.add(call, mean_probabilities(call)[..., list(tokens)])


def token_columns(calls: Iterable[AttentionCall], tokens: tuple[int, ...], target: Grid) -> Tensor:
    """Some columns of `mean_over_layers(calls, "cross", target)`, without graph: (B, P, c).

    Raises:
        CountError: no cross-attention was recorded, or a token lies outside of the context.
    """
    sums = HeadSums()
    for call in calls:
        add_token_columns(sums, call, tokens)
    return sums.mean("cross", target)


def aggregate(calls: list[AttentionCall], grid: Grid | None = None) -> AttentionMaps:
    """Mean attention over all heads and layers, resized to `grid` or to the finest one recorded (ISAC, eq. 3 and 4).

    Args:
        calls: recorded calls of one model call, any mix of grids.

    Returns:
        Maps whose rows sum to 1 where nothing was resized. Differentiable.

    Raises:
        CountError: no self-attention or no cross-attention was recorded.
    """
    target = grid or largest_grid(calls)
    sums = head_sums(calls)
    return AttentionMaps(sums["self"].mean("self", target), sums["cross"].mean("cross", target), target)


def min_max(maps: Tensor) -> Tensor:
    """Scale each picture's whole map to 0..1 (ISAC, eq. 14). The two extremes get no gradient: it would be noise."""
    low, high = maps.detach().amin((1, 2), keepdim=True), maps.detach().amax((1, 2), keepdim=True)
    return (maps - low) / (high - low).clamp_min(torch.finfo(maps.dtype).tiny)


def normalised(maps: AttentionMaps) -> AttentionMaps:
    """Both maps scaled to 0..1 over each picture (ISAC, eq. 14)."""
    return AttentionMaps(min_max(maps.self_attention), min_max(maps.cross_attention), maps.grid)


def fold_repeats(cross: Tensor, length: int) -> Tensor:
    """Add up what a context that was repeated end to end received: (B, P, r * length) to (B, P, length).

    ComfyUI repeats the shorter of two contexts that share a batch; copies of a token share its attention.

    Raises:
        CountError: the context is not a whole number of repeats.
    """
    if cross.shape[-1] % length:
        raise CountError(f"the model reads {cross.shape[-1]} text tokens, the prompt has {length}")
    folded: Tensor = cross.unflatten(-1, (-1, length)).sum(-2)
    return folded
