"""What is counted: the nouns of the text, else those of COUNTS."""

from __future__ import annotations

import pytest
from headcount.bridge.t2icount.nouns import nouns_to_count
from headcount.core.errors import CountError
from headcount.core.prompts import CountedObject, Counts
from headcount.core.prompts.plurals import IRREGULAR, SAME_IN_BOTH, is_plural, plural, same_noun, singular

ASKED = Counts("", (CountedObject("dog", 1, ("red",)), CountedObject("mice", 2), CountedObject("dogs", 3, ("blue",))))


@pytest.mark.parametrize(
    ("text", "nouns"),
    [
        ("cats", ("cats",)),
        (" cats , sea  shells;dogs\nbirds\n", ("cats", "sea shells", "dogs", "birds")),
        ("(cats:1.2), ((dogs))", ("cats", "dogs")),
        ("(cats, dogs:0.8)", ("cats", "dogs")),
        (r"cats \(toys\)", ("cats (toys)",)),
        ("Cats, dogs, cats", ("Cats", "dogs")),
        ("cats,,", ("cats",)),
    ],
)
def test_text(text: str, nouns: tuple[str, ...]) -> None:
    assert nouns_to_count(text, None) == nouns
    assert nouns_to_count(text, ASKED) == nouns, "text overrules COUNTS"


def test_counts_give_plurals_without_adjectives_each_once() -> None:
    assert nouns_to_count(" ", ASKED) == ("dogs", "mice")


@pytest.mark.parametrize(
    ("counts", "why"), [(None, "text is empty. Write"), (Counts("", ()), "asks for no number of objects. Write")]
)
def test_nothing_to_count(counts: Counts | None, why: str) -> None:
    with pytest.raises(CountError, match=f"there is nothing to count: .*{why}"):
        nouns_to_count(" , ", counts)


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("cat", "cats"), ("cats", "cats"), ("box", "boxes"), ("cross", "crosses"), ("church", "churches"), ("berry", "berries"),
        ("toy", "toys"), ("person", "people"), ("child", "children"), ("sheep", "sheep"), ("snowman", "snowmen"),
        ("woman", "women"), ("leaf", "leaves"), ("hot air balloon", "hot air balloons"), ("t-shirt", "t-shirts"),
        ("glass", "glasses"), ("bus", "buses"), ("human", "humans"), ("fireman", "firemen"), ("potato", "potatoes"),
    ],
)  # fmt: skip
def test_plurals(one: str, many: str) -> None:
    assert plural(one) == many


@pytest.mark.parametrize("word", sorted({*IRREGULAR, *IRREGULAR.values(), *SAME_IN_BOTH}))
def test_a_plural_is_the_same_noun(word: str) -> None:
    """So that Count Check finds what was asked for among what was counted."""
    assert same_noun(plural(word), word) and plural(plural(word)) == plural(word)
    assert is_plural(plural(word)) or plural(singular(word)) == word
