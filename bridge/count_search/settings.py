"""Settings of Count Search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

NODE = "Count Search"
LookName = Literal["auto", "draft", "own steps"]
LOOKS: tuple[LookName, ...] = get_args(LookName)


@dataclass(frozen=True)
class SearchSettings:
    """How the picture is sampled, and how seeds are tried; the defaults are those that do best on the Shapes model.

    Attributes:
        seed, steps, cfg, sampler, scheduler, denoise: those of the sampler that makes the picture; `seed` is the first
            one that is tried.
        seeds: how many are tried at most.
        decide_at: what a look at one seed costs, as a share of the steps, above 0 and up to 1.
        look: what is sampled of a seed, see `plan_for`.
        at_once: how many seeds are tried together at most; fewer where memory is short.
        frames: how many frames of a video are counted, evenly spread; its counts are their mean.
        stop_when_found: try no further seeds once as many are right as the latent has pictures.
    """

    seed: int
    steps: int
    cfg: float
    sampler: str
    scheduler: str
    denoise: float = 1.0
    seeds: int = 8
    decide_at: float = 0.3
    look: LookName = "auto"
    at_once: int = 1
    frames: int = 4
    stop_when_found: bool = True
