"""What the bias costs in one layer: a few rows computed anew, against attention to the text with a whole mask."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from headcount.bridge.attention.arguments import ModelAttention
from headcount.bridge.numina.guided_rows import BatchSlot, PictureGuide
from headcount.core.attention import AttentionCall, Grid
from headcount.core.numina import ROBUST, Layouts
from headcount.core.numina.layout import FIRST_ADDED, REMOVED
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from ..lab.measures import Step, Wait, times
from ..lab.tables import table

SHARES = (0.05, 0.15, 0.3)
DENSE = "dense mask"
PLAIN = "plain"
_COLUMNS = ((2,), (5,))
FADE = 1.75  # delta(t) of the early steps


@dataclass(frozen=True)
class Layer:
    """One layer's attention to the text.

    Attributes:
        queries: (1, H, F * h * w, d).
        keys, values: (1, H, T, d).
        frames: F.
        grid: (h, w) of a frame.
    """

    queries: Tensor
    keys: Tensor
    values: Tensor
    frames: int
    grid: Grid

    def plain(self) -> Tensor:
        """(1, N, H * d), as ComfyUI's attention answers."""
        found = scaled_dot_product_attention(self.queries, self.keys, self.values)
        return found.transpose(1, 2).flatten(2)

    def masked(self, bias: Tensor) -> Tensor:
        """The same with a (N, T) bias."""
        found = scaled_dot_product_attention(self.queries, self.keys, self.values, bias[None, None])
        return found.transpose(1, 2).flatten(2)


def random_layer(
    frames: int, grid: Grid, heads: int, width: int, tokens: int, device: torch.device, dtype: torch.dtype
) -> Layer:
    """A layer of random numbers."""
    generator = torch.Generator(device).manual_seed(0)
    lengths = frames * grid[0] * grid[1], tokens, tokens
    parts = [torch.randn(1, heads, own, width, generator=generator, device=device).to(dtype) for own in lengths]
    return Layer(*parts, frames, grid)


def guide_of_share(layer: Layer, share: float) -> PictureGuide:
    """A guide that biases a share of the cells, in all frames: two thirds added beside an instance, the rest removed."""
    height, width = layer.grid
    cells = round(share * height * width)
    after = torch.zeros(len(_COLUMNS), layer.frames, height * width, dtype=torch.int16)
    after[0, :, : 2 * cells // 3] = FIRST_ADDED
    after[1, :, 2 * cells // 3 : cells] = REMOVED
    after[0, :, -max(1, cells // 3) :] = 1
    after = after.unflatten(2, layer.grid)
    counts = torch.ones(len(_COLUMNS), layer.frames, dtype=torch.int64)
    layouts = Layouts(after.clamp_min(0), after, counts, (2, 0), torch.zeros(layer.frames), layer.grid)
    return PictureGuide(layouts, _COLUMNS, layer.keys.shape[2], ROBUST, 1.0)


def bias_rows(layer: Layer, guide: PictureGuide, out: Tensor) -> None:
    """What a guided run does behind a layer's attention."""
    call = AttentionCall("block.0", "cross", layer.grid, layer.queries, layer.keys, frames=layer.frames)
    scale = layer.queries.shape[-1] ** -0.5
    arguments = ModelAttention(layer.queries, layer.keys, None, scale, False, {}, lambda: layer.values)
    guide.apply(out, call, arguments, BatchSlot(0, 0, tuple(range(layer.frames))), FADE)


def row_costs(layer: Layer, rounds: int, wait: Wait) -> dict[str, float]:
    """Seconds of plain attention, of attention with a whole mask, and of plain attention with some rows anew."""
    bias = torch.zeros(layer.queries.shape[2], layer.keys.shape[2], device=layer.queries.device).to(layer.queries.dtype)

    def guided(guide: PictureGuide) -> None:
        bias_rows(layer, guide, layer.plain())

    guides = {f"{share:.0%} of the rows anew": guide_of_share(layer, share) for share in SHARES}
    steps: dict[str, Step] = {PLAIN: layer.plain, DENSE: lambda: layer.masked(bias)}
    steps |= {label: lambda guide=guide: guided(guide) for label, guide in guides.items()}
    return times(steps, rounds, wait)


def rows_table(seconds: dict[str, float]) -> list[str]:
    """What a layer takes."""
    plain = seconds[PLAIN]
    cells = [[way, f"{value * 1e3:.1f} ms", f"{value / plain:.2f}x"] for way, value in seconds.items()]
    return table(["attention to the text", "a layer", "against plain"], cells)
