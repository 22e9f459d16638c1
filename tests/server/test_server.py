"""The pack inside a real ComfyUI server: it loads, it lists its nodes, its example workflows run."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from headcount.nodes import NODES

from demo import comfy_client
from demo.comfy_client import ComfyClient
from demo.server import ComfyServer, PromptError, workflow_to_prompt
from demo.workflow_runs import run_with_and_without, with_widgets

from ..helpers.example_workflows import FOR_LARGE_MODELS, LOADERS, with_shipped_counter
from ..helpers.saved_work import FEW_STEPS

pytestmark = pytest.mark.server

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = sorted((ROOT / "workflows").glob("*.json"))
WORKFLOWS = [path for path in FILES if path.stem not in FOR_LARGE_MODELS]
AS_SHIPPED = ("Shapes - the right number", "Shapes - keep only right images")
"""What README opens with, and what saves a picture only where one is right."""
FOR_A_FOLDER = "Count a photo with a detector"
"""Needs a folder of files, which no list of ComfyUI's can offer: its node says so when it runs."""
LARGE = [path for path in FILES if path.stem in FOR_LARGE_MODELS and path.stem != FOR_A_FOLDER]


def test_pack_loads(server: ComfyServer) -> None:
    pack = [line for line in server.log().splitlines() if "custom_nodes/headcount" in line]
    assert [line for line in pack if re.search(r"\d seconds: ", line)], server.log()
    assert [line for line in pack if "FAILED" in line or "Error" in line] == []


def test_builtin_nodes_load(server: ComfyServer) -> None:
    """ComfyUI itself is complete here, so a test that fails is not about a missing wheel."""
    assert re.findall("IMPORT FAILED: .*", server.log()) == []


def test_every_node_is_listed(object_info: dict[str, Any]) -> None:
    assert [name for node in NODES if (name := node.GET_SCHEMA().node_id) not in object_info] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_runs(workflow: Path, server: ComfyServer, object_info: dict[str, Any]) -> None:
    """In few steps; those that AS_SHIPPED names as they are."""
    prompt = with_shipped_counter(workflow_to_prompt(json.loads(workflow.read_text()), object_info))
    if workflow.stem not in AS_SHIPPED:
        prompt = with_widgets(prompt, FEW_STEPS)
    outputs = server.run(prompt)
    ends = [node for node, placed in prompt.items() if object_info[placed["class_type"]]["output_node"]]
    assert [node for node in ends if node not in outputs] == [], "these output nodes showed nothing"
    for shown in outputs.values():
        for reference in shown.get("images", []):
            assert server.image(reference)


@pytest.mark.parametrize("workflow", LARGE, ids=lambda path: path.stem, indirect=True)
def test_only_the_files_are_missing(workflow: dict[str, Any], server: ComfyServer, object_info: dict[str, Any]) -> None:
    """ComfyUI refuses it for the models' names alone."""
    with pytest.raises(PromptError, match="not in") as caught:
        server.queue(workflow_to_prompt(workflow, object_info))
    assert caught.value.node_type in LOADERS


@pytest.mark.parametrize("workflow", [ROOT / "workflows" / f"{FOR_A_FOLDER}.json"], ids=[FOR_A_FOLDER], indirect=True)
def test_only_the_folder_is_missing(workflow: dict[str, Any], server: ComfyServer, object_info: dict[str, Any]) -> None:
    with pytest.raises(PromptError, match="models/headcount_detectors") as caught:
        server.run(workflow_to_prompt(workflow, object_info))
    assert caught.value.node_type == "HeadcountDetectorCounter"


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


class Working(ComfyClient):
    """A server whose prompt is done after so many signs of progress, or never, `pause_s` apart."""

    def __init__(self, signs: int | None, pause_s: float) -> None:
        super().__init__("http://nowhere")
        self._signs, self._pause_s, self._start = signs, pause_s, time.monotonic()
        self.cancelled: list[str] = []

    def sign_of_progress(self) -> int:
        return int((time.monotonic() - self._start) / self._pause_s)

    def cancel(self, prompt_id: str) -> None:
        self.cancelled.append(prompt_id)

    def _request(self, path: str, body: dict[str, Any] | None = None) -> bytes:
        if self.sign_of_progress() == 1:
            raise TimeoutError("timed out")  # too busy to answer
        is_done = self._signs is not None and self.sign_of_progress() >= self._signs
        return json.dumps({"7": {"outputs": {}, "status": {"messages": []}}} if is_done else {}).encode()


def test_a_prompt_that_goes_on_is_waited_for() -> None:
    busy = Working(4, 0.3)
    assert busy.wait("7", timeout_s=0.6)["outputs"] == {}
    assert time.monotonic() - busy._start > 1 and busy.cancelled == []


def test_a_prompt_without_progress_is_cancelled() -> None:
    stuck = Working(None, 1e6)
    with pytest.raises(TimeoutError, match=r"still running after 0 s; its last sign of progress was 0 s ago"):
        stuck.wait("7", timeout_s=0.3)
    assert stuck.cancelled == ["7"]


def test_progress_without_end_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comfy_client, "LONGEST_SECONDS", 1.2)
    endless = Working(None, 0.2)
    with pytest.raises(TimeoutError, match=r"still running after 1 s; its last sign of progress was 0 s ago"):
        endless.wait("7", timeout_s=0.6)
    assert endless.cancelled == ["7"]


def test_a_time_limit_names_the_prompt_and_every_step_is_a_sign(
    server: ComfyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    signs = set()

    def impatient(prompt: dict[str, Any]) -> dict[str, Any]:
        prompt_id = server.queue(prompt)
        deadline = time.monotonic() + 120
        while len(signs) < 12 and time.monotonic() < deadline:
            signs.add(server.sign_of_progress())
        return server.wait(prompt_id, 0.0)["outputs"]

    monkeypatch.setattr(server, "run", impatient)
    with pytest.raises(
        TimeoutError,
        match=r"^workflows/Shapes - the right number\.json with 'three moons': the prompt was still running",
    ):
        run_with_and_without(server, "three moons", 8, 77)
    monkeypatch.undo()
    assert len(signs) == 12
    assert server.run(_replace("cat"))["9"]["text"] == ["dog"], "it was cancelled"
