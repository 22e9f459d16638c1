"""Latents that hold a video and its sound. ComfyUI's samplers work on both as one row of numbers, the video first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import comfy.utils
from torch import Tensor

Shapes = Sequence[Sequence[int]]


def stream_shapes(conditionings: Mapping[str, Iterable[Mapping[str, Any]]]) -> Shapes | None:
    """(B, C, ...) of each stream of a run, as its processed conditionings carry them; None where they do not."""
    for conditioning in (one for group in conditionings.values() for one in group or ()):
        shapes = conditioning.get("model_conds", {}).get("latent_shapes")
        if shapes is not None:
            return list(shapes.cond)
    return None


def video_shape(state: Sequence[int], shapes: Shapes | None) -> tuple[int, ...]:
    """(B, C, ..., h, w) of the picture or video in a sampler's state of shape `state`."""
    return (state[0], *shapes[0][1:]) if shapes is not None and len(shapes) > 1 else tuple(state)


def video_in(state: Tensor, shapes: Shapes | None) -> Tensor:
    """(B, C, ..., h, w) the picture or video in a sampler's state."""
    return state if shapes is None else comfy.utils.unpack_latents(state, shapes)[0]


def video_of(samples: Any) -> Tensor:
    """(B, C, ..., h, w) the picture or video in the samples of a LATENT."""
    return samples.unbind()[0] if samples.is_nested else samples
