"""What NUMINA Count Guide does a second time, and with whom it cannot: scheduled hook LoRAs, tiles."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from headcount.bridge.numina.node import with_numina
from headcount.bridge.numina.settings import NuminaSettings
from headcount.core.errors import CountError

from ..helpers.loras import hooked
from ..helpers.models import Run, sample, tiny_setup
from ..helpers.numina_readings import always_wrong, without_a_bias
from ..helpers.packs import ORDERS, beside, tiles


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    always_wrong(monkeypatch)


@pytest.mark.parametrize("schedule", [((0.0, 0.0), (1.0, 0.45)), ((1.0, 0.0), (0.0, 0.45))], ids=["up", "down"])
def test_a_scheduled_hook_starts_again(
    schedule: tuple[tuple[float, float], ...], wrong: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keyframes are a state of ComfyUI's that goes through the run: the second run goes through all of them."""
    without_a_bias(monkeypatch)
    setup, run = tiny_setup(), Run(steps=6, size=(8, 8))

    def hooks() -> dict[str, Any]:
        return {
            "positive": hooked(setup, setup.positive, schedule),
            "negative": hooked(setup, setup.negative, schedule),
        }

    plain = sample(setup.model, setup, run, **hooks())
    late = NuminaSettings(when="steps", reference_percent=0.8)
    assert torch.equal(sample(with_numina(setup.model, late)[0], setup, run, **hooks()), plain)


@pytest.mark.parametrize("order", ORDERS)
def test_tiles_are_refused(order: str) -> None:
    """A tile is no picture: its layout says nothing of how many things there are."""
    setup, settings = tiny_setup(), NuminaSettings(when="steps")
    model, _ = beside(tiles, lambda model: with_numina(model, settings), setup.model, order)
    with pytest.raises(CountError, match=r"Count Guide cannot be combined .* part of the image .*tiled diffusion"):
        sample(model, setup, Run(steps=4, size=(8, 8)))
