"""Reads transformers in which one attention runs over text and image tokens together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor

from ...core.attention import AttentionCall, Grid
from .family import ModelInputs, Options, Record


@dataclass(frozen=True)
class TokenOrder:
    """How the tokens of a joint attention are laid out.

    Attributes:
        grid: (h, w) of the image tokens, of one frame of a video.
        text: the text tokens.
        image: the tokens of the picture itself, h * w of them, row by row; of a video all frames, one after the other.
        length: number of all tokens, reference pictures and padding included.
        text_calls: how many attention calls over text alone come before the first one that sees the image.
        frames: F, of a video.
        image_calls: an attention call over as many tokens as the image has is the image's own.
    """

    grid: Grid
    text: slice
    image: slice
    length: int
    text_calls: int = 0
    frames: int = 1
    image_calls: bool = True


def patches(size: Grid, patch: int) -> Grid:
    """The grid of patches of a latent, whose sides ComfyUI pads to a multiple of the patch size."""
    return -(-size[0] // patch), -(-size[1] // patch)


def text_first(inputs: ModelInputs, patch: int, others: int = 0, text_calls: int = 0) -> TokenOrder:
    """[text, image, other images]: `others` is the number of tokens behind those of the picture."""
    grid = patches(inputs.latent, patch)
    start, end = inputs.text, inputs.text + grid[0] * grid[1]
    return TokenOrder(grid, slice(0, start), slice(start, end), end + others, text_calls)


class JointReader:
    """Reads joint attention calls, and calls over the image tokens alone as self-attention."""

    one_grid = True

    def __init__(self, order_of: Callable[[ModelInputs], TokenOrder]) -> None:
        self._order_of = order_of
        self._order: TokenOrder | None = None
        self._calls = 0

    @contextmanager
    def begin(self, inputs: ModelInputs, record: Record) -> Iterator[None]:
        self._order, self._calls = self._order_of(inputs), 0
        yield

    def read(self, queries: Tensor, keys: Tensor, bias: Tensor | None, options: Options) -> AttentionCall | None:
        self._calls += 1
        order, rows, columns = self._order, queries.shape[2], keys.shape[2]
        if order is None or self._calls <= order.text_calls:
            return None
        layer, pixels = self._layer(options), order.grid[0] * order.grid[1]
        if columns == order.length and rows == pixels:  # the image asks about all tokens by itself
            return AttentionCall(layer, "joint", order.grid, queries, keys, order.text, order.image, bias)
        if columns == order.length and rows == columns:
            bias = bias if bias is None or bias.shape[2] == 1 else bias[:, :, order.image]
            queries = queries[:, :, order.image]
            return AttentionCall(layer, "joint", order.grid, queries, keys, order.text, order.image, bias)
        if columns == rows == pixels and order.image_calls:
            return AttentionCall(layer, "self", order.grid, queries, keys, bias=bias)
        return None

    def _layer(self, options: Options) -> str:
        """The model's own name of the block that runs, or else the number of the call."""
        if options.get("block_index") is None:
            return f"attention.{self._calls}"
        return f"{options.get('block_type', 'block')}.{options['block_index']}"


def joint_reader(order_of: Callable[[ModelInputs], TokenOrder]) -> Callable[[Grid], JointReader]:
    """What a family gives as its reader: the order is worked out for each model call, from what the model gets."""
    return lambda _: JointReader(order_of)
