"""Colours for heat and for instances."""

from __future__ import annotations

import colorsys

import torch
from torch import Tensor

# From dark blue over red to light yellow; brightness rises steadily, so it also reads in grey.
_HEAT_ANCHORS = (
    (0.05, 0.03, 0.20),
    (0.35, 0.07, 0.45),
    (0.72, 0.20, 0.36),
    (0.95, 0.45, 0.15),
    (0.99, 0.75, 0.20),
    (1.00, 0.98, 0.72),
)
_GOLDEN_RATIO = 0.61803398875


def heat_colours(values: Tensor) -> Tensor:
    """(...) values in 0..1 to (..., 3) RGB in 0..1. Values outside are clamped."""
    anchors = torch.tensor(_HEAT_ANCHORS, dtype=torch.float32, device=values.device)
    place = values.float().clamp(0, 1) * (len(anchors) - 1)
    low = place.floor().long().clamp_max(len(anchors) - 2)
    share = (place - low).unsqueeze(-1)
    return anchors[low] * (1 - share) + anchors[low + 1] * share


def kind_colours(count: int) -> Tensor:
    """(count, 3) RGB colours in 0..1, one per kind of object: those of the page's view (web/viewer/heat.js)."""
    hues = ((0.53 + index * _GOLDEN_RATIO) % 1.0 for index in range(count))
    return torch.tensor([colorsys.hls_to_rgb(hue, 0.6, 1.0) for hue in hues]).reshape(count, 3)


def distinct_colours(count: int) -> Tensor:
    """(count, 3) RGB colours in 0..1, each hue far from the ones before it."""
    hues = ((0.02 + index * _GOLDEN_RATIO) % 1.0 for index in range(count))
    return torch.tensor([colorsys.hsv_to_rgb(hue, 0.85, 0.95) for hue in hues]).reshape(count, 3)
