"""Hands the guide of a video from the model that begins it to the one that ends it (the two halves of Wan 2.2 14B)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..conditionings import CountedConditioning
from .guided_rows import PictureGuide

Guides = dict[Any, dict[int, PictureGuide]]


@dataclass
class SharedGuide:
    """The guide of the newest run that had something to change; what it was about is kept to be compared."""

    _about: tuple[Any, ...] = ()
    _guides: list[dict[int, PictureGuide]] = field(default_factory=list)

    def keep(self, counted: list[CountedConditioning], shape: tuple[int, ...], guides: Guides) -> None:
        """Remember the guide of a finished run; an empty one for a run that was not guided."""
        self._about = _about(counted, shape)
        self._guides = [guides.get(one.conditioning["uuid"], {}) for one in counted]

    def is_of_another(self, counted: list[CountedConditioning], shape: tuple[int, ...]) -> bool:
        """Whether the newest run that is kept was about something else than a run of these."""
        return bool(self._about) and _about(counted, shape) != self._about

    def guides_for(self, counted: list[CountedConditioning], shape: tuple[int, ...]) -> Guides:
        """The kept guide under the conditionings of another run, empty where that is about something else."""
        if _about(counted, shape) != self._about:
            return {}
        return {one.conditioning["uuid"]: own for one, own in zip(counted, self._guides, strict=True) if own}


def _about(counted: list[CountedConditioning], shape: tuple[int, ...]) -> tuple[Any, ...]:
    return shape, *((one.counts.prompt, one.target) for one in counted)
