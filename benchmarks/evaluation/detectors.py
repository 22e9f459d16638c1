"""Open-vocabulary detectors of the transformers library, all called alike.

Any model of `AutoModelForZeroShotObjectDetection` works: Grounding DINO and MM Grounding DINO, OWL-ViT, OWLv2, OmDet-Turbo.
The paper's other two detectors, YOLOE and YOLOv12, are not part of that library.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

from .detection import Box, Detection, box_area, without_doubles
from .prompts import with_article
from .store import file_digest

_READS_TOKENS = frozenset({"grounding-dino", "mm-grounding-dino"})
_READS_CAPTIONS = frozenset({"owlvit", "owlv2"})
_WEIGHTS = ("*.safetensors", "*.bin")


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
        OSError: there is no such model.
    """

    def __init__(self, settings: DetectorSettings, device: torch.device) -> None:
        offline = Path(settings.source).is_dir()
        self._settings, self._device = settings, device
        self._processor = AutoProcessor.from_pretrained(settings.source, local_files_only=offline)
        model = AutoModelForZeroShotObjectDetection.from_pretrained(settings.source, local_files_only=offline)
        self._model = model.to(device).eval()
        self._kind = str(model.config.model_type)

    @property
    def name(self) -> str:
        """Model, version and settings, for the rows of counts."""
        folder, settings = Path(self._settings.source), self._settings
        if folder.is_dir():
            files = sorted(path for pattern in _WEIGHTS for path in folder.glob(pattern))
            model = f"{folder.resolve().name} {file_digest(*files)}"
        else:
            model = f"{settings.source} {getattr(self._model.config, '_commit_hash', None) or 'unknown version'}"
        return f"{model}, score {settings.threshold:g}, overlap {settings.most_overlap:g}"

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
