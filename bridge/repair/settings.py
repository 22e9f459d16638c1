"""Settings of Count Repair and of Generate Until Right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from ..seed_search.settings import SamplerSettings

Steering = Literal["fast", "off"]
STEERINGS: tuple[Steering, ...] = get_args(Steering)
SearchName = Literal["half-way", "off"]
SEARCHES: tuple[SearchName, ...] = get_args(SearchName)


@dataclass(frozen=True)
class RepairSettings(SamplerSettings):
    """How images are repaired. `seed` is that of the first change; each further one has the next.

    Attributes:
        denoise: how much of the filled place the model paints anew, 0 to 1.
        rounds: how many places are painted for one image at most; 0 only plans.
        growth: how far a place grows beyond the object's box, as a share of the box's longer side.
        feather: pixels over which the paint passes into the image.
        context: how many times the object's side the model sees while it paints; a large number is the whole image.
    """

    denoise: float = 0.8
    rounds: int = 4
    growth: float = 0.25
    feather: int = 8
    context: float = 2.5

    node: ClassVar[str] = "Count Repair"
    tried: ClassVar[str] = "rounds"


@dataclass(frozen=True)
class UntilRightSettings(SamplerSettings):
    """How long is tried, and what.

    Attributes:
        width, height: of an image, in pixels.
        tries: how many seeds at most, from `seed` on.
        pictures: how many right images are wanted.
        isac: "fast" steers each image, see `IsacSettings`.
        rounds: of the repair of one image, see `RepairSettings`; 0 repairs none.
        repair_up_to: an image that is off by more goes, and the next seed is tried.
        budget: what all of it may cost, in images without steering; 0 is no limit. The first image is always made.
        search: "half-way" looks at each seed after half of its steps, finishes those that look right, and varies those that are
            off by one; "off" finishes every seed.
    """

    width: int = 1024
    height: int = 1024
    tries: int = 8
    pictures: int = 1
    isac: Steering = "fast"
    rounds: int = 4
    repair_up_to: int = 2
    budget: float = 0.0
    search: SearchName = "half-way"

    node: ClassVar[str] = "Generate Until Right"
    tried: ClassVar[str] = "tries"
