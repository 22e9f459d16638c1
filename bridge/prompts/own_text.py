"""Finds Count Prompt's text again in a conditioning that other nodes have put tokens in front of, as some do with pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

KEY = "headcount_text"
"""In a conditioning: {"length": T, "ends": (2, C), the features of the text's first and last token}."""

_RELATIVE, _ABSOLUTE = 1e-3, 1e-5  # a conditioning may pass through half precision


def ends_of(text: Tensor) -> dict[str, Any]:
    """What a text is known by, for `KEY`.

    Args:
        text: (B, T, C) as the text encoder gave it.
    """
    return {"length": text.shape[1], "ends": text[0, [0, -1]].clone()}


def tokens_in_front(conditioning: Mapping[str, Any]) -> int:
    """How many tokens were put in front of Count Prompt's text.

    0 also where the text is not found again, since a node has changed its features.
    """
    known, text = conditioning.get(KEY), conditioning["cross_attn"]
    if known is None or text.shape[-1] != known["ends"].shape[-1] or text.shape[1] <= known["length"]:
        return 0
    first, last = known["ends"].to(text)
    most = text.shape[1] - known["length"]
    starts = text[0, : most + 1].isclose(first, rtol=_RELATIVE, atol=_ABSOLUTE).all(-1)
    ends = text[0, known["length"] - 1 :].isclose(last, rtol=_RELATIVE, atol=_ABSOLUTE).all(-1)
    text_starts = (starts & ends).nonzero().flatten().tolist()
    return int(text_starts[0]) if text_starts else 0
