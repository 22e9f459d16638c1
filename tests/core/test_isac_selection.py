"""Scores of candidates on maps with known blobs, and the stages in which candidates are dropped."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import get_args

import pytest
import torch
from headcount.core.attention.calls import AttentionCall
from headcount.core.attention.mean_maps import aggregate
from headcount.core.errors import CountError
from headcount.core.isac.objective import paper_losses
from headcount.core.isac.schedule import LossWeights
from headcount.core.isac.selection import (
    DEFAULT_SCORE,
    SCORES,
    ScoreName,
    carried_score,
    noun_heat,
    place_strengths,
    places_score,
    relative_strengths,
    score_calls,
    successive_halving,
    top_k,
)
from headcount.core.isac.target import PromptTarget
from hypothesis import given, settings
from hypothesis import strategies as st

from ..helpers.maps import blob_heat, random_call

GRID = (16, 16)
PLACES = [(2, 2), (2, 8), (2, 13), (8, 3), (8, 9), (13, 2), (13, 8), (13, 13)]
TARGET = PromptTarget(((1,), (3, 4)), (3, 1))


def shown(*nouns: list[tuple[int, int]], size: int = 1) -> torch.Tensor:
    """(1, k, P) heat with blobs at places of a 16 x 16 grid, each cell as `size` x `size` cells."""
    maps = torch.stack([blob_heat(GRID, places) for places in nouns])
    return maps.repeat_interleave(size, 1).repeat_interleave(size, 2).flatten(1)[None] * 0.3 + 0.1


def score(*nouns: list[tuple[int, int]], counts: tuple[int, ...], spacing: float | None = None) -> float:
    return float(places_score(shown(*nouns), GRID, counts, spacing))


@pytest.mark.parametrize("many", range(1, 9))
def test_as_many_as_shown_score_best(many: int) -> None:
    scores = [score(PLACES[:many], counts=(asked,), spacing=3 / 16) for asked in range(1, 9)]
    assert scores.index(min(scores)) + 1 == many
    fewer, more = scores[max(0, many - 5) : many - 1], scores[many - 1 :]  # up to 4 surplus things are looked for
    assert fewer == sorted(fewer, reverse=True) and more == sorted(more), "further off is worse"


@pytest.mark.parametrize(
    ("circles", "stars"),
    [
        (PLACES[:2], PLACES[3:5]),
        (PLACES[:4], PLACES[4:6]),
        (PLACES[:3], []),
        (PLACES[:3], PLACES[2:5]),
        ([], PLACES[3:5]),
    ],
    ids=["one missing", "one too many", "a kind missing", "one too many on another's place", "only the other kind"],
)
def test_wrong_layouts_score_worse(circles, stars) -> None:
    right = score(PLACES[:3], PLACES[3:5], counts=(3, 2))
    assert score(circles, stars, counts=(3, 2)) > right + 0.3


def test_a_noun_does_not_own_what_another_is_looked_at_more_from() -> None:
    heat = shown(PLACES[:2], PLACES[4:6])
    heat[0, 0] += 0.5 * shown(PLACES[4:6])[0, 0]  # the first noun is also attended to where the second one is
    assert float(places_score(heat, GRID, (2, 2))) < float(places_score(heat, GRID, (4, 2)))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 9999), nouns=st.integers(1, 3), spacing=st.sampled_from([0.1, 3 / 16, 0.5]))
def test_strengths_equal_the_plain_loop(seed: int, nouns: int, spacing: float) -> None:
    heat = torch.rand(1, nouns, 256, generator=torch.Generator().manual_seed(seed)).double()
    found = place_strengths(heat, GRID, 6, (1,) * nouns, spacing)[0]
    kernel = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]], dtype=torch.float64) / 16
    padded = torch.nn.functional.pad(heat.reshape(1, nouns, *GRID), (1, 1, 1, 1), mode="replicate")[0]
    blurred = [
        [[(padded[n, y : y + 3, x : x + 3] * kernel).sum() for x in range(16)] for y in range(16)] for n in range(nouns)
    ]
    above = torch.tensor(blurred, dtype=torch.float64).flatten(1)
    above = above - above.sort(1).values[:, 127:128]
    for noun in range(nouns):
        others = [max([0.0, *(float(above[o, p]) for o in range(nouns) if o != noun)]) for p in range(256)]
        cells = {p: float(above[noun, p]) - others[p] for p in range(256)}
        for strength in found[noun].tolist():
            best = max(cells, key=lambda p: cells[p]) if cells else None
            assert strength == pytest.approx(max(cells[best], 0.0) if cells else 0.0, abs=1e-12)
            cells = {p: v for p, v in cells.items() if math.dist(divmod(p, 16), divmod(best, 16)) >= spacing * 16}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 9999), factor=st.floats(0.01, 100), offset=st.floats(0, 1))
def test_only_relative_strength_matters(seed: int, factor: float, offset: float) -> None:
    heat = torch.rand(2, 2, 256, generator=torch.Generator().manual_seed(seed)).double()
    torch.testing.assert_close(places_score(heat * factor + offset, GRID, (3, 2)), places_score(heat, GRID, (3, 2)))


def test_a_noun_that_is_not_seen_is_measured_by_the_one_that_is() -> None:
    heat = shown(PLACES[:3], PLACES[3:5])
    heat[0, 1] = 0.1 + 0.01 * (heat[0, 1] - 0.1)
    strengths = relative_strengths(place_strengths(heat, GRID, 3, (3, 2)), (3, 2))[0]
    assert strengths[0].tolist() == pytest.approx([1, 1, 1], abs=0.05)
    assert strengths[1].max() < 0.05


def test_pictures_of_a_batch_do_not_mix() -> None:
    heat = torch.rand(3, 2, 256, generator=torch.Generator().manual_seed(1))
    together = places_score(heat, GRID, (2, 3))
    alone = torch.cat([places_score(item[None], GRID, (2, 3)) for item in heat])
    torch.testing.assert_close(together, alone)


def test_fine_and_coarse_grids_agree() -> None:
    for asked in (2, 3, 4):
        fine = places_score(shown(PLACES[:3], size=4), (64, 64), (asked,))
        torch.testing.assert_close(fine, places_score(shown(PLACES[:3]), GRID, (asked,)))


@pytest.mark.parametrize("grid", [(16, 16), (2, 3), (1, 1)])
def test_flat_and_tiny_maps_score_alike_and_finite(grid: tuple[int, int]) -> None:
    scores = places_score(torch.full((2, 2, grid[0] * grid[1]), 0.2), grid, (3, 2))
    assert torch.isfinite(scores).all() and scores[0] == scores[1]


def test_heat_is_the_sum_over_a_nouns_tokens_near_16_cells() -> None:
    calls = [random_call("cross", (16, 16), 1), random_call("cross", (8, 8), 2), random_call("self", (16, 16), 3)]
    heat, grid = noun_heat(calls, ((1,), (3, 4)))
    cross = (calls[0].queries @ calls[0].keys.transpose(-1, -2) / 2).softmax(-1).mean(1)
    assert grid == (16, 16) and heat.shape == (2, 2, 256)
    torch.testing.assert_close(heat, torch.stack([cross[..., 1], cross[..., 3] + cross[..., 4]], dim=1))


def joint_call(seed: int) -> AttentionCall:
    own, text = random_call("self", (16, 16), seed), random_call("cross", (16, 16), seed + 1)
    keys = torch.cat([text.keys, own.keys], dim=2)
    return AttentionCall("joint.1", "joint", (16, 16), own.queries, keys, text=slice(0, 7), image=slice(7, 263))


@pytest.mark.parametrize("name", SCORES)
def test_scores_read_joint_attention(name: ScoreName) -> None:
    calls = [joint_call(5), joint_call(9)]
    scores = score_calls(calls, TARGET, name)
    assert scores.shape == (2,) and torch.isfinite(scores).all() and scores[0] != scores[1]
    first = [replace(call, queries=call.queries[:1], keys=call.keys[:1]) for call in calls]
    torch.testing.assert_close(score_calls(first, TARGET, name), scores[:1])


def test_places_of_calls() -> None:
    calls = [random_call("cross", (16, 16), 1), random_call("self", (16, 16), 3)]
    expected = places_score(*noun_heat(calls, TARGET.tokens), TARGET.counts)
    assert DEFAULT_SCORE == "places" and get_args(ScoreName) == SCORES
    torch.testing.assert_close(score_calls(calls, TARGET), expected)
    torch.testing.assert_close(score_calls(calls[:1], TARGET), expected, msg="self-attention is not needed")


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_paper_is_the_papers_loss(share: float) -> None:
    calls = [
        random_call(kind, grid, seed)
        for seed, (kind, grid) in enumerate([("self", (8, 8)), ("cross", (8, 8)), ("self", (4, 4)), ("cross", (4, 4))])
    ]
    weights = LossWeights(share, 1 - share)
    expected = paper_losses(aggregate(calls), TARGET, weights).total
    torch.testing.assert_close(score_calls(calls, TARGET, "paper", weights), expected, rtol=1e-4, atol=1e-5)
    red = replace(TARGET, attributes=(((2,),), ()))
    expected = paper_losses(aggregate(calls), red, weights, bind=True).total
    torch.testing.assert_close(score_calls(calls, red, "paper", weights), expected, rtol=1e-4, atol=1e-5)


def test_errors() -> None:
    calls = [random_call("cross", (16, 16), 1)]
    with pytest.raises(CountError, match="score is 'luck'; it can be 'places' or 'paper'"):
        score_calls(calls, TARGET, "luck")
    with pytest.raises(CountError, match="no self-attention"):
        score_calls(calls, TARGET, "paper")
    with pytest.raises(CountError, match="no attention call"):
        score_calls([random_call("self", (16, 16), 1)], TARGET)
    with pytest.raises(CountError, match="do not fit a context of 7 tokens"):
        score_calls(calls, PromptTarget(((7,),), (2,)))


def test_only_the_papers_score_adds_up() -> None:
    steps = [torch.tensor([1.0, 2.0]), torch.tensor([3.0, 1.0]), torch.tensor([0.5, 0.5])]
    carried: dict[str, torch.Tensor | None] = dict.fromkeys(SCORES)
    for now in steps:
        carried = {name: carried_score(name, carried[name], now) for name in SCORES}
    assert carried["paper"].tolist() == [4.5, 3.5] and carried["places"].tolist() == [0.5, 0.5]


@given(candidates=st.integers(1, 64), kept=st.floats(0, 1), steps=st.integers(1, 100), decide_at=st.floats(0.01, 1.0))
def test_stages(candidates: int, kept: float, steps: int, decide_at: float) -> None:
    keep = max(1, round(candidates * kept))
    stages = successive_halving(candidates, keep, steps, decide_at)
    if keep == candidates:
        assert stages == ()
        return
    assert stages[0].first == 0 and stages[-1].keep == keep
    assert 1 <= stages[-1].last <= steps and stages[-1].last == max(1, round(steps * decide_at))
    assert all(stage.first < stage.last for stage in stages)
    assert all(one.last == other.first and one.keep > other.keep for one, other in pairwise(stages))
    assert len(stages) <= 2 and (len(stages) == 1 or stages[0].keep == math.ceil(candidates / 2))


def test_default_stages_of_a_usual_run() -> None:
    found = [(stage.first, stage.last, stage.keep) for stage in successive_halving(8, 1, 20)]
    assert found == [(0, 8, 4), (8, 10, 1)]


@pytest.mark.parametrize(
    ("candidates", "keep", "steps", "decide_at", "message"),
    [
        (4, 5, 20, 0.5, "5 of 4 candidates"),
        (4, 0, 20, 0.5, "0 of 4 candidates"),
        (4, 1, 20, 0.0, "cannot decide at 0.0 of 20 steps"),
        (4, 1, 20, 1.1, "cannot decide at 1.1"),
        (4, 1, 0, 0.5, "of 0 steps"),
    ],
)
def test_impossible_stages(candidates: int, keep: int, steps: int, decide_at: float, message: str) -> None:
    with pytest.raises(CountError, match=message):
        successive_halving(candidates, keep, steps, decide_at)


def test_the_lowest_are_the_best() -> None:
    scores = torch.tensor([3.0, 1.0, math.nan, 1.0, 0.5])
    assert top_k(scores, 3) == [4, 1, 3] and top_k(scores, 5) == [4, 1, 3, 0, 2]
