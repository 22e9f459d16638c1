"""Readings of NUMINA Count Guide whose result is given, for tests of what follows from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from headcount.bridge.numina import guided_rows, layout_reading
from headcount.core.numina import Layouts


def layouts_of(found: int) -> Callable[..., Layouts]:
    """Stands in for the reading: some instances of every noun, the rest is as asked or added in the last row."""

    def layouts(self: layout_reading.PictureReading, preset: Any, shown: Any = None) -> Layouts:
        calls = self._calls("self")
        frames, (height, width) = len(calls[0].queries), calls[0].grid
        before = torch.zeros(len(self.asked), frames, height, width, dtype=torch.int16)
        before[..., 0, 0] = 1
        after = before.clone()
        if found == 0:
            after[..., height - 1, :2] = 100
            after[..., 0, 0] = -1
        counts = torch.full((len(self.asked), frames), found)
        return Layouts(before, after, counts, self.asked, torch.zeros(frames), (height, width))

    return layouts


def always_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every reading asks for changes."""
    monkeypatch.setattr(layout_reading.PictureReading, "layouts", layouts_of(0))


def always_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """No reading asks for changes."""
    monkeypatch.setattr(layout_reading.PictureReading, "layouts", layouts_of(1))


def without_a_bias(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read changes nothing in the second run: it is the plain one, or something was left of the first."""
    monkeypatch.setattr(guided_rows.PictureGuide, "apply", lambda *_: None)
