"""The benchmark of Count Search replays shorter searches from the looks of the longest: they must be what the node finds."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from headcount.bridge.seed_search.count_search import find_seeds
from headcount.bridge.seed_search.search import Search
from headcount.bridge.seed_search.settings import SearchSettings

from benchmarks.count_search import finished, searched
from benchmarks.lab.prompts import Case
from benchmarks.lab.sampling import SHAPES_SAMPLING
from benchmarks.lab.searches import Look, Picture, Plan, Run, Sampler
from demo.exact_counter import ExactCounter

from ..helpers.models import shapes, shapes_setup

PROMPT = "a photo of three stars"
CASE = Case(1, PROMPT, {"star": 3})


def looks(*numbers: float) -> list[Look]:
    return [Look([number], 12, 0.5) for number in numbers]


def test_a_shorter_search_reads_the_first_looks() -> None:
    pictures = {str(place): Picture({"star": place}, 40, 2.0) for place in range(4)}
    run = Run(looks(1, 2, 2.4, 3.1), pictures)
    assert [searched(CASE, run, seeds).counted["star"] for seeds in (1, 2, 3, 4, 9)] == [0, 1, 2, 3, 3]
    assert [searched(CASE, run, seeds).rows for seeds in (1, 4, 9)] == [52, 88, 88], "it stops where one is right"
    assert searched(CASE, run, 2).seconds == pytest.approx(3)


def test_the_best_of_finished_pictures_costs_all_of_them() -> None:
    run = Run([], {"0": Picture({"star": 1}, 40, 2.0), "1": Picture({"star": 4}, 40, 2.0), "2": Picture({}, 40, 2.0)})
    assert (finished(CASE, run, 3).counted, finished(CASE, run, 3).rows) == ({"star": 4}, 120)


def test_replay_is_the_search() -> None:
    plan = Plan(decide_at=0.7, finished=1, seeds={"plain": (2, 3)}, sampling=replace(SHAPES_SAMPLING, steps=6))
    run = Sampler(shapes(), ExactCounter(), plan).run(CASE, "plain")
    setup = shapes_setup(PROMPT)
    settings = SearchSettings(64, 6, 3.0, "euler", "simple", decide_at=0.7)
    empty = {"samples": torch.zeros(1, 4, 16, 16)}
    for seeds in (2, 3):
        search = Search(
            setup.model, setup.positive, setup.negative, empty, replace(settings, seeds=seeds), vae=shapes().vae
        )
        with torch.inference_mode():
            found = find_seeds(search, ExactCounter())
        seen = run.looks[:seeds]
        assert [list(one.numbers) for one in sorted(found.candidates, key=lambda one: one.index)] == [
            one.numbers for one in seen
        ]
        expected = run.pictures[str(found.seed - 64)]
        assert searched(CASE, run, seeds).counted == expected.counted
    assert {one.rows for one in run.looks} == {2 * 4} and {one.rows for one in run.pictures.values()} == {2 * 6}
