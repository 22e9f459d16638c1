"""A noun between start and end tokens, and nouns that do not fit there."""

from __future__ import annotations

import pytest
import torch
from headcount.core.errors import CountError
from headcount.core.t2icount.config import OFFICIAL, TextConfig
from headcount.core.t2icount.tokens import class_tokens


def test_a_noun_stands_between_start_and_end() -> None:
    tokens, mask = class_tokens([2102, 9725], TextConfig(positions=6), "sea shells")
    assert tokens.tolist() == [49406, 2102, 9725, 49407, 49407, 49407]
    assert mask.tolist() == [0, 1, 1, 0, 0, 0] and tokens.dtype == torch.int64


def test_the_longest_noun_still_has_an_end() -> None:
    tokens, mask = class_tokens(range(1, 76), OFFICIAL.text, "many words")
    assert tokens.shape == mask.shape == (77,)
    assert tokens[-1] == 49407 and mask.sum() == 75 and mask[0] == mask[-1] == 0


@pytest.mark.parametrize(
    ("ids", "message"),
    [([], "nothing to count in the text ' '"), ([7] * 76, "has 76 tokens, and the counter reads 75")],
)
def test_what_cannot_be_read(ids: list[int], message: str) -> None:
    with pytest.raises(CountError, match=message):
        class_tokens(ids, OFFICIAL.text, " ")
