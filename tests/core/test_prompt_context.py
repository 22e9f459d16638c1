"""Token positions along the text that a diffusion model reads."""

from __future__ import annotations

import pytest
from headcount.core.errors import CountError
from headcount.core.prompts import CountedObject, Counts, ObjectTokens, context_positions
from headcount.core.prompts.context import TextLayout, TokenSpan, context_words, one_encoder, shared_encoder
from headcount.core.prompts.counts import WordTokens

CATS = CountedObject("cats", 2, ("red",))
HERE = (ObjectTokens((3, 4), ((2,),)),)
THERE = (ObjectTokens((5,), ((2,),)),)
WORDS = (WordTokens("red", (2,)), WordTokens("cats", (3, 4)))


def counts(**tokens: tuple[ObjectTokens, ...]) -> Counts:
    return Counts("two red cats", (CATS,), tokens, dict.fromkeys(tokens, 77), dict.fromkeys(tokens, WORDS))


def u_net(of: Counts, length: int) -> tuple[ObjectTokens, ...]:
    """Positions in the context of a U-Net."""
    return context_positions(of, one_encoder(of, shared_encoder(of, tuple(of.tokens)), length))


@pytest.mark.parametrize("tokens", [{"l": HERE}, {"h": HERE}, {"g": HERE}, {"l": HERE, "g": HERE}])
def test_positions(tokens: dict[str, tuple[ObjectTokens, ...]]) -> None:
    assert u_net(counts(**tokens), 77) == HERE


@pytest.mark.parametrize("length", [78, 154, 231])
def test_a_longer_context_begins_with_the_prompt(length: int) -> None:
    """ConditioningConcat keeps the first conditioning's counts and appends another prompt's tokens."""
    assert u_net(counts(l=HERE), length) == HERE
    assert one_encoder(counts(l=HERE), "l", length) == TextLayout(length, 77, (TokenSpan("l", 0),))


@pytest.mark.parametrize("length", [0, 1, 76])
def test_other_lengths_are_refused_with_both_values(length: int) -> None:
    with pytest.raises(CountError, match=f"reads {length} text tokens, but the prompt of Count Prompt has 77"):
        u_net(counts(l=HERE), length)


def test_encoders_that_disagree_are_refused() -> None:
    with pytest.raises(CountError, match=r"'g' and 'l' have 'cats' at \(3, 4\) and \(5,\)"):
        u_net(counts(g=HERE, l=THERE), 77)
    unequal = Counts("two red cats", (CATS,), {"l": HERE, "g": HERE}, {"l": 77, "g": 154})
    with pytest.raises(CountError, match="read 154 and 77 tokens"):
        u_net(unequal, 77)


def test_encoders_without_one_context_are_refused() -> None:
    with pytest.raises(CountError, match="reads one text encoder, but Count Prompt had l, t5xxl"):
        u_net(counts(l=HERE, t5xxl=HERE), 77)
    with pytest.raises(CountError, match="no token positions"):
        context_positions(Counts("two red cats", (CATS,)), TextLayout(77, 77, ()))


def test_nothing_counted_needs_no_positions() -> None:
    assert context_positions(Counts("", ()), TextLayout(77, 77, ())) == ()


def test_another_models_encoder_is_named() -> None:
    with pytest.raises(CountError, match="reads text encoder 't5xxl', but Count Prompt had 'g', 'l'"):
        one_encoder(counts(l=HERE, g=HERE), "t5xxl", 256)
    with pytest.raises(CountError, match="but Count Prompt had none"):
        one_encoder(Counts("", ()), "t5xxl", 256)
    assert shared_encoder(counts(t5xxl=HERE), ("l", "g")) == ""


TWICE = TextLayout(154, 154, (TokenSpan("l", 0), TokenSpan("t5xxl", 77)))


def test_a_noun_that_two_encoders_read_is_at_both_places() -> None:
    both = counts(l=HERE, t5xxl=THERE)
    assert context_positions(both, TWICE) == (ObjectTokens((3, 4, 82), ((2, 79),)),)
    words = {word.word: word.positions for word in context_words(both, TWICE)}
    assert words == {"red": (2, 79), "cats": (3, 4, 80, 81)}


def test_a_word_that_one_encoder_lost_is_where_the_other_has_it() -> None:
    half = Counts("two red cats", (CATS,), {"l": HERE, "t5xxl": HERE}, {"l": 77, "t5xxl": 77}, {"l": WORDS[:1]})
    assert context_words(half, TWICE) == (WordTokens("red", (2,)),)


def test_a_template_is_cut_off() -> None:
    layout = one_encoder(counts(q=HERE), "q", 75, cut=2)
    assert layout.own == 75 and context_positions(counts(q=HERE), layout) == (ObjectTokens((1, 2), ((0,),)),)
    with pytest.raises(CountError, match="'red' is not in the part of the prompt that the model reads"):
        context_positions(counts(q=HERE), one_encoder(counts(q=HERE), "q", 74, cut=3))
