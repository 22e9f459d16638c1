"""The shipped files in the custom_nodes of a real ComfyUI, as a user has them after an installation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from headcount.nodes import NODES

from demo.server import ComfyServer

from .shipped import copy_to, name, shipped_files

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyServer]:
    """A server whose only pack is a copy of the shipped files."""
    base = tmp_path_factory.mktemp("installed")
    (base / "custom_nodes").mkdir()
    # A link to the copy, since ComfyServer would put a link to this checkout in an empty place.
    (base / "custom_nodes" / "headcount").symlink_to(copy_to(base / "copy"), target_is_directory=True)
    with ComfyServer(base=base) as server:
        yield server


def _answer(server: ComfyServer, path: str) -> bytes:
    with urlopen(server.address + quote(path), timeout=60) as answer:
        return answer.read()


def _shipped(folder: str, suffix: str) -> list[Path]:
    return [path for path in shipped_files() if name(path).startswith(f"{folder}/") and path.suffix == suffix]


def test_it_loads(installed: ComfyServer) -> None:
    lines = [line for line in installed.log().splitlines() if "custom_nodes/headcount" in line]
    assert any(re.search(r"\d seconds: ", line) for line in lines), installed.log()
    assert "IMPORT FAILED" not in installed.log()


def test_every_node_is_listed(installed: ComfyServer) -> None:
    info = installed.object_info()
    listed = {node for node, schema in info.items() if schema["python_module"] == "custom_nodes.headcount"}
    assert listed == {node.GET_SCHEMA().node_id for node in NODES}


def test_templates_are_listed_with_their_pictures(installed: ComfyServer) -> None:
    listed = json.loads(_answer(installed, "/workflow_templates"))["headcount"]
    files = _shipped("workflows", ".json")
    assert sorted(listed) == sorted(path.stem for path in files)
    for path in files:
        assert _answer(installed, f"/api/workflow_templates/headcount/{path.name}") == path.read_bytes()
        picture = path.with_suffix(".jpg")
        assert _answer(installed, f"/api/workflow_templates/headcount/{picture.name}") == picture.read_bytes()


def test_subgraphs_are_listed(installed: ComfyServer) -> None:
    listed = json.loads(_answer(installed, "/global_subgraphs")).values()
    ours = [entry["name"] for entry in listed if entry["info"]["node_pack"] == "custom_nodes.headcount"]
    assert sorted(ours) == sorted(path.stem for path in _shipped("subgraphs", ".json"))


def test_translations_are_served(installed: ComfyServer) -> None:
    served = json.loads(_answer(installed, "/i18n"))
    assert {path.parent.name for path in _shipped("locales", ".json")} <= set(served)


def test_pages_and_scripts_are_served(installed: ComfyServer) -> None:
    scripts = {f"/extensions/headcount/{name(path).removeprefix('web/')}" for path in _shipped("web", ".js")}
    assert {path for path in json.loads(_answer(installed, "/extensions")) if "/headcount/" in path} == scripts
    for node in NODES:
        assert _answer(installed, f"/extensions/headcount/docs/{node.GET_SCHEMA().node_id}/en.md")


def test_shipped_models_load(installed: ComfyServer) -> None:
    """Every loader node, with the weights that came with the pack."""
    loaders = [node for node in installed.object_info() if re.fullmatch(r"HeadcountLoad\w+Model", node)]
    assert len(loaders) >= 2
    prompt = {}
    for node in loaders:
        counter = {"model_name": "shapes_counter.safetensors", "precision": "fp32"}
        prompt[node] = {"class_type": node, "inputs": counter if node == "HeadcountLoadT2ICountModel" else {}}
        prompt[f"{node} shown"] = {"class_type": "PreviewAny", "inputs": {"source": [node, 0]}}
    outputs = installed.run(prompt)
    assert [node for node in loaders if not outputs[f"{node} shown"]["text"][0]] == []
