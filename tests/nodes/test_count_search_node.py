"""Count Search and its two halves as nodes: widgets, outputs into a sampler, counts from elsewhere, help pages."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import comfy.samplers
import pytest
import torch
from headcount.bridge.seed_search.count_search import PreviewedCandidates
from headcount.bridge.seed_search.preview_plan import MIN_CALLS
from headcount.bridge.seed_search.settings import LOOKS, SearchSettings
from headcount.core.counting.counted import Counted
from headcount.core.errors import CountError
from headcount.nodes.count_search import CountSearch
from headcount.nodes.count_search_candidates import CountSearchCandidates
from headcount.nodes.count_search_pick import CountSearchPick

import nodes as comfy_nodes
from demo.exact_counter import ExactCounter

from ..helpers.models import Setup, shapes, shapes_setup

DOCS = Path(__file__).resolve().parents[2] / "web" / "docs"
EVERY = [CountSearch, CountSearchCandidates, CountSearchPick]
PROMPT = "two stars and a circle"
FEW = {"seed": 11, "steps": 8, "cfg": 3.0, "scheduler": "simple", "seeds": 3}


def widgets(node: Any = CountSearch) -> dict[str, Any]:
    """Every widget at its default, as a new node in the graph has it."""
    required = node.GET_NODE_INFO_V1()["input"]["required"]
    return {name: entry[1]["default"] for name, entry in required.items() if "default" in entry[1]}


def connected(setup: Setup, pictures: int) -> dict[str, Any]:
    latent = {"samples": torch.zeros(pictures, 4, 16, 16)}
    links = {"model": setup.model, "positive": setup.positive, "negative": setup.negative, "latent_image": latent}
    return {**links, "vae": shapes().vae}


def run(**changes: Any) -> tuple[dict[str, Any], int, str, torch.Tensor]:
    """What it gives, but for the model."""
    links = connected(shapes_setup(PROMPT), changes.pop("pictures", 1))
    with torch.inference_mode():
        return CountSearch.execute(**{**links, "counter": ExactCounter(), **widgets(), **FEW, **changes}).args[:4]


def look(**changes: Any) -> tuple[torch.Tensor, PreviewedCandidates]:
    links = connected(shapes_setup(PROMPT), changes.pop("pictures", 1))
    with torch.inference_mode():
        return CountSearchCandidates.execute(**{**links, **widgets(CountSearchCandidates), **FEW, **changes}).args


def counted(*rows: tuple[float, float]) -> Counted:
    return Counted(("circle", "star"), torch.tensor(rows, dtype=torch.float32), tuple(((), ()) for _ in rows))


def test_into_a_sampler() -> None:
    """A search that finishes every seed foresees the sampler's picture to the last pixel."""
    latent, seed, table, seen = run(decide_at=1.0, stop_when_found=False)
    assert table.splitlines()[0] == "asked: 2 stars, 1 circle" and 11 <= seed < 14
    assert [line.split(":")[0] for line in table.splitlines()[1:2]] == [f"seed {seed}"]
    setup = shapes_setup(PROMPT)
    with torch.inference_mode():
        call = (8, 3.0, widgets()["sampler_name"], "simple", setup.positive, setup.negative)
        (out,) = comfy_nodes.KSampler().sample(setup.model, seed, *call, latent)
        picture = shapes().vae.decode(out["samples"])
    assert seen.shape == (3, 128, 128, 3)
    torch.testing.assert_close(seen[:1], picture, rtol=0, atol=1e-3)


def test_two_halves_are_the_whole() -> None:
    latent, seed, table, seen = run(stop_when_found=False)
    image, candidates = look()
    nouns = ("stars", "circles")
    exact = ExactCounter().count(image, nouns)
    boxes = [[] for _ in image]
    for own, points in zip(boxes, exact.points, strict=True):
        for noun, places in zip(nouns, points, strict=True):
            own += [{"x": x, "y": y, "width": 1, "height": 1, "label": noun} for x, y in places]
    for given in ({"counted": exact}, {"boxes": boxes}):
        found = CountSearchPick.execute(candidates, **given).args
        assert (found[1], found[2]) == (seed, table) and found[0] == candidates.initial.latent
        torch.testing.assert_close(found[3], seen, rtol=0, atol=1e-3)
    assert torch.equal(latent["samples"], found[0]["samples"])


