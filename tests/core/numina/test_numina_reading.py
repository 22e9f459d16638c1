"""Reading a noun's response, and what is said where something does not fit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from headcount.core.errors import CountError
from headcount.core.numina import PAPER, RELEASE, ROBUST, Layouts, Preset, noun_response, read_layouts
from headcount.core.numina.attention import principal_components, self_probabilities
from headcount.core.numina.published.heads import score_heads
from headcount.core.numina.published.reading import best_heads

from .scenes import make_scene

FRAMES, HEADS, CELLS, TOKENS, WIDTH = 2, 3, 12, 5, 4
COLUMNS = ((0, 3), (4,))


def parts() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(FRAMES, HEADS, CELLS, WIDTH, generator=generator)
    return queries, torch.randn(HEADS, TOKENS, WIDTH, generator=generator)


@pytest.mark.parametrize("preset", [RELEASE, PAPER])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("together", [1, 2, HEADS])
def test_response_of_a_plain_loop(preset: Preset, masked: bool, together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many heads are taken at a time."""
    monkeypatch.setattr("headcount.core.numina.attention.MAX_CACHED", together * CELLS * TOKENS)
    queries, keys = parts()
    bias = torch.zeros(FRAMES, 1, 1, TOKENS)
    if masked:
        bias[0, ..., 1], bias[1, ..., 2] = float("-inf"), -2.0
    found = noun_response(queries, keys, bias if masked else None, COLUMNS, preset.layout)
    assert found.shape == (2, FRAMES, CELLS)
    for noun, columns in enumerate(COLUMNS):
        for frame in range(FRAMES):
            heads = [
                torch.softmax(queries[frame, head] @ keys[head].T * WIDTH**-0.5 + bias[frame, 0], -1)[:, columns].mean(
                    -1
                )
                for head in range(HEADS)
            ]
            best = max(heads, key=lambda one: float(one.max()))
            expected = torch.stack(heads).mean(0) if preset is RELEASE else best
            torch.testing.assert_close(found[noun, frame], expected)


def test_heads_are_scored_a_few_at_a_time_to_the_same_end(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = make_scene((2,), (12, 12), 0, frames=2)
    settings = PAPER.layout.published
    whole = best_heads(scene.queries, scene.keys, (12, 12), settings)
    monkeypatch.setattr("headcount.core.numina.attention.MAX_ENTRIES", 144 * 144)
    parted = best_heads(scene.queries, scene.keys, (12, 12), settings)
    for one, other in zip(whole, parted, strict=True):
        torch.testing.assert_close(one, other)
    for frame in range(2):
        attention = self_probabilities(scene.queries[frame], scene.keys[frame])
        scores = score_heads(principal_components(attention), (12, 12), settings)
        assert whole[0][frame] == scores.argmax()


def test_what_does_not_fit_is_said() -> None:
    scene = make_scene((1,), (8, 8), 0)
    reading = scene.reading(ROBUST.layout)
    with pytest.raises(CountError, match="counts of 2 nouns were given with the attention to 1"):
        read_layouts(reading, (1, 2), ROBUST.layout)
    with pytest.raises(CountError, match="counts of 1 nouns were given with the attention to 0"):
        read_layouts(replace(reading, nouns=None), (1,), ROBUST.layout)
    with pytest.raises(CountError, match="an attention map of 2 x 32 is too small"):
        read_layouts(replace(reading, grid=(2, 32)), (1,), ROBUST.layout)


@pytest.mark.parametrize("preset", [RELEASE, PAPER, ROBUST])
def test_layouts_have_one_form(preset: Preset) -> None:
    found = read_layouts(make_scene((2, 1), (16, 16), 0, frames=3).reading(preset.layout), (3, 0), preset.layout)
    assert isinstance(found, Layouts)
    for layout in (found.before, found.after):
        assert layout.shape == (2, 3, 16, 16) and layout.dtype == torch.int16
    assert found.counts.shape == (2, 3) and found.heads.shape == (3,)
    assert (found.grid, found.asked) == ((16, 16), (3, 0))
    assert found.changed and found.text(("cats", "dogs")).count("\n") == 1
    assert found.before.min() >= 0 and found.after[1].max() < 100
