"""A prompt without its objects, or with one of them."""

from __future__ import annotations

import pytest
from headcount.core.prompts import CountedObject, parse_prompt, scene_text


@pytest.mark.parametrize(
    ("prompt", "scene", "alone"),
    [
        ("a picture with a pair of cats", "a picture", ["a picture with a cat"]),
        ("a drawing of a horse and a cat", "a drawing", ["a drawing of a horse", "a drawing of a cat"]),
        ("three cats and two dogs on a sofa", "on a sofa", ["a cat on a sofa", "a dog on a sofa"]),
        (
            "a watercolor painting of three red cats, two orange dogs and a bird in a garden, soft light",
            "a watercolor painting in a garden, soft light",
            [
                f"a watercolor painting of {one} in a garden, soft light"
                for one in ("a red cat", "an orange dog", "a bird")
            ],
        ),
        ("three cats on a red sofa beside two dogs", "on a red sofa", ["a cat on a red sofa", "on a red sofa beside a dog"]),
        ("2girls, 1boy, school uniform", "school uniform", ["a girl, school uniform", "a boy, school uniform"]),
        ("a group of twenty five tigers", "", ["a tiger"]),
        ("soft light, oil on canvas", "soft light, oil on canvas", []),
        ("", "", []),
    ],
)  # fmt: skip
def test_what_is_left(prompt: str, scene: str, alone: list[str]) -> None:
    objects = parse_prompt(prompt)
    assert scene_text(prompt, objects) == scene
    assert [scene_text(prompt, objects, one) for one in objects] == alone


def test_an_object_that_the_prompt_does_not_name_goes_before_it() -> None:
    assert scene_text("on a sofa", (), CountedObject("cats", 2, ("red",))) == "a red cat, on a sofa"
