"""Predicted latents as pictures, and how many things they show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from einops import reduce
from torch import Tensor

from ...core.counting import Counted
from ...core.errors import CountError
from .settings import NODE


class Counter(Protocol):
    """What counts: T2ICOUNT, or anything with this method."""

    def count(
        self, pictures: Tensor, nouns: Sequence[str], on_progress: Callable[[int, int], None] | None = None
    ) -> Counted: ...


@dataclass(frozen=True)
class Shown:
    """What candidates will look like.

    Attributes:
        frames: (n * f, H, W, 3) f frames of each of n candidates, 0 to 1.
        each: f, 1 for pictures.
    """

    frames: Tensor
    each: int

    @property
    def pictures(self) -> Tensor:
        """(n, H, W, 3) one per candidate: the frame in the middle."""
        return self.frames[self.each // 2 :: self.each]


def shown_by(vae: Any, latents: Tensor, frames: int) -> Shown:
    """Decode (n, C, ...) clean latents; of videos, as many evenly spread frames as asked for.

    Raises:
        CountError: there is no VAE.
    """
    if vae is None:
        raise CountError(f"{NODE} got no VAE; connect the loader's VAE output, or a Load VAE node")
    if latents.ndim < 5:
        return Shown(vae.decode(latents)[..., :3], 1)
    # One by one: a video's decoder needs much more memory than a picture's.
    videos = [_spread(vae.decode(latent[None]), frames) for latent in latents]
    return Shown(torch.cat(videos)[..., :3], len(videos[0]))


def _spread(video: Tensor, frames: int) -> Tensor:
    """(f, H, W, C) of (1, T, H, W, C) or (T, H, W, C): the middles of f equal parts."""
    video = video.reshape(-1, *video.shape[-3:])
    many = max(1, min(frames, len(video)))
    return video[[int((part + 0.5) * len(video) / many) for part in range(many)]]


def mean_over_frames(counted: Counted, each: int) -> Counted:
    """Counts of candidates from those of their frames; the points are those of the frame in the middle."""
    numbers = reduce(counted.numbers, "(n f) k -> n k", "mean", f=each)
    return Counted(counted.nouns, numbers, counted.points[each // 2 :: each])
