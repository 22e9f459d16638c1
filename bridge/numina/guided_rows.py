"""Biases a model's attention to the text by a layout, call by call."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from torch import Tensor
from torch.nn.functional import pad

from ...core.attention import AttentionCall, Grid
from ...core.numina import Guide, Layouts, Preset, make_guide
from ..attention.arguments import ModelAttention
from .biased_rows import write_rows
from .layout_reading import columns_of


@dataclass(frozen=True)
class BatchSlot:
    """Where in a model call one picture or video is.

    Attributes:
        item: index in the call's batch.
        first: index of its first token among the queries.
        frames: which frames of the video the call shows, in its order.
    """

    item: int
    first: int
    frames: tuple[int, ...]


@dataclass
class PictureGuide:
    """The guidance of one picture or video.

    Attributes:
        layouts: what is there and what is to be there.
        tokens: per noun, its positions in the prompt's context.
        length: of the prompt's context.
    """

    layouts: Layouts
    tokens: tuple[tuple[int, ...], ...]
    length: int
    preset: Preset
    strength: float
    _guides: dict[tuple[Grid, tuple[int, ...]], Guide] = field(default_factory=dict)

    def apply(self, out: Tensor, call: AttentionCall, attention: ModelAttention, slot: BatchSlot, fade: float) -> None:
        """Compute the biased rows of one item anew, in slot.

        Args:
            out: the backend's answer.
            call: the whole batch's call.
            fade: the bias's share at this moment, delta(t) of the paper.
        """
        guide, item = self._guide(call, slot.frames), slot.item
        columns = columns_of(call, self.length, self.tokens)
        biased = guide.bias(call.queries[item], call.keys[item], columns, fade, call.kind == "joint")
        if biased is None:
            return
        bias = pad(biased.bias * self.strength, (0, attention.keys.shape[2] - biased.bias.shape[-1]))
        write_rows(out, attention, item, biased.rows + slot.first, bias)

    def _guide(self, call: AttentionCall, frames: tuple[int, ...]) -> Guide:
        key = (call.grid, frames)
        if key not in self._guides:
            shown = replace(self.layouts, after=self.layouts.after[:, list(frames)])
            self._guides[key] = make_guide(shown, call.grid, self.preset.guidance, call.queries.device)
        return self._guides[key]
