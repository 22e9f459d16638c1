"""What counts the things in a picture: open-vocabulary detectors, or the exact counter of the Shapes scenes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from demo.counter import count_shapes

from .detection import agreed
from .detectors import Detector


class PictureCounter(Protocol):
    """Counts things."""

    @property
    def name(self) -> str:
        """Names the counter and its settings; counts of one name can be compared."""
        ...

    def count(self, picture: np.ndarray, nouns: Sequence[str]) -> dict[str, int]:
        """How many of each noun a (H, W, 3) uint8 picture shows.

        Args:
            picture: the picture.
            nouns: singular nouns that were asked for. A counter may name others that it sees.
        """
        ...


class ShapesCounter:
    """The exact counter of Shapes pictures. It sees every shape, also those that were not asked for."""

    name = "exact counter of the Shapes scenes"

    def count(self, picture: np.ndarray, nouns: Sequence[str]) -> dict[str, int]:
        return count_shapes(picture)


class DetectorCounter:
    """One or more detectors. Of several, a thing counts when any two see it.

    Args:
        detectors: at least one.
        least_overlap: intersection over union from which two detectors see the same thing.
    """

    def __init__(self, detectors: Sequence[Detector], least_overlap: float = 0.5) -> None:
        self._detectors, self._least_overlap = tuple(detectors), least_overlap
        names = " | ".join(detector.name for detector in detectors)
        self.name = names if len(detectors) == 1 else f"any two of: {names}; agreement {least_overlap:g}"

    def count(self, picture: np.ndarray, nouns: Sequence[str]) -> dict[str, int]:
        seen = [detector.detect(picture, nouns) for detector in self._detectors]
        return dict(Counter(thing[0].noun for thing in agreed(seen, self._least_overlap)))
