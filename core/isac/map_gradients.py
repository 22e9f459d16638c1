"""From a sparse gradient on aggregated attention maps to gradients at the calls, one call and one block of rows at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..attention import AttentionCall, Grid, Kind, PictureRows, column_gradient, head_counts, pixel_sources, resize_back
from .differentiate import CallGradient


@dataclass(frozen=True)
class MapGradient:
    """Where one picture's loss has a gradient with respect to its aggregated maps; it is zero everywhere else.

    Attributes:
        grid: (h, w) of the maps, P = h * w.
        pixels: (r,) rows of the self-attention map.
        by_pixel: (r, P) gradient of those rows.
        tokens: columns of the cross-attention map, each once.
        by_token: (P, c) gradient of those columns.
    """

    grid: Grid
    pixels: Tensor
    by_pixel: Tensor
    tokens: tuple[int, ...]
    by_token: Tensor

    def without_zeros(self) -> MapGradient:
        """The same gradient without rows and columns that are zero."""
        rows, columns = self.by_pixel.any(1), self.by_token.any(0)
        tokens = tuple(token for token, used in zip(self.tokens, columns.tolist(), strict=True) if used)
        return MapGradient(self.grid, self.pixels[rows], self.by_pixel[rows], tokens, self.by_token[:, columns])


@dataclass(frozen=True)
class _CallGradient:
    """A gradient on the summed heads of one call, in its own grid.

    Attributes:
        own_rows, own: (n,) and (n, K_image), for its image keys.
        words: (N, c), for the tokens that `MapGradient` names.
    """

    own_rows: Tensor
    own: Tensor
    words: Tensor

    def rows(self) -> Tensor:
        """(m,) rows with any gradient."""
        rows: Tensor = torch.cat([self.own_rows, self.words.any(1).nonzero().squeeze(1)]).unique()
        return rows

    def on(self, call: AttentionCall, rows: Tensor, tokens: tuple[int, ...]) -> Tensor:
        """(m, K) gradient of some rows."""
        dense = self.own.new_zeros(len(rows), call.keys.shape[2])
        image, text = call.columns("self"), call.columns("cross")
        if image is not None:
            dense[:, image] += (rows[:, None] == self.own_rows).to(self.own) @ self.own
        if text is not None and tokens:
            dense[:, text][:, list(tokens)] = self.words[rows]
        return dense


def _own_gradient(call: AttentionCall, gradient: MapGradient, heads: int) -> tuple[Tensor, Tensor]:
    """The touched rows of a call's image-to-image attention, and their gradient: at most four rows per pixel."""
    index, weight = pixel_sources(gradient.pixels, call.grid, gradient.grid, gradient.by_pixel.dtype)
    rows, place = index.unique(return_inverse=True)
    shares = torch.zeros(len(rows), len(index), dtype=weight.dtype, device=weight.device)
    for row, share in zip(place.T, weight.T, strict=True):  # a pixel at the edge has the same neighbour twice
        shares[row, torch.arange(len(index), device=row.device)] += share
    return rows, shares @ resize_back(gradient.by_pixel, call.image_grid or call.grid, gradient.grid) / heads


def _call_gradient(call: AttentionCall, gradient: MapGradient, heads: dict[Kind, int]) -> _CallGradient:
    cells = call.grid[0] * call.grid[1]
    nothing = gradient.by_token.new_zeros(cells, 0)
    rows, own = gradient.pixels[:0], nothing[:0]
    if call.columns("self") is not None:
        rows, own = _own_gradient(call, gradient, heads["self"])
    if call.columns("cross") is None:
        return _CallGradient(rows, own, nothing)
    return _CallGradient(rows, own, resize_back(gradient.by_token.T, call.grid, gradient.grid).T / heads["cross"])


def _add_picture(
    call: AttentionCall, item: int, wanted: _CallGradient, tokens: tuple[int, ...], total: CallGradient
) -> None:
    """Write one picture's part of a call's gradient."""
    picture = PictureRows(call, item)
    by_query = torch.zeros(call.queries.shape[1:], dtype=picture.dtype, device=call.keys.device)
    by_key = torch.zeros(call.keys.shape[1:], dtype=picture.dtype, device=call.keys.device)
    if call.kind == "joint" and tokens and 2 * len(wanted.rows()) > len(wanted.words):
        by_query, by_key = column_gradient(call, item, tokens, wanted.words)
        wanted = replace(wanted, words=torch.zeros_like(wanted.words))
    for rows in picture.blocks(wanted.rows()):
        by_row, part = picture.gradient(rows, wanted.on(call, rows, tokens))
        by_query[:, rows] += by_row
        by_key += part
    total.queries[item] = by_query.to(total.queries)
    total.keys[item] = by_key.to(total.keys)


@dataclass(frozen=True)
class MapGradients:
    """A gradient on the maps that `aggregate` makes of some calls, taken on to the calls; exact, one call at a time.

    Attributes:
        gradients: per picture of the batch; None where it has none.
        heads: `head_counts` of all calls that the maps are made of.
    """

    gradients: list[MapGradient | None]
    heads: dict[Kind, int]

    def has_gradient(self, call: AttentionCall) -> bool:
        """Whether the gradient reaches a call; its outline will do."""
        own, text = call.columns("self") is not None, call.columns("cross") is not None
        return any(
            gradient is not None and ((own and len(gradient.pixels) > 0) or (text and len(gradient.tokens) > 0))
            for gradient in self.gradients
        )

    def at(self, call: AttentionCall) -> CallGradient:
        """The gradient at one call, in the dtype of its queries and keys. Beside it a block of rows is alive at a time."""
        with torch.inference_mode(False), torch.no_grad():
            total = CallGradient(call, torch.zeros_like(call.queries), torch.zeros_like(call.keys))
            for item, gradient in enumerate(self.gradients):
                if gradient is None:
                    continue
                wanted = _call_gradient(call, gradient, self.heads)
                if len(wanted.own_rows) or wanted.words.shape[1]:
                    _add_picture(call, item, wanted, gradient.tokens, total)
            return total


def gradients_at(calls: list[AttentionCall], gradients: list[MapGradient | None]) -> list[CallGradient]:
    """A gradient on the maps that `aggregate` makes of `calls`, taken on to each call that is touched.

    Args:
        calls: all calls that the maps are made of.
        gradients: per picture of the batch; None where it has none.
    """
    on_maps = MapGradients(gradients, head_counts(calls))
    return [on_maps.at(call) for call in calls if on_maps.has_gradient(call)]
