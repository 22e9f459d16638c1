"""Reads transformers of video, by hooks on their attention modules.

What an attention is cannot be told from its lengths, since a clip may have as many tokens as its text, nor from counting,
since some models run further blocks of the same class in between. So the modules say themselves when they run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

from ...core.attention import AttentionCall, CallKind, Grid
from .family import ModelInputs, Options, Record
from .joint import TokenOrder


@dataclass(frozen=True)
class Watched:
    """An attention of a model.

    Attributes:
        module: what runs while the attention is computed, and no other attention that is read.
        layer: name of its block, such as "block.15"; the two attentions of a block share it.
        kind: what looks at what.
        call: which of the attention calls within `module` is read, from 1.
    """

    module: nn.Module
    layer: str
    kind: CallKind
    call: int = 1


Attentions = Callable[[Any], Iterator[Watched]]


class VideoReader:
    """Reads the attentions of a model that are watched, and no others.

    Calls are over all frames: F * h * w queries, frame by frame and row by row, and `grid` is that of a frame.
    """

    one_grid = True

    def __init__(self, attentions: Attentions, order_of: Callable[[ModelInputs], TokenOrder]) -> None:
        self._attentions = attentions
        self._order_of = order_of
        self._order: TokenOrder | None = None
        self._running: Watched | None = None
        self._calls = 0

    def layers(self, diffusion: Any) -> tuple[str, ...]:
        """Names of the layers that are watched in ComfyUI's diffusion model, in its order."""
        return tuple(dict.fromkeys(one.layer for one in self._attentions(diffusion)))

    @contextmanager
    def begin(self, inputs: ModelInputs, record: Record) -> Iterator[None]:
        self._order, self._running = self._order_of(inputs), None
        with ExitStack() as stack:
            for one in self._attentions(inputs.diffusion):
                stack.callback(one.module.register_forward_pre_hook(partial(self._enter, one)).remove)
                stack.callback(one.module.register_forward_hook(self._leave).remove)
            yield

    def _enter(self, one: Watched, *_: Any) -> None:
        self._running, self._calls = one, 0

    def _leave(self, *_: Any) -> None:
        self._running = None

    def read(self, queries: Tensor, keys: Tensor, bias: Tensor | None, options: Options) -> AttentionCall | None:
        running, order = self._running, self._order
        if running is None or order is None:
            return None
        self._calls += 1
        wanted = order.text.stop if running.kind == "cross" else order.length
        # LTX asks about the video first and about its guides apart, where these are weakened.
        rows = {order.length, order.image.stop} if running.kind == "self" else {order.length}
        if self._calls != running.call or queries.shape[2] not in rows or keys.shape[2] != wanted:
            return None
        joint = running.kind == "joint"
        all_own = order.image == slice(0, order.length)
        return AttentionCall(
            running.layer,
            running.kind,
            order.grid,
            queries[:, :, order.image],
            keys,
            text=order.text if joint else None,
            image=order.image if joint or not all_own else None,
            bias=bias if bias is None or bias.shape[2] == 1 else bias[:, :, order.image],
            frames=order.frames,
        )


def video_reader(
    attentions: Attentions, order_of: Callable[[ModelInputs], TokenOrder]
) -> Callable[[Grid], VideoReader]:
    """What a family gives as its reader.

    Args:
        attentions: those of a diffusion model that are read.
        order_of: how the tokens of a model call are laid out. Where text has attentions of its own, `text` counts from
            their first key, and `length` is the number of image tokens.
    """
    return lambda _: VideoReader(attentions, order_of)


def separate_order(inputs: ModelInputs, grid: Grid, frames: int, before: int = 0, behind: int = 0) -> TokenOrder:
    """The order of a model whose image and text tokens have attentions of their own.

    Args:
        grid: (h, w) of the tokens of a frame.
        frames: F.
        before: number of image tokens in front of those of the video, such as a reference picture's.
        behind: number of image tokens that follow.
    """
    end = before + frames * grid[0] * grid[1]
    return TokenOrder(grid, slice(0, inputs.text), slice(before, end), end + behind, frames=frames)
