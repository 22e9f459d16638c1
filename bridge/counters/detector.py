"""Zero-shot detectors of `transformers` as a counter, each asked in the form that it was trained with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import comfy.model_management
import comfy.model_patcher
import numpy as np
import torch
from torch import Tensor, nn

from ...core.counting import Counted, Detected, DetectionSettings
from ...core.drawing import pixels_of
from .detector_files import ReadDetector, detector_path, read_detector
from .looking import Seen, count_by_looks, detections_of, phrase_of
from .pictures import rgb_pictures

NODE = "Detector Counter"
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class _Held(nn.Module):
    """What ComfyUI's memory management holds: it writes attributes that a model of `transformers` does not let it write."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network


class DetectorCounter:
    """Counts what a zero-shot detector sees; see `core.counting.Counter`."""

    reads_attributes = True

    def __init__(self, read: ReadDetector, settings: DetectionSettings, dtype: torch.dtype = torch.float32) -> None:
        management = comfy.model_management
        self._read, self._settings, self._dtype = read, settings, dtype
        self.patcher = comfy.model_patcher.ModelPatcher(
            _Held(read.model.to(dtype)),
            load_device=management.get_torch_device(),
            offload_device=management.unet_offload_device(),
        )

    @torch.inference_mode()
    def count(
        self, images: Tensor, nouns: Sequence[str], on_progress: Callable[[int, int], None] | None = None
    ) -> Counted:
        """How many of each noun every image shows, with boxes.

        Raises:
            CountError: the images are none, or a noun is empty.
            InterruptProcessingException: the user pressed cancel.
        """
        images = rgb_pictures(images)
        for noun in nouns:
            phrase_of(noun, NODE)
        # Layers of transformers do not fetch their weights from elsewhere: the model is loaded whole.
        comfy.model_management.load_models_gpu([self.patcher], force_full_load=True)
        config = self._read.model.config
        most = int(getattr(config, "num_queries", 0) or 200)
        has_masks = _READERS[self._read.kind] is _sam3
        return count_by_looks(images, nouns, self._look, self._settings, most, has_masks, on_progress)

    def _look(self, image: Tensor, nouns: Sequence[str], noun_done: Callable[[], None]) -> list[Sequence[Detected]]:
        """The detections of each noun in one image."""
        pixels = pixels_of(image)
        texts = [self._read.architecture.prompt(phrase_of(noun, NODE)) for noun in nouns]
        size = (image.shape[0], image.shape[1])
        found: list[Sequence[Detected]] = []
        for seen in _READERS[self._read.kind](self, pixels, texts):
            found.append(detections_of(seen, size, self._settings.threshold))
            noun_done()
        return found

    def run(self, pixels: np.ndarray, **texts: Any) -> tuple[Any, Any]:
        """The processor's inputs and the model's outputs for one image.

        Args:
            pixels: (H, W, 3) uint8.
            **texts: as the processor of the architecture takes them.
        """
        inputs = self._read.processor(images=pixels, return_tensors="pt", **texts).to(self.patcher.load_device)
        for name, value in inputs.items():
            if isinstance(value, Tensor) and value.is_floating_point():
                inputs[name] = value.to(self._dtype)
        inputs.pop("original_sizes", None)  # for the processor's own reading of the outputs
        return inputs, self._read.model(**inputs)

    @property
    def is_padded(self) -> bool:
        """Whether images are filled up to a square before the model sees them."""
        return self._read.kind == "owlv2"

    @property
    def tokenizer(self) -> Any:
        """Of the processor."""
        return self._read.processor.tokenizer


def detector_counter(name: str, threshold: float, merge_overlap: float, tiles: str, precision: str) -> DetectorCounter:
    """The counter of the node, of a folder of models/headcount_detectors; see `DetectionSettings` and `PRECISIONS`.

    Raises:
        CountError: see `read_detector`.
    """
    settings = DetectionSettings(threshold=threshold, merge_overlap=merge_overlap, tiles=tiles)
    with torch.inference_mode(False):  # its weights may be moved and cast later
        return DetectorCounter(read_detector(detector_path(name)), settings, PRECISIONS[precision])


def _edges(centres: Tensor) -> Tensor:
    """(Q, 4) centre, width and height to left, top, right, bottom."""
    x, y, width, height = centres.float().unbind(-1)
    return torch.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], -1)


def _grounding_dino(counter: DetectorCounter, pixels: np.ndarray, texts: Sequence[str]) -> Iterator[Seen]:
    """Each noun is asked for alone; a box's score is the mean over the noun's tokens, so that "red" counts in "red cat"."""
    for text in texts:
        inputs, outputs = counter.run(pixels, text=text)
        tokens = inputs["input_ids"][0].tolist()
        no_words = {*counter.tokenizer.all_special_ids, counter.tokenizer.convert_tokens_to_ids(".")}
        no_words.discard(counter.tokenizer.unk_token_id)
        words = [place for place, token in enumerate(tokens) if token not in no_words]
        scores = outputs.logits[0].float().sigmoid()[:, words].mean(1)
        yield Seen(scores, _edges(outputs.pred_boxes[0]))


def _owl(counter: DetectorCounter, pixels: np.ndarray, texts: Sequence[str]) -> Iterator[Seen]:
    """Every box is scored against all captions at once. OWLv2 fills the image up to a square, to the right and below."""
    _, outputs = counter.run(pixels, text=[list(texts)])
    height, width = pixels.shape[:2]
    corners = _edges(outputs.pred_boxes[0])
    if counter.is_padded:
        side = max(height, width)
        corners = corners * corners.new_tensor([side / width, side / height] * 2)
    for place in range(len(texts)):
        yield Seen(outputs.logits[0, :, place].float().sigmoid(), corners)


def _omdet(counter: DetectorCounter, pixels: np.ndarray, texts: Sequence[str]) -> Iterator[Seen]:
    """Every box is scored against all classes at once."""
    _, outputs = counter.run(pixels, text=[list(texts)])
    corners = _edges(outputs.decoder_coord_logits[0])
    for place in range(len(texts)):
        yield Seen(outputs.decoder_class_logits[0, :, place].float().sigmoid(), corners)


def _sam3(counter: DetectorCounter, pixels: np.ndarray, texts: Sequence[str]) -> Iterator[Seen]:
    """Each noun is asked for alone; a score is that of the query times that of the noun's presence in the image."""
    for text in texts:
        _, outputs = counter.run(pixels, text=text)
        scores = outputs.pred_logits[0].float().sigmoid() * outputs.presence_logits[0].float().sigmoid()
        yield Seen(scores, outputs.pred_boxes[0], outputs.pred_masks[0])


_READERS = {
    "grounding-dino": _grounding_dino,
    "mm-grounding-dino": _grounding_dino,
    "owlv2": _owl,
    "owlvit": _owl,
    "omdet-turbo": _omdet,
    "sam3": _sam3,
    "sam3_video": _sam3,
}
