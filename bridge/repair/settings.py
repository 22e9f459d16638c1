"""Settings of Count Repair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..seed_search.settings import SamplerSettings


@dataclass(frozen=True)
class RepairSettings(SamplerSettings):
    """How pictures are mended. `seed` is that of the first change; each further one has the next.

    Attributes:
        denoise: how much of the filled place the model paints anew, 0 to 1.
        rounds: how many places are painted for one picture at most; 0 only plans.
        growth: how far a place grows beyond the object's box, as a share of the box's longer side.
        feather: pixels over which the paint passes into the picture.
        context: how many times the object's side the model sees while it paints; a large number is the whole picture.
    """

    denoise: float = 0.8
    rounds: int = 4
    growth: float = 0.25
    feather: int = 8
    context: float = 2.5

    node: ClassVar[str] = "Count Repair"
    tried: ClassVar[str] = "rounds"
