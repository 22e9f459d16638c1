"""Which items and frames of a run a model call is about: all of them, unless ComfyUI shows them in context windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FRAMES = 2  # dimension of a video's frames in its latent


@dataclass(frozen=True)
class Window:
    """What a model call shows.

    Attributes:
        items: places in the latent batch, in the order of the call's rows.
        frames: places in the video, in the order of the call's frames.
        total: frames of the whole video.
    """

    items: tuple[int, ...]
    frames: tuple[int, ...]
    total: int


def window_of(options: Mapping[str, Any], items: int, frames: int, whole: tuple[int, ...]) -> Window:
    """The window of a model call.

    Args:
        options: ComfyUI's transformer_options.
        items: rows of the call for one conditioning.
        frames: frames that the model's attention runs over.
        whole: shape of the run's latent.
    """
    window: Any = options.get("context_window")
    shown = tuple(window.index_list) if window is not None else ()
    if shown and window.dim == 0:
        return Window(shown, tuple(range(frames)), frames)
    if shown and window.dim == FRAMES:
        # ComfyUI can show the frame before a window in front of it, so that the model knows what it follows.
        before = getattr(window, "causal_anchor_index", None)
        shown = shown if before is None else (before, *shown)
        return Window(tuple(range(items)), shown, whole[FRAMES])
    return Window(tuple(range(items)), tuple(range(frames)), frames)
