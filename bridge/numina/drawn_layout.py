"""Guides of a layout that somebody has drawn, in place of one that was read and corrected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...core.numina import Layouts
from ..counters.layout import run_layout
from ..prompts.conditionings import CountedConditioning
from .guided_rows import PictureGuide
from .settings import NuminaSettings
from .shared_guide import Guides
from .window import FRAMES


def drawn_guides(
    counted: Sequence[CountedConditioning], boxes: Any, settings: NuminaSettings, model: Any, shape: tuple[int, ...]
) -> Guides:
    """Conditioning to the guide of each item of the batch; none at strength 0.

    Args:
        boxes: what is connected, see `run_layout`.
        model: ComfyUI's model that samples.
        shape: of the run's latent.

    Raises:
        CountError: see `run_layout`.
    """
    grid, frames = (shape[-2], shape[-1]), shape[FRAMES] if len(shape) > 4 else 1
    guides: Guides = {}
    for one in counted:
        drawn = run_layout(boxes, one.counts.objects, model, shape)
        guides[one.conditioning["uuid"]] = {
            item: PictureGuide(
                Layouts.of_boxes([[box.cells(grid) for box in own] for own in nouns], frames, grid),
                one.target.tokens,
                one.text_layout.length,
                settings.preset,
                settings.strength,
            )
            for item, nouns in enumerate(drawn)
        }
    return guides if settings.strength > 0 else {}
