"""A layout as a bias on cross-attention scores: removed cells stop looking at the noun, added ones start to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from einops import rearrange, reduce
from torch import Tensor
from torch.nn.functional import interpolate

from ..attention import Grid
from ..errors import CountError
from .attention import scores
from .layout import FIRST_ADDED, MAX_INSTANCES, REMOVED, Layouts
from .masks import smallest
from .settings import GuidanceSettings


@dataclass(frozen=True)
class RowBias:
    """What is added to a layer's scores.

    Attributes:
        rows: (R,) image queries that carry a bias; the others have none.
        bias: float32, to be added to q k / sqrt(d): (R, T), the same for all heads, or (H, R, T).
    """

    rows: Tensor
    bias: Tensor


@dataclass(frozen=True)
class NounCells:
    """One noun's cells, as indices into the guide's rows where not said otherwise.

    Attributes:
        removed: (n,) cells to clear.
        alone: (n,) added cells with no instance to copy.
        added: (n,) added cells with an instance to copy.
        groups: (n,) which group of references each of `added` copies.
        references: (m,) image queries of the instances that are copied.
        weights: (g, m) that average the references of each group.
    """

    removed: Tensor
    alone: Tensor
    added: Tensor
    groups: Tensor
    references: Tensor
    weights: Tensor


@dataclass(frozen=True)
class Guide:
    """All that guidance needs of a layout at one grid; made once per run, so that a layer costs a few products.

    Attributes:
        rows: (R,) image queries that carry a bias, ascending.
        nouns: per noun, its cells.
        settings: of the guidance.
    """

    rows: Tensor
    nouns: tuple[NounCells, ...]
    settings: GuidanceSettings

    @torch.no_grad()
    def bias(
        self,
        queries: Tensor,
        keys: Tensor,
        columns: Sequence[tuple[int, ...]],
        delta: float,
        is_joint: bool = False,
    ) -> RowBias | None:
        """Bias of one layer and step (NUMINA, section 3.4, eq. 11).

        Args:
            queries: (H, L, d) image queries of the layer.
            keys: (H, T, d), text keys or all keys.
            columns: per noun, its token positions among the keys.
            delta: strength, from `schedule.delta`.
            is_joint: text and image share the attention.

        Returns:
            None where the layout changes nothing.

        Raises:
            CountError: a token position lies outside the keys.
        """
        most = max((column for own in columns for column in own), default=0)
        if most >= keys.shape[1]:
            raise CountError(
                f"token {most} of the prompt was given with {keys.shape[1]} tokens: use one prompt for both"
            )
        if len(self.rows) == 0:
            return None
        settings = self.settings
        each_head = queries.shape[:1] if settings.added == "overwritten" else ()
        bias = torch.zeros(*each_head, len(self.rows), keys.shape[1], device=queries.device)
        suppress = settings.suppress * (delta if settings.removal == "fades" else 1)
        for cells, own in zip(self.nouns, columns, strict=True):
            tokens = torch.tensor(own, device=queries.device)
            bias[..., cells.removed[:, None], tokens] -= suppress
            bias[..., cells.alone[:, None], tokens] += settings.circle * delta
            if len(cells.added):
                lift = _lift(cells, self.rows, queries, keys[:, tokens].float(), delta, settings)
                bias[..., cells.added[:, None], tokens] = lift
        return RowBias(self.rows, bias.clamp_max(0) + settings.joint_rise * bias.clamp_min(0) if is_joint else bias)


def make_guide(layouts: Layouts, grid: Grid, settings: GuidanceSettings, device: torch.device) -> Guide:
    """The guide of layers that work on `grid`, which may be another one than the layouts'.

    Args:
        grid: (h, w) of one frame.
        device: of the queries to come.
    """
    after = layouts.after.float()
    if grid != layouts.grid:
        after = interpolate(after, size=grid, mode="nearest-exact")
    return guide_of(after.to(torch.int16).flatten(1), layouts.after.shape[1], settings, device)


def guide_of(after: Tensor, frames: int, settings: GuidanceSettings, device: torch.device) -> Guide:
    """The guide of a layout on a layer's grid.

    Args:
        after: (K, L) layout of each noun, L = frames * P frame-major, as in `Layouts.after`.
        frames: F.

    Raises:
        CountError: L is not a multiple of the frames.
    """
    if after.shape[1] % frames:
        raise CountError(f"a layout of {after.shape[1]} cells was given for {frames} frames: give frames * h * w cells")
    layout = after.cpu()
    rows = ((layout == REMOVED) | (layout >= FIRST_ADDED)).any(0).nonzero().flatten()
    position = torch.zeros(layout.shape[1], dtype=torch.int64)
    position[rows] = torch.arange(len(rows))
    return Guide(rows.to(device), tuple(_cells(noun, frames, position, settings, device) for noun in layout), settings)


def _cells(
    layout: Tensor, frames: int, position: Tensor, settings: GuidanceSettings, device: torch.device
) -> NounCells:
    """One noun's cells; layout (L,), position (L,) of each query among the guide's rows."""
    pictures = rearrange(layout, "(f p) -> f p", f=frames)
    copied = torch.tensor([smallest(picture, MAX_INSTANCES) or 0 for picture in pictures])
    wanted = rearrange(layout >= FIRST_ADDED, "(f p) -> f p", f=frames)
    shown = copied > 0
    if settings.reference == "video":
        used = shown & wanted.any()
        has_reference = shown.any().expand(frames)
        group_of_frame = torch.zeros(frames, dtype=torch.int64)
    else:
        used = shown & wanted.any(1)
        has_reference = shown
        group_of_frame = used.cumsum(0) - 1
    is_reference = (pictures == copied[:, None]) & used[:, None]
    group_of = group_of_frame[:, None].expand_as(pictures)
    with_reference = wanted & has_reference[:, None]
    groups = group_of[is_reference]
    weights = (groups == torch.arange(int(groups.max()) + 1 if len(groups) else 0)[:, None]).float()
    noun_cells = NounCells(
        removed=position[layout == REMOVED],
        alone=position[(wanted & ~has_reference[:, None]).flatten()],
        added=position[with_reference.flatten()],
        groups=group_of[with_reference],
        references=is_reference.flatten().nonzero().flatten(),
        weights=weights / weights.sum(1, keepdim=True),
    )
    return NounCells(**{name: value.to(device) for name, value in vars(noun_cells).items()})


def _lift(
    cells: NounCells, rows: Tensor, queries: Tensor, keys: Tensor, delta: float, settings: GuidanceSettings
) -> Tensor:
    """(n, t) bias, or (H, n, t), of the added cells of a noun that has an instance to copy; keys (H, t, d)."""
    scale = queries.shape[-1] ** -0.5 / queries.shape[0]
    heads = scores(queries[:, rows[cells.added]], keys)
    references = torch.einsum("gm,hmd->ghd", cells.weights, queries[:, cells.references].float())
    reference = torch.einsum("ghd,hd->g", references, reduce(keys, "h t d -> h d", "mean")) * scale
    wanted = reference[cells.groups][:, None]
    own = heads.mean(0)
    lift: Tensor
    if settings.added == "overwritten":
        lift = wanted * delta - heads
    elif settings.added == "release":
        lift = wanted * delta - own
    else:
        lift = (wanted + (delta - 1) * settings.lift - own).clamp_min(0)
    return lift


def row_bias(
    queries: Tensor,
    keys: Tensor,
    after: Tensor,
    columns: Sequence[tuple[int, ...]],
    delta: float,
    settings: GuidanceSettings,
    frames: int,
) -> RowBias | None:
    """`guide_of` and `Guide.bias` in one call, for a single layer."""
    return guide_of(after, frames, settings, queries.device).bias(queries, keys, columns, delta)
