"""The bias on cross-attention scores, against plain loops over cells; and when it acts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from headcount.core.errors import CountError
from headcount.core.numina import PAPER, RELEASE, ROBUST, GuidanceSettings, Layouts, fade, make_guide, row_bias
from headcount.core.numina.schedule import (
    delta,
    time_of_sigma,
)
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from torch import Tensor

COLUMNS = ((1, 4), (3,))
HEADS, TOKENS, WIDTH = 3, 6, 8


def layer(seed: int, cells: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(HEADS, n, WIDTH, generator=generator, dtype=torch.float64) for n in (cells, TOKENS))  # type: ignore[return-value]


def plain(
    queries: Tensor, keys: Tensor, after: Tensor, strength: float, frames: int, settings: GuidanceSettings
) -> Tensor:
    """(L, T) bias, cell by cell, of the authors' rule or ours; (H, L, T) where the heads differ."""
    scores = torch.einsum("hld,htd->hlt", queries, keys) * WIDTH**-0.5
    if settings.added == "overwritten":
        one = replace(settings, added="release")
        heads = [plain_of(score, scores.mean(0), after, strength, frames, one) for score in scores]
        return torch.stack(heads)
    return plain_of(scores.mean(0), scores.mean(0), after, strength, frames, settings)


def plain_of(
    own: Tensor, scores: Tensor, after: Tensor, strength: float, frames: int, settings: GuidanceSettings
) -> Tensor:
    """(L, T) bias of scores `own`, where those that are copied are of `scores`."""
    cells = after.shape[1] // frames
    bias = torch.zeros(after.shape[1], TOKENS, dtype=torch.float64)
    for noun, columns in enumerate(COLUMNS):
        copied: list[list[int]] = []
        for frame in range(frames):
            picture = after[noun, frame * cells : (frame + 1) * cells].tolist()
            areas = {number: picture.count(number) for number in picture if 1 <= number <= 99}
            least = min(areas, key=lambda number: (areas[number], number)) if areas else None
            copied.append([frame * cells + i for i, number in enumerate(picture) if number == least])
        if settings.reference == "video":
            copied = [[cell for own in copied for cell in own]] * frames
        for cell, number in enumerate(after[noun].tolist()):
            reference = copied[cell // cells]
            for column in columns:
                if number == -1:
                    bias[cell, column] -= settings.suppress * (1 if settings.removal == "constant" else strength)
                elif number >= 100 and not reference:
                    bias[cell, column] += settings.circle * strength
                elif number >= 100:
                    mean = sum(scores[one, c] for one in reference for c in columns) / len(reference) / len(columns)
                    if settings.added == "release":
                        bias[cell, column] = mean * strength - own[cell, column]
                    else:
                        wanted = mean + (strength - 1) * settings.lift - own[cell, column]
                        bias[cell, column] = max(float(wanted), 0.0)
    return bias


@examples(deadline=None, max_examples=40)
@given(
    st.integers(0, 1000),
    st.integers(1, 3),
    st.lists(st.sampled_from([-1, 0, 0, 1, 2, 100, 101]), min_size=24, max_size=24),
    st.sampled_from([1.75, 1.0, 0.3]),
    st.sampled_from([PAPER.guidance, RELEASE.guidance, ROBUST.guidance]),
)
def test_bias_is_that_of_a_plain_loop(
    seed: int, frames: int, cells: list[int], strength: float, settings: GuidanceSettings
) -> None:
    after = torch.tensor(cells).view(2, 12)[:, : 12 // frames * frames]
    queries, keys = layer(seed, after.shape[1])
    expected = plain(queries, keys, after, strength, frames, settings)
    found = row_bias(queries, keys, after, COLUMNS, strength, settings, frames)
    touched = ((after == -1) | (after >= 100)).any(0)
    if not touched.any():
        assert found is None
        return
    assert found is not None
    assert found.rows.tolist() == touched.nonzero().flatten().tolist()
    torch.testing.assert_close(found.bias.double(), expected[..., found.rows, :], atol=1e-5, rtol=1e-5)
    assert not expected[..., ~touched, :].any()


def test_the_paper_overwrites_every_heads_scores_and_the_release_moves_them_together() -> None:
    """Two heads with own scores 3 and -3 beside an instance that scores 1 in both, early: delta is 1.75."""
    queries, keys = torch.tensor([[[1.0], [3.0]], [[1.0], [-3.0]]]), torch.ones(2, 1, 1)
    after, own = torch.tensor([[1, 100]]), torch.tensor([3.0, -3.0])
    heads = {
        name: own + row_bias(queries, keys, after, ((0,),), 1.75, settings, 1).bias.flatten()  # type: ignore[union-attr]
        for name, settings in (("paper", PAPER.guidance), ("release", RELEASE.guidance))
    }
    assert heads["paper"].tolist() == [1.75, 1.75]
    assert heads["release"].tolist() == [4.75, -1.25]


@pytest.mark.parametrize(("settings", "biases"), [(PAPER.guidance, [-1e4, -1e4]), (RELEASE.guidance, [-17.5, -2.5])])
def test_the_papers_removal_is_one_constant_and_the_releases_fades(
    settings: GuidanceSettings, biases: list[float]
) -> None:
    queries, keys = torch.ones(1, 1, 1), torch.ones(1, 1, 1)
    found = [row_bias(queries, keys, torch.tensor([[-1]]), ((0,),), delta, settings, 1) for delta in (1.75, 0.25)]
    assert [one.bias.min().item() for one in found if one] == biases
    assert torch.tensor(biases).half().isfinite().all(), "half precision holds them"


def layouts(after: Tensor) -> Layouts:
    shown = after[None, None]
    return Layouts(shown.clamp(0, 99), shown, torch.ones(1, 1), (1,), torch.zeros(1), (after.shape[0], after.shape[1]))


def test_a_guide_of_another_grid() -> None:
    """A layer on half the grid: each of its cells shows what lies in the middle of four."""
    after = torch.zeros(8, 8, dtype=torch.int16)
    after[0:2, 0:2], after[4:8, 2:6] = 1, 100
    guide = make_guide(layouts(after), (4, 4), ROBUST.guidance, torch.device("cpu"))
    assert guide.rows.tolist() == [4 * y + x for y in (2, 3) for x in (1, 2)]
    queries, keys = layer(0, 16)
    small = torch.zeros(1, 16, dtype=torch.int16)
    small[0, 0], small[0, guide.rows] = 1, 100
    expected = row_bias(queries, keys, small, ((1,),), 1.0, ROBUST.guidance, 1)
    found = guide.bias(queries, keys, ((1,),), 1.0)
    assert found is not None and expected is not None
    assert torch.equal(found.bias, expected.bias)


def test_half_precision_queries() -> None:
    after = torch.tensor([[1, 1, 100, -1], [0, 0, 0, 0]])
    queries, keys = layer(1, 4)
    found = [
        row_bias(q, k, after, COLUMNS, 1.5, PAPER.guidance, 1)
        for q, k in ((queries, keys), (queries.half(), keys.half()))
    ]
    assert found[1] is not None and found[1].bias.dtype == torch.float32
    torch.testing.assert_close(found[0].bias, found[1].bias, atol=1e-2, rtol=1e-2)  # type: ignore[union-attr]


def test_what_does_not_fit_is_said() -> None:
    queries, keys = layer(0, 5)
    with pytest.raises(CountError, match="5 cells was given for 2 frames"):
        row_bias(queries, keys, torch.full((2, 5), 100), COLUMNS, 1.0, PAPER.guidance, 2)
    with pytest.raises(CountError, match="token 6 of the prompt was given with 6 tokens"):
        row_bias(queries, keys, torch.full((1, 5), 100), ((6,),), 1.0, PAPER.guidance, 1)


def test_strength_fades_and_ends() -> None:
    settings = RELEASE.guidance
    assert delta(0, settings) == pytest.approx(1.75) and delta(25, settings) == 1.0
    assert fade(44, settings) > 0.25 and fade(45, settings) == 0
    assert fade(45, PAPER.guidance) == fade(49, PAPER.guidance) == 0.25, "the paper names no end"
    strengths = [delta(step, settings) for step in range(50)]
    assert strengths == sorted(strengths, reverse=True)


def test_time_by_noise_is_the_papers_own_schedule() -> None:
    """Known noise levels of its 50 steps."""
    for step, sigma in ((0, 0.9998), (10, 0.9522), (20, 0.8821), (25, 0.8331), (30, 0.769), (44, 0.405)):
        assert time_of_sigma(sigma) == pytest.approx(step, abs=0.03)
    assert time_of_sigma(1.0) == 0
