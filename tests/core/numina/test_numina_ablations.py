"""The rows of the paper's ablations: what each exchanged setting does, and that the paper's own is what was there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from headcount.core.numina import PAPER, PublishedSettings
from headcount.core.numina.attention import principal_components, self_probabilities
from headcount.core.numina.published.heads import AVERAGED, best_heads, score_heads
from headcount.core.numina.published.refinement import refine
from torch import Tensor

from .scenes import make_scene

GRID = (12, 12)
SETTINGS = PAPER.layout.published
SCENE = make_scene((2,), GRID, 0, frames=3)


def read(**changes: Any) -> tuple[Tensor, Tensor]:
    return best_heads(SCENE.queries, SCENE.keys, GRID, replace(SETTINGS, **changes))


def test_the_defaults_are_the_papers() -> None:
    assert replace(PublishedSettings(), focus_ratio=0.1, earlier="last") == SETTINGS
    assert (SETTINGS.heads, SETTINGS.averaged_heads, SETTINGS.corrections, SETTINGS.stand_in) == (
        "best",
        1,
        "both",
        "circle",
    )


@pytest.mark.parametrize(
    ("changes", "number"),
    [({"averaged_heads": 2}, 2), ({"averaged_heads": 3}, 3), ({"averaged_heads": 99}, 4), ({"heads": "mean"}, 4)],
)
def test_several_heads_are_their_mean(changes: dict[str, Any], number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many heads are taken at a time."""
    monkeypatch.setattr("headcount.core.numina.attention.MAX_CACHED", 2 * 144 * 144)
    heads, components = read(**changes)
    assert heads.tolist() == [AVERAGED] * 3
    for frame, found in enumerate(components):
        attention = self_probabilities(SCENE.queries[frame], SCENE.keys[frame])
        scores = score_heads(principal_components(attention), GRID, SETTINGS).tolist()
        best = sorted(range(4), key=lambda head: -scores[head])[:number]
        torch.testing.assert_close(found, principal_components(attention[best].mean(0)), atol=1e-5, rtol=1e-4)


def test_a_random_head_is_one_of_them_and_the_seed_says_which() -> None:
    drawn = [read(heads="random", seed=seed) for seed in (0, 0, 1, 2)]
    assert torch.equal(drawn[0][1], drawn[1][1])
    assert len({tuple(heads.tolist()) for heads, _ in drawn}) > 1
    for heads, components in drawn:
        for frame, head in enumerate(heads):
            attention = self_probabilities(SCENE.queries[frame, head], SCENE.keys[frame, head])
            torch.testing.assert_close(components[frame], principal_components(attention), atol=1e-5, rtol=1e-4)


def things(*corners: tuple[int, int], side: int = 3) -> Tensor:
    layout = torch.zeros(24, 24, dtype=torch.int16)
    for number, (y, x) in enumerate(corners, 1):
        layout[y : y + side, x : x + side] = number
    return layout


@pytest.mark.parametrize(("corrections", "removed", "added"), [("both", 1, 1), ("addition", 0, 1), ("removal", 1, 0)])
def test_corrections(corrections: str, removed: int, added: int) -> None:
    settings, layout = replace(SETTINGS, corrections=corrections), things((2, 2), (15, 15))
    fewer, _ = refine(layout, 2, 1, [], settings)
    more, centres = refine(layout, 2, 3, [], settings)
    assert bool((fewer == -1).any()) == bool(removed)
    assert bool((more >= 100).any()) == bool(added) and len(centres) == added


def test_what_stands_for_an_instance_where_there_is_none() -> None:
    """A disc of radius 5 has 81 cells, the square around it 121; of nothing there is no place for the next frame."""
    nothing_found = things()
    for stand_in, cells in (("circle", 81), ("rectangle", 121), ("nothing", 0)):
        settings = replace(SETTINGS, stand_in=stand_in)
        after, centres = refine(nothing_found, 0, 1, [], settings)
        assert int((after >= 100).sum()) == cells and len(centres) == bool(cells)
        copied, _ = refine(things((2, 2)), 1, 2, [], settings)
        assert int((copied >= 100).sum()) == 9, "what there is to copy is copied"


def test_terms_of_the_cost() -> None:
    """Beside a thing in the corner, with a place in an earlier frame in another one."""
    layout, earlier = things((2, 2)), [(19, 19)]

    def place(center: float, temporal: float) -> tuple[int, int]:
        settings = replace(SETTINGS, lambda_center=center, lambda_temporal=temporal)
        return refine(layout, 1, 2, earlier, settings)[1][0]

    assert place(0, 0) == (1, 7), "the first free place"
    assert place(0, 8) == (19, 19)
    assert place(1, 0) == (1, 3), "partly on the thing itself"
    assert place(1, 8) == (17, 17)
