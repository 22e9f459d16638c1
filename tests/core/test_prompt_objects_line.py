"""The objects line overrules the prompt, and says what is wrong with it."""

from __future__ import annotations

import pytest
from headcount.core.errors import CountError
from headcount.core.prompts import (
    CountedObject,
    describe_objects,
    find_objects,
    parse_objects_line,
)

KINDS = ", ".join(f"1 {first}a{second}o" for first in "bdfgklmnrt" for second in "bdfgklmnrt")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("2 cats, 1 dog", "2 cats, 1 dog"),
        ("three red cats; a dog\n\n4 teddy bears,", "3 red cats, 1 dog, 4 teddy bears"),
        ("2 Cats and 1 black and white dog", "2 cats, 1 black white dog"),
        ("1 red cat, 1 blue cat", "1 red cat, 1 blue cat"),
        ("a dozen eggs", "12 eggs"),
        ("2x cats", "2 cats"),
        ("2 red", "2 red"),
        ("2 cats / 1 dog | 3 birds. 4 fish", "2 cats, 1 dog, 3 birds, 4 fish"),
        ("2 cats 1 dog + 3 birds", "2 cats, 1 dog, 3 birds"),
        ("cats: 2, dogs=3, birds x4, fish (5)", "2 cats, 3 dogs, 4 birds, 5 fish"),
        ("3 (stars:1.2)", "3 stars"),
        ("3 10 year old boys", "3 boys"),
        ("3 猫, 2只狗、一个女孩", "3 猫, 2 狗, 1 女孩"),
        ("猫 3匹、2匹の犬", "3 猫, 2 犬"),
        ("고양이 3마리, 2 개", "3 고양이, 2 개"),
        ("3 Katzen und zwei Hunde", "3 katzen, 2 hunde"),
        ("3 बिल्लियाँ", "3 बिल्लियाँ"),
        ("1 red stars, 1 pair of scissors", "1 red star, 1 scissors"),
        ("", "nothing is counted"),
        (" ,; \n", "nothing is counted"),
    ],
)
def test_lines(line: str, expected: str) -> None:
    assert describe_objects(parse_objects_line(line)) == expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("cats", "'cats' has no count; write a count and a noun for each object, such as '2 cats, 1 dog'"),
        ("0 cats", "the count in '0 cats' must be a whole number from 1 to 9999"),
        ("-1 cats", "the count in '-1 cats' must be a whole number from 1 to 9999"),
        ("10000 cats", "the count in '10000 cats' must be a whole number from 1 to 9999"),
        ("nine thousand thousand cats", "must be a whole number from 1 to 9999"),
        ("1" * 5_000 + " cats", f"the count in '{'1' * 60}...' must be a whole number from 1 to 9999"),
        ("9" * 5_000 + "x cats", "must be a whole number from 1 to 9999"),
        ("hundred " * 5_000 + "cats", "must be a whole number from 1 to 9999"),
        ("2.5 cats", "the count in '2.5 cats' must be a whole number from 1 to 9999"),
        ("1 dog, 2", "'2' names no object"),
        ("2 cats sleeping", "objects: 'sleeping' in '2 cats sleeping' is neither a count nor a part of the noun"),
        ("2 cats 3", "'3' in '2 cats 3' is neither a count nor a part of the noun"),
        ("2-4 cats", "'2-4 cats' gives no exact count"),
        ("at least 2 cats", "'at least 2 cats' gives no exact count"),
        ("a few cats", "'a few cats' gives no exact count"),
        ("2 女孩 站着", "'2 女孩 站着' is not one count with one noun"),
        ("()", "'()' has no count"),
        ("drei Katzen, zwei der", "'zwei der' names no object"),
        ("drei Katzen sitzen", "'sitzen' in 'drei Katzen sitzen' is neither a count nor a part of the noun"),
        ("猫", "'猫' is not one count with one noun"),
        ("2 cats, 3 cat", "'cat' is listed twice; give one count for it"),
        (KINDS + ", 1 dog", "objects names more than 100 kinds of objects; name those that matter most"),
    ],
)
def test_malformed_lines(line: str, message: str) -> None:
    with pytest.raises(CountError) as raised:
        parse_objects_line(line)
    assert message in str(raised.value)


def test_as_many_kinds_as_may_be() -> None:
    assert len(parse_objects_line(KINDS)) == 100


def test_missing_noun_lists_what_is_there() -> None:
    with pytest.raises(CountError, match=r"^'cats' is not in the prompt; the prompt has: bird, dog$"):
        find_objects("a bird and a dog", "2 cats")
    with pytest.raises(CountError, match=r"Did you mean 'elephants'\?"):
        find_objects("three elephants at a river", "3 elefants")
    with pytest.raises(CountError, match="names no objects"):
        find_objects("", "2 cats")


def test_line_overrules_counts_and_finds_words_without_a_number() -> None:
    found = find_objects("Cats and a dog in front of trees", "5 cat, 2 trees")
    assert [item.item for item in found] == [CountedObject("cats", 5), CountedObject("trees", 2)]
    assert found[0].nouns == ((0, 4),)


@pytest.mark.parametrize(
    ("prompt", "line", "places"),
    [
        ("三只猫和两只狗在草地上", "3 猫, 2 狗", ["猫", "狗"]),
        ("猫と犬がいる", "3 猫, 2匹の犬", ["猫", "犬"]),
        ("고양이가 강아지와 있다", "3 고양이, 강아지 2마리", ["고양이", "강아지"]),
        ("แมวสามตัว", "3 แมว", ["แมว"]),
        ("तीन बिल्लियाँ", "3 बिल्लियाँ", ["बिल्लियाँ"]),
        ("l'homme et des chats noirs", "1 homme, 2 chats noirs", ["homme", "chats"]),
        ("un'ape e le farfalle", "1 ape, 2 farfalla", ["ape", "farfalle"]),
        ("debris-pieces on the ground", "3 debris", ["debris-pieces"]),
    ],
)
def test_nouns_of_every_script(prompt: str, line: str, places: list[str]) -> None:
    found = find_objects(prompt, line)
    assert [prompt[slice(*one.nouns[0])] for one in found] == places


def test_empty_line_counts_the_prompt() -> None:
    assert find_objects("two cats", " ") == find_objects("two cats")


def test_adjectives_come_from_the_prompt_or_tell_objects_apart() -> None:
    prompt = "a red cat beside a blue cat, one striped ball"
    (ball,) = find_objects(prompt, "3 balls")
    assert ball.item == CountedObject("ball", 3, ("striped",))
    blue, red = find_objects(prompt, "2 blue cats, 1 red cat")
    assert [prompt[slice(*span)] for span in (*blue.nouns, *red.nouns)] == ["cat", "cat"]
    assert blue.nouns[0][0] > red.nouns[0][0]
    assert prompt[slice(*blue.attributes[0][0])] == "blue"
    (both,) = find_objects(prompt, "2 cats")
    assert len(both.nouns) == 2
    assert both.item.attributes == ()


def test_adjective_that_the_prompt_lacks() -> None:
    with pytest.raises(CountError, match="'red' does not stand before 'dog' in the prompt"):
        find_objects("red cats and a dog", "1 red dog")


@pytest.mark.parametrize("table", ["asked: 4 circles\npicture 1: 7 circles (6.8): wrong", "  asked: 3 cats"])
def test_a_table_of_the_nodes_is_an_empty_line(table: str) -> None:
    """Older pages of ComfyUI saved it as the line's value; it is what the prompt says that counts then."""
    assert parse_objects_line(table) == ()
    assert find_objects("two dogs", table) == find_objects("two dogs", "")
