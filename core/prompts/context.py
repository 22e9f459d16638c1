"""Positions of counted objects in the text that a U-Net's cross-attention reads."""

from __future__ import annotations

from ..errors import CountError
from .counts import Counts, ObjectTokens, WordTokens

SHARED_ENCODERS = frozenset({"l", "g"})  # SDXL puts both encoders' features side by side, token by token


def context_positions(counts: Counts, context_length: int) -> tuple[ObjectTokens, ...]:
    """Positions of each object along the token axis of the cross-attention context, in object order.

    Args:
        counts: with token positions, as Count Prompt gives them.
        context_length: T, length of the context's token axis, at least 1.

    Returns:
        one entry per object. A longer context is taken to begin with this prompt, as ConditioningConcat makes it.

    Raises:
        CountError: T is shorter than the prompt, there are no positions, or the encoders disagree on them.
    """
    if not counts.objects:
        return ()
    keys = sorted(counts.tokens)
    if not keys:
        raise CountError("COUNTS has no token positions; take it from the Count Prompt node")
    if len(keys) > 1 and not set(keys) <= SHARED_ENCODERS:
        raise CountError(
            f"text encoders {', '.join(keys)} do not share one context; the supported are SD1.5, SD2.1 and SDXL"
        )
    for key in keys[1:]:
        _check_agreement(counts, keys[0], key)
    length = counts.lengths[keys[0]]
    if length < 1 or context_length < length:
        raise CountError(
            f"the model reads {context_length} text tokens, but the prompt of Count Prompt has {length}; "
            "connect the conditioning of the same Count Prompt node to the sampler"
        )
    return tuple(counts.tokens[keys[0]])


def context_words(counts: Counts) -> tuple[WordTokens, ...]:
    """Every word of the prompt with its positions along the token axis of the context, in prompt order."""
    return counts.words[min(counts.words)] if counts.words else ()


def _check_agreement(counts: Counts, first: str, second: str) -> None:
    if counts.lengths[first] != counts.lengths[second]:
        lengths = f"{counts.lengths[first]} and {counts.lengths[second]}"
        raise CountError(f"text encoders '{first}' and '{second}' read {lengths} tokens; use the same prompt for both")
    for item, one, two in zip(counts.objects, counts.tokens[first], counts.tokens[second], strict=True):
        if one != two:
            raise CountError(
                f"text encoders '{first}' and '{second}' have '{item.noun}' at {one.noun} and {two.noun}; "
                "an embedding that only one of them knows moves the words: remove it or put it at the end of the prompt"
            )
