"""Singular and plural: each line of tests/data/noun_pairs.txt is a noun and one of its plurals."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from headcount.core.prompts import find_objects
from headcount.core.prompts.plurals import is_plural, plural, same_noun, singular

FILE = Path(__file__).resolve().parents[1] / "data" / "noun_pairs.txt"
WORDS = [line.split() for line in FILE.read_text().splitlines()]
PAIRS = [(" ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])) for words in WORDS]
# One plural of several nouns: the first one is what it is read as.
OF_SEVERAL = {"axes": ("axe", "ax", "axis"), "bases": ("base", "basis"), "ellipses": ("ellipse", "ellipsis")}


def test_both_forms_are_one_noun() -> None:
    assert len(PAIRS) > 500
    assert [(one, many) for one, many in PAIRS if not same_noun(one, many) or not same_noun(many.title(), one)] == []


def test_the_singular_of_both() -> None:
    expected = {many: OF_SEVERAL.get(many, [one])[0] for one, many in PAIRS}
    assert {many: singular(many) for many in expected} == expected
    assert [(one, singular(one)) for one, _ in PAIRS if singular(one) != one] == []


def test_a_plural_of_each() -> None:
    known = {one: {many for other, many in PAIRS if other == one} for one, _ in PAIRS}
    assert {one: plural(one) for one in known if plural(one) not in known[one]} == {}
    assert [one for one in known if plural(plural(one)) != plural(one)] == []


def test_the_plurals_are_told_from_the_singulars() -> None:
    assert [many for one, many in PAIRS if one != many and not is_plural(many.split()[-1])] == []
    same = {one for one, many in PAIRS if one == many}
    assert [one for one, _ in PAIRS if one not in same and is_plural(one.split()[-1])] == []


def test_other_nouns_stay_apart() -> None:
    nouns = sorted({one for one, _ in PAIRS})
    assert [pair for pair in combinations(nouns, 2) if same_noun(*pair)] == []
    assert not same_noun("axe", "axis") and not same_noun("glove", "golf") and not same_noun("olive", "oli")


@pytest.mark.parametrize("noun", ["octopus", "kiwi", "taxi", "menu", "cactus", "iris"])
def test_an_objects_line_in_the_singular(noun: str) -> None:
    (found,) = find_objects(f"a photo of {plural(noun)} on a table", f"3 {noun}")
    assert found.item.count == 3 and found.item.noun == plural(noun)


@pytest.mark.parametrize("word", ["", "s", "es", "ses", "ies", "ves", "men", "-", "a ", "zzes", "i", "eaux", "us"])
def test_any_word_has_forms(word: str) -> None:
    assert isinstance(singular(word), str) and isinstance(plural(word), str) and is_plural(word) in (True, False)
