"""What NUMINA Count Guide does a second time, and with whom it cannot: scheduled hook LoRAs, tiles."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from headcount.bridge.numina import guided_rows, layout_reading
from headcount.bridge.numina.node import with_numina
from headcount.bridge.numina.settings import NuminaSettings
from headcount.core.errors import CountError

from ..helpers.models import Run, sample, tiny_setup
from ..helpers.packs import tiles
from .test_living_with_others_hooks import hooked
from .test_numina_runs import layouts_of


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every reading asks for changes."""
    monkeypatch.setattr(layout_reading.PictureReading, "layouts", layouts_of(0))


@pytest.mark.parametrize("schedule", [((0.0, 0.0), (1.0, 0.45)), ((1.0, 0.0), (0.0, 0.45))], ids=["up", "down"])
def test_a_scheduled_hook_starts_again(
    schedule: tuple[tuple[float, float], ...], wrong: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keyframes are a state of ComfyUI's that goes through the run: the second run goes through all of them."""
    monkeypatch.setattr(guided_rows.PictureGuide, "apply", lambda *_: None)
    setup, run = tiny_setup(), Run(steps=6, size=(8, 8))
    setup.model.model.model_config.unet_config["num_res_blocks"] = [1, 1]

    def hooks() -> dict[str, Any]:
        return {
            "positive": hooked(setup, setup.positive, schedule),
            "negative": hooked(setup, setup.negative, schedule),
        }

    plain = sample(setup.model, setup, run, **hooks())
    late = NuminaSettings(when="steps", reference_percent=0.8)
    assert torch.equal(sample(with_numina(setup.model, late)[0], setup, run, **hooks()), plain)


@pytest.mark.parametrize("order", ["before", "after"])
def test_tiles_are_refused(order: str) -> None:
    """A tile is no picture: its layout says nothing of how many things there are."""
    setup, settings = tiny_setup(), NuminaSettings(when="steps")
    model = (
        with_numina(tiles(setup.model), settings)[0]
        if order == "before"
        else tiles(with_numina(setup.model, settings)[0])
    )
    with pytest.raises(
        CountError, match=r"NUMINA Count Guide cannot be combined .* part of the picture .*tiled diffusion"
    ):
        sample(model, setup, Run(steps=4, size=(8, 8)))
