"""Words of a recorded run, and their heat."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from headcount.core.attention.call_sums import RecordedMaps
from headcount.core.attention.heat import find_words, noun_heat_over_time, scaled, word_heat
from headcount.core.attention.records import RunRecord, RunRecorder
from headcount.core.errors import CountError

from ..helpers.maps import random_maps

WORDS = (("Red", (1,)), ("circles", (2, 3)), ("stars", (4,)))


@pytest.fixture
def record() -> RunRecord:
    running = RunRecorder(("circles", "stars"), ((2, 3), (4,)), (3, 2), WORDS)
    for step in range(3):
        maps = random_maps((4, 6), 7, step, batch=2, dtype=torch.float32)
        running.add(step, 1.0, RecordedMaps(maps.cross_attention, maps.grid, maps.self_attention, maps.grid))
    return running.finish(torch.zeros(2, 4, 4, 6))


def test_words_asked_for(record: RunRecord) -> None:
    assert find_words(record, " red ,STARS,") == (("Red", (1,)), ("stars", (4,)))
    assert find_words(record, "") == find_words(record, " , ") == (("circles", (2, 3)), ("stars", (4,)))
    assert find_words(record, "all") == WORDS


def test_all_of_a_run_without_words_are_its_nouns(record: RunRecord) -> None:
    bare = dataclasses.replace(record, words=())
    assert find_words(bare, "all") == (("circles", (2, 3)), ("stars", (4,)))
    assert find_words(bare, "stars") == (("stars", (4,)),)


def test_unknown_word_lists_the_words(record: RunRecord) -> None:
    with pytest.raises(CountError, match=r"^'cats' is not in the prompt; the prompt has: red, circles, stars$"):
        find_words(record, "stars, cats")


def test_word_heat_adds_up_a_words_tokens(record: RunRecord) -> None:
    heat = word_heat(record, find_words(record, "circles,red"))
    assert heat.shape == (2, 2, 4, 6)
    cross = record.cross_attention.float().view(2, 4, 6, 7)
    torch.testing.assert_close(heat[:, 0], cross[..., 2] + cross[..., 3])
    torch.testing.assert_close(heat[:, 1], cross[..., 1])
    assert heat.min() >= 0 and heat.max() <= 1


def test_heat_over_time(record: RunRecord) -> None:
    heat = noun_heat_over_time(record)
    assert heat.shape == (3, 2, 2, 4, 6)
    torch.testing.assert_close(heat.mean(0), word_heat(record, find_words(record, "")).to(heat), atol=2e-3, rtol=1e-2)


def test_scales() -> None:
    heat = torch.rand(2, 3, 4, 5) * torch.tensor([0.1, 1.0, 0.5]).view(1, 3, 1, 1) + 2
    own, shared = scaled(heat, "per word"), scaled(heat, "shared")
    torch.testing.assert_close(own.amax((2, 3)), torch.ones(2, 3))
    torch.testing.assert_close(own.amin((2, 3)), torch.zeros(2, 3))
    torch.testing.assert_close(shared.amax((1, 2, 3)), torch.ones(2))
    torch.testing.assert_close(shared.amin((1, 2, 3)), torch.zeros(2))
    ratio = heat[0, 1].amax() - heat[0].amin(), heat[0, 0].amax() - heat[0].amin()
    torch.testing.assert_close(shared[0, 1].amax() / shared[0, 0].amax(), ratio[0] / ratio[1])


@pytest.mark.parametrize("scale", ["per word", "shared"])
def test_flat_heat_is_plain(scale: str) -> None:
    assert not scaled(torch.full((1, 2, 3, 3), 0.4), scale).any()
