"""Maps of a model call whose attention calls are let go of one by one."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from headcount.core.attention.call_list import CallList
from headcount.core.attention.call_sums import CallSums, recorded_maps
from headcount.core.attention.calls import AttentionCall
from headcount.core.attention.layer_maps import LayerPlan, LayerRequest
from headcount.core.errors import CountError

from ...helpers.maps import random_call

WORDS = (("stars", (2, 3)), ("and", (5,)))
FINE, COARSE = (8, 8), (4, 4)


def unet(*sides: int) -> list[AttentionCall]:
    """Self- and cross-attention of one layer for each side of the grid."""
    calls = []
    for place, side in enumerate(sides):
        calls += [random_call("self", (side, side), 2 * place), random_call("cross", (side, side), 2 * place + 1)]
    return calls


@pytest.mark.parametrize("sides", [(8, 4, 2, 4, 8), (8, 8), (2, 8), (8, 4, 8)])
def test_the_maps_are_those_of_the_kept_calls(sides: tuple[int, ...]) -> None:
    """Too fine self-attention is left out wherever the coarser one comes, as `CallList` has it."""
    calls, kept = unet(*sides), CallList(16)
    sums = CallSums(waiting=CallList(16))
    for call in calls:
        kept.add(call)
        sums.add(call)
    found, expected = sums.maps(), recorded_maps(kept.calls)
    assert (found.grid, found.self_grid) == (expected.grid, expected.self_grid)
    assert torch.equal(found.cross_attention, expected.cross_attention)
    assert torch.equal(found.self_attention, expected.self_attention)


@pytest.mark.parametrize("step", [None, 3])
def test_no_query_and_no_key_outlives_its_call(step: int | None) -> None:
    """But those of self-attention that is too fine, until a coarser layer has come."""
    sums = CallSums(LayerRequest(WORDS, 7, step, LayerPlan(5, COARSE)), CallList(16))
    alive: list[weakref.ref[torch.Tensor]] = []
    waiting = []
    for side in (8, 4, 2, 4, 8):
        for call in unet(side):
            alive += [weakref.ref(call.queries), weakref.ref(call.keys)]
            sums.add(call)
            del call
        gc.collect()
        waiting.append(sum(one() is not None for one in alive))
    assert waiting == [2, 0, 0, 0, 0]
    assert sums.is_complete and len(sums.maps().layers) == 3 + (0 if step is None else 10)


@pytest.mark.parametrize("kinds", [(), ("self",), ("cross",)])
def test_one_kind_is_not_enough(kinds: tuple[str, ...]) -> None:
    sums = CallSums()
    for kind in kinds:
        sums.add(random_call(kind, COARSE, 1))
    assert not sums.is_complete and (sums.plan is None)
    with pytest.raises(CountError, match=r"no .*attention call that could be recorded"):
        sums.maps()


def test_a_repeated_context_is_folded() -> None:
    calls = [random_call("self", COARSE, 1), random_call("cross", COARSE, 2, text=14)]
    maps, plain = recorded_maps(calls, LayerRequest(WORDS, 7)), recorded_maps(calls)
    assert torch.equal(maps.cross_attention, plain.cross_attention.unflatten(-1, (2, 7)).sum(-2))
