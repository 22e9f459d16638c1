"""Which heads of a joint attention are read: those that look at nouns from where the model draws them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from headcount.core.attention import AttentionCall, CallSums, LayerRequest, localised, localising_heads, of_heads
from headcount.core.attention.calls import head_probabilities
from headcount.core.attention.localising import LEAST_OF_BEST, MOST_HEADS
from headcount.core.isac import AnchoredObjective, PromptTarget, anchored_losses
from headcount.core.isac.differentiate import whole_gradients
from torch import Tensor

GRID = (6, 8)
TARGET = PromptTarget(((1,), (2, 3)), (2, 1))


def _change() -> Tensor:
    """(1, 12, 16) two objects that the noun draws, on latents twice as fine as the grid."""
    change = torch.rand(1, 12, 16, generator=torch.Generator().manual_seed(0)) * 0.1
    change[:, 2:6, 2:8] += 1
    change[:, 6:12, 10:14] += 2
    return change


def _seen(change: Tensor) -> Tensor:
    """(48,) the change as a head on the grid sees it."""
    return change.unflatten(1, (6, 2)).unflatten(3, (8, 2)).mean((2, 4)).flatten()


def _noise(heads: int, seed: int) -> Tensor:
    return torch.rand(1, heads, 48, generator=torch.Generator().manual_seed(seed))


def test_heads_that_rank_cells_as_the_change_does_are_read() -> None:
    change = _change()
    right = _seen(change)
    maps = {3: _noise(4, 1), 5: _noise(4, 2), 9: _noise(4, 3)}
    maps[5][0, 2] = 0.001 * right**3  # however weak or peaked
    maps[3][0, 1] = 10 - right  # looks from everywhere else
    maps[3][0, 3] = right + 1.5 * maps[3][0, 3]  # less sharply
    assert localising_heads(maps, change, GRID) == {3: (3,), 5: (2,)}


def test_no_layer_is_read_behind_the_first_that_localises_well_enough() -> None:
    change = _change()
    maps = {place: _noise(6, place) for place in (2, 4, 6)}
    maps[4][0, 1] = _seen(change) + 0.02 * _noise(1, 8)[0, 0]
    maps[6][0, 5] = _seen(change)
    assert localising_heads(maps, change, GRID) == {4: (1,)}


def test_of_several_images_the_mean_says_which() -> None:
    change = torch.cat([_change(), _change().flip(2)])
    maps = {1: torch.cat([_noise(5, 4), _noise(5, 5)])}
    for image in range(2):
        maps[1][image, 3] = _seen(change[[image]])
    maps[1][0, 0] = _seen(change[[0]])  # of one image alone
    assert localising_heads(maps, change, GRID) == {1: (3,)}


def test_at_most_a_fifth_of_all_heads_is_read() -> None:
    change = _change()
    maps = {place: _seen(change) + 0.01 * _noise(10, place) for place in range(3)}
    assert sum(len(heads) for heads in localising_heads(maps, change, GRID).values()) == round(30 * MOST_HEADS)


def test_where_no_head_is_like_the_change_none_is_named() -> None:
    change = _change()
    assert localising_heads({1: (-_seen(change)).expand(1, 3, 48)}, change, GRID) == {}
    assert localising_heads({}, change, GRID) == {}
    assert 0 < LEAST_OF_BEST < 1


def _calls() -> list[AttentionCall]:
    """Two joint calls of three heads over 7 text and 48 image tokens."""
    made = torch.Generator().manual_seed(7)

    def numbers(tokens: int) -> Tensor:
        return 2 * torch.randn(2, 3, tokens, 8, generator=made)

    text, image = slice(0, 7), slice(7, 55)
    return [
        AttentionCall(f"block.{place}", "joint", GRID, numbers(48), numbers(55), text, image, place=place)
        for place in (1, 2)
    ]


def test_the_objective_reads_the_named_heads_alone() -> None:
    calls, heads = _calls(), {2: (0, 2)}
    objective = AnchoredObjective(TARGET, heads=heads)
    assert [call.place for call in objective.select(calls)] == [2]
    losses, [gradient] = objective(calls)
    plain, [expected] = whole_gradients(lambda own: anchored_losses(own, objective), [calls[1]])
    torch.testing.assert_close(losses.total, plain.total)
    torch.testing.assert_close(gradient.queries, expected.queries, rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(gradient.keys, expected.keys, rtol=1e-4, atol=1e-7)
    assert not gradient.queries[:, 1].any() and gradient.queries[:, 0].any()
    other, _ = AnchoredObjective(TARGET, heads={2: (1,)})(calls)
    assert not torch.equal(other.total, losses.total)


def test_calls_that_are_named_and_not_there_leave_the_usual_part() -> None:
    calls = _calls()
    usual = AnchoredObjective(TARGET).select(calls)
    assert AnchoredObjective(TARGET, heads={7: (0,)}).select(calls) == usual


@pytest.mark.parametrize("heads_of_bias", [1, 3])
def test_a_mask_goes_with_its_heads(heads_of_bias: int) -> None:
    bias = torch.arange(heads_of_bias * 55.0).view(1, heads_of_bias, 1, 55)
    part = of_heads(replace(_calls()[0], bias=bias), (2,))
    assert part.queries.shape[1] == part.keys.shape[1] == 1 and part.bias is not None
    assert torch.equal(part.bias[:, 0], bias[:, -1])


def test_maps_are_the_means_of_the_named_heads_and_all_else_of_all_heads() -> None:
    calls, words = _calls(), (("cats", (2, 3)),)
    request = LayerRequest(words, 7)
    found, plain = (CallSums(request, heads=heads) for heads in ({2: (0, 2)}, {}))
    for call in calls:
        found.add(call)
        plain.add(call)
    own, every = found.maps(), plain.maps()
    expected = torch.stack([head_probabilities(calls[1], head)[..., :7] for head in (0, 2)]).mean(0)
    torch.testing.assert_close(own.cross_attention, expected)
    assert torch.equal(own.self_attention, every.self_attention)
    assert all(torch.equal(one.heat, other.heat) for one, other in zip(own.layers, every.layers, strict=True))


def test_only_joint_calls_are_read_in_part() -> None:
    joint = _calls()[0]
    cross = replace(joint, kind="cross", keys=joint.keys[:, :, :7], text=None, image=None)
    assert localised(cross, {2: (0,)}) is cross and localised(joint, {}) is joint
    assert localised(joint, {2: (0,)}) is None
    part = localised(joint, {1: (2,)})
    assert part is not None and torch.equal(part.queries[:, 0], joint.queries[:, 2])
