"""Token positions along the context that a U-Net reads."""

from __future__ import annotations

import pytest
from headcount.core.errors import CountError
from headcount.core.prompts import CountedObject, Counts, ObjectTokens, context_positions

CATS = CountedObject("cats", 2, ("red",))
HERE = (ObjectTokens((3, 4), ((2,),)),)
THERE = (ObjectTokens((5,), ((2,),)),)


def counts(**tokens: tuple[ObjectTokens, ...]) -> Counts:
    return Counts("two red cats", (CATS,), tokens, dict.fromkeys(tokens, 77))


@pytest.mark.parametrize("tokens", [{"l": HERE}, {"h": HERE}, {"g": HERE}, {"l": HERE, "g": HERE}])
def test_positions(tokens: dict[str, tuple[ObjectTokens, ...]]) -> None:
    assert context_positions(counts(**tokens), 77) == HERE


@pytest.mark.parametrize("length", [78, 154, 231])
def test_a_longer_context_begins_with_the_prompt(length: int) -> None:
    """ConditioningConcat keeps the first conditioning's counts and appends another prompt's tokens."""
    assert context_positions(counts(l=HERE), length) == HERE


@pytest.mark.parametrize("length", [0, 1, 76])
def test_other_lengths_are_refused_with_both_values(length: int) -> None:
    with pytest.raises(CountError, match=f"reads {length} text tokens, but the prompt of Count Prompt has 77"):
        context_positions(counts(l=HERE), length)


def test_encoders_that_disagree_are_refused() -> None:
    with pytest.raises(CountError, match=r"'g' and 'l' have 'cats' at \(3, 4\) and \(5,\)"):
        context_positions(counts(g=HERE, l=THERE), 77)
    unequal = Counts("two red cats", (CATS,), {"l": HERE, "g": HERE}, {"l": 77, "g": 154})
    with pytest.raises(CountError, match="read 154 and 77 tokens"):
        context_positions(unequal, 77)


def test_encoders_without_one_context_are_refused() -> None:
    with pytest.raises(CountError, match="l, t5xxl do not share one context"):
        context_positions(counts(l=HERE, t5xxl=HERE), 77)
    with pytest.raises(CountError, match="no token positions"):
        context_positions(Counts("two red cats", (CATS,)), 77)


def test_nothing_counted_needs_no_positions() -> None:
    assert context_positions(Counts("", ()), 77) == ()
