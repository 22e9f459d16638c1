"""Headcount's own objective: places for the asked instances, and what its losses ask for there."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import pytest
import torch
from headcount.core.attention.calls import AttentionCall
from headcount.core.attention.grids import smoothed
from headcount.core.errors import CountError
from headcount.core.isac.anchored import AnchoredObjective, anchored_losses, semantic_calls
from headcount.core.isac.anchors import pick_places
from headcount.core.isac.presence_losses import picture_losses, working_grid
from headcount.core.isac.target import PromptTarget
from headcount.core.isac.words import words_of
from hypothesis import given, settings
from hypothesis import strategies as st

from ..helpers.maps import blob_heat, random_call

GRID = (16, 16)
CIRCLES, STARS = [(3, 3), (3, 11), (11, 3)], [(11, 11)]
TARGET = PromptTarget(((1,), (3,)), (3, 1))


def call_that_shows(circles: list[tuple[int, int]], stars: list[tuple[int, int]]) -> AttentionCall:
    """A cross-attention call whose tokens 1 and 3 are looked at from blobs at the given places."""
    scores = torch.zeros(1, 256, 6)
    scores[..., 0] = 3.0
    scores[..., 1] = 5 * blob_heat(GRID, circles).flatten()
    scores[..., 3] = 5 * blob_heat(GRID, stars).flatten()
    keys = torch.eye(6).view(1, 1, 6, 6)
    return AttentionCall("output.3.0", "cross", GRID, (scores * 6**0.5).unsqueeze(1), keys)


def losses(circles, stars, target: PromptTarget = TARGET):
    return anchored_losses([call_that_shows(circles, stars)], AnchoredObjective(target))


def test_the_right_layout_is_left_alone() -> None:
    found = losses(CIRCLES, STARS)
    assert found.instance.tolist() == found.semantic.tolist() == found.total.tolist() == [0.0]


@pytest.mark.parametrize(
    ("circles", "stars"),
    [
        (CIRCLES[:2], STARS),
        ([*CIRCLES, (8, 8)], STARS),
        (CIRCLES, []),
        (CIRCLES, [*STARS, (7, 7)]),
    ],
    ids=["one missing", "one too many", "a kind missing", "one too many of the other"],
)
def test_a_wrong_number_costs(circles, stars) -> None:
    assert float(losses(circles, stars).instance) > 0.1


def test_a_place_that_two_kinds_share_costs() -> None:
    """The fourth place shows both nouns."""
    shared = losses(CIRCLES, [CIRCLES[0]])
    assert float(shared.total) > float(losses(CIRCLES, STARS).total)


def test_presence_pulls_at_the_missing_thing() -> None:
    """A weak third circle: following the gradient makes the noun's attention there stronger."""
    call = call_that_shows(CIRCLES, STARS)
    heat = blob_heat(GRID, CIRCLES[:2]) + 0.4 * blob_heat(GRID, CIRCLES[2:])
    queries = call.queries.clone()
    queries[0, 0, :, 1] = 5 * 6**0.5 * heat.flatten()
    queries.requires_grad_()
    total = anchored_losses(
        [AttentionCall("a", "cross", GRID, queries, call.keys)], AnchoredObjective(TARGET)
    ).total.sum()
    assert total > 0
    (gradient,) = torch.autograd.grad(total, queries)
    weak = CIRCLES[2][0] * 16 + CIRCLES[2][1]
    assert gradient[0, 0, weak, 1] < 0, "a step against the gradient raises the noun there"


def test_gradient_is_the_finite_difference() -> None:
    call = call_that_shows(CIRCLES[:2], STARS)
    generator = torch.Generator().manual_seed(0)
    queries = (call.queries + 0.3 * torch.randn(call.queries.shape, generator=generator)).requires_grad_()

    def total(values: torch.Tensor) -> torch.Tensor:
        return anchored_losses(
            [AttentionCall("a", "cross", GRID, values, call.keys)], AnchoredObjective(TARGET)
        ).total.sum()

    (gradient,) = torch.autograd.grad(total(queries), queries)
    direction = gradient / gradient.norm()
    width = 2e-2
    ends = [float(total(queries.detach() + sign * width * direction)) for sign in (1, -1)]
    # Places and the unit of strength are held constant, so that the slope is right in sign and size, not exact.
    assert (ends[0] - ends[1]) / (2 * width) == pytest.approx(float(gradient.norm()), rel=0.3)


