"""Workflows and prompts of an earlier release run on the nodes as they are now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from demo.server import ComfyServer, PromptError, workflow_to_prompt
from demo.workflow_runs import with_widgets

from ..helpers.example_workflows import LOADERS, with_shipped_counter
from ..helpers.saved_work import FEW_STEPS, PICTURE, PROMPTS, WORKFLOWS, lost

pytestmark = pytest.mark.server

LARGE = [name for name, prompt in PROMPTS.items() if any(node["class_type"] in LOADERS for node in prompt.values())]
SMALL = [name for name in PROMPTS if name not in LARGE]


def _runs(prompt: dict[str, Any], server: ComfyServer, object_info: dict[str, Any]) -> None:
    outputs = server.run(with_shipped_counter(with_widgets(prompt, FEW_STEPS)))
    ends = [node for node, placed in prompt.items() if object_info[placed["class_type"]]["output_node"]]
    assert [node for node in ends if node not in outputs] == [], "these output nodes showed nothing"


@pytest.mark.parametrize(
    "path", [path for path in WORKFLOWS if path.stem != "blueprint_placed"], ids=lambda path: path.stem
)
def test_a_workflow_is_read_as_it_was(path: Path, object_info: dict[str, Any]) -> None:
    assert lost(PROMPTS[path.stem], workflow_to_prompt(json.loads(path.read_text()), object_info)) == []


@pytest.mark.parametrize("name", SMALL)
def test_a_prompt_runs(name: str, server: ComfyServer, object_info: dict[str, Any]) -> None:
    _runs(PROMPTS[name], server, object_info)


@pytest.mark.parametrize("name", LARGE)
def test_only_the_files_of_large_models_are_missing(name: str, server: ComfyServer) -> None:
    with pytest.raises(PromptError, match="not in") as caught:
        server.queue(PROMPTS[name])
    assert "Loader" in str(caught.value.node_type)


def test_the_prompt_in_a_picture_runs(server: ComfyServer, object_info: dict[str, Any]) -> None:
    _runs(json.loads(Image.open(PICTURE).text["prompt"]), server, object_info)
