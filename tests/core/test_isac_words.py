"""Repel and bind of v4 against the equations written by hand, and what they do."""

from __future__ import annotations

import pytest
import torch
from headcount.core.attention.mean_maps import AttentionMaps
from headcount.core.isac.objective import paper_losses
from headcount.core.isac.schedule import LossWeights
from headcount.core.isac.target import PromptTarget
from headcount.core.isac.words import semantic_loss, unbound, words_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ..helpers.maps import random_maps
from ..reference_isac import reference_losses, repel_and_bind

RED_CATS_BLUE_DOG = PromptTarget(((1,), (4,)), (2, 1), (((2,),), ((3, 5),)))
CASES = {
    "attributes of both": RED_CATS_BLUE_DOG,
    "attributes of one": PromptTarget(((1,), (4, 6)), (1, 2), ((), ((2,), (3,)))),
    "one noun with an attribute": PromptTarget(((1,),), (2,), (((2,), (3,)),)),
    "three nouns": PromptTarget(((1,), (4,), (6,)), (1, 1, 1), (((2,),), (), ((0, 3),))),
}


def test_the_pairs() -> None:
    words = words_of(CASES["three nouns"], bind=True)
    assert words.positions == ((1,), (4,), (6,), (2,), (0, 3))
    assert words.objects == ((0, 3), (1,), (2, 4)) and words.bound == ((0, 3), (2, 4))
    assert words.tokens == (0, 1, 2, 3, 4, 6)
    assert words.within((0, 1, 2, 3, 4, 6)).positions == ((1,), (4,), (5,), (2,), (0, 3))
    plain = words_of(CASES["three nouns"], bind=False)
    assert plain.positions == ((1,), (4,), (6,)) and plain.bound == ()


@settings(max_examples=30, deadline=None)
@given(case=st.sampled_from(sorted(CASES)), seed=st.integers(0, 9999), share=st.sampled_from([0.0, 0.4]))
def test_equals_the_equations(case: str, seed: int, share: float) -> None:
    target, maps = CASES[case], random_maps((4, 5), 7, seed)
    own, cross = (m.clone().requires_grad_() for m in (maps.self_attention, maps.cross_attention))
    hand = [m[0].clone().requires_grad_() for m in (maps.self_attention, maps.cross_attention)]
    found = paper_losses(AttentionMaps(own, cross, (4, 5)), target, LossWeights(share, 1 - share), bind=True)
    expected = reference_losses(*hand, (4, 5), target.tokens, target.counts, share, 1 - share, target.attributes)
    torch.testing.assert_close(found.semantic[0], expected.semantic, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(found.total[0], expected.total, rtol=1e-10, atol=1e-12)
    # Pairs whose maps are highest at one pixel are equally repelled, and the gradient is that of any of them.
    spread = maps.self_attention[0] @ maps.cross_attention[0]
    assume(spread.argmax(0).unique().numel() == spread.shape[1])
    gradients = torch.autograd.grad(found.total.sum(), (own, cross))
    by_hand = torch.autograd.grad(expected.total, hand)
    for one, other in zip(gradients, by_hand, strict=True):
        torch.testing.assert_close(one[0], other, rtol=1e-9, atol=1e-11)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 9999), attributes=st.sampled_from([(), ((), ())]))
def test_without_attributes_it_is_v1_bit_for_bit(seed: int, attributes: tuple) -> None:
    maps = random_maps((4, 4), 7, seed, dtype=torch.float32)
    target = PromptTarget(((1,), (4,)), (2, 1), attributes)
    one, other = (paper_losses(maps, target, LossWeights(0.3, 0.7), bind=bind) for bind in (True, False))
    assert torch.equal(one.semantic, other.semantic) and torch.equal(one.total, other.total)
    described = paper_losses(maps, RED_CATS_BLUE_DOG, LossWeights(0.3, 0.7))
    assert torch.equal(described.semantic, other.semantic), "attributes act only where binding is asked for"


def spread_of(**words: list[float]) -> torch.Tensor:
    """Maps of cat, dog, red and blue over four pixels."""
    return torch.tensor([words[name] for name in ("cat", "dog", "red", "blue")], dtype=torch.float64).T


APART = {"cat": [4.0, 0, 0, 0], "dog": [0, 0, 4.0, 0], "red": [4.0, 0, 0, 0], "blue": [0, 0, 4.0, 0]}
WORDS = words_of(PromptTarget(((1,), (2,)), (1, 1), (((3,),), ((4,),))), bind=True)


def test_words_in_their_place_cost_nothing() -> None:
    assert semantic_loss(spread_of(**APART), WORDS) == 0


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"red": [0, 4.0, 0, 0]}, 16.0),  # not at the cat
        ({"red": [2.0, 4.0, 0, 0]}, 8.0),  # half at the cat
        ({"red": [0, 0, 4.0, 0]}, 32.0),  # at the dog: not bound, and not kept apart
        ({"blue": [2.0, 0, 4.0, 0]}, 8.0),  # half at the cat too
        ({"dog": [1.0, 0, 4.0, 0]}, 4.0),  # nouns that overlap
        ({"dog": [0, 0, 8.0, 0]}, 0.0),  # a map's own size is no overlap
    ],
)
def test_words_out_of_place_cost(changed: dict[str, list[float]], expected: float) -> None:
    maps = {**APART, **changed}
    assert float(semantic_loss(spread_of(**maps), WORDS)) == pytest.approx(expected)
    values = spread_of(**maps).unbind(1)
    assert float(repel_and_bind([values[0], values[1]], [[values[2]], [values[3]]])) == pytest.approx(expected)


def test_bind_pulls_the_attribute_to_its_noun() -> None:
    maps = spread_of(**{**APART, "red": [2.0, 4.0, 0, 0]}).requires_grad_()
    (gradient,) = torch.autograd.grad(semantic_loss(maps, WORDS), maps)
    assert gradient[0, 2] < 0 and gradient[0, 0] < 0, "a step against the gradient raises both at the cat"
    assert gradient[0, 1] > 0, "and keeps the dog away from there"
    assert gradient.nonzero().tolist() == [[0, 0], [0, 1], [0, 2]]


def test_bound_words_get_no_gradient() -> None:
    maps = spread_of(**APART).requires_grad_()
    scaled = maps / 4
    (gradient,) = torch.autograd.grad(unbound(scaled, WORDS.bound), maps)
    assert not gradient.any()
