"""What NUMINA Count Guide can be told, and what it means for the core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ...core.numina import PAPER, RELEASE, ROBUST, Preset
from ..families.family import Family
from .clock import Clock

Method = Literal["robust", "paper", "release"]
When = Literal["auto", "steps", "noise level"]
CacheRule = Literal["easycache", "release"]
METHODS: tuple[Method, ...] = get_args(Method)
WHENS: tuple[When, ...] = get_args(When)
AUTO_LAYER = -1  # the reference layer is chosen by `reference_layers`

_PRESETS: dict[Method, Preset] = {"robust": ROBUST, "paper": PAPER, "release": RELEASE}


@dataclass(frozen=True)
class NuminaSettings:
    """Settings of NUMINA Count Guide.

    Attributes:
        strength: multiplies the bias; 0 changes nothing.
        reference_percent: where the layout is read, as a share of the sampling, 0 to 1 (t* of the paper: 20 of 50 steps).
        method: "robust" is ours, "paper" and "release" are the authors', see `core.numina`.
        when: how `reference_percent` and the fading of the bias are meant: by "steps", or by "noise level", which no
            scheduler and no few-step LoRA changes. "auto" goes by noise level for "robust" on Wan, else by steps, as the
            authors do.
        reference_layer: index of the attention layer that the layout is read in (l* of the paper), `AUTO_LAYER` to choose.
        cache: the run up to the reference step takes over the model's last answer where it would hardly differ; that of
            "release" always does.
        exchanged: layout and guidance settings in place of the method's, for ablations; the node has none.
    """

    strength: float = 1.0
    reference_percent: float = 0.4
    method: Method = "robust"
    when: When = "auto"
    reference_layer: int = AUTO_LAYER
    cache: bool = False
    exchanged: Preset | None = None

    @property
    def preset(self) -> Preset:
        """Layout and guidance settings of the method, or what they are exchanged for."""
        return self.exchanged or _PRESETS[self.method]

    @property
    def cache_rule(self) -> CacheRule | None:
        """Which model calls of the first run are saved; None where all are made."""
        if self.method == "release":
            return "release"
        return "easycache" if self.cache else None

    def by_noise(self, is_wan: bool) -> bool:
        """Whether a run goes by its noise levels rather than by its steps."""
        return self.when == "noise level" or (self.when == "auto" and is_wan and self.method == "robust")


@dataclass(frozen=True)
class RunSetup:
    """What stays the same in one sampling run.

    Attributes:
        shape: of the video's latent, (B, C, F, h, w).
    """

    family: Family
    clock: Clock
    settings: NuminaSettings
    shape: tuple[int, ...]
