"""The fuzzer's own parts: graphs that are what they claim to be, and the right class for every outcome."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.error import URLError

import pytest

from benchmarks import fuzz as fuzzing
from benchmarks.fuzz_parts import running
from benchmarks.fuzz_parts.catalogue import CORE, Catalogue, Input
from benchmarks.fuzz_parts.graphs import Graph, random_graph
from benchmarks.fuzz_parts.plain import without_pack
from benchmarks.fuzz_parts.report import report
from benchmarks.fuzz_parts.running import (
    CANCELLED,
    CORE_TOO,
    DEATH,
    HANG,
    OWN,
    PACK_ALONE,
    REFUSED,
    SLOW,
    SUCCESS,
    Outcome,
    Runner,
)
from benchmarks.fuzz_parts.watched import canaries
from demo.comfy_client import Prompt
from demo.server import ComfyServer, PromptError

pytestmark = pytest.mark.server

MANY = range(150)
PACKED = canaries()["with the pack"]
SAMPLER, COUNTER, PROMPT = "5", "C", "2"
SEARCH = {
    **{name: node for name, node in PACKED.items() if name in "1234"},
    "5": {
        "class_type": "HeadcountCountSearchCandidates",
        "inputs": {
            **{
                "model": ["1", 0],
                "positive": ["2", 0],
                "negative": ["3", 0],
                "latent_image": ["4", 0],
                "vae": ["1", 2],
            },
            **{"seed": 3, "steps": 2, "cfg": 1.5, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0},
            **{"seeds": 2, "decide_at": 0.3, "look": "auto", "at_once": 1, "frames": 4},
        },
    },
}


@pytest.fixture(scope="module")
def catalogue(object_info: dict[str, Any]) -> Catalogue:
    info = {name: dict(node) for name, node in object_info.items()}
    for name in ("LoraLoader", "LoraLoaderModelOnly", "CreateHookLora", "CreateHookLoraModelOnly"):
        info[name] = {**info[name], "input": {"required": {**info[name]["input"]["required"], "lora_name": [["a"]]}}}
        info[name]["input_order"] = {"required": info[name]["input_order"]["required"]}
    return Catalogue(info)


def test_every_node_can_stand_in_a_graph(catalogue: Catalogue, object_info: dict[str, Any]) -> None:
    pack = {name for name, info in object_info.items() if info["python_module"] == "custom_nodes.headcount"}
    pack.remove("HeadcountCountsFromTracks")  # its tracks are made with a model of gigabytes
    assert set(catalogue.nodes) == pack | set(CORE)
    met = set().union(*(random_graph(catalogue, 1, number).classes for number in MANY))
    assert pack <= met and len(met) > 0.8 * len(catalogue.nodes)


def test_a_number_is_always_the_same_graph(catalogue: Catalogue) -> None:
    assert [random_graph(catalogue, 5, number) for number in (0, 1, 2)] == [
        random_graph(catalogue, 5, number) for number in (0, 1, 2)
    ]
    assert random_graph(catalogue, 5, 0) != random_graph(catalogue, 6, 0)


def faults_of(graph: Graph, catalogue: Catalogue) -> list[str]:
    """What ComfyUI would refuse."""
    faults = []
    for name, placed in graph.prompt.items():
        for one in catalogue.nodes[placed["class_type"]].inputs:
            value = placed["inputs"].get(one.name)
            if not fits(value, one, graph.prompt, catalogue):
                faults.append(f"{name}: {placed['class_type']}: {one.name} is {value}")
    return faults


def fits(value: Any, one: Input, prompt: Prompt, catalogue: Catalogue) -> bool:
    if value is None:
        return not one.required
    if isinstance(value, list):
        kind = catalogue.nodes[prompt[value[0]]["class_type"]].outputs[value[1]]
        return kind in one.kinds or "*" in one.kinds
    if one.values is not None:
        return value in one.values
    if isinstance(value, int | float):
        return one.options.get("min", value) <= value <= one.options.get("max", value)
    return True


def test_only_wild_graphs_hold_what_no_page_sends(catalogue: Catalogue) -> None:
    graphs = [random_graph(catalogue, 2, number) for number in MANY]
    assert [fault for graph in graphs if not graph.wild for fault in faults_of(graph, catalogue)] == []
    wild = [graph for graph in graphs if graph.wild]
    assert (
        0.1 < len(wild) / len(graphs) < 0.5 and sum(bool(faults_of(graph, catalogue)) for graph in wild) > len(wild) / 3
    )
    assert any(graph.cancel_after is not None for graph in graphs)


def test_a_sampler_without_the_pack(catalogue: Catalogue) -> None:
    plain = without_pack(PACKED, SAMPLER, catalogue)
    kinds = {name: node["class_type"] for name, node in plain.items()}
    assert kinds.pop(f"{SAMPLER}_shown") == "PreviewAny"
    ours = {"1": "HeadcountLoadShapesDemoModel", PROMPT: "CLIPTextEncode"}
    assert kinds == {**ours, "3": "CLIPTextEncode", "4": "EmptyLatentImage", SAMPLER: "KSampler"}
    assert plain[SAMPLER]["inputs"] == {**PACKED[SAMPLER]["inputs"], "model": ["1", 0]}
    assert plain[PROMPT]["inputs"] == PACKED[PROMPT]["inputs"]


def test_a_search_becomes_the_sampler_and_its_decoder(catalogue: Catalogue) -> None:
    plain = without_pack(SEARCH, "5", catalogue)
    assert plain["5"]["class_type"] == "KSampler" and plain["5"]["inputs"]["cfg"] == 1.5
    assert set(plain["5"]["inputs"]) == set(PACKED[SAMPLER]["inputs"])
    assert plain["5_decoded"] == {"class_type": "VAEDecode", "inputs": {"vae": ["1", 2], "samples": ["5", 0]}}


def test_what_plain_comfyui_has_not(catalogue: Catalogue) -> None:
    assert without_pack(PACKED, COUNTER, catalogue) is None
    behind = {**PACKED, "E": {"class_type": "ImageInvert", "inputs": {"image": ["C", 3]}}}
    assert without_pack(behind, "E", catalogue)["E"]["inputs"] == {"image": ["6", 0]}, "the counter's picture"
    behind = {**PACKED, "E": {"class_type": "RepeatLatentBatch", "inputs": {"samples": ["4", 0], "amount": ["C", 0]}}}
    plain = without_pack(behind, "E", catalogue)
    assert plain[plain["E"]["inputs"]["amount"][0]]["class_type"] == "PrimitiveInt", "a count has nothing in its place"


class Server:
    """Answers the graphs that are queued in turn with what it is told: an error, or None for a good end."""

    def __init__(self, *answers: Exception | None, idle: bool = True) -> None:
        self.answers, self.idle, self.starts, self.queued = list(answers), idle, 0, []

    def queue(self, prompt: Prompt) -> str:
        self.queued.append(prompt)
        return ""

    def wait(self, *_: Any) -> None:
        answer = self.answers.pop(0)
        if answer is not None:
            raise answer

    def is_idle(self) -> bool:
        return self.idle

    def cancel(self, _: str) -> None: ...

    def log(self) -> str:
        return "the log"

    def stop(self) -> None: ...

    def start(self) -> None:
        self.starts += 1


def failed(node: str = SAMPLER, kind: str = "RuntimeError") -> PromptError:
    return PromptError(node, PACKED.get(node, {}).get("class_type"), kind, "it went wrong")


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ([None], SUCCESS),
        ([failed(kind="headcount.CountError")], OWN),
        ([failed(kind="validation")], REFUSED),
        ([failed(), failed()], CORE_TOO),
        ([failed(), failed(kind="ValueError")], CORE_TOO),
        ([failed(), failed(kind="validation")], PACK_ALONE),
        ([failed(), failed("4")], PACK_ALONE),
        ([failed(), None], PACK_ALONE),
        ([failed(COUNTER)], PACK_ALONE),
        ([TimeoutError()], SLOW),
        ([URLError("refused")], DEATH),
        ([ConnectionResetError()], DEATH),
    ],
)
def test_classes(answers: list[Exception | None], kind: str, catalogue: Catalogue) -> None:
    server = Server(*answers)
    outcome = Runner(server, catalogue, 1.0).run(Graph(3, PACKED, False))
    assert (outcome.kind, outcome.number, server.answers) == (kind, 3, [])
    assert server.starts == outcome.new_server == (kind == DEATH)
    assert (outcome.prompt is not None) == (kind in (CORE_TOO, PACK_ALONE, SLOW, DEATH)), "what has to be looked at"


def test_cancelled_and_never_idle(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = Graph(0, PACKED, False, cancel_after=0.0)
    assert Runner(Server(), catalogue, 1.0).run(graph).kind == CANCELLED
    monkeypatch.setattr(running, "IDLE_SECONDS", 0.1)
    waited = replace(graph, cancel_after=None)
    for stuck, answers in ((graph, (None,)), (waited, (TimeoutError(), None))):
        server = Server(*answers, idle=False)
        outcome = Runner(server, catalogue, 1.0).run(stuck)
        assert (outcome.kind, server.starts) == (HANG, 1) and "the log" in outcome.message
    server = Server(TimeoutError(), TimeoutError(), idle=False)  # the second one: of the graph without the pack
    outcome = Runner(server, catalogue, 1.0).run(waited)
    assert (outcome.kind, outcome.plain, server.starts) == (CORE_TOO, "hangs", 2)


def test_the_report_says_how_to_run_a_fault_again() -> None:
    found = fuzzing.Fuzzed(4, ("HeadcountCountPrompt", "KSampler"))
    found.outcomes = [
        Outcome(7, PACK_ALONE, 1.0, False, ("KSampler",), node="KSampler", error="KeyError", message="'nope'"),
        Outcome(8, SUCCESS, 2.0, False, ("HeadcountCountPrompt",)),
    ]
    text = report(found)
    assert "`--seed 4 --first 7 --graphs 1`: raw error of the pack alone: KSampler: KeyError: 'nope'" in text
    assert "| success | 1 | 50.0% | 2.0 |" in text and "graphs with: HeadcountCountPrompt 1" in text


def test_an_error_of_comfyui_itself_in_the_real_server(server: ComfyServer, catalogue: Catalogue) -> None:
    video = {"width": 64, "height": 64, "length": 5, "batch_size": 1}
    graph = {**PACKED, "4": {"class_type": "EmptyHunyuanLatentVideo", "inputs": video}}
    outcome = Runner(server, catalogue, 60.0).run(Graph(0, graph, False))
    assert (outcome.kind, outcome.node) == (CORE_TOO, "KSampler"), outcome
    assert "conv2d" in outcome.message and "conv2d" in outcome.plain


def test_a_canary_that_sings_differently_is_seen(server: ComfyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = canaries()["plain"]
    monkeypatch.setattr(fuzzing, "canaries", lambda: {"plain": plain})
    first = {"plain": fuzzing.results(server, plain, 1, 60.0)}
    assert fuzzing.differences(server, fuzzing.canaries(), first, 2) == []
    changed = {**plain, SAMPLER: {**plain[SAMPLER], "inputs": {**plain[SAMPLER]["inputs"], "seed": 8}}}
    monkeypatch.setattr(fuzzing, "canaries", lambda: {"plain": changed})
    assert fuzzing.differences(server, fuzzing.canaries(), first, 3) == ["graph 3: plain: 7.0", "graph 3: plain: 7.1"]
