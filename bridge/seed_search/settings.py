"""Settings of the seed search: the sampler's own, and what each scorer adds to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import comfy.samplers

from ...core.isac import DECIDE_AT, DEFAULT_SCORE, SCORES, ScoreName, Stage, successive_halving
from ..comfyui.node_names import NOISE_PICKER

LookName = Literal["auto", "draft", "own steps"]
LOOKS: tuple[LookName, ...] = get_args(LookName)
RankName = ScoreName | Literal["algorithm 2"]
ALGORITHM_2: RankName = "algorithm 2"
RANKS: tuple[RankName, ...] = (*SCORES, ALGORITHM_2)
_SEEDS = 2**64  # that ComfyUI's seed inputs know


def seed_after(seed: int, number: int) -> int:
    """The seed so many after `seed`, as ComfyUI's seed inputs count: after the largest comes 0."""
    return (seed + number) % _SEEDS


@dataclass(frozen=True)
class SamplerSettings:
    """How the image is sampled.

    Attributes:
        seed, steps, cfg, sampler, scheduler, denoise: those of the sampler that makes the image.
        node: the node that errors speak of.
        tried: its setting for how many candidates are tried.
    """

    seed: int
    steps: int
    cfg: float
    sampler: str
    scheduler: str
    denoise: float = 1.0

    node: ClassVar[str]
    tried: ClassVar[str]

    def of_sampler(self, **changes: Any) -> dict[str, Any]:
        """Keyword arguments for the settings of another node with the same seed, steps, cfg, sampler and scheduler."""
        names = ("seed", "steps", "cfg", "sampler", "scheduler")
        return {**{name: getattr(self, name) for name in names}, **changes}


@dataclass(frozen=True)
class SelectionSettings(SamplerSettings):
    """How ISAC Latent Selection tries candidates, and when it decides.

    Attributes:
        candidates: B, how many noises to try: the first B of this seed.
        decide_at: share of the steps after which the best are known, above 0 and up to 1; not for "algorithm 2".
        score: what ranks the candidates. "algorithm 2" is the paper's: every candidate goes all steps, its losses read all
            layers and are summed up, and the latent of the result is the winner's own, finished.
        spacing: "places" only: least distance between two places, as a share of the image's shorter side; None for one that
            the maps say.
    """

    candidates: int = 8
    decide_at: float = DECIDE_AT
    score: RankName = DEFAULT_SCORE
    spacing: float | None = None

    node: ClassVar[str] = NOISE_PICKER
    tried: ClassVar[str] = "candidates"

    @property
    def goes_to_the_end(self) -> bool:
        """Nobody is dropped on the way, and nothing is to be sampled afterwards."""
        return self.score == ALGORITHM_2

    def stages(self, keep: int, steps: int) -> tuple[Stage, ...]:
        """When who is dropped of a run of so many steps that is to leave `keep`; none where there is nothing to choose.

        Raises:
            CountError: see `successive_halving`.
        """
        if self.goes_to_the_end:
            return (Stage(0, steps, keep),)
        return successive_halving(self.candidates, keep, steps, self.decide_at)


@dataclass(frozen=True)
class SearchSettings(SamplerSettings):
    """How Count Search tries seeds, from `seed` on; the defaults are those that do best on the Shapes model.

    Attributes:
        seeds: how many are tried at most.
        decide_at: what the preview of one seed costs, as a share of the steps, above 0 and up to 1.
        look: what is sampled of a seed, see `plan_for`.
        at_once: how many seeds are tried together at most; fewer where memory is short.
        frames: how many frames of a video are counted, evenly spread; its counts are their mean.
        stop_when_found: try no further seeds once as many are right as the latent has pictures.
        variations: of each seed that is nearly right, how many are tried: pictures that begin in its half-formed one with other
            noise. 0 for none; a batch, a mask, a video and a sampler that draws noise have none.
        vary_alike: where the first seeds are wrong with the same counts or in much the same image, the other tries vary the
            first seed: they begin in its image, with other noise after the first steps. For distilled models, which make much
            the same of every seed.
    """

    seeds: int = 8
    decide_at: float = 0.3
    look: LookName = "auto"
    at_once: int = 1
    frames: int = 4
    stop_when_found: bool = True
    variations: int = 0
    vary_alike: bool = False

    node: ClassVar[str] = "Count Search"
    tried: ClassVar[str] = "seeds"


def sampler_names() -> list[str]:
    """ComfyUI's samplers, other packs' included."""
    return list(comfy.samplers.KSampler.SAMPLERS)


def scheduler_names() -> list[str]:
    """ComfyUI's schedulers, other packs' included."""
    return list(comfy.samplers.KSampler.SCHEDULERS)
