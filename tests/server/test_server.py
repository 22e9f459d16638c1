"""The pack inside a real ComfyUI server: it loads, it lists its nodes, its example workflows run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from headcount.nodes import NODES

from demo.server import ComfyServer, PromptError, workflow_to_prompt

pytestmark = pytest.mark.server

FILES = sorted((Path(__file__).resolve().parent.parent.parent / "workflows").glob("*.json"))
# Their model files are gigabytes and not to be had here; test_model_workflows.py runs some with small models.
FOR_LARGE_MODELS = ("wan_numina", "sd15_isac", "sdxl_isac", "sd35_isac", "flux_isac", "flux_numina")
WORKFLOWS = [path for path in FILES if path.stem not in FOR_LARGE_MODELS]
LARGE = [path for path in FILES if path.stem in FOR_LARGE_MODELS]
ADDRESS = r"https://huggingface\.co/[\w.-]+/[\w.-]+/resolve/main/[\w./-]+\.safetensors"
# Loader -> the folder of models that its files are in.
LOADERS = {
    "CheckpointLoaderSimple": "checkpoints",
    "UNETLoader": "diffusion_models",
    "CLIPLoader": "text_encoders",
    "VAELoader": "vae",
}


def test_pack_loads(server: ComfyServer) -> None:
    pack = [line for line in server.log().splitlines() if "custom_nodes/headcount" in line]
    assert [line for line in pack if re.search(r"\d seconds: ", line)], server.log()
    assert [line for line in pack if "FAILED" in line or "Error" in line] == []


def test_builtin_nodes_load(server: ComfyServer) -> None:
    """ComfyUI itself is complete here, so a test that fails is not about a missing wheel."""
    assert re.findall("IMPORT FAILED: .*", server.log()) == []


def test_every_node_is_listed(object_info: dict[str, Any]) -> None:
    assert [name for node in NODES if (name := node.GET_SCHEMA().node_id) not in object_info] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem, indirect=True)
def test_workflow_runs(workflow: dict[str, Any], server: ComfyServer, object_info: dict[str, Any]) -> None:
    prompt = _with_shipped_counter(workflow_to_prompt(workflow, object_info))
    outputs = server.run(prompt)
    ends = [node for node, placed in prompt.items() if object_info[placed["class_type"]]["output_node"]]
    assert [node for node in ends if node not in outputs] == [], "these output nodes showed nothing"
    for shown in outputs.values():
        for reference in shown.get("images", []):
            assert server.image(reference)


@pytest.mark.parametrize("workflow", LARGE, ids=lambda path: path.stem, indirect=True)
def test_only_the_files_are_missing(workflow: dict[str, Any], server: ComfyServer, object_info: dict[str, Any]) -> None:
    """ComfyUI refuses it for the models' names alone, and the page knows where to get each of them."""
    prompt = workflow_to_prompt(workflow, object_info)
    with pytest.raises(PromptError, match="not in") as caught:
        server.queue(prompt)
    assert caught.value.node_type in LOADERS
    named = {
        value
        for placed in prompt.values()
        for value in placed["inputs"].values()
        if str(value).endswith(".safetensors")
    }
    offered = [
        (placed["type"], file) for placed in workflow["nodes"] for file in placed["properties"].get("models", [])
    ]
    assert {file["name"] for _, file in offered} == named
    assert all(file["directory"] == LOADERS[loader] for loader, file in offered)
    assert all(re.fullmatch(ADDRESS, file["url"]) and file["url"].endswith(f"/{file['name']}") for _, file in offered)


def _with_shipped_counter(prompt: dict[str, Any]) -> dict[str, Any]:
    """The T2ICount authors' file is not to be had here: the shipped one takes its place, with a noun that it knows."""
    for placed in prompt.values():
        if placed["inputs"].get("model_name") == "best_model_paper.pth":
            placed["inputs"]["model_name"] = "shapes_counter.safetensors"
            [counter] = [other for other in prompt.values() if other["class_type"] == "HeadcountT2ICountCounter"]
            counter["inputs"]["text"] = "circles"
    return prompt


def _replace(pattern: str, **more: Any) -> dict[str, Any]:
    inputs = {"string": "cat", "regex_pattern": pattern, "replace": "dog", **more}
    return {"7": {"class_type": "RegexReplace", "inputs": inputs}, "9": _preview("7")}


def _preview(origin: str) -> dict[str, Any]:
    return {"class_type": "PreviewAny", "inputs": {"source": [origin, 0]}}


def test_outputs_come_back(server: ComfyServer) -> None:
    assert server.run(_replace("cat"))["9"]["text"] == ["dog"]


def test_a_failing_node_is_named(server: ComfyServer) -> None:
    with pytest.raises(PromptError, match="unterminated") as caught:
        server.run(_replace("("))
    assert (caught.value.node_id, caught.value.node_type) == ("7", "RegexReplace")


def test_a_refused_prompt_names_the_input(server: ComfyServer) -> None:
    with pytest.raises(PromptError, match="count") as caught:
        server.run(_replace("cat", count=-1))
    assert (caught.value.node_id, caught.value.exception_type) == ("7", "validation")
