"""Work that running servers share, and methods put into a workflow."""

from __future__ import annotations

from urllib.error import HTTPError, URLError

import pytest
from headcount.core.errors import CountError

from benchmarks.lab.node_methods import KINDS, read_method
from benchmarks.lab.servers import spread
from benchmarks.lab.workflow_methods import with_method
from demo.comfy_client import ComfyClient, PromptError

from .test_countbench_making import shapes_workflow

A, B = "http://a", "http://b"


def test_servers_share_the_work() -> None:
    """One that is gone gives its job back, a refused job is told of, and all others are done once."""
    done: list[int] = []
    refused: list[tuple[int, str]] = []

    def work(client: ComfyClient, job: int) -> None:
        if client.address == B and job > 1:
            raise URLError("shut down")
        if job == 5:
            raise PromptError("3", "HeadcountCountPrompt", "CountError", "debris is no noun of this text")
        done.append(job)

    spread(range(8), [A, B], work, lambda job, why: refused.append((job, why)))
    assert sorted(done) == [0, 1, 2, 3, 4, 6, 7]
    assert refused == [(5, "HeadcountCountPrompt: debris is no noun of this text")]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (URLError("refused"), (CountError, "no ComfyUI answers at http://a: refused; http://b: refused")),
        (HTTPError(A, 500, "server error", None, None), (HTTPError, "server error")),
        (PromptError(None, None, "validation", "no such node"), (PromptError, "no such node")),
        (PromptError("1", "KSampler", "interrupted", "was cancelled"), (PromptError, "was cancelled")),
        (TimeoutError("still running"), (TimeoutError, "still running")),
    ],
)
def test_what_ends_the_run(error: Exception, told: tuple[type[Exception], str]) -> None:
    def work(_client: ComfyClient, _job: int) -> None:
        raise error

    with pytest.raises(told[0], match=told[1]):
        spread([1], [A, B], work, lambda *_: pytest.fail("nothing was refused"))


def test_methods_in_a_workflow() -> None:
    workflow, place = shapes_workflow("SaveImage"), ("2", "text")
    steered = with_method(workflow, place, read_method("isac_paper"))
    (method,) = set(steered) - set(workflow)
    assert steered[method]["class_type"] == "HeadcountIsacAttentionControl"
    assert steered[method]["inputs"].items() >= {"model": ["1", 0], "preset": "custom", "objective": "paper"}.items()
    assert steered["5"]["inputs"] == {**workflow["5"]["inputs"], "model": [method, 0]}

    chosen = with_method(workflow, place, read_method("selection:candidates=3"))
    (method,) = set(chosen) - set(workflow)
    sampler = workflow["5"]["inputs"]
    assert chosen[method]["inputs"].items() >= sampler.items() and chosen[method]["inputs"]["candidates"] == 3
    assert chosen["5"]["inputs"] == {**sampler, "latent_image": [method, 0], "seed": [method, 1]}
    finished = with_method(workflow, place, read_method("selection:score=algorithm 2"))
    assert "5" not in finished and finished["6"]["inputs"]["samples"] == [method, 0]
    both = with_method(workflow, place, read_method("isac_fast+selection"))
    assert both["5"]["inputs"]["model"] == both["method_10"]["inputs"]["model"], "candidates leave the steering out"


def test_a_plain_encoder_becomes_count_prompt() -> None:
    workflow = shapes_workflow("SaveImage")
    workflow["2"] = {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["1", 1]}, "_meta": {}}
    made = with_method(workflow, ("2", "text"), read_method("plain"))
    assert made["2"]["class_type"] == "HeadcountCountPrompt" and made["2"]["inputs"]["objects"] == ""
    assert workflow["2"]["class_type"] == "CLIPTextEncode"


@pytest.mark.parametrize(
    ("method", "changes", "told"),
    [
        ("search", {}, "search is not for --workflow"),
        ("best_of", {}, "best_of is not for --workflow"),
        ("isac_fast", {"5": "VAEDecode"}, "no node with a model and a positive conditioning"),
        ("selection", {"5": "SamplerCustom"}, "0 nodes KSampler"),
        ("plain", {"2": "TextEncodeOther"}, "goes into TextEncodeOther"),
    ],
)
def test_what_does_not_fit(method: str, changes: dict[str, str], told: str) -> None:
    workflow = shapes_workflow("SaveImage")
    for node, kind in changes.items():
        workflow[node]["class_type"] = kind
        if kind == "VAEDecode":
            workflow[node]["inputs"] = {}
    with pytest.raises(CountError, match=told):
        with_method(workflow, ("2", "text"), read_method(method))


def test_nodes_are_known_by_their_ids() -> None:
    ids = {name: kind.node_id for name, kind in KINDS.items()}
    assert ids["isac_fast"] == "HeadcountIsacAttentionControl" and ids["numina"] == "HeadcountNuminaCountGuide"
    assert ids["best_of"] is None and ids["isac_ablation"] == "HeadcountIsacAblation"
