"""Where the tried seeds start: the very noise and latent that a sampler with that seed starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import comfy.sample
import torch
from torch import Tensor

from ...core.errors import CountError
from ..start_latent import start_samples
from .settings import NODE

_SEEDS = 2**64


@dataclass(frozen=True)
class Start:
    """What is tried.

    For one picture, or video, candidate i is the sampler's run with seed + i. For a batch of equal ones it is the run of
    the one seed's i-th noise, ComfyUI's batch index, since a sampler gives a batch no more than one seed.

    Attributes:
        latent: the LATENT.
        samples: (1, C, ...) what each candidate starts from, in the model's channels.
        mask: its noise mask, if it has one.
        seed: the first one.
    """

    latent: dict[str, Any]
    samples: Tensor
    mask: Tensor | None
    seed: int

    @property
    def wanted(self) -> int:
        """How many candidates the latent has room for."""
        return len(self.latent["samples"])

    def seed_of(self, index: int) -> int:
        """The seed that a sampler is given to make candidate `index`."""
        return (self.seed + index) % _SEEDS if self.wanted == 1 else self.seed

    def noise_of(self, index: int) -> Tensor:
        """(1, C, ...) the noise that it then starts with; ComfyUI's own function seeds all of torch."""
        generator = torch.Generator().manual_seed(self.seed_of(index))
        indices = self.latent.get("batch_index") if self.wanted == 1 else [index]
        return comfy.sample.prepare_noise_inner(self.samples, generator, indices)

    def chosen(self, indices: list[int]) -> tuple[dict[str, Any], int]:
        """LATENT and seed with which a sampler makes the candidates `indices`, as many as are wanted."""
        if self.wanted == 1:
            return self.latent, self.seed_of(indices[0])
        return {**self.latent, "batch_index": indices}, self.seed


def start_of(model: Any, latent: dict[str, Any], seed: int, seeds: int) -> Start:
    """What `seeds` seeds from `seed` on are tried for.

    Raises:
        CountError: the latent is of several different pictures, of several streams, of more than seeds are tried, or a video
            for a model of pictures.
    """
    samples, mask = latent["samples"], latent.get("noise_mask")
    if samples.is_nested:
        raise CountError(
            f"{NODE} counts pictures and videos; this latent holds several streams, such as video and sound"
        )
    if seeds < len(samples):
        raise CountError(
            f"{NODE} chooses {len(samples)} of {seeds} seeds: the latent has {len(samples)} pictures. Raise seeds, or lower "
            "the latent's batch size"
        )
    samples = start_samples(model, latent, NODE)
    if len(samples) > 1:
        mask = None if mask is None else mask.reshape(-1, 1, *mask.shape[-2:])
        for what, batch in (("pictures", samples), ("masks", mask)):
            if batch is not None and not torch.equal(batch, batch[:1].expand_as(batch)):
                raise CountError(
                    f"{NODE} tries seeds for one picture, and got a latent of {len(batch)} different {what}: choose one "
                    "with Latent From Batch"
                )
        mask = None if mask is None else mask[:1]
    return Start(latent, samples[:1], mask, seed)
