"""Open-vocabulary detectors of the transformers library as counters: any zero-shot detector, and CountBench's Grounding DINO.

Any model of `AutoModelForZeroShotObjectDetection` works: Grounding DINO and MM Grounding DINO, OWL-ViT, OWLv2, OmDet-Turbo.
The ISAC paper's other two detectors, YOLOE and YOLOv12, are not part of that library.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from headcount.core.counting import Counted, Point
from headcount.core.errors import CountError
from PIL import Image
from torch import Tensor

from .counters import OnProgress, pixels_of
from .detection import Box, Detection, agreed, box_area, without_doubles
from .pretrained import model_name, pretrained

_READS_TOKENS = frozenset({"grounding-dino", "mm-grounding-dino"})
_READS_CAPTIONS = frozenset({"owlvit", "owlv2"})


def with_article(noun: str) -> str:
    """ "an elephant", "a sports ball"; by its first letter."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


@dataclass(frozen=True)
class DetectorSettings:
    """Which detector, and what of its output counts.

    Attributes:
        source: a folder as `save_pretrained` writes it, read without network, or the name of a model on the Hub.
        threshold: least score, 0 to 1.
        most_overlap: intersection over union above which two boxes of one noun are doubles.
    """

    source: str
    threshold: float = 0.3
    most_overlap: float = 0.5


class Detector:
    """A detector that is ready to run.

    Args:
        device: where it runs.

    Raises:
        CountError: there is no such model.
    """

    def __init__(self, settings: DetectorSettings, device: torch.device) -> None:
        self._settings, self._device = settings, device
        self._processor, self._model = _loaded(settings.source, True, device)
        self._kind = str(self._model.config.model_type)

    @property
    def name(self) -> str:
        """Model, version and settings, for the rows of counts."""
        model = model_name(self._settings.source, self._model)
        return f"{model}, score {self._settings.threshold:g}, overlap {self._settings.most_overlap:g}"

    @torch.inference_mode()
    def detect(self, picture: np.ndarray, nouns: Sequence[str]) -> list[Detection]:
        """Where the picture shows what.

        All nouns are asked for at once, so that each box goes to the noun that fits it best.

        Args:
            picture: (H, W, 3) uint8.
            nouns: what to look for, in the singular.

        Returns:
            Detections without doubles, the best score first; boxes are cut at the picture's edge, and those beyond it left out.
        """
        # The OWL models were taught with captions, the Grounding DINO models with lists of nouns.
        texts = [f"a photo of {with_article(noun)}" if self._kind in _READS_CAPTIONS else noun for noun in nouns]
        inputs = self._processor(images=[Image.fromarray(picture)], text=[texts], return_tensors="pt").to(self._device)
        outputs = self._model(**inputs)
        size = picture.shape[:2]
        if self._kind in _READS_TOKENS:
            found = self._by_tokens(outputs, inputs["input_ids"][0], nouns, size)
        else:
            found = self._by_texts(outputs, dict(zip(texts, nouns, strict=True)), size)
        return without_doubles([item for item in found if box_area(item.box) > 0], self._settings.most_overlap)

    def _by_texts(self, outputs: Any, nouns: dict[str, str], size: tuple[int, int]) -> Iterator[Detection]:
        """Detections of a model that scores every box against every text."""
        (found,) = self._processor.post_process_grounded_object_detection(
            outputs, threshold=self._settings.threshold, target_sizes=[size], text_labels=[list(nouns)]
        )
        rows = zip(found["text_labels"], found["scores"].tolist(), found["boxes"].tolist(), strict=True)
        for text, score, box in rows:
            yield Detection(nouns[text], score, _inside(box, size))

    def _by_tokens(
        self, outputs: Any, tokens: Tensor, nouns: Sequence[str], size: tuple[int, int]
    ) -> Iterator[Detection]:
        """Detections of a model that scores every box against every token of "cat. hot dog.".

        The library would give a box the words of all tokens above a threshold, such as "baseball" where both a baseball
        bat and a baseball glove are asked for. A noun's score is the mean over its tokens instead, as in the evaluation of
        GLIP and MM Grounding DINO on a closed set of classes.
        """
        probabilities = outputs.logits[0].float().sigmoid()
        spans = _token_spans(tokens.tolist(), self._processor.tokenizer)
        if len(spans) != len(nouns):
            raise ValueError(f"the tokenizer made {len(spans)} labels of {len(nouns)} nouns: {', '.join(nouns)}")
        scores, owners = torch.stack([probabilities[:, span].mean(1) for span in spans], dim=1).max(1)
        x, y, width, height = outputs.pred_boxes[0].float().unbind(1)
        across, down = size[1], size[0]
        corners = torch.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], dim=1)
        boxes = corners * corners.new_tensor([across, down, across, down])
        for score, owner, box in zip(scores.tolist(), owners.tolist(), boxes.tolist(), strict=True):
            if score > self._settings.threshold:
                yield Detection(nouns[owner], score, _inside(box, size))


def _token_spans(tokens: Sequence[int], tokenizer: Any) -> list[list[int]]:
    """Positions of each label's tokens: labels end with a full stop, and special tokens belong to none."""
    stop, special = tokenizer.convert_tokens_to_ids("."), set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    spans: list[list[int]] = [[]]
    for position, token in enumerate(tokens):
        if token == stop:
            spans.append([])
        elif token not in special:
            spans[-1].append(position)
    return [span for span in spans if span]


def _inside(box: Sequence[float], size: tuple[int, int]) -> Box:
    """(left, top, right, bottom) cut at the edges of a picture of `size` (height, width)."""
    left, top, right, bottom = box
    height, width = size
    return max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height))


class DetectorCounter:
    """One or more detectors as a counter. Of several, an object counts when any two see it.

    Args:
        detectors: at least one.
        least_overlap: intersection over union from which two detectors see the same object.
    """

    vocabulary = ()

    def __init__(self, detectors: Sequence[Detector], least_overlap: float = 0.5) -> None:
        self._detectors, self._least_overlap = tuple(detectors), least_overlap
        names = " | ".join(detector.name for detector in detectors)
        self.name = names if len(detectors) == 1 else f"any two of: {names}; agreement {least_overlap:g}"

    def count(self, images: Tensor, nouns: Sequence[str], on_progress: OnProgress = None) -> Counted:
        """See `NamedCounter`; singular nouns."""
        points = []
        for done, picture in enumerate(pixels_of(images), 1):
            seen = agreed([detector.detect(picture, nouns) for detector in self._detectors], self._least_overlap)
            best = [max(group, key=lambda item: item.score) for group in seen]
            best.sort(key=lambda item: -item.score)
            points.append(tuple(tuple(_centre(item.box) for item in best if item.noun == noun) for noun in nouns))
            if on_progress is not None:
                on_progress(done, len(images))
        numbers = torch.tensor([[len(found) for found in row] for row in points], dtype=torch.float32)
        return Counted(tuple(nouns), numbers.reshape(len(points), len(nouns)), tuple(points))


def _centre(box: Box) -> Point:
    left, top, right, bottom = box
    return (left + right) / 2, (top + bottom) / 2


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
