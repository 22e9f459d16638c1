"""A noun as the text tower's input."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import CountError
from .config import TextConfig

START, END = 49406, 49407
"""CLIP's ids; the end token also fills up what is left of a prompt."""


def class_tokens(ids: Sequence[int], config: TextConfig, noun: str) -> tuple[Tensor, Tensor]:
    """Put a noun's CLIP ids between start and end tokens.

    Args:
        ids: the noun's byte-pair ids, without start and end.
        noun: what they spell, for errors.

    Returns:
        (T,) ids and (T,) float, 1 on the noun's own tokens.

    Raises:
        CountError: there is no token, or there are more than the tower holds.
    """
    room = config.positions - 2
    if not ids:
        raise CountError(f"there is nothing to count in the text {noun!r}. Write a noun in the plural, such as 'cats'")
    if len(ids) > room:
        raise CountError(
            f"'{noun[:40]}...' has {len(ids)} tokens, and the counter reads {room}. Write a noun in the plural, such as "
            "'cats', rather than a sentence; several nouns are separated by commas"
        )
    tokens = torch.full((config.positions,), END, dtype=torch.int64)
    tokens[0] = START
    tokens[1 : 1 + len(ids)] = torch.tensor(list(ids), dtype=torch.int64)
    mask = torch.zeros(config.positions)
    mask[1 : 1 + len(ids)] = 1
    return tokens, mask