def test_pictures_of_a_batch_do_not_mix() -> None:
    calls = [random_call("cross", GRID, seed, batch=3, heads=2) for seed in (1, 2)]
    together = anchored_losses(calls, AnchoredObjective(TARGET)).total
    for item in range(3):
        alone = [AttentionCall(c.layer, c.kind, c.grid, c.queries[[item]], c.keys[[item]]) for c in calls]
        torch.testing.assert_close(anchored_losses(alone, AnchoredObjective(TARGET)).total, together[[item]])


@pytest.mark.parametrize(
    ("grids", "used"),
    [
        ([(64, 64), (32, 32), (16, 16), (8, 8)], (16, 16)),
        ([(16, 16), (8, 8)], (16, 16)),
        ([(32, 32), (64, 64)], (32, 32)),
        ([(4, 4)], (4, 4)),
    ],
)
def test_the_layers_nearest_to_16_by_16(grids, used) -> None:
    calls = [random_call(kind, grid, 1, batch=1, heads=1) for grid in grids[:1] for kind in ("self",)]
    calls += [random_call("cross", grid, 1, batch=1, heads=1) for grid in grids]
    found = semantic_calls(calls)
    assert [call.grid for call in found] == [used] and found[0].kind == "cross"


@pytest.mark.parametrize(
    ("kind", "layers", "read"),
    [("joint", 57, range(11, 23)), ("joint", 24, range(4, 10)), ("joint", 1, range(1)), ("cross", 28, range(28))],
)
def test_an_early_part_of_joint_attention_is_read(kind, layers, read) -> None:
    calls = [random_call(kind, (4, 4), seed, batch=1, heads=1, text=20) for seed in range(layers)]
    if kind == "joint":
        calls = [replace(call, text=slice(0, 4), image=slice(4, 20)) for call in calls]
    assert AnchoredObjective(TARGET).select(calls) == [calls[place] for place in read]


def test_no_cross_attention() -> None:
    with pytest.raises(CountError, match="made no"):
        anchored_losses([random_call("self", (4, 4), 1)], AnchoredObjective(TARGET))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), counts=st.lists(st.integers(1, 3), min_size=1, max_size=3))
def test_places_are_apart_and_as_many_as_asked(seed: int, counts: list[int]) -> None:
    heat = torch.rand(len(counts), 256, generator=torch.Generator().manual_seed(seed))
    places = pick_places(smoothed(heat, GRID), GRID, tuple(counts), 3 / 16)
    assert places.nouns.bincount(minlength=len(counts)).tolist() == counts
    cells = [divmod(pixel, 16) for pixel in places.pixels.tolist()]
    assert all(math.dist(one, other) >= 3.0 for one, other in combinations(cells, 2))
    for cell, near in zip(cells, places.near, strict=True):
        expected = [math.dist(cell, divmod(pixel, 16)) < 3.0 for pixel in range(256)]
        assert near.tolist() == expected


def test_places_are_the_blobs() -> None:
    heat = torch.stack([blob_heat(GRID, CIRCLES).flatten(), blob_heat(GRID, STARS).flatten()])
    places = pick_places(heat, GRID, (3, 1), 3 / 16)
    found = {
        (noun, divmod(pixel, 16)) for noun, pixel in zip(places.nouns.tolist(), places.pixels.tolist(), strict=True)
    }
    assert found == {*((0, cell) for cell in CIRCLES), *((1, cell) for cell in STARS)}


def test_more_instances_than_room() -> None:
    assert len(pick_places(torch.rand(1, 4), (2, 2), (9,), 0.9).pixels) == 9


def test_smoothing_keeps_the_sum_away_from_the_edge() -> None:
    heat = torch.zeros(1, 81)
    heat[0, 40] = 1.0
    found = smoothed(heat, (9, 9))
    torch.testing.assert_close(found.sum(), torch.tensor(1.0))
    assert found[0, 40] == 0.25 and (found > 0).sum() == 9
    torch.testing.assert_close(smoothed(torch.full((2, 12), 0.3), (3, 4)), torch.full((2, 12), 0.3))


