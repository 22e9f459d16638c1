"""The attention nodes on a real model: what they give, and what they say to wrong inputs."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from headcount.bridge.isac.control import IsacSettings
from headcount.bridge.isac.presets import PRESETS
from headcount.bridge.recording.maps import MapsHandle
from headcount.core.errors import CountError
from headcount.nodes import isac_attention_control
from headcount.nodes.attention_map_recorder import AttentionMapRecorder
from headcount.nodes.attention_map_viewer import AttentionMapViewer
from headcount.nodes.instance_masks import InstanceMasks
from headcount.nodes.isac_attention_control import IsacAttentionControl
from headcount.nodes.load_shapes_demo_model import LoadShapesDemoModel

import nodes as comfy_nodes

from ..helpers.models import Run, Setup, sample, shapes_setup

RUN = Run(steps=2, batch=2)
VIEWER = {"show": "words", "words": "", "opacity": 0.7, "scale": "per word"}
MASKS = {"instances": "found", "batch_index": 0, "threshold": 0.5}


def defaults(node: Any) -> dict[str, Any]:
    """Every widget of a node at its default, as a new node in the graph has it."""
    groups = node.GET_NODE_INFO_V1()["input"]
    info = {**groups["required"], **groups.get("optional", {})}
    return {name: entry[1]["default"] for name, entry in info.items() if len(entry) > 1 and "default" in entry[1]}


@pytest.fixture(scope="module")
def setup() -> Setup:
    return shapes_setup()


@pytest.fixture(scope="module")
def recorded(setup: Setup) -> tuple[MapsHandle, dict[str, torch.Tensor]]:
    model, maps = AttentionMapRecorder.execute(setup.model).args
    return maps, {"samples": sample(model, setup, RUN)}


def test_isac_at_its_defaults(setup: Setup) -> None:
    widgets = defaults(IsacAttentionControl)
    model, maps = IsacAttentionControl.execute(setup.model, **widgets).args
    samples = sample(model, setup, RUN)
    assert not torch.equal(samples, sample(setup.model, setup, RUN))
    record, belongs = maps.record_for(samples)
    assert belongs and record.nouns == ("red circles", "stars") and record.counts == (3, 2)
    assert record.steps[0].instance_loss is not None


def test_isac_begins_with_its_preset() -> None:
    widgets = defaults(IsacAttentionControl)
    assert widgets["preset"] == "normal" and widgets["mode"] == "fast" and widgets["strength"] == 1.0
    assert {name: widgets[name] for name in PRESETS["normal"]} == PRESETS["normal"]


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_counts_whatever_the_widgets_say(preset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(
        isac_attention_control, "with_isac", lambda model, settings, *_: seen.append(settings) or (1, 2)
    )
    widgets = defaults(IsacAttentionControl)
    odd = {"step_mode": "paper", "step_size": 3.0, "objective": "paper", "spacing": 0.5, "mode": "exact", "bind": False}
    IsacAttentionControl.execute("model", **{**widgets, **odd, "clustering": "gmm", "preset": preset})
    IsacAttentionControl.execute("model", **{**widgets, **PRESETS[preset], "preset": "custom"})
    assert seen[0] == seen[1]


def test_the_presets_numbers() -> None:
    """Algorithm 1 of the paper takes its objective and eta 0.01 at every step; the others are ours, tuned on Emoji."""
    shown = {
        name: (values["objective"], values["step_mode"], values["mode"], values["step_size"])
        for name, values in PRESETS.items()
    }
    assert shown == {
        "normal": ("anchored", "relative", "fast", 0.08),
        "gentle": ("anchored", "relative", "fast", 0.04),
        "strong": ("anchored", "relative", "exact", 0.08),
        "paper": ("paper", "paper", "exact", 0.01),
    }


def test_a_prompt_from_before_the_presets_keeps_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(
        isac_attention_control, "with_isac", lambda model, settings, *_: seen.append(settings) or (1, 2)
    )
    IsacAttentionControl.execute("model", 1.0, 0.0, 1.0, "relative", 0.05, "anchored", 0.1875)
    assert seen == [IsacSettings("anchored", "relative", 0.05, spacing=0.1875, mode="exact")]


def test_strength_multiplies_the_step(setup: Setup) -> None:
    widgets = {**defaults(IsacAttentionControl), "preset": "custom"}
    plain = sample(setup.model, setup, RUN)
    moved = []
    for strength, size in ((0.5, 0.02), (1.0, 0.02), (2.0, 0.01)):
        changed = {**widgets, "strength": strength, "step_size": size}
        model, _ = IsacAttentionControl.execute(setup.model, **changed).args
        moved.append(sample(model, setup, RUN))
    assert torch.equal(moved[1], moved[2])
    assert (moved[0] - plain).norm() < (moved[1] - plain).norm()


@pytest.mark.parametrize("node", [IsacAttentionControl, AttentionMapRecorder])
def test_a_prompt_of_another_node(node: Any, setup: Setup) -> None:
    (bare,) = comfy_nodes.CLIPTextEncode().encode(LoadShapesDemoModel.execute().args[1], "three circles")
    model, _ = node.execute(setup.model, **defaults(node)).args
    with pytest.raises(CountError) as error:
        sample(model, setup, RUN, positive=bare)
    text = str(error.value)
    assert text.startswith(node.GET_NODE_INFO_V1()["display_name"].partition(" (")[0])
    assert "Encode it with Count Prompt and connect that node's CONDITIONING" in text


@pytest.mark.parametrize("node", [IsacAttentionControl, AttentionMapRecorder])
def test_the_counts_socket(node: Any, setup: Setup) -> None:
    bare = [[text, {}] for text, _ in setup.positive]
    widgets = defaults(node)
    model, maps = node.execute(setup.model, **widgets, counts=setup.counts).args
    samples = sample(model, setup, RUN, positive=bare)
    carried, _ = node.execute(setup.model, **widgets).args
    assert torch.equal(samples, sample(carried, setup, RUN))
    assert maps.record_for(samples)[0].counts == (3, 2)


def test_unknown_step_mode(setup: Setup) -> None:
    """Only a hand-written API workflow can ask for it."""
    widgets = {**defaults(IsacAttentionControl), "step_mode": "absolute"}
    with pytest.raises(CountError, match="step_mode is 'absolute'; it can be 'relative', 'paper'"):
        IsacAttentionControl.execute(setup.model, **widgets)


def view(
    recorded: tuple[MapsHandle, dict[str, torch.Tensor]], image: torch.Tensor | None = None, **widgets: Any
) -> Any:
    maps, latent = recorded
    return AttentionMapViewer.execute(maps, latent, **{**VIEWER, **widgets}, image=image)


@pytest.mark.parametrize("show", ["words", "regions", "steps", "objects"])
def test_viewer(show: str, recorded) -> None:
    out = view(recorded, show=show)
    pictures, masks, text, *_ = out.args
    assert pictures.ndim == 4 and pictures.shape[-1] == 3 and pictures.dtype == torch.float32
    assert masks.shape == pictures.shape[:3]
    assert len(text.splitlines()) == len(pictures)
    assert len(out.ui["images"]) == len(pictures)


def test_viewer_on_the_decoded_picture(recorded) -> None:
    vae = LoadShapesDemoModel.execute().args[2]
    with torch.inference_mode():
        image = vae.decode(recorded[1]["samples"])
        assert torch.equal(view(recorded, image, opacity=0.0, words="stars").args[0], image)
        assert not torch.equal(view(recorded, image, words="stars").args[0], image)


@pytest.mark.parametrize("node", [AttentionMapViewer, InstanceMasks])
def test_an_empty_handle(node: Any, recorded) -> None:
    widgets = VIEWER if node is AttentionMapViewer else MASKS
    with pytest.raises(CountError, match=r"no attention was recorded\. Connect the MODEL output"):
        node.execute(MapsHandle(), recorded[1], **widgets)


def test_viewer_with_an_unknown_word(recorded) -> None:
    """The view keeps the words of the run before: another prompt must not fail over them."""
    said = view(recorded, words="circles, dragons").args[2]
    assert said.startswith("'dragons' is not in the prompt; the prompt has: ")
    assert view(recorded).args[2] == said.split("\n", 1)[1]


def test_viewer_hands_out_the_objects_that_were_clicked(recorded) -> None:
    """Numbers are those of the view; what another run had and this one has not is left out."""
    found = view(recorded, show="objects")
    counted = [int(number) for number in re.findall(r"\d+ (?!:)", found.args[2].splitlines()[0].split("found")[1])]
    assert sum(counted) > 0
    _, _, _, masks, boxes = view(recorded, selected="1:1, 9:1, 1:999").args
    assert masks.shape == (1, 128, 128) and 0 < masks.sum() < 128 * 128 / 2
    (box,), second = boxes
    assert second == []
    ys, xs = masks[0].nonzero(as_tuple=True)
    assert (box["x"], box["y"]) == (int(xs.min()), int(ys.min())) and box["label"]
    _, _, _, none, no_boxes = view(recorded).args
    assert none.shape == (1, 128, 128) and none.sum() == 0 and no_boxes == [[], []]


def test_instance_masks_outlines_what_it_found_on_the_image(recorded) -> None:
    maps, latent = recorded
    image = torch.rand(2, 128, 128, 3)
    out = [InstanceMasks.execute(maps, latent, **MASKS, image=one) for one in (None, image)]
    assert torch.equal(out[0].args[0], out[1].args[0])
    assert all(len(one.ui["images"]) == 1 for one in out)


def test_viewer_with_too_few_pictures(recorded) -> None:
    with pytest.raises(CountError, match=r"the run made 2 images, image has 1\. Connect the image decoded"):
        view(recorded, torch.rand(1, 128, 128, 3))


@pytest.mark.parametrize("instances", ["found", "asked"])
def test_instance_masks(instances: str, recorded) -> None:
    maps, latent = recorded
    masks, count, boxes, text = InstanceMasks.execute(maps, latent, **{**MASKS, "instances": instances}).args
    assert masks.shape[1:] == (128, 128) and masks.dtype == torch.float32
    (boxes,) = boxes  # of this one picture
    assert count == len(boxes) == len(text.splitlines()) and count in (len(masks), 0)
    assert [box["label"] for box in boxes] == [line.split(":")[0] for line in text.splitlines()]
    for box in boxes:
        assert set(box) == {"x", "y", "width", "height", "label", "score"} and 0 <= box["score"] <= 1
        assert all(isinstance(box[side], int) for side in ("x", "y", "width", "height"))
        assert 0 <= box["x"] <= 128 - box["width"] and 0 <= box["y"] <= 128 - box["height"]
    if instances == "asked":
        assert count <= 5


def test_instance_masks_of_no_such_picture(recorded) -> None:
    maps, latent = recorded
    with pytest.raises(CountError, match="batch_index is 7, but the run made 2 images; the last one is 1"):
        InstanceMasks.execute(maps, latent, **{**MASKS, "batch_index": 7})


def test_recorder_changes_nothing(setup: Setup, recorded) -> None:
    assert torch.equal(recorded[1]["samples"], sample(setup.model, setup, RUN))


def test_load_shapes_demo_model() -> None:
    model, clip, vae = LoadShapesDemoModel.execute().args
    kinds = [type(part).__mro__ for part in (model, clip, vae)]
    names = [{base.__name__ for base in bases} for bases in kinds]
    assert "ModelPatcher" in names[0] and "CLIP" in names[1] and "VAE" in names[2]
    assert vae.decode(torch.zeros(1, 8, 4, 4)).shape == (1, 32, 32, 3)


def test_load_shapes_demo_model_without_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    import headcount.bridge.demo_models.files as files

    monkeypatch.setattr(files.load_shapes_model, "__defaults__", (tmp_path / "shapes.safetensors",))
    with pytest.raises(CountError, match="Reinstall the pack"):
        LoadShapesDemoModel.execute()
