"""Things that a prompt asks for none of."""

from __future__ import annotations

import pytest
from headcount.core.prompts import read_prompt

NONE_OF = "0 {} cannot be steered: put it into the negative prompt"


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("0 red circles and two blue stars", ("red circles",)),
        ("zero people in a street, 0 dogs and zero dogs", ("people", "dogs")),
        ("an astronaut in zero gravity", ()),
        ("0 degrees, two cats", ()),
        ("10 cats, 0.5 cats, 100 cats", ()),
        ("cats, 0", ()),
        ("", ()),
    ],
)
def test_zeros(prompt: str, expected: tuple[str, ...]) -> None:
    said = tuple(NONE_OF.format(thing) for thing in expected)
    assert read_prompt(prompt).sentences == said
    assert not expected or read_prompt(prompt + ", a lamp", "1 lamp").sentences == said, "a line does not answer it"
