"""Gathers what the chosen layers of one model call show, and reads layouts off it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from einops import rearrange
from torch import Tensor

from ...core.attention import MAX_SELF_PIXELS, AttentionCall, CallKind, RecordedMaps, recorded_maps, thinned
from ...core.numina import Layouts, Preset, Reading, head_responses, noun_response, read_layouts
from ..recording.maps import NOT_NUMBERS


def frames_of(call: AttentionCall, item: int) -> list[AttentionCall]:
    """One item of a call as calls with its frames as batch: attention within each frame, and to the text."""
    frames = call.frames
    queries = rearrange(call.queries[item], "h (f p) d -> f h p d", f=frames)
    bias = None if call.bias is None else call.bias[item if call.bias.shape[0] > 1 else 0]
    parts = []
    if (columns := call.columns("self")) is not None:
        keys = rearrange(call.keys[item][:, columns], "h (f p) d -> f h p d", f=frames)
        parts.append(replace(call, kind="self", queries=queries, keys=keys, text=None, image=None, bias=None, frames=1))
    if (columns := call.columns("cross")) is not None:
        keys = call.keys[item][:, columns].expand(frames, -1, -1, -1)
        if bias is not None:
            rows = bias if bias.shape[1] == 1 else rearrange(bias, "h (f p) k -> f h p k", f=frames)
            bias = rows[..., columns] if rows.shape[-1] > 1 else rows
            bias = bias if bias.ndim == 4 else bias[None]
        parts.append(
            replace(call, kind="cross", queries=queries, keys=keys, text=None, image=None, bias=bias, frames=1)
        )
    return parts


def _frame(call: AttentionCall, frame: int) -> AttentionCall:
    bias = call.bias if call.bias is None or len(call.bias) == 1 else call.bias[frame : frame + 1]
    return replace(call, queries=call.queries[frame : frame + 1], keys=call.keys[frame : frame + 1], bias=bias)


def _together(frames: list[AttentionCall]) -> AttentionCall:
    queries, keys = (torch.cat([getattr(frame, name) for frame in frames]) for name in ("queries", "keys"))
    biases = [frame.bias for frame in frames if frame.bias is not None]
    return replace(frames[0], queries=queries, keys=keys, bias=torch.cat(biases) if biases else None)


def columns_of(call: AttentionCall, length: int, tokens: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    """Which of a call's keys the tokens of each noun are; ComfyUI repeats a context that is shorter than another one.

    Args:
        length: of the prompt's context.
        tokens: per noun, its positions in the context.
    """
    keys = range(call.keys.shape[2])[call.columns("cross") or slice(0)]
    copies = max(len(keys) // length, 1)
    return tuple(tuple(keys[copy * length + place] for copy in range(copies) for place in own) for own in tokens)


@dataclass(frozen=True)
class ShownMaps:
    """What the viewer shows of a reading, and what is known of its layouts on the way.

    Attributes:
        maps: frames as batch; fp16, on the CPU.
        mean_nouns: (K, F, P) the response of each noun, the mean over layers and heads; where the calls lie.
    """

    maps: RecordedMaps
    mean_nouns: Tensor


@dataclass
class PictureReading:
    """What one picture or video has shown so far, frame by frame.

    Attributes:
        tokens: per noun, its positions in the prompt's context.
        asked: per noun, how many are asked for.
        length: of the prompt's context.
    """

    tokens: tuple[tuple[int, ...], ...]
    asked: tuple[int, ...]
    length: int
    _parts: dict[tuple[str, CallKind], dict[int, AttentionCall]] = field(default_factory=dict)

    def add(self, call: AttentionCall, item: int, frames: Sequence[int]) -> None:
        """Take in a call of a chosen layer; a frame that another window has shown before stays as it was."""
        for part in frames_of(call, item):
            known = self._parts.setdefault((part.layer, part.kind), {})
            for place, frame in enumerate(frames):
                known.setdefault(frame, _frame(part, place))

    def is_complete(self, frames: int) -> bool:
        """Whether all frames were shown."""
        return all(len(known) == frames for known in self._parts.values())

    def problem(self) -> str | None:
        """Why no layout can be read off what was shown, or None."""
        kinds = {kind for _, kind in self._parts}
        if not {"self", "cross"} <= kinds:
            return (
                "the layer that layouts are read in showed no attention on a grid of its own. Remove nodes that cut up or "
                "merge the model's tokens, such as HyperTile and ToMe, or choose another reference_layer"
            )
        shown = (frame for known in self._parts.values() for frame in known.values())
        finite = [one.isfinite().all() for frame in shown for one in (frame.queries, frame.keys)]
        return None if bool(torch.stack(finite).all()) else NOT_NUMBERS

    def layouts(self, preset: Preset, shown: ShownMaps | None = None) -> Layouts:
        """What is there and what is to be there, from the layers together, their heads side by side.

        Args:
            shown: what `maps` gave, where it was called: spares a preset that asks for the mean over heads computing it.
        """
        nouns = shown.mean_nouns if shown is not None and preset.layout.cross_map == "mean" else None
        if nouns is None:
            nouns = torch.stack([self._nouns(call, preset) for call in self._calls("cross")]).mean(0)
        own = self._calls("self")
        queries, keys = (torch.cat([getattr(call, name) for call in own], 1) for name in ("queries", "keys"))
        return read_layouts(Reading(queries, keys, nouns, own[0].grid, self._heads), self.asked, preset.layout)

    def _heads(self) -> Tensor:
        """(H, K, F, P) response of each head of all layers."""
        calls = [(call, columns_of(call, self.length, self.tokens)) for call in self._calls("cross")]
        return torch.cat([head_responses(call.queries, call.keys[0], call.bias, own) for call, own in calls])

    def maps(self) -> ShownMaps:
        """The same attention as the viewer shows it.

        Frame by frame: what is worked on then stays in a processor's cache.
        """
        shown, nouns = [], []
        for frame in sorted(next(iter(self._parts.values()))):
            calls = [known[frame] for known in self._parts.values()]
            maps = recorded_maps([thinned(call, MAX_SELF_PIXELS) if call.kind == "self" else call for call in calls])
            columns = next(columns_of(call, self.length, self.tokens) for call in calls if call.kind == "cross")
            nouns.append(torch.stack([maps.cross_attention[0, :, list(own)].mean(-1) for own in columns]))
            small = {name: getattr(maps, name).half().cpu() for name in ("cross_attention", "self_attention")}
            shown.append(replace(maps, **small))
        cross, own = (
            torch.cat([getattr(one, name) for one in shown]) for name in ("cross_attention", "self_attention")
        )
        whole = replace(shown[0], cross_attention=cross, self_attention=own)
        return ShownMaps(whole, torch.stack(nouns, dim=1))

    def _calls(self, kind: CallKind) -> list[AttentionCall]:
        """One call per layer, its batch the frames in order."""
        return [
            _together([known[frame] for frame in sorted(known)])
            for (_, own), known in self._parts.items()
            if own == kind
        ]

    def _nouns(self, call: AttentionCall, preset: Preset) -> Tensor:
        return noun_response(
            call.queries, call.keys[0], call.bias, columns_of(call, self.length, self.tokens), preset.layout
        )
