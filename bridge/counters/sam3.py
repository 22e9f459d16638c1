"""SAM3 as a counter: core's own SAM3 classes, asked for one noun after the other.

Reference: Carion et al., "SAM 3: Segment Anything with Concepts" (2025). As its authors have it, and unlike ComfyUI's node
SAM3 Detect: pixels go in as -1..1, and an object's score is that of its query times that of the noun's presence in the image,
0.5 being the threshold of the authors. Every object above it counts; the node keeps one where its text names no number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import comfy.model_management
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ...core.counting import Counted, Detected, DetectionSettings
from ...core.errors import CountError
from .looking import Seen, count_by_looks, detections_of, phrase_of
from .pictures import rgb_pictures

NODE = "SAM3 Counter"
CHECKPOINT = "sam3.1_multiplex_fp16.safetensors"

Phrase = tuple[Tensor, Tensor | None]
"""(1, T, C) of the text encoder, and (1, T) 1 where a token is said; None where all are."""


class Sam3Counter:
    """Counts what core's SAM3 detects; see `core.counting.Counter`.

    Args:
        model: MODEL of a SAM3 checkpoint.
        clip: CLIP of the same checkpoint.

    Raises:
        CountError: one of them is something else.
    """

    reads_attributes = True

    def __init__(self, model: Any, clip: Any, settings: DetectionSettings) -> None:
        # ComfyUI imports its SAM3 when it loads one: the pack's own start waits for neither.
        from comfy.ldm.sam3.detector import SAM3Model
        from comfy.text_encoders.sam3_clip import SAM3TokenizerWrapper

        network = getattr(getattr(model, "model", None), "diffusion_model", None)
        if not isinstance(network, SAM3Model):
            raise CountError(_needs("MODEL", "a diffusion model", type(network).__name__))
        if not isinstance(getattr(clip, "tokenizer", None), SAM3TokenizerWrapper):
            raise CountError(_needs("CLIP", "another text encoder", type(getattr(clip, "tokenizer", None)).__name__))
        self._model, self._clip, self._settings = model, clip, settings
        self._phrases: dict[str, Phrase] = {}

    @torch.inference_mode()
    def count(
        self, images: Tensor, nouns: Sequence[str], on_progress: Callable[[int, int], None] | None = None
    ) -> Counted:
        """How many of each noun every image shows, with boxes and masks.

        Raises:
            CountError: the images are none, or a noun is empty.
            InterruptProcessingException: the user pressed cancel.
        """
        images = rgb_pictures(images)
        for noun in nouns:
            self._encode(noun)
        comfy.model_management.load_model_gpu(self._model)
        queries = self._detector.transformer.decoder.num_queries
        return count_by_looks(images, nouns, self._look, self._settings, queries, True, on_progress)

    @property
    def _detector(self) -> Any:
        return self._model.model.diffusion_model.detector

    def _encode(self, noun: str) -> None:
        """Keep what the text encoder makes of a noun in the singular."""
        phrase = phrase_of(noun, NODE)
        if noun not in self._phrases:
            encoded = self._clip.encode_from_tokens(self._clip.tokenize(phrase), return_dict=True)
            self._phrases[noun] = encoded["cond"], encoded.get("attention_mask")

    def _look(self, image: Tensor, nouns: Sequence[str], noun_done: Callable[[], None]) -> list[Sequence[Detected]]:
        """The detections of each noun in one image, whose features are computed once."""
        detector, device = self._detector, self._model.load_device
        dtype = self._model.model.get_dtype_inference()
        vision = detector.backbone["vision_backbone"]
        side = vision.trunk.img_size
        pixels = image.movedim(-1, 0)[None].to(device, torch.float32).clamp(0, 1)
        pixels = interpolate(pixels, (side, side), mode="bilinear", antialias=True) * 2 - 1
        features, positions, _, _ = vision(pixels.to(dtype))
        found: list[Sequence[Detected]] = []
        for noun in nouns:
            encoded, mask = self._phrases[noun]
            text = detector.backbone["language_backbone"]["resizer"](encoded.to(device, dtype))
            said = torch.ones(text.shape[:2], dtype=torch.bool) if mask is None else mask.bool()
            boxes, logits, masks, rest = detector._detect(features, positions, text, said.to(device))
            scores = logits[0].float().sigmoid() * rest["presence"][0].float().sigmoid()
            size = image.shape[0], image.shape[1]
            found.append(detections_of(Seen(scores, boxes[0], masks[0]), size, self._settings.threshold))
            noun_done()
        return found


def sam3_counter(model: Any, clip: Any, threshold: float, merge_overlap: float, tiles: str) -> Sam3Counter:
    """The counter of the node; see `Sam3Counter` and `DetectionSettings`."""
    return Sam3Counter(model, clip, DetectionSettings(threshold=threshold, merge_overlap=merge_overlap, tiles=tiles))


def _needs(socket: str, other: str, given: str) -> str:
    return (
        f"{NODE} got as its {socket} {other} ({given}). It needs {socket} of a SAM3 checkpoint: put {CHECKPOINT} into "
        "models/checkpoints, choose it in Load Checkpoint, and connect both its MODEL and its CLIP"
    )
