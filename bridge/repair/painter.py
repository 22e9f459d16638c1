"""Paints one place of an image with the user's own model, as inpainting with a noise mask does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import comfy.sample
import torch
from torch import Tensor

from ...core.counting import Box
from ...core.errors import CountError
from ...core.prompts import CONDITIONING_KEY, CountedObject, Counts, same_noun, scene_text
from ...core.repair import Change, Crop, joined, region_mask, resized, smooth_fill
from ..prompts.own_text import KEY as OWN_TEXT
from ..sampling.image import decoded, refuse_foreign_vae
from .settings import RepairSettings

_OWN_KEYS = "headcount_"
_OF_THE_TEXT = frozenset({CONDITIONING_KEY, OWN_TEXT, "area", "mask", "strength", "start_percent", "end_percent"})

REMOVAL_SHARE = 0.6
"""Of denoise, where only background comes: the fill is nearly right, and at more the model draws something of its own."""

StepDone = Callable[[float, Tensor], None]
"""Called after each step with the share of the steps that are done, and (1, ...) the predicted clean latent."""


@dataclass(frozen=True)
class Brush:
    """How a place is painted.

    Attributes:
        text: its prompt; None for that of the whole image.
        crop: what the model sees, scaled up to the image's size.
        strength: multiplies the settings' denoise.
    """

    text: str | None
    crop: Crop
    strength: float = 1.0


@dataclass(frozen=True)
class Painter:
    """Everything that a place is painted with.

    Attributes:
        model: ComfyUI's MODEL; `unsteered` where this pack's nodes are on it.
        clip: encodes the prompt of a place.
        vae: of the model.
        positive: the whole image's CONDITIONING, of which a place gets everything but the text, such as Flux' guidance.
        negative: CONDITIONING.
        counts: what the whole prompt asks for.
    """

    model: Any
    clip: Any
    vae: Any
    positive: Any
    negative: Any
    counts: Counts
    settings: RepairSettings
    _encoded: dict[str, Any] = field(default_factory=dict)

    def text_of(self, change: Change) -> str:
        """The prompt of a place: one object in the scene's words, or the scene without counted objects."""
        return scene_text(self.counts.prompt, self.counts.objects, object_of(change.added, self.counts.objects))

    def region_of(self, change: Change, size: tuple[int, int], others: Sequence[Box]) -> Tensor:
        """(H, W) where the change is painted, 0 to 1; see `region_mask`."""
        settings = self.settings
        return region_mask(change.box, size, settings.growth, settings.feather, others)

    def paint(self, image: Tensor, region: Tensor, brush: Brush, seed: int, step_done: StepDone) -> Tensor:
        """The image (H, W, C) with its region (H, W) painted; every pixel outside of the region is as it was.

        Raises:
            CountError: the VAE is of another model.
        """
        filled, seen = smooth_fill(image, region), brush.crop.of(region)
        side = self.vae.spacial_compression_encode()
        size = ceil(image.shape[0] / side) * side, ceil(image.shape[1] / side) * side
        encoded = self.vae.encode(resized(brush.crop.of(filled)[..., :3], size)[None])
        refuse_foreign_vae(encoded.shape[1], self.model.get_model_object("latent_format").latent_channels)
        latent = comfy.sample.fix_empty_latent_channels(self.model, encoded)
        mask = (resized(seen[..., None], size)[..., 0] > 0).float()
        settings = self.settings
        denoise = settings.denoise * brush.strength
        steps = ceil(settings.steps * denoise)
        samples = comfy.sample.sample(
            self.model, comfy.sample.prepare_noise_inner(latent, torch.Generator().manual_seed(seed)), steps, settings.cfg,
            settings.sampler, settings.scheduler, self._conditioning(brush.text), self.negative, latent, denoise=denoise,
            noise_mask=mask[None, None], disable_pbar=True, seed=seed,
            callback=lambda step, denoised, x, total: step_done((step + 1) / total, denoised[:1]),
        )  # fmt: skip
        painted = resized(decoded(self.vae, samples).reshape(-1, *size, 3)[0].to(image), (seen.shape[0], seen.shape[1]))
        result = image.clone()
        brush.crop.of(result)[..., :3] = joined(brush.crop.of(image)[..., :3], painted, seen)
        return result

    def _conditioning(self, text: str | None) -> Any:
        if text is None:
            return self.positive
        if text not in self._encoded:
            self._encoded[text] = local_conditioning(self.clip, text, self.positive)
        return self._encoded[text]


def object_of(noun: str | None, objects: Sequence[CountedObject]) -> CountedObject | None:
    """The object of the prompt that a change adds, with its adjectives; None where it adds nothing."""
    return None if noun is None else next((item for item in objects if same_noun(item.noun, noun)), None)


def local_conditioning(clip: Any, text: str, positive: Any) -> list[Any]:
    """CONDITIONING of another text that keeps what nodes have put on `positive`, such as guidance or a ControlNet.

    Raises:
        CountError: there is no CLIP.
    """
    if clip is None:
        raise CountError(f"{RepairSettings.node} got no clip; connect the loader's CLIP output, or a Load CLIP node")
    kept: Mapping[str, Any] = positive[0][1] if positive else {}
    more = {key: value for key, value in kept.items() if key not in _OF_THE_TEXT}
    encoded = clip.encode_from_tokens_scheduled(clip.tokenize(text))
    return [[tokens, {**more, **options}] for tokens, options in encoded]


def unsteered(model: Any) -> Any:
    """A clone of `model` without what this pack's nodes put on it: they would steer a place as if it were the whole image."""
    clone = model.clone()
    for group in (clone.wrappers, clone.callbacks):
        for by_key in group.values():
            for key in [key for key in by_key if str(key).startswith(_OWN_KEYS)]:
                del by_key[key]
    return clone
