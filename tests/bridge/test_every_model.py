"""Every model that this ComfyUI loads is read, or refused by its name before anything is sampled, with a way on."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import comfy.model_base
import pytest
import torch
from comfy.ldm.flux.model import Flux
from headcount.bridge.families.table import RECORDED_FAMILIES
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.numina.node import with_numina
from headcount.bridge.numina.settings import NuminaSettings
from headcount.bridge.recording.recorder import with_recorder
from headcount.bridge.views.instances import find_instances
from headcount.core.errors import CountError
from torch import nn

from ..helpers.every_model import CONFIGS, classes_of, skeleton
from ..helpers.families import RELATIVES, SMALL, Small, built, small
from ..helpers.models import sample
from ..helpers.video_models import VIDEO_RELATIVES, VIDEOS, built_video, video

NODES: dict[str, Callable[[Any], Any]] = {
    "Attention Map Recorder": with_recorder,
    "Count Control": lambda model: with_isac(model, IsacSettings()),
    "Count Guide": lambda model: with_numina(model, NuminaSettings()),
}
WAY_ON = "Count Prompt, Count Search and Count Check work with every model"
PICTURES = [one.name for one in (*SMALL, *RELATIVES)]
CLIPS = [one.name for one in (*VIDEOS, *VIDEO_RELATIVES)]


def made(name: str) -> Any:
    return built(name) if name in PICTURES else built_video(name)


@pytest.fixture(scope="module")
def shown_to_be_read() -> set[tuple[type, type]]:
    """The classes of the small models, each of which a test of this suite records."""
    models = [made(name).model.model for name in (*PICTURES, *CLIPS)]
    return {(type(model), type(model.diffusion_model)) for model in models}


def refusals(model: Any) -> dict[str, str]:
    """What each node says of a MODEL."""
    said = {}
    for node, patch in NODES.items():
        with pytest.raises(CountError) as refused:
            patch(model)
        said[node] = str(refused.value)
    return said


def assert_names(model: Any, name: str) -> None:
    for node, message in refusals(model).items():
        assert message.startswith(f"{node} cannot read the attention of this model ({name}). It works with ")
        assert message.endswith(f". {WAY_ON}")


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.__name__)
def test_read_or_refused_by_name(config: type, shown_to_be_read: set[tuple[type, type]]) -> None:
    pair = classes_of(config)
    model = skeleton(*pair)
    if any(family.has(model.model) for family in RECORDED_FAMILIES):
        assert pair in shown_to_be_read, "a family takes it, and no small model shows that it is read"
    else:
        assert_names(model, pair[0].__name__)


@pytest.mark.parametrize("name", [one.name for one in (*RELATIVES, *VIDEO_RELATIVES)])
def test_relatives_are_read(name: str) -> None:
    """A run is recorded at every step, and no bit of it changes."""
    one: Small = small(name) if name in PICTURES else video(name)
    setup = made(name)
    model, maps = with_recorder(setup.model)
    recorded = sample(model, setup, one.run())
    assert torch.equal(recorded, sample(setup.model, setup, one.run())) and bool(recorded.isfinite().all())
    record, belongs = maps.record_for(recorded)
    assert belongs and len(record.steps) == 3
    assert len(find_instances(maps, recorded, 0, "asked", 0.5).boxes) == 3
    size = [side * setup.model.model.latent_format.spacial_downscale_ratio for side in recorded.shape[-2:]]
    assert record.size == tuple(size)


@pytest.mark.parametrize("name", [one.name for one in RELATIVES if one.name != "Lotus"])
def test_relatives_are_steered(name: str) -> None:
    one, setup = small(name), made(name)
    steered = sample(NODES["Count Control"](setup.model)[0], setup, one.run())
    assert not torch.equal(steered, sample(setup.model, setup, one.run())) and bool(steered.isfinite().all())


def test_a_model_of_a_familys_own_classes() -> None:
    parameters = SimpleNamespace(yak_mlp=True, txt_norm=True)
    assert_names(skeleton(comfy.model_base.Flux, Flux, params=parameters), "Ovis-Image")


def test_a_class_that_derives_from_one_that_is_read() -> None:
    """What a newer ComfyUI adds is not known, whatever it derives from; another pack's own class is what it derives from."""

    class Newer(comfy.model_base.Flux):
        pass

    class Changed(Flux):
        pass

    other_pack = skeleton(Newer, Changed)
    assert [family.name for family in RECORDED_FAMILIES if family.has(other_pack.model)] == ["Flux 1 and 2, Kontext"]
    Newer.__module__ = comfy.model_base.__name__
    assert_names(skeleton(Newer, Flux), "Newer")
    Changed.__module__ = Flux.__module__
    assert_names(skeleton(comfy.model_base.Flux, Changed), "Flux")


def test_a_diffusion_model_that_a_loader_wraps() -> None:
    class QuickTransformer(nn.Module):
        pass

    assert_names(
        skeleton(comfy.model_base.Flux, QuickTransformer),
        "QuickTransformer: a loader wraps the diffusion model of Flux in it",
    )
