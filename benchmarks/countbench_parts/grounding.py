"""Counts with Grounding DINO as CountBench's authors do, with the transformers library in place of the original code.

Each noun is asked for alone, "<noun> ."; every box whose best token scores above the threshold counts, and doubles are not
removed. The authors' text threshold (0.25) only picks the words of a box's label: with one noun in the caption it changes no
count, so there is none here. `IDEA-Research/grounding-dino-tiny` on the Hub is the authors' SwinT-OGC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from headcount.core.errors import CountError
from numpy.typing import NDArray

from .metrics import Counts
from .pretrained import model_name, pretrained

_KINDS = frozenset({"grounding-dino", "mm-grounding-dino"})


@dataclass(frozen=True)
class GroundingSettings:
    """Which detector, and what counts.

    Attributes:
        source: a folder as `save_pretrained` writes it, or a model's name on the Hub.
        threshold: a box counts when it scores more, 0 to 1.
        short_side: to which frames are resized, in pixels.
        long_side: the longest that a resized frame may be.
        may_download: whether a model of the Hub that is not on this machine is downloaded.
    """

    source: str
    threshold: float = 0.32
    short_side: int = 800
    long_side: int = 1333
    may_download: bool = False


class GroundingFrames:
    """A Grounding DINO that is ready to run.

    Raises:
        CountError: there is no such detector, or it is of another kind.
    """

    def __init__(self, settings: GroundingSettings, device: torch.device) -> None:
        self._settings, self._device = settings, device
        self._processor = pretrained("AutoProcessor", settings.source, settings.may_download, "--detector")
        model = pretrained("AutoModelForZeroShotObjectDetection", settings.source, settings.may_download, "--detector")
        if model.config.model_type not in _KINDS:
            raise CountError(
                f"{settings.source} is of kind {model.config.model_type}. Give a Grounding DINO to --detector"
            )
        self._model = model.to(device).eval()
        self.name = (
            f"{model_name(settings.source, model)}, score {settings.threshold:g}, "
            f"{settings.short_side} to {settings.long_side} pixels"
        )

    @torch.inference_mode()
    def count(self, frames: NDArray[np.uint8], nouns: Sequence[str]) -> Counts:
        size = {"shortest_edge": self._settings.short_side, "longest_edge": self._settings.long_side}
        pictures = self._processor.image_processor(images=list(frames), size=size, return_tensors="pt").to(self._device)
        return np.stack([self._boxes(pictures, len(frames), noun) for noun in nouns], axis=1)

    def _boxes(self, pictures: Any, frames: int, noun: str) -> NDArray[np.int64]:
        """(N,) how many boxes of one noun each frame has."""
        caption = self._processor.tokenizer([f"{noun} ."] * frames, return_tensors="pt").to(self._device)
        scores = self._model(**pictures, **caption).logits.float().sigmoid().amax(-1)
        return (scores > self._settings.threshold).sum(1).cpu().numpy()
