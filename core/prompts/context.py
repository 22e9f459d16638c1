"""Positions of counted objects in the text that a diffusion model reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import CountError
from .counts import Counts, ObjectTokens, WordTokens

SHARED_ENCODERS = frozenset({"l", "g"})  # SDXL puts both encoders' features side by side, token by token


@dataclass(frozen=True)
class TokenSpan:
    """Where the tokens of one text encoder lie in the text that a model reads.

    Attributes:
        encoder: its key in `Counts.tokens`.
        start: position of the first token that is left of it.
        cut: how many of its tokens are cut off in front, such as a template.
    """

    encoder: str
    start: int
    cut: int = 0


@dataclass(frozen=True)
class TextLayout:
    """The text that a model reads.

    Attributes:
        length: T, number of its tokens.
        own: number of tokens that belong to the prompt; the others were put behind it, as ConditioningConcat does.
        stretches: where the prompt lies, once for every encoder and place.
    """

    length: int
    own: int
    stretches: tuple[TokenSpan, ...]


def one_encoder(counts: Counts, encoder: str, length: int, cut: int = 0) -> TextLayout:
    """The layout of a model that reads one encoder's tokens from the beginning.

    Args:
        length: T, of the context that the model gets.
        cut: how many tokens in front the encoder cuts off.

    Raises:
        CountError: T is shorter than the prompt, or Count Prompt read another encoder.
    """
    if encoder not in counts.lengths:
        raise CountError(
            f"the model reads text encoder '{encoder}', but Count Prompt had {_names(counts)}; "
            "connect the CLIP that belongs to the model to Count Prompt"
        )
    prompt_length = counts.lengths[encoder] - cut
    if prompt_length < 1 or length < prompt_length:
        raise too_short(length, prompt_length)
    return TextLayout(length, prompt_length, (TokenSpan(encoder, 0, cut),))


def shared_encoder(counts: Counts, among: tuple[str, ...]) -> str:
    """The encoder that stands for several whose features lie side by side; "" where COUNTS has none of them.

    Args:
        among: keys of such encoders.

    Raises:
        CountError: the encoders cannot lie side by side, or they disagree on the prompt's positions.
    """
    keys = sorted(key for key in counts.tokens if key in among)
    if not keys:
        return ""
    if len(keys) > 1 and not set(keys) <= SHARED_ENCODERS:
        raise CountError(
            f"the model reads one text encoder, but Count Prompt had {', '.join(keys)}; "
            "connect the CLIP that belongs to the model to Count Prompt"
        )
    for key in keys[1:]:
        _check_agreement(counts, keys[0], key)
    return keys[0]


def context_positions(counts: Counts, layout: TextLayout) -> tuple[ObjectTokens, ...]:
    """Positions of each object in the text that the model reads, in object order; all its places together.

    Raises:
        CountError: a noun or attribute was cut off.
    """
    if not counts.objects:
        return ()
    if not counts.tokens:
        raise CountError("COUNTS has no token positions; take it from the Count Prompt node")
    found = []
    for index, item in enumerate(counts.objects):
        places = [(stretch, counts.tokens[stretch.encoder][index]) for stretch in layout.stretches]
        noun = _merged(item.noun, ((stretch, tokens.noun) for stretch, tokens in places))
        attributes = tuple(
            _merged(name, ((stretch, tokens.attributes[which]) for stretch, tokens in places))
            for which, name in enumerate(item.attributes)
        )
        found.append(ObjectTokens(noun, attributes))
    return tuple(found)


def context_words(counts: Counts, layout: TextLayout) -> tuple[WordTokens, ...]:
    """Every word of the prompt with its positions in the text that the model reads, in prompt order."""
    places: dict[str, list[tuple[TokenSpan, tuple[int, ...]]]] = {}
    for stretch in layout.stretches:
        for word in counts.words.get(stretch.encoder, ()):
            places.setdefault(word.word, []).append((stretch, word.positions))
    return tuple(WordTokens(word, _merged(word, at)) for word, at in places.items())


def too_short(length: int, wanted: int) -> CountError:
    """The error for a context that cannot hold the prompt."""
    return CountError(
        f"the model reads {length} text tokens, but the prompt of Count Prompt has {wanted}; "
        "connect the conditioning of the same Count Prompt node to the sampler"
    )


def _merged(word: str, places: Iterable[tuple[TokenSpan, tuple[int, ...]]]) -> tuple[int, ...]:
    positions = {
        stretch.start + position - stretch.cut for stretch, at in places for position in at if position >= stretch.cut
    }
    if not positions:
        raise CountError(f"'{word}' is not in the part of the prompt that the model reads; write the prompt plainly")
    return tuple(sorted(positions))


def _names(counts: Counts) -> str:
    return ", ".join(f"'{key}'" for key in sorted(counts.lengths)) or "none"


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