@pytest.mark.parametrize(
    ("grid", "expected"),
    [
        ((16, 16), (16, 16)),
        ((8, 8), (8, 8)),
        ((20, 20), (20, 20)),
        ((12, 21), (12, 21)),
        ((32, 32), (16, 16)),
        ((26, 38), (13, 19)),
        ((25, 37), (13, 19)),
        ((64, 64), (16, 16)),
        ((48, 84), (12, 21)),
    ],
)
def test_fine_grids_are_worked_on_near_16_by_16(grid, expected) -> None:
    assert working_grid(grid) == expected


def test_a_fine_grid_is_judged_as_the_same_picture_on_a_coarse_one() -> None:
    """The same blobs, four times as fine."""

    def heat(scale: int) -> torch.Tensor:
        grid = (16 * scale, 16 * scale)
        centres = [
            [(scale * y + scale // 2, scale * x + scale // 2) for y, x in places] for places in (CIRCLES[:2], STARS)
        ]
        return torch.stack([blob_heat(grid, places, 1.5 * scale).flatten() for places in centres])

    words = words_of(TARGET, bind=False)
    coarse = picture_losses(heat(1), (16, 16), words, (3, 1))
    fine = picture_losses(heat(4), (64, 64), words, (3, 1))
    for name in ("instance", "semantic", "urgency"):
        torch.testing.assert_close(getattr(fine, name), getattr(coarse, name), rtol=0.1, atol=0.02)
    assert coarse.instance > 0.1


DESCRIBED = PromptTarget(((1,), (3,)), (3, 1), (((2,),), ((4,),)))


def described(red: list[tuple[int, int]], blue: list[tuple[int, int]]) -> AttentionCall:
    """Circles and stars in their places; "red" (token 2) and "blue" (token 4) at the given ones."""
    call = call_that_shows(CIRCLES, STARS)
    queries = call.queries.clone()
    for token, places in ((2, red), (4, blue)):
        queries[0, 0, :, token] = 5 * 6**0.5 * blob_heat(GRID, places).flatten()
    return AttentionCall("a", "cross", GRID, queries, call.keys)


@pytest.mark.parametrize(
    ("red", "blue", "bound"),
    [(CIRCLES, STARS, True), (STARS, CIRCLES, False), (CIRCLES[:2], [*STARS, CIRCLES[2]], False)],
    ids=["each its own", "swapped", "one circle is blue"],
)
def test_binding(red, blue, bound) -> None:
    call = described(red, blue)
    with_binding, without = (anchored_losses([call], AnchoredObjective(DESCRIBED, bind=bind)) for bind in (True, False))
    extra = float(with_binding.total - without.total)
    assert extra == 0 if bound else extra > 0.5


@pytest.mark.parametrize("attributes", [(), ((), ()), (((2,),), ())], ids=["none", "empty", "of one noun alone"])
def test_binding_needs_attributes_of_two_nouns(attributes) -> None:
    calls = [random_call("cross", GRID, seed, batch=2, heads=2) for seed in (1, 2)]
    target = PromptTarget(((1,), (3,)), (3, 1), attributes)
    bound, unbound = (AnchoredObjective(target, bind=bind) for bind in (True, False))
    for one, other in (
        (anchored_losses(calls, bound), anchored_losses(calls, unbound)),
        (bound(calls)[0], unbound(calls)[0]),
    ):
        assert torch.equal(one.total, other.total) and torch.equal(one.semantic, other.semantic)


def test_binding_pulls_the_attribute_to_its_noun() -> None:
    call = described(CIRCLES[:2], [*STARS, CIRCLES[2]])
    pulls = AnchoredObjective(DESCRIBED, bind=True)([call])[1]
    place = CIRCLES[2][0] * 16 + CIRCLES[2][1]
    red, blue = (float(pulls[0].queries[0, 0, place, token]) for token in (2, 4))
    assert red < 0 < blue, "a step against the gradient swaps them there"
