"""A saved workflow becomes the prompt that ComfyUI's page would queue (tests/browser compares the two)."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from demo.server import ComfyServer, workflow_to_prompt
from demo.workflow_to_prompt import WorkflowError

pytestmark = pytest.mark.server

EVERY_KIND_OF_NODE = json.loads((Path(__file__).resolve().parent.parent / "golden" / "workflow.json").read_text())


@pytest.fixture
def inputs(object_info: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Node id -> its inputs in the prompt."""
    prompt = workflow_to_prompt(EVERY_KIND_OF_NODE, object_info)
    return {node: placed["inputs"] for node, placed in prompt.items()}


def test_notes_reroutes_and_muted_nodes_are_left_out(inputs: dict[str, Any]) -> None:
    assert set(inputs) == {"1", "4", "6", "9", "11", "12", "13", "14", "15", "16", "17", "18"}
    assert inputs["16"] == {"image1": ["1", 0]}, "the second input came from a muted node"


def test_links_pass_reroutes_and_bypassed_nodes(inputs: dict[str, Any]) -> None:
    assert inputs["4"]["image"] == ["1", 0]


def test_a_primitive_gives_its_value(inputs: dict[str, Any]) -> None:
    assert inputs["4"]["scale_by"] == 2.0


def test_the_control_behind_a_seed_is_no_input(inputs: dict[str, Any]) -> None:
    assert inputs["9"] == {"noise_seed": 42}
    assert (inputs["15"]["seed"], inputs["15"]["steps"], inputs["15"]["denoise"]) == (7, 12, 0.75)


def test_an_upload_button_is_no_input(inputs: dict[str, Any]) -> None:
    assert inputs["12"] == {"image": "example.png", "channel": "red"}


def test_what_a_choice_brings_stands_behind_it(inputs: dict[str, Any]) -> None:
    """A dynamic combo within a dynamic combo."""
    assert inputs["18"] == {
        "video": ["17", 0],
        "filename_prefix": "video/test",
        "format": "mp4",
        "codec": "h264",
        "codec.encoding": "re-encode",
        "codec.encoding.crf": 31.0,
    }


def test_another_choice_brings_other_widgets(object_info: dict[str, Any]) -> None:
    node = {"id": 1, "type": "SaveVideo", "widgets_values": ["video/test", "auto", "auto"]}
    prompt = workflow_to_prompt({"nodes": [node], "links": []}, object_info)
    assert prompt["1"]["inputs"] == {"filename_prefix": "video/test", "format": "auto", "codec": "auto"}
    node = {"id": 1, "type": "SaveVideo", "widgets_values": {"codec": "h264", "codec.encoding": "auto", "crf": 3}}
    prompt = workflow_to_prompt({"nodes": [node], "links": []}, object_info)
    assert prompt["1"]["inputs"] == {"codec": "h264", "codec.encoding": "auto"}


def test_the_prompt_runs(server: ComfyServer, object_info: dict[str, Any]) -> None:
    outputs = server.run(workflow_to_prompt(EVERY_KIND_OF_NODE, object_info))
    assert set(outputs) == {"6", "14", "18"}
    assert Image.open(io.BytesIO(server.image(outputs["6"]["images"][0]))).size == (128, 64)


def test_an_unknown_node_is_named(object_info: dict[str, Any]) -> None:
    workflow = {"nodes": [{"id": 3, "type": "HeadcountNoSuchNode"}], "links": []}
    with pytest.raises(WorkflowError, match="node 3: ComfyUI has no 'HeadcountNoSuchNode'"):
        workflow_to_prompt(workflow, object_info)
