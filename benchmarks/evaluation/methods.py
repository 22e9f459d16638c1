"""The ways of sampling that are compared. Another method is one more entry of `METHODS`.

Import this after `demo.comfy_host.import_comfyui`, which decides what ComfyUI runs on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import comfy.sample
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.seed_search.latent_selection import select_candidates
from headcount.bridge.seed_search.search import Search
from headcount.bridge.seed_search.settings import SelectionSettings
from torch import Tensor


@dataclass(frozen=True)
class SamplerSettings:
    """What KSampler and the empty latent are given; `size` is the side of the picture in pixels."""

    steps: int
    cfg: float
    sampler: str
    scheduler: str
    size: int


@dataclass(frozen=True)
class Sampling:
    """One picture about to be sampled, as KSampler is given it.

    Attributes:
        model: ComfyUI MODEL.
        positive: conditioning of Count Prompt, with its counts.
        negative: conditioning of the empty prompt.
        latent: (1, C, h, w) zeros.
        seed: seed of the noise.
        settings: steps, cfg, sampler and scheduler.
        noise: which of the seed's noises, ComfyUI's batch index.
    """

    model: Any
    positive: list[Any]
    negative: list[Any]
    latent: Tensor
    seed: int
    settings: SamplerSettings
    noise: int = 0

    def run(self) -> Tensor:
        """The sampled latent."""
        settings = self.settings
        noise = comfy.sample.prepare_noise(self.latent, self.seed, [self.noise])
        return comfy.sample.sample(
            self.model, noise, settings.steps, settings.cfg, settings.sampler, settings.scheduler,
            self.positive, self.negative, self.latent, disable_pbar=True, seed=self.seed,
        )  # fmt: skip


@dataclass(frozen=True)
class Method:
    """A way to sample.

    Attributes:
        sample: from what KSampler is given to the sampled latent.
        settings: everything that changes what it does, for the key of a picture.
    """

    sample: Callable[[Sampling], Tensor]
    settings: Mapping[str, Any] = field(default_factory=dict)


def _isac(settings: IsacSettings) -> Method:
    def sample(sampling: Sampling) -> Tensor:
        steered, _ = with_isac(sampling.model, settings)
        return replace(sampling, model=steered).run()

    return Method(sample, asdict(settings))


def _selection(candidates: int) -> Method:
    def sample(sampling: Sampling) -> Tensor:
        own = sampling.settings
        settings = SelectionSettings(
            sampling.seed, own.steps, own.cfg, own.sampler, own.scheduler, candidates=candidates
        )
        latent = {"samples": sampling.latent}
        found = select_candidates(Search(sampling.model, sampling.positive, sampling.negative, latent, settings))
        return replace(sampling, noise=found.candidates[0].index).run()

    defaults = SelectionSettings(0, 1, 1.0, "", "", candidates=candidates)
    return Method(sample, {"selection": [defaults.candidates, defaults.decide_at, defaults.score]})


METHODS: dict[str, Method] = {
    "none": Method(Sampling.run),
    "isac": _isac(IsacSettings()),
    "isac-fast": _isac(IsacSettings(mode="fast")),
    "isac-paper": _isac(IsacSettings(objective="paper", step_mode="paper", step_size=0.01)),
    "selection": _selection(4),
}
