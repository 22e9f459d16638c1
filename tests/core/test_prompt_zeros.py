"""Things that a prompt asks for none of."""

from __future__ import annotations

import pytest
from headcount.core.prompts.zeros import find_zeros


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("0 red circles and two blue stars", ("red circles",)),
        ("zero people in a street, 0 dogs and zero dogs", ("people", "dogs")),
        ("an astronaut in zero gravity", ()),
        ("0 degrees, two cats", ()),
        ("10 cats, 0.5 cats, 0-3 cats, 100 cats", ()),
        ("cats, 0", ()),
        ("", ()),
    ],
)
def test_find_zeros(prompt: str, expected: tuple[str, ...]) -> None:
    assert find_zeros(prompt) == expected
