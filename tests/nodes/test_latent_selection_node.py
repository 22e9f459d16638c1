"""ISAC Latent Selection as a node: widgets, outputs into a sampler, and what its help page says it costs."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import comfy.samplers
import pytest
import torch
from headcount.bridge.seed_search.pool import CandidatePool
from headcount.bridge.seed_search.settings import RANKS, SelectionSettings
from headcount.core.errors import CountError
from headcount.core.isac.selection import DECIDE_AT, DROP_AT
from headcount.nodes.isac_latent_selection import IsacLatentSelection

import nodes as comfy_nodes

from ..helpers.models import Setup, shapes_setup

PAGE = Path(__file__).resolve().parents[2] / "web" / "docs" / "HeadcountIsacLatentSelection" / "en.md"


def inputs() -> dict[str, Any]:
    """The node's required inputs by name."""
    return IsacLatentSelection.GET_NODE_INFO_V1()["input"]["required"]


def widgets() -> dict[str, Any]:
    """Every widget at its default, as a new node in the graph has it."""
    return {name: entry[1]["default"] for name, entry in inputs().items() if "default" in entry[1]}


def run(setup: Setup, **changes: Any) -> tuple[dict[str, Any], int, str]:
    latent = {"samples": torch.zeros(changes.pop("pictures", 1), 4, 16, 16)}
    connected = {"model": setup.model, "positive": setup.positive, "negative": setup.negative, "latent_image": latent}
    with torch.inference_mode():
        return IsacLatentSelection.execute(**{**connected, **widgets(), **changes}).args


def test_at_its_defaults_into_a_sampler() -> None:
    setup = shapes_setup()
    latent, seed, table = run(setup, seed=11)
    assert seed == 11 and len(latent["batch_index"]) == 1 and 0 <= latent["batch_index"][0] < 8
    lines = table.splitlines()
    assert lines[0] == "seed 11: candidates from best to worst (a lower score is better)" and len(lines) == 9
    assert lines[1].startswith(f"index {latent['batch_index'][0]}: score ") and lines[1].endswith(" after 10 steps")
    assert [line.endswith("after 10 steps") for line in lines[1:]] == [True] * 4 + [False] * 4
    with torch.inference_mode():
        call = (20, 8.0, "euler", "normal", setup.positive, setup.negative)
        (chosen,) = comfy_nodes.KSampler().sample(setup.model, seed, *call, latent)
        (batch,) = comfy_nodes.KSampler().sample(setup.model, seed, *call, {"samples": torch.zeros(8, 4, 16, 16)})
    place = latent["batch_index"][0]
    apart = (batch["samples"] - chosen["samples"]).flatten(1).norm(dim=1)
    assert int(apart.argmin()) == place and apart[place] < 1e-2 * apart.max(), "the picture that a batch shows there"


def test_a_batch_of_several_is_kept() -> None:
    latent, _, table = run(shapes_setup(), pictures=2, candidates=4, steps=6)
    assert len(set(latent["batch_index"])) == 2 and latent["samples"].shape[0] == 2
    assert [
        f"index {index}:" in line for index, line in zip(latent["batch_index"], table.splitlines()[1:3], strict=True)
    ]


def test_widgets_are_the_settings() -> None:
    renamed = {"sampler_name": "sampler"}
    shown = {renamed.get(name, name): value for name, value in widgets().items()}
    names = {field.name for field in fields(SelectionSettings)} - {"spacing"}  # which older prompts do not have
    assert set(shown) == names
    expected = SelectionSettings(0, 20, 8.0, "euler", "normal")
    assert shown == {name: getattr(expected, name) for name in names} and expected.spacing is None
    assert expected.decide_at == DECIDE_AT


def test_all_samplers_schedulers_and_scores_are_offered() -> None:
    offered = {name: list(entry[1].get("options", [])) or list(entry[0]) for name, entry in inputs().items()}
    assert offered["sampler_name"] == comfy.samplers.KSampler.SAMPLERS
    assert offered["scheduler"] == comfy.samplers.KSampler.SCHEDULERS
    assert offered["score"] == list(RANKS)


def test_the_counts_socket() -> None:
    setup = shapes_setup()
    bare = [[text, {}] for text, _ in setup.positive]
    with pytest.raises(CountError, match="Noise Picker does not know where the words of the positive prompt are"):
        run(setup, positive=bare, steps=4)
    socket = run(setup, positive=bare, steps=4, counts=setup.counts)
    assert socket[2] == run(setup, steps=4)[2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"candidates": 1, "pictures": 2}, "chooses 2 of 1 candidates: the latent has 2 images. Raise candidates"),
        ({"model": None}, "got no model; connect a loader's MODEL output"),
        ({"decide_at": 0.0}, "decide_at is 0.0; it must be a number from 0.05 to 1.0"),
        ({"score": "luck"}, "score is 'luck'; it can be 'places', 'paper', 'algorithm 2'"),
    ],
)
def test_what_it_says_to_wrong_inputs(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CountError) as error:
        run(shapes_setup(), **{"steps": 4, **changes})
    assert message in str(error.value)


@pytest.mark.parametrize(("steps", "candidates"), [(20, 8), (50, 16), (100, 4)])
def test_costs_what_the_help_page_says(steps: int, candidates: int) -> None:
    """`tests/bridge/test_latent_selection.py` counts the model's calls; this is about the factor on the page."""
    total = CandidatePool(SelectionSettings(0, steps, 8.0, "euler", "normal", candidates=candidates), 1, steps).total
    said = re.search(r"about `([\d.]+) \* d \* B` plain images", PAGE.read_text())
    assert said and float(said[1]) == pytest.approx(DROP_AT + (1 - DROP_AT) / 2)
    assert total / steps == pytest.approx(float(said[1]) * DECIDE_AT * candidates)


def test_the_help_page_names_every_widget_and_output() -> None:
    page = PAGE.read_text()
    assert [name for name in widgets() if f"**{name}**" not in page] == []
    outputs = IsacLatentSelection.GET_NODE_INFO_V1()["output_name"]
    assert [name for name in outputs if f"**{name}**" not in page] == []
    assert all(f"*{name}*" in page for name in RANKS) and f"{DECIDE_AT:.0%}".replace("%", " %") in page
