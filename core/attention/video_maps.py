"""Maps of the frames of a video, taken out of each attention call as it comes: no query and no key is kept.

The queries of one step of a video model take gigabytes, its matrices far more. So only some layers are read, only the
columns of words are computed, and self-attention only within each frame, for a part of its pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from einops import rearrange
from torch import Tensor

from ..errors import CountError
from .call_sums import RecordedMaps
from .calls import AttentionCall, Grid, mean_probabilities, thinned
from .fused import mean_columns
from .grids import area_pooled
from .layer_maps import THIRDS, LayerMaps, LayerPlan, LayerRequest, spread_evenly
from .word_maps import small_maps, step_grid, word_selector

# All frames of a video together have at most so many cells: the 21 frames of Wan's 81 pictures at 480 x 832 just fit.
MAX_VIDEO_CELLS = 32 * 1024
# Joint attention runs over all frames and the text; so many of its rows cost a few percent of a model call.
MAX_JOINT_ROWS = 16 * 1024
# Of each frame: so many of its cells are asked where they look.
_MAX_SELF_PIXELS = 20 * 20
_MAX_LAYERS = 8


def layers_read(layers: tuple[str, ...]) -> tuple[str, ...]:
    """Those of a model's layers that are read, spread evenly over its depth."""
    return tuple(layers[place] for place in spread_evenly(len(layers), _MAX_LAYERS))


def text_columns(call: AttentionCall, tokens: tuple[int, ...], length: int) -> Tensor:
    """How much each cell of each frame looks at some text tokens, the mean over the heads: (B * F, P, c), 0 to 1.

    Args:
        tokens: positions in the prompt's context.
        length: tokens of that context; ComfyUI repeats the shorter of two contexts, and copies share their attention.

    Raises:
        CountError: the call's text is not a whole number of repeats.
    """
    text = len(range(call.keys.shape[2])[call.columns("cross") or slice(0)])
    if not text or text % length:
        raise CountError(f"the model reads {text} text tokens, the prompt has {length}")
    wanted = tuple(start + token for start in range(0, text, length) for token in tokens)
    columns = mean_columns(call, wanted) if call.kind == "joint" else mean_probabilities(call)[..., list(wanted)]
    folded: Tensor = columns.unflatten(-1, (-1, len(tokens))).sum(-2)
    return rearrange(folded, "b (f p) c -> (b f) p c", f=call.frames)


def frame_attention(call: AttentionCall) -> Tensor:
    """Self-attention within each frame, the mean over the heads: (B * F, Q, P) for Q queries and P cells of a frame.

    The softmax runs over the cells of the query's own frame.
    """
    queries = rearrange(call.queries, "b h (f q) d -> (b f) h q d", f=call.frames)
    self_keys = call.keys[:, :, call.columns("self") or slice(None)]
    keys = rearrange(self_keys, "b h (f p) d -> (b f) h p d", f=call.frames)
    return mean_probabilities(AttentionCall(call.layer, "self", call.grid, queries, keys))


@dataclass
class VideoSums:
    """Maps of one model call, added up layer by layer.

    Attributes:
        tokens: the text tokens whose columns are kept, see `RunRecorder.compact`.
        request: its words lie in those columns.
        layers: names of the layers that are read, in the model's order.
    """

    plan: ClassVar[LayerPlan | None] = None  # the layers of a video model are known by their names

    tokens: tuple[int, ...]
    request: LayerRequest
    layers: tuple[str, ...] = ()
    _cross: Tensor | None = None
    _own: Tensor | None = None
    _grid: Grid = (0, 0)
    _self_grid: Grid = (0, 0)
    _texts: int = 0
    _thirds: dict[int, list[Tensor]] = field(default_factory=dict)
    _single: list[LayerMaps] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether attention of both kinds has come."""
        return self._cross is not None and self._own is not None

    @torch.no_grad()
    def add(self, call: AttentionCall) -> None:
        """Take in a call, unless its layer is not read."""
        if call.layer not in self.layers:
            return
        if call.columns("cross") is not None:
            self._add_text(thinned(call, MAX_JOINT_ROWS if call.kind == "joint" else MAX_VIDEO_CELLS))
        if call.columns("self") is not None:
            self._add_own(call)

    def _add_text(self, call: AttentionCall) -> None:
        heat = text_columns(call, self.tokens, self.request.length)
        self._cross = heat if self._cross is None else self._cross + heat
        self._grid, self._texts = call.grid, self._texts + 1
        selector = word_selector(self.request.words, heat.shape[-1], heat.shape[-1], heat)
        small = small_maps(heat @ selector, call.grid, step_grid(call.grid, len(heat)))
        self._thirds.setdefault(3 * self.layers.index(call.layer) // len(self.layers), []).append(small)
        if self.request.step is not None:
            self._single.append(LayerMaps(call.layer, "mean", self.request.step, small))

    def _add_own(self, call: AttentionCall) -> None:
        some = thinned(call, call.frames * _MAX_SELF_PIXELS)
        rows = frame_attention(some)
        pooled = area_pooled(rows.flatten(0, 1), call.grid, some.grid).unflatten(0, rows.shape[:2])
        self._own = pooled if self._own is None else self._own + pooled
        self._self_grid = some.grid

    def maps(self) -> RecordedMaps:
        """The means, frames of all videos as a batch, in float32 or float64.

        Raises:
            CountError: no self-attention or no cross-attention was taken in.
        """
        if self._cross is None or self._own is None:
            missing = "cross" if self._cross is None else "self"
            raise CountError(f"the model made no {missing}-attention call that could be recorded")
        self_share = self._own / self._own.sum(-1, keepdim=True)
        thirds = [
            LayerMaps(THIRDS[place], "mean", None, torch.stack(parts).mean(0))
            for place, parts in sorted(self._thirds.items())
        ]
        layers = (*thirds, *self._single)
        return RecordedMaps(self._cross / self._texts, self._grid, self_share, self._self_grid, layers)
