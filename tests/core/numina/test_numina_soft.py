"""Nouns that attention shows only faintly: what is right stays as it is, whether it can be read or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from headcount.core.numina import ROBUST, Layouts, read_layouts
from headcount.core.numina.robust.nouns import find_nouns, part, smoothness, strengths
from torch import Tensor

from .scenes import NOUNS, Look, Scene, make_scene

THINGS = ROBUST.layout.robust
SHARP = Look(sharpness=12, cross_noise=0.3)
NOISY = replace(SHARP, cross_noise=0.5)
CROSS = {2.5: 2.0, 2.1: 1.7, 1.9: 1.5, 1.7: 1.2, 1.5: 1.0, 1.4: 0.8}
"""Contrast of the mean of the heads, thing to background, that the scores of a scene make, about."""
SMALL_GRID, WAN_GRID = (16, 16), (30, 52)  # of the demo models, and of Wan at 832 x 480


def layouts(scene: Scene, asked: tuple[int, ...]) -> Layouts:
    return read_layouts(scene.reading(ROBUST.layout), asked, ROBUST.layout)


def scenes(contrast: float, counts: tuple[int, ...], grid: tuple[int, int], side: int, look: Look) -> list[Scene]:
    gap = 1 if side < 6 else 2
    faint = replace(look, cross=CROSS[contrast])
    return [make_scene(counts, grid, seed, 2, side, gap, faint) for seed in (0, 1)]


@pytest.mark.parametrize("contrast", list(CROSS))
@pytest.mark.parametrize("look", [SHARP, NOISY], ids=["clear", "noisy"])
@pytest.mark.parametrize(
    ("counts", "grid", "side"),
    [
        ((1,), SMALL_GRID, 3),
        ((3,), SMALL_GRID, 3),
        ((3,), WAN_GRID, 6),
        ((3,), WAN_GRID, 12),
        ((1,), WAN_GRID, 20),
        ((2, 1), WAN_GRID, 8),
    ],
)
def test_a_right_layout_is_never_made_worse(
    contrast: float, counts: tuple[int, ...], grid: tuple[int, int], side: int, look: Look
) -> None:
    for scene in scenes(contrast, counts, grid, side, look):
        found = layouts(scene, counts)
        assert not found.changed


@pytest.mark.parametrize("contrast", [1.9, 1.7])
def test_the_best_head_counts_what_the_mean_blurs(contrast: float) -> None:
    for scene in scenes(contrast, (3,), WAN_GRID, 6, SHARP):
        assert part(scene.reading(ROBUST.layout).nouns.flatten(1)).contrast < THINGS.contrast  # type: ignore[union-attr]
        found = layouts(scene, (5,))
        assert found.counts.tolist() == [[3, 3]] and not found.unread
        assert found.after[0, 0].unique().tolist() == [0, 1, 2, 3, 100, 101]


def faded(scene: Scene, noun: int, cross: float, look: Look) -> Scene:
    """The same with one noun at another score."""
    scene.cross_queries[..., list(NOUNS[noun])] *= cross / look.cross
    return scene


@pytest.mark.parametrize("cross", [1.5, 1.2, 1.0])
def test_a_faint_noun_beside_a_clear_one_is_not_added_again(cross: float) -> None:
    for seed in (0, 1, 2):
        scene = faded(make_scene((2, 2), WAN_GRID, seed, 2, 6, 2, SHARP), 1, cross, SHARP)
        assert not layouts(scene, (2, 2)).changed


def test_a_noun_that_is_missing_beside_a_clear_one_is_added() -> None:
    scene = make_scene((2, 0), SMALL_GRID, 0, look=SHARP)
    found = layouts(scene, (2, 1))
    assert not found.unread and found.counts.tolist() == [[2], [0]]
    assert found.after[1].unique().tolist() == [0, 100]


def test_where_no_noun_can_be_read_nothing_changes_and_it_is_said() -> None:
    scene = make_scene((2, 1), SMALL_GRID, 0, look=replace(SHARP, cross=0.0))
    found = layouts(scene, (3, 3))
    assert found.unread == {0, 1} and not found.changed and not found.before.any()
    assert found.text(["cats", "dogs"]) == (
        "cats: asked 3, not clear enough to be counted, left alone\ndogs: asked 3, not clear enough to be counted, left alone"
    )


def two_sided(noise: float, contrast: float, seed: int = 1) -> Tensor:
    """(1, 1, 256) response of one noun on 16 x 16 cells: a square of 8 x 8 and its surroundings, `contrast` to 1, and noise.

    The noise differs from 4 x 4 cells to 4 x 4 cells, so that the small blur takes little of it.
    """
    values = torch.ones(16, 16)
    values[4:12, 4:12] = contrast
    coarse = torch.randn(4, 4, generator=torch.Generator().manual_seed(seed)).repeat_interleave(4, 0)
    return (values + noise * coarse.repeat_interleave(4, 1)).clamp_min(0.0).flatten()[None, None]


def never() -> Tensor:
    raise AssertionError("the heads were asked")


def head_of(own: Tensor) -> Callable[[], Tensor]:
    """Two heads: one that knows nothing, and this one."""
    return lambda: torch.stack([torch.ones_like(own), own])


def test_heads_are_asked_below_a_contrast_of_2() -> None:
    find_nouns(two_sided(0, 2.4), (16, 16), never, THINGS)  # the blur takes some of it
    with pytest.raises(AssertionError, match="the heads were asked"):
        find_nouns(two_sided(0, 1.9), (16, 16), never, THINGS)
    assert THINGS.contrast == 2.0


@pytest.mark.parametrize(("noise", "is_read"), [(0.3, True), (0.7, False)])
def test_a_head_is_believed_where_its_map_has_two_sides(noise: float, is_read: bool) -> None:
    own = two_sided(noise, 3.0)
    share = float(part(strengths(own, (16, 16)).flatten(1)).share)
    assert 0.83 < share < 0.9 if is_read else 0.7 < share < 0.77
    places = find_nouns(torch.ones_like(own), (16, 16), head_of(own), THINGS)
    assert (places.unread == frozenset()) == is_read
    assert bool(places.cells.any()) == is_read


@pytest.mark.parametrize(("noise", "unread"), [(0.4, frozenset({1})), (0.46, frozenset()), (5.0, frozenset())])
def test_noise_is_nowhere_and_what_is_smooth_may_be_there(noise: float, unread: frozenset[int]) -> None:
    """Beside a clear noun one of which the best head shows a slope with noise: neighbours are alike by 0.31, 0.25 or 0."""
    clear, slope = torch.ones(16, 16), torch.linspace(2.5, 3.5, 16)[:, None].expand(16, 16)
    clear[:3, :3] = 5
    own = slope + noise * torch.randn(16, 16, generator=torch.Generator().manual_seed(0))
    both = torch.stack([clear, own]).flatten(1)[:, None]
    mean = torch.stack([clear, torch.ones(16, 16)]).flatten(1)[:, None]
    places = find_nouns(mean, (16, 16), head_of(both), THINGS)
    assert places.unread == unread and not places.cells[1].any()


def test_smoothness_of_noise_and_of_slopes() -> None:
    noise = torch.randn(3, 40, 40, generator=torch.Generator().manual_seed(0))
    assert abs(smoothness(noise, noise < 9)) < 0.05
    slope = torch.linspace(0, 1, 40).expand(1, 40, 40)
    assert smoothness(slope, slope >= 0) > 0.9
    left = torch.where(slope < 0.5, noise[:1], slope)
    assert abs(smoothness(left, slope < 0.5)) < 0.1, "elsewhere nothing is looked at"
    halves = torch.where(torch.rand(1, 60, 60, generator=torch.Generator().manual_seed(1)) < 0.5, 1.0, -1.0)
    mixed = halves.repeat_interleave(2, 1)  # every second pair of rows is alike: (1 / 2 + 0) / 2
    assert smoothness(mixed, mixed < 9) == pytest.approx(0.25, abs=0.05)


def test_shares_of_known_distributions() -> None:
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(1, 40_000, generator=generator).double() + 10
    even = torch.rand(1, 40_000, generator=generator).double()
    two = torch.tensor([[1.0, 1.0, 1.0, 4.0]]).double()
    shares = [float(part(values).share) for values in (normal, even, two)]
    assert shares == [pytest.approx(2 / torch.pi, abs=0.01), pytest.approx(0.75, abs=0.01), pytest.approx(1.0)]
    assert float(part(two).contrast) == 4 and float(part(two).threshold) == 2.5


def test_detail_on_a_large_thing_is_no_thing() -> None:
    """Twelve cells to a side and noise of half a score: without the blur by size they fall into pieces."""
    (scene, _) = scenes(2.5, (3,), WAN_GRID, 12, NOISY)
    found = {
        detail: read_layouts(
            scene.reading(ROBUST.layout), (3,), replace(ROBUST.layout, robust=replace(THINGS, detail=detail))
        ).counts.tolist()
        for detail in (0.0, THINGS.detail)
    }
    assert found[THINGS.detail] == [[3, 3]]
    assert max(found[0.0][0]) > 3
