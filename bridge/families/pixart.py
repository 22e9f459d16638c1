"""PixArt Alpha and Sigma: self- and cross-attention on one grid.

ComfyUI's PixArt does not hand its options on to its attention, so that no override sees it. Its queries and keys are
taken from the layers that make them, with PyTorch's own hooks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from comfy.ldm.pixart.pixartms import PixArtMS, PixArtMSBlock
from comfy.model_base import PixArt
from torch import Tensor, nn

from ...core.attention import AttentionCall, Grid, split_heads
from ...core.prompts import Counts, TextLayout, one_encoder
from .family import Family, ModelInputs, Options, Record
from .joint import patches

_Take = Callable[[Tensor], None]


class PixArtReader:
    """Records from hooks; what an override sees is passed over, since newer versions may show it too."""

    one_grid = True

    def read(self, queries: Tensor, keys: Tensor, bias: Tensor | None, options: Options) -> None:
        return None

    @contextmanager
    def begin(self, inputs: ModelInputs, record: Record) -> Iterator[None]:
        grid = patches(inputs.latent, inputs.diffusion.patch_size)
        with ExitStack() as stack:
            for index, block in enumerate(inputs.diffusion.blocks):
                self._tap(stack, block, f"block.{index}", grid, lambda call: record(call, inputs.options))
            yield

    def _tap(
        self, stack: ExitStack, block: PixArtMSBlock, name: str, grid: Grid, take: Callable[[AttentionCall], None]
    ) -> None:
        seen: dict[str, Tensor] = {}
        own, cross = block.attn, block.cross_attn

        def self_keys(keys: Tensor) -> None:
            queries, keys = (split_heads(tokens, own.num_heads) for tokens in (seen.pop("self"), keys))
            take(AttentionCall(name, "self", grid, queries, keys))

        def cross_keys(keys_and_values: Tensor) -> None:
            queries = seen.pop("cross")
            # The pictures of a batch lie end to end here.
            keys = keys_and_values.view(len(queries), -1, keys_and_values.shape[-1])[..., : queries.shape[-1]]
            queries, keys = (split_heads(tokens, cross.num_heads) for tokens in (queries, keys))
            take(AttentionCall(name, "cross", grid, queries, keys))

        if own.sr_ratio == 1:  # else keys are pooled behind the layer that is watched
            _watch(stack, own.q_norm, lambda tokens: seen.update(self=tokens))
            _watch(stack, own.k_norm, self_keys)
        _watch(stack, cross.q_linear, lambda tokens: seen.update(cross=tokens))
        _watch(stack, cross.kv_linear, cross_keys)


def _watch(stack: ExitStack, module: nn.Module, take: _Take) -> None:
    """Until `stack` closes, hand on whatever `module` returns."""
    stack.callback(module.register_forward_hook(lambda _, __, output: take(output)).remove)


def text_layout(counts: Counts, conditioning: Mapping[str, Any]) -> TextLayout:
    """T5's tokens."""
    return one_encoder(counts, "t5xxl", conditioning["cross_attn"].shape[1])


PIXART = Family(
    "PixArt Alpha and Sigma", (PixArtMS,), (PixArt,), lambda _: PixArtReader(), (PixArtMSBlock,), text_layout
)
