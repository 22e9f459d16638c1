"""Grounding DINO as CountBench's authors count with it; `named_counters` has the counters of the nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from headcount.core.counting import Counted
from headcount.core.drawing import pixels_of
from headcount.core.errors import CountError
from torch import Tensor

from .counters import OnProgress
from .pretrained import model_name, pretrained

_READS_TOKENS = frozenset({"grounding-dino", "mm-grounding-dino"})


def with_article(noun: str) -> str:
    """ "an elephant", "a sports ball"; by its first letter."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


@dataclass(frozen=True)
class GroundingSettings:
    """Which Grounding DINO, and what counts.

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


class GroundingDino:
    """Counts as CountBench's authors do, with the transformers library in place of the original code.

    Each noun is asked for alone, "<noun> ."; every box whose best token scores above the threshold counts, and doubles are
    not removed. The authors' text threshold (0.25) only picks the words of a box's label: with one noun in the caption it
    changes no count, so there is none here. `IDEA-Research/grounding-dino-tiny` on the Hub is the authors' SwinT-OGC.

    Raises:
        CountError: there is no such detector, or it is of another kind.
    """

    vocabulary = ()

    def __init__(self, settings: GroundingSettings, device: torch.device) -> None:
        self._settings, self._device = settings, device
        self._processor, self._model = _loaded(settings.source, settings.may_download, device)
        kind = self._model.config.model_type
        if kind not in _READS_TOKENS:
            raise CountError(f"{settings.source} is of kind {kind}. Give a Grounding DINO to --detector")
        self.name = (
            f"{model_name(settings.source, self._model)}, score {settings.threshold:g}, "
            f"{settings.short_side} to {settings.long_side} pixels"
        )

    @torch.inference_mode()
    def count(self, images: Tensor, nouns: Sequence[str], on_progress: OnProgress = None) -> Counted:
        """See `NamedCounter`; without points."""
        size = {"shortest_edge": self._settings.short_side, "longest_edge": self._settings.long_side}
        frames = self._processor.image_processor(images=list(pixels_of(images)), size=size, return_tensors="pt")
        numbers = []
        for done, noun in enumerate(nouns, 1):
            numbers.append(self._boxes(frames.to(self._device), len(images), noun))
            if on_progress is not None:
                on_progress(done, len(nouns))
        nothing = tuple(() for _ in nouns)
        return Counted(tuple(nouns), torch.stack(numbers, dim=1).float(), (nothing,) * len(images))

    def _boxes(self, pictures: Any, frames: int, noun: str) -> Tensor:
        """(N,) how many boxes of one noun each frame has."""
        caption = self._processor.tokenizer([f"{noun} ."] * frames, return_tensors="pt").to(self._device)
        scores = self._model(**pictures, **caption).logits.float().sigmoid().amax(-1)
        return (scores > self._settings.threshold).sum(1).cpu()


def _loaded(source: str, may_download: bool, device: torch.device) -> tuple[Any, Any]:
    """Processor and model of a zero-shot detector."""
    processor, model = (
        pretrained(kind, source, may_download, "--detector")
        for kind in ("AutoProcessor", "AutoModelForZeroShotObjectDetection")
    )
    return processor, model.to(device).eval()
