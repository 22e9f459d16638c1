"""What nodes say: to the page that asked, into the history, and into the images that the run saves."""

from __future__ import annotations

import json
import sys
from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import pytest
from comfy_execution.utils import CurrentNodeContext
from headcount.bridge.comfyui.node_text import (
    MAX_LINES,
    MAX_MARKS,
    NOTE_EVENT,
    NodePlace,
    NodeResult,
    keep_results_with_their_run,
    result_output,
    running_node,
    show_note,
)
from headcount.bridge.comfyui.saved_results import inputs_of_result, without_old_results

PROMPT = {
    "1": {"class_type": "Load", "inputs": {}},
    "2": {"class_type": "Sample", "inputs": {"model": ["1", 0], "seed": 5, "cfg": 3}},
    "3": {"class_type": "Check", "inputs": {"image": ["2", 0], "objects": ""}},
    "9": {"class_type": "Save", "inputs": {"images": ["3", 1]}},
}


def workflow() -> dict[str, Any]:
    """Nodes 2 and 3, and node 5 inside the subgraph that is node 7."""
    inner = {"id": "made-of", "nodes": [{"id": 5, "type": "Check", "properties": {}}]}
    nodes = [{"id": 2, "type": "Sample"}, {"id": 3, "type": "Check", "properties": {}}, {"id": 7, "type": "made-of"}]
    return {"nodes": nodes, "definitions": {"subgraphs": [inner]}}


def said(result: NodeResult, node: str, prompt: Any, flow: Any, index: int | None = 0) -> dict[str, Any]:
    """What a node gives out while ComfyUI runs it."""
    hidden = SimpleNamespace(prompt=prompt, extra_pnginfo={"workflow": flow})
    with CurrentNodeContext("run", node, index):
        return result_output(result, SimpleNamespace(hidden=hidden))


def request(prompt: Any, flow: Any) -> dict[str, Any]:
    """What the page sends, as the server reads it."""
    return json.loads(json.dumps({"prompt": prompt, "extra_data": {"extra_pnginfo": {"workflow": flow}}}))


def nodes_of(sent: dict[str, Any]) -> list[dict[str, Any]]:
    flow = without_old_results(sent)["extra_data"]["extra_pnginfo"]["workflow"]
    return [*flow["nodes"], *flow["definitions"]["subgraphs"][0]["nodes"]]


def test_a_result_goes_into_the_workflow_of_its_run() -> None:
    flow = workflow()
    output = said(NodeResult("1 of 2 right", True, (True, False), "asked: 2 cats"), "3", PROMPT, flow)
    [result] = output["headcount_result"]
    assert result["marks"] == [True, False] and result["verdict"] == "1 of 2 right" and result["note"] == ""
    assert flow["nodes"][1]["properties"] == {"headcount_result": [result]}
    json.dumps(output)  # the history and the page take plain values only


def test_a_node_of_a_subgraph_and_a_node_that_runs_over_a_list() -> None:
    flow = workflow()
    for index, verdict in enumerate(("first", "second")):
        said(NodeResult(verdict), "7:5", {"7:5": PROMPT["3"]}, flow, index)
    kept = flow["definitions"]["subgraphs"][0]["nodes"][0]["properties"]["headcount_result"]
    assert [one["verdict"] for one in kept] == ["first", "second"]
    said(NodeResult("of the next run"), "7:5", {"7:5": PROMPT["3"]}, flow, 0)
    kept = flow["definitions"]["subgraphs"][0]["nodes"][0]["properties"]["headcount_result"]
    assert [one["verdict"] for one in kept] == ["of the next run"]


@pytest.mark.parametrize("flow", [None, [], {}, {"nodes": 3}, {"nodes": [None, {"id": 3, "properties": 4}]}])
def test_without_a_workflow_the_result_is_only_given_out(flow: Any) -> None:
    assert said(NodeResult("right"), "3", PROMPT, flow)["headcount_result"][0]["verdict"] == "right"
    without_old_results(request(PROMPT, flow))


def test_outside_a_run() -> None:
    assert result_output(NodeResult("right"), SimpleNamespace(hidden=None))["headcount_result"][0]["verdict"] == "right"


