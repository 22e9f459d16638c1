"""What is searched, where its candidates start, and what comes of it, whatever scores them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import comfy.sample
import torch
from torch import Tensor

from ...core.errors import CountError
from ...core.prompts import Counts
from ..comfyui.node_text import NodeResult
from ..comfyui.progress import SamplingProgress, sampling_progress
from ..sampling.start_latent import start_samples
from .settings import SamplerSettings, seed_after

Settings = TypeVar("Settings", bound=SamplerSettings)


@dataclass(frozen=True)
class Search(Generic[Settings]):
    """The inputs of a search.

    Attributes:
        model: ComfyUI's MODEL with whatever patches; it is not changed.
        positive, negative: CONDITIONING.
        latent: LATENT; as many candidates as it has images are wanted.
        counts: used where the positive conditioning carries none.
        vae: decodes previews; attention is scored without one.
        progress: told of every step.
    """

    model: Any
    positive: Any
    negative: Any
    latent: dict[str, Any]
    settings: Settings
    counts: Counts | None = None
    vae: Any = None
    progress: SamplingProgress | None = None

    def with_progress(self) -> Search[Settings]:
        """The same, with ComfyUI's progress bar and preview."""
        return replace(self, progress=sampling_progress(self.model))


@dataclass(frozen=True)
class Candidate:
    """A tried one.

    Attributes:
        index: its place among the tried ones, from 0.
    """

    index: int


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        candidates: the tried ones, best first.
        latent, seed: what a sampler needs to make as many of the best as are wanted.
        table: one line per candidate, as text for the user.
        result: what the node says.
        images: (n, H, W, 3) what the candidates are predicted to show, in their order; None where nothing was decoded.
        model: the MODEL, with which a sampler goes on where the best were last looked at; the given one where nothing is kept,
            and None where the search had none.
    """

    candidates: Sequence[Candidate]
    latent: dict[str, Any]
    seed: int
    table: str
    result: NodeResult
    images: Tensor | None = None
    model: Any = None


@dataclass(frozen=True)
class InitialLatent:
    """Where candidates start: the very noise and latent that a sampler starts from.

    Attributes:
        latent: the LATENT.
        samples: (1, C, ...) what each candidate starts from, in the model's channels.
        mask: its noise mask, if it has one.
        seed: the first one.
        by_index: candidate i is the run with the seed's i-th noise, ComfyUI's batch index; else the run with seed + i.
    """

    latent: dict[str, Any]
    samples: Tensor
    mask: Tensor | None
    seed: int
    by_index: bool

    @property
    def wanted(self) -> int:
        """How many candidates the latent has room for."""
        return len(self.latent["samples"])

    def seed_of(self, index: int) -> int:
        """The seed that a sampler is given to make candidate `index`."""
        return self.seed if self.by_index else seed_after(self.seed, index)

    def noise_of(self, indices: Sequence[int]) -> Tensor:
        """(n, C, ...) the noises that the sampler then starts with."""
        if self.by_index:
            return self._noise(self.seed, list(indices))
        return torch.cat([self._noise(self.seed_of(index), self.latent.get("batch_index")) for index in indices])

    def _noise(self, seed: int, batch_indices: Sequence[int] | None) -> Tensor:
        # comfy.sample.prepare_noise would seed all of torch.
        return comfy.sample.prepare_noise_inner(self.samples, torch.Generator().manual_seed(seed), batch_indices)

    def chosen(self, indices: Sequence[int]) -> tuple[dict[str, Any], int]:
        """LATENT and seed with which a sampler makes the first of the candidates `indices`, as many as are wanted."""
        if self.by_index:
            return {**self.latent, "batch_index": list(indices[: self.wanted])}, self.seed
        return self.latent, self.seed_of(indices[0])


def initial_latent(
    model: Any, latent: dict[str, Any], settings: SamplerSettings, by_index: bool = False
) -> InitialLatent:
    """Where the candidates of a search start.

    Args:
        by_index: told apart by batch index also where one image is wanted. A batch always is, since a sampler gives it no
            more than one seed.

    Raises:
        CountError: the latent is of several different images, of several streams, of more than are tried, or a video for a
            model of images.
    """
    node, number = settings.node, getattr(settings, settings.tried)
    if latent["samples"].is_nested:
        raise CountError(
            f"{node}: this latent holds several streams, such as video and sound. Connect one of images or of a video"
        )
    samples, mask = start_samples(model, latent, node), latent.get("noise_mask")
    if number < len(samples):
        raise CountError(
            f"{node} chooses {len(samples)} of {number} {settings.tried}: the latent has {len(samples)} images. Raise "
            f"{settings.tried}, or lower the latent's batch size"
        )
    # One video may have a mask for each frame; of several masks for one image a sampler takes the first.
    is_video = samples.ndim > 4 and len(samples) == 1
    masks = None if mask is None or is_video else mask.reshape(-1, 1, *mask.shape[-2:])
    for what, batch in (("images", samples), ("masks", masks)):
        if len(samples) > 1 and batch is not None and not torch.equal(batch, batch[:1].expand_as(batch)):
            raise CountError(
                f"{node} tries noises for one image, and got a latent of {len(batch)} different {what}: choose one with "
                "Latent From Batch"
            )
    one_mask = mask if masks is None else masks[:1]
    return InitialLatent(latent, samples[:1], one_mask, settings.seed, by_index or len(samples) > 1)
