"""The zip that a publish uploads, installed into a real ComfyUI as ComfyUI Manager does: anew, and over release 0.4."""

from __future__ import annotations

import json
import re
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from headcount.nodes import NODES

from demo.comfy_client import Prompt
from demo.server import ComfyServer, workflow_to_prompt
from demo.workflow_runs import with_widgets

from ..helpers.saved_work import FEW_STEPS, PROMPTS
from .shipped import ROOT, install, name, pack, shipped_files, shipping_rule

pytestmark = pytest.mark.server


RELEASE_0_4 = "a41e2e3b3c763d79214c71cb5accc6d763b72955"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack(tmp_path_factory.mktemp("packed") / "node.zip")


@pytest.fixture(scope="module")
def installed(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyServer]:
    """A clean server with the pack and nothing else."""
    base = tmp_path_factory.mktemp("installed")
    install(archive, base / "custom_nodes" / "headcount")
    with ComfyServer(base=base) as server:
        yield server


@pytest.fixture
def archive_0_4(tmp_path: Path) -> Path:
    """The zip of release 0.4, from the history."""
    archive = tmp_path / "node_0_4.zip"
    command = ["git", "archive", "-0", "--format=zip", f"--output={archive}", RELEASE_0_4]
    if subprocess.run(command, cwd=ROOT, capture_output=True).returncode:
        pytest.skip("this clone's history does not reach back to release 0.4")
    shipped = tmp_path / "shipped_0_4.zip"
    with zipfile.ZipFile(archive) as whole, zipfile.ZipFile(shipped, "w") as packed:
        is_shipped = shipping_rule(whole.read(".comfyignore").decode())
        for entry in [entry for entry in whole.infolist() if not entry.is_dir() and is_shipped(entry.filename)]:
            packed.writestr(entry, whole.read(entry))
    return shipped


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


def test_a_workflow_runs(installed: ComfyServer) -> None:
    """One that came with the pack, on the model that came with it."""
    file = installed.base / "custom_nodes" / "headcount" / "workflows" / "Shapes - keep only right images.json"
    prompt = with_widgets(workflow_to_prompt(json.loads(file.read_text()), installed.object_info()), FEW_STEPS)
    assert _saves_a_picture(prompt, installed.run(prompt))


def _saves_a_picture(prompt: Prompt, outputs: dict[str, Any]) -> bool:
    [saved] = [node for node, placed in prompt.items() if placed["class_type"] == "SaveImage"]
    return bool(outputs[saved]["images"])


def test_an_update_of_release_0_4(archive_0_4: Path, archive: Path, tmp_path: Path) -> None:
    """A graph that was saved and run with it runs after the update, and no file of it is left that has gone since."""
    base = tmp_path / "base"
    folder = install(archive_0_4, base / "custom_nodes" / "headcount")
    prompt = with_widgets(PROMPTS["shapes_count"], FEW_STEPS)
    with ComfyServer(base=base) as server:
        assert _saves_a_picture(prompt, server.run(prompt))
    install(archive, folder)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    left = {file for file in files if "__pycache__" not in file and file != ".tracking"}
    assert left == {name(path) for path in shipped_files()}
    with ComfyServer(base=base) as server:
        assert "IMPORT FAILED" not in server.log()
        assert _saves_a_picture(prompt, server.run(prompt))


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


INPUTS = {
    "HeadcountLoadT2ICountModel": {"model_name": "shapes_counter.safetensors", "precision": "fp32"},
    "HeadcountLoadDemoModel": {"model": "emoji", "batch_size": 1},
}


def test_shipped_models_load(installed: ComfyServer) -> None:
    """Every loader node, with the weights that came with the pack."""
    loaders = [node for node in installed.object_info() if re.fullmatch(r"HeadcountLoad\w+Model", node)]
    assert len(loaders) >= 2
    prompt = {}
    for node in loaders:
        prompt[node] = {"class_type": node, "inputs": INPUTS.get(node, {})}
        prompt[f"{node} shown"] = {"class_type": "PreviewAny", "inputs": {"source": [node, 0]}}
    outputs = installed.run(prompt)
    assert [node for node in loaders if not outputs[f"{node} shown"]["text"][0]] == []