def test_a_long_result_is_cut_for_the_page() -> None:
    lines, marks = [f"image {index}" for index in range(1000)], (True,) * 1000
    [result] = said(NodeResult("", None, marks, "\n".join(lines)), "3", PROMPT, workflow())["headcount_result"]
    assert result["table"].splitlines()[-2:] == [lines[MAX_LINES - 1], "... and 800 more lines, which the output has"]
    assert len(result["marks"]) == MAX_MARKS


def test_a_new_run_carries_no_result_that_it_may_change() -> None:
    """Kept while everything before the node is the same, for then ComfyUI does not run it again."""
    flow = workflow()
    run = deepcopy(PROMPT)
    run["2"]["inputs"]["cfg"] = 3.0  # what ComfyUI makes of it
    said(NodeResult("right"), "3", run, flow)
    said(NodeResult("inner"), "7:5", {**run, "7:5": PROMPT["3"]}, flow)
    flow["nodes"][1]["properties"]["headcount_note"] = "not steered"
    sent = {**deepcopy(PROMPT), "7:5": PROMPT["3"]}
    sent["9"]["inputs"]["filename_prefix"] = "another"
    kept = [node.get("properties", {}) for node in nodes_of(request(sent, flow))]
    assert kept[1]["headcount_result"][0]["verdict"] == "right" and kept[3]["headcount_result"][0]["verdict"] == "inner"
    assert "headcount_note" not in kept[1]
    sent["2"]["inputs"]["seed"] = 6
    assert [node.get("properties", {}) for node in nodes_of(request(sent, flow))] == [{}, {}, {}, {}]


@pytest.mark.parametrize("results", [3, [], [None], [{"inputs": 4}], [{"inputs": "a"}, {"inputs": "b"}]])
def test_made_up_results_go(results: Any) -> None:
    flow = workflow()
    flow["nodes"][1]["properties"]["headcount_result"] = results
    assert nodes_of(request(PROMPT, flow))[1]["properties"] == {}


def test_inputs_of_a_result() -> None:
    """Of a prompt from anywhere, with circles and links to nowhere in it."""
    before = inputs_of_result(PROMPT, "3")
    assert before == inputs_of_result({**PROMPT, "9": {}}, "3") != inputs_of_result({**PROMPT, "1": {}}, "3")
    round_about = {"1": {"class_type": "A", "inputs": {"a": ["1", 0], "b": ["nowhere", 0], "c": [[1], 2]}}, "2": 4}
    assert len({inputs_of_result(round_about, "1"), inputs_of_result(round_about, "2"), before}) == 3


class _Server:
    """Stands in for ComfyUI's server, which a test does not have."""

    client_id = "the page that asked"

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.handlers: list[Any] = []
        self.send_sync = lambda *message: self.sent.append(message)
        self.add_on_prompt_handler = self.handlers.append
        self.prompt_queue = SimpleNamespace(get_current_queue_volatile=lambda: ([(0, "run", PROMPT)], []))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> _Server:
    server = _Server()
    monkeypatch.setitem(sys.modules, "server", SimpleNamespace(PromptServer=SimpleNamespace(instance=server)))
    return server


def test_a_note_goes_to_the_page_that_asked(server: _Server) -> None:
    show_note("not steered", NodePlace("4"))
    show_note("to nobody", None)
    assert server.sent == [(NOTE_EVENT, {"node": "4", "text": "not steered"}, "the page that asked")]
    keep_results_with_their_run()
    assert server.handlers == [without_old_results]


@pytest.mark.parametrize(
    ("before", "shown"), [("1", "1"), ("2", "2"), ("8", "1"), ("3", "1"), ("a node of another run's making", "8")]
)
def test_a_node_that_the_cache_brings_under_another_id(server: _Server, before: str, shown: str) -> None:
    """A graph loaded later may name the same node otherwise, and another one by its old name."""
    kind = {"2": "Sample", "a node of another run's making": "Made"}.get(before, "Load")
    place = NodePlace("8" if kind == "Made" else before, kind)
    with CurrentNodeContext("run", "2"):
        assert running_node() == NodePlace("2", "Sample")
        show_note("not steered", place)
    assert [message["node"] for _, message, _ in server.sent] == [shown]


def test_notes_without_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "server", raising=False)
    show_note("to nobody", NodePlace("4"))
    keep_results_with_their_run()
