"""The counter of the Emoji models' pictures: a small detector as a Counter, for nodes and workflows that need one."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ...core.counting import Counted, counted_from_boxes
from ...core.emoji.detector import STRIDE, Detection, EmojiDetector, detections
from ...core.errors import CountError
from ...core.prompts import same_noun
from .weights import empty, fill, tensors_of

DECIDER_WEIGHTS = Path(__file__).resolve().parents[2] / "demo" / "weights" / "emoji_decider.safetensors"
_MULTIPLE = 4 * STRIDE  # the detector halves a picture's sides four times


class EmojiCounter:
    """Counts what a detector of the Emoji world sees; see `core.counting.Counter`.

    Args:
        detector: (B, 3, H, W) pixels in -1..1 to what `detections` reads, H and W in multiples of 16.
        known: the nouns of its channels, in the singular.
    """

    def __init__(self, detector: nn.Module, known: Sequence[str]) -> None:
        self._detector, self._known = detector.eval(), tuple(known)

    @torch.inference_mode()
    def count(
        self, images: Tensor, nouns: Sequence[str], on_progress: Callable[[int, int], None] | None = None
    ) -> Counted:
        """How many of each noun every image shows, and a box around each object of any noun that the detector knows.

        Raises:
            CountError: it does not know one of the nouns.
        """
        for noun in nouns:
            if not any(same_noun(noun, known) for known in self._known):
                raise CountError(
                    f"the Emoji counter cannot count '{noun}': it knows {', '.join(self._known)}. Ask for one of these, or "
                    "connect another counter"
                )
        boxes = []
        for done, image in enumerate(images, 1):
            boxes.append(self._boxes(image))
            if on_progress is not None:
                on_progress(done, len(images))
        return replace(counted_from_boxes(boxes, nouns, len(boxes)), boxes=tuple(boxes))

    def _boxes(self, image: Tensor) -> list[dict[str, Any]]:
        height, width = image.shape[:2]
        size = _nearest(height), _nearest(width)
        device = next(self._detector.parameters()).device
        pixels = image[..., :3].movedim(-1, 0).unsqueeze(0).to(device, torch.float32).clamp(0, 1) * 2 - 1
        scaled = pixels if size == (height, width) else interpolate(pixels, size, mode="bilinear", antialias=True)
        (found,) = detections(self._detector(scaled))
        return [self._box(one, width / size[1], height / size[0]) for one in found]

    def _box(self, found: Detection, across: float, down: float) -> dict[str, Any]:
        x, y, width, height = found.box
        place = {"x": x * across, "y": y * down, "width": width * across, "height": height * down}
        return {**place, "label": self._known[found.noun], "score": found.score}


def load_emoji_counter(path: Path = DECIDER_WEIGHTS) -> EmojiCounter:
    """The counter that nodes and workflows use, made by `demo.emoji.train_detector`.

    Raises:
        CountError: the file is missing or holds something else.
    """
    return counter_of(EmojiDetector, path)


def counter_of(kind: Callable[[int], nn.Module], path: Path) -> EmojiCounter:
    """A detector of the class `kind`, which takes the number of nouns, from its file as a counter; see `EmojiCounter`.

    Raises:
        CountError: the file is missing or holds something else.
    """
    state, metadata = tensors_of(path)
    if "nouns" not in metadata:
        raise CountError(f"{path.name} does not say which nouns it counts: it is not a detector of the Emoji models")
    known = json.loads(metadata["nouns"])
    with torch.inference_mode(False):
        detector = empty(lambda: kind(len(known)))
        fill(detector, state, "a detector of the Emoji models")
    return EmojiCounter(detector.float(), known)


def _nearest(side: int) -> int:
    return max(1, round(side / _MULTIPLE)) * _MULTIPLE
