"""Example workflows for large models, with small ones of the same architecture under their files' names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from demo.server import ComfyServer, workflow_to_prompt
from demo.workflow_runs import pictures_of, with_widgets

from ..helpers.example_workflows import (
    BLUEPRINT,
    INPUT_NODE,
    NEEDS_NEWER,
    OUTPUT_NODE,
    PICTURE_FAMILIES,
    VIDEO_FAMILIES,
)
from ..helpers.families import newer
from ..helpers.stand_ins import STAND_INS, furnish

pytestmark = pytest.mark.server

FOLDER = Path(__file__).resolve().parent.parent.parent / "workflows"
[_ABSENT] = newer("Qwen-Image 2.1")
QWEN_21 = pytest.param(NEEDS_NEWER, marks=getattr(_ABSENT, "marks", ()))
FOUND = "What was found, and what was aimed at"
SMALL = {"width": 96, "height": 128, "batch_size": 1}
SHORT = {"width": 128, "height": 192, "length": 9}
SETTINGS = {
    "EmptyLatentImage": SMALL,
    "EmptySD3LatentImage": SMALL,
    "KSampler": {"steps": 5},
    "EmptyHunyuanLatentVideo": SHORT,
    "EmptyMiniMaxH3LatentAV": {**SHORT, "length": 22},
    "EmptyLTXVLatentVideo": SHORT,
    "LTXVEmptyLatentAudio": {"frames_number": 9},
}


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyServer]:
    """A server whose Load Checkpoint gives small models with random weights."""
    base = tmp_path_factory.mktemp("stand_ins")
    furnish(base)
    with ComfyServer(base=base) as running:
        assert "IMPORT FAILED" not in running.log(), running.log()
        yield running


def _of(prompt: dict[str, Any], kind: str) -> str:
    """The only node of a class."""
    [found] = [node for node, placed in prompt.items() if placed["class_type"] == kind]
    return found


def _drawn(server: ComfyServer, outputs: dict[str, Any], node: str) -> np.ndarray:
    return np.stack(pictures_of(server, outputs[node]))


@pytest.mark.parametrize(
    "name",
    [
        "SD 1.5 - the right number",
        "SDXL - the right number",
        "SD 3.5 - the right number",
        "Flux - the right number",
        "Flux - the right number by layout",
        *PICTURE_FAMILIES,
        QWEN_21,
    ],
)
def test_runs_on_a_small_model_of_the_same_kind(name: str, stand_ins: ComfyServer) -> None:
    schemas = stand_ins.object_info()
    prompt = with_widgets(workflow_to_prompt(json.loads((FOLDER / f"{name}.json").read_text()), schemas), SETTINGS)
    outputs = stand_ins.run(prompt)
    ends = {node for node, placed in prompt.items() if schemas[placed["class_type"]]["output_node"]}
    assert ends <= set(outputs)
    texts = [shown["text"][0] for shown in outputs.values() if "text" in shown]
    assert "3 cats, 2 dogs" in texts, "Count Prompt"
    [plain] = [node for node, placed in prompt.items() if placed["_meta"]["title"].startswith("Without")]
    without, changed = _drawn(stand_ins, outputs, plain), _drawn(stand_ins, outputs, _of(prompt, "SaveImage"))
    assert without.shape == changed.shape == (1, 128, 96, 3)
    if not name.endswith("numina"):
        assert not np.array_equal(without, changed), "steered"
    viewer = _of(prompt, "HeadcountAttentionMapViewer")
    assert len(outputs[viewer]["images"]) >= 2, "a view of each noun"


@pytest.mark.parametrize("name", VIDEO_FAMILIES)
def test_makes_a_video_with_a_small_model_of_the_same_kind(name: str, stand_ins: ComfyServer) -> None:
    schemas = stand_ins.object_info()
    prompt = with_widgets(workflow_to_prompt(json.loads((FOLDER / f"{name}.json").read_text()), schemas), SETTINGS)
    outputs = stand_ins.run(prompt)
    [saved] = outputs[_of(prompt, "SaveVideo")]["images"]
    assert saved["filename"].endswith(".mp4") and stand_ins.image(saved)
    [found] = [outputs[node]["text"][0] for node, placed in prompt.items() if placed["_meta"]["title"] == FOUND]
    assert "frame 2, target: " in found and "cats" in found
    assert len(outputs[_of(prompt, "HeadcountAttentionMapViewer")]["images"]) >= 2


def _unpacked(file: str) -> dict[str, Any]:
    """The blueprint's node as a workflow: a checkpoint and the demo's counter before it, Preview Image behind it."""
    [subgraph] = json.loads(BLUEPRINT.read_text())["definitions"]["subgraphs"]
    assert [slot["name"] for slot in subgraph["inputs"][:4]] == ["model", "clip", "vae", "counter"]
    loader = {"id": 100, "type": "CheckpointLoaderSimple", "inputs": [], "widgets_values": [file]}
    counter = {"id": 102, "type": "HeadcountLoadDemoModel", "inputs": [], "widgets_values": ["emoji", 1]}
    shown = {"id": 101, "type": "PreviewImage", "inputs": [{"name": "images", "type": "IMAGE", "link": None}]}
    links = []
    for link in subgraph["links"]:
        if link["origin_id"] == INPUT_NODE:
            if link["origin_slot"] > 3:
                continue  # a setting: the node inside has its value
            is_counter = link["origin_slot"] == 3
            link["origin_id"] = counter["id"] if is_counter else loader["id"]
            link["origin_slot"] = 4 if is_counter else link["origin_slot"]
        if link["target_id"] == OUTPUT_NODE:
            if link["target_slot"] == 0:
                shown["inputs"][0]["link"] = link["id"]
            link["target_id"] = shown["id"]
        links.append(link)
    return {"nodes": [loader, counter, *subgraph["nodes"], shown], "links": links}


@pytest.mark.parametrize("file", STAND_INS)
def test_the_blueprint_fits_every_kind_of_model(file: str, stand_ins: ComfyServer) -> None:
    """Its empty latent has four channels; the models' have four or sixteen."""
    settings = {"HeadcountGenerateUntilRight": {"width": 96, "height": 128, "steps": 5, "tries": 1, "rounds": 0}}
    prompt = with_widgets(workflow_to_prompt(_unpacked(file), stand_ins.object_info()), settings)
    drawn = _drawn(stand_ins, stand_ins.run(prompt), _of(prompt, "PreviewImage"))
    assert drawn.shape == (1, 128, 96, 3)