def test_pick_by_other_objects() -> None:
    _, candidates = look()
    seen = counted((1, 2), (5, 0), (1, 4))
    assert CountSearchPick.execute(candidates, counted=seen).args[1] == 11
    assert CountSearchPick.execute(candidates, counted=seen, objects="4 stars").args[1] == 13
    assert CountSearchPick.execute(candidates, counted=seen, counts=shapes_setup("five circles").counts).args[1] == 12


def test_pick_for_a_batch() -> None:
    _, candidates = look(pictures=2)
    latent, seed, table, seen = CountSearchPick.execute(candidates, counted=counted((1, 1), (1, 2), (1, 3))).args
    assert (latent["batch_index"], seed) == ([1, 0], 11) and "index 1: 2 stars, 1 circle: right" in table
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "needs either COUNTED of a counter or BOUNDING_BOX .* and got neither"),
        ({"counted": counted((1, 1)), "boxes": []}, "and got both; disconnect one"),
        ({"counted": counted((1, 1))}, "got counts of 1 image, and the candidates have 3"),
        ({"boxes": [[], []]}, "the boxes are of 2 images"),
        ({"counted": counted((1, 1), (1, 1), (1, 1)), "objects": "2 mice"}, "'mice' was not counted"),
    ],
)
def test_what_pick_says_to_wrong_inputs(given: dict[str, Any], message: str) -> None:
    _, candidates = look()
    with pytest.raises(CountError, match=message):
        CountSearchPick.execute(candidates, **given)


def test_nothing_says_what_is_asked_for() -> None:
    setup = shapes_setup(PROMPT)
    bare = [[text, {}] for text, _ in setup.positive]
    _, candidates = look(positive=bare)
    with pytest.raises(CountError, match="Count Search Pick does not know what is asked for"):
        CountSearchPick.execute(candidates, counted=counted((1, 1), (1, 1), (1, 1)))
    with pytest.raises(CountError, match="Count Search does not know what is asked for"):
        run(positive=bare)
    assert run(positive=bare, counts=setup.counts)[2].startswith("asked: 2 stars, 1 circle")


def test_no_counter() -> None:
    with pytest.raises(
        CountError, match=r"^Count Search got no counter; connect COUNTER of SAM3 Counter, .* T2ICOUNT of"
    ):
        run(counter=None)


def test_widgets_are_the_settings() -> None:
    expected = SearchSettings(0, 20, 8.0, "euler", "normal")
    shown = {{"sampler_name": "sampler"}.get(name, name): value for name, value in widgets().items()}
    optional = CountSearch.GET_NODE_INFO_V1()["input"]["optional"]
    shown |= {name: optional[name][1]["default"] for name in ("variations", "vary_alike")}
    assert shown == {field.name: getattr(expected, field.name) for field in fields(SearchSettings)}
    assert set(widgets(CountSearchCandidates)) == set(widgets()) - {"stop_when_found"}


def test_all_samplers_schedulers_and_looks_are_offered() -> None:
    required = CountSearch.GET_NODE_INFO_V1()["input"]["required"]
    offered = {name: list(entry[1].get("options", [])) or list(entry[0]) for name, entry in required.items()}
    assert offered["sampler_name"] == comfy.samplers.KSampler.SAMPLERS
    assert offered["scheduler"] == comfy.samplers.KSampler.SCHEDULERS
    assert offered["look"] == list(LOOKS)


@pytest.mark.parametrize("node", EVERY, ids=lambda node: node.__name__)
def test_the_help_page_names_every_input_and_output(node: Any) -> None:
    info = node.GET_NODE_INFO_V1()
    page = (DOCS / info["name"] / "en.md").read_text()
    entries = {
        name: entry for group in ("required", "optional") for name, entry in info["input"].get(group, {}).items()
    }
    names = [entry[1].get("display_name") or name for name, entry in entries.items()]
    if node is CountSearchCandidates:
        assert "Count Search" in page and "(../HeadcountCountSearch/en.md)" not in page
        names = []  # they are those of Count Search, which its page explains
    assert [name for name in names + info["output_name"] if f"**{name}**" not in page] == []


def test_the_help_page_says_the_defaults() -> None:
    page, default = (DOCS / "HeadcountCountSearch" / "en.md").read_text(), SearchSettings(0, 20, 8.0, "euler", "normal")
    assert f"at most {default.seeds} seeds" in page and f"{default.decide_at:.0%}".replace("%", " %") in page
    said = re.search(r"at least (\d) calls", page)
    assert said and int(said[1]) == MIN_CALLS
    assert all(f"*{name}*" in page for name in LOOKS)
