"""Finds the words of counted objects among the tokens of every text encoder.

ComfyUI's tokenizers add start and padding tokens, templates, chunks and embeddings, and drop weight syntax. So nothing is
counted: each token is turned back into its characters, the run of characters is aligned with the prompt, and a noun's
positions are those of the tokens that its characters came from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import dropwhile
from typing import Any

import comfy.model_management
from comfy.sd1_clip import escape_important, token_weights, unescape_important

from ...core.counting import Counted, asked_line
from ...core.errors import CountError
from ...core.prompts import (
    CONDITIONING_KEY,
    Counts,
    FoundObject,
    ObjectTokens,
    Span,
    WordTokens,
    as_carried,
    read_prompt,
)
from .own_text import KEY as OWN_TEXT
from .own_text import ends_of
from .token_alignment import Alignment, align
from .token_characters import TokenCharacter, characters_of, decoder_of, sequence_length

Tokens = Mapping[str, Sequence[Sequence[tuple[Any, ...]]]]

# These read song lyrics and quoted lettering, not the prompt's objects.
_OTHER_TEXT = frozenset({"lyrics", "byt5"})
_WORD = re.compile(r"\w+(?:['’-]\w+)*")
# Their padding stands in front of the prompt, and ComfyUI's text encoder cuts it off.
_PADDING_CUT = frozenset({"gemma3_12b"})
_PROBES = ("7", "zebra")  # two prompts with no common beginning or end, to see what a tokenizer puts around a prompt


def prompt_without_weights(text: str) -> str:
    """The prompt as an encoder reads it: "(red:1.2) cats \\\\(old\\\\)" is "red cats (old)"."""
    return "".join(unescape_important(segment) for segment, _ in token_weights(escape_important(text), 1.0))


def count_prompt(clip: Any, text: str, objects_line: str = "") -> tuple[Tokens, Counts]:
    """Tokens of a prompt, and its counted objects with their token positions.

    Args:
        clip: ComfyUI CLIP.
        text: prompt, with weight syntax.
        objects_line: "2 cats, 1 dog", or empty to count what the prompt says.

    Raises:
        CountError: the line is malformed or names what the prompt does not have, or an encoder lost a noun.
    """
    prompt = prompt_without_weights(text)
    reading = read_prompt(prompt, objects_line)
    tokens: Tokens = clip.tokenize(text)
    located = locate_objects(tokens, clip.tokenizer, prompt, reading.objects)
    return tokens, replace(located, notes=reading.sentences)


def encode_count_prompt(
    clip: Any, text: str, objects_line: str = "", reader: Counted | None = None
) -> tuple[list[Any], Counts]:
    """ComfyUI conditioning of a prompt, with its `Counts` inside under `CONDITIONING_KEY` (`as_carried`), and the `Counts`.

    Args:
        clip: ComfyUI CLIP.
        text: prompt, with weight syntax.
        objects_line: "2 cats, 1 dog", or empty to count what the prompt says.
        reader: what a language model says that the prompt asks for, in place of an empty line.

    Raises:
        CountError: there is no CLIP, `reader` does not count one text, or see `count_prompt`.
    """
    if clip is None:
        raise CountError(
            "clip is missing: the loader connected to Count Prompt gave None. The checkpoint holds no text encoder; "
            "load one with Load CLIP and connect that"
        )
    line = objects_line if objects_line.strip() or reader is None else asked_line(reader)
    tokens, counts = count_prompt(clip, text, line)
    encoded = clip.encode_from_tokens_scheduled(tokens, add_dict={CONDITIONING_KEY: as_carried(counts)})
    return [[text, {**options, OWN_TEXT: ends_of(text)}] for text, options in encoded], counts


def locate_objects(tokens: Tokens, tokenizer: Any, prompt: str, found: Sequence[FoundObject]) -> Counts:
    """`Counts` with the token positions of `found` in every encoder that reads the prompt.

    Args:
        tokens: what `clip.tokenize(text)` returned: encoder key -> chunks of (id or embedding, weight).
        tokenizer: `clip.tokenizer`, which made them.
        prompt: the text without weight syntax.
        found: objects with their character spans in `prompt`.

    Raises:
        CountError: a noun is not among an encoder's tokens, for example because it was cut off there.
        InterruptProcessingException: the user pressed cancel.
    """
    positions: dict[str, tuple[ObjectTokens, ...]] = {}
    words: dict[str, tuple[WordTokens, ...]] = {}
    lengths: dict[str, int] = {}
    # Beside the tokens of its encoders a tokenizer may hand on settings.
    read = {key: chunks for key, chunks in tokens.items() if key not in _OTHER_TEXT and isinstance(chunks, Sequence)}
    tokens = {key: _as_encoded(chunks, tokenizer, key) for key, chunks in read.items()}
    for key in tokens:
        lengths[key] = sequence_length(tokens[key])
        if found:
            characters = _prompt_characters(tokens, tokenizer, key)
            alignment = align(prompt, characters, comfy.model_management.throw_exception_if_processing_interrupted)
            positions[key] = tuple(_object_tokens(item, alignment, key, found, prompt) for item in found)
            words[key] = _word_tokens(prompt, alignment)
        else:
            positions[key] = ()
    return Counts(prompt, tuple(item.item for item in found), positions, lengths, words)


def _prompt_characters(tokens: Tokens, tokenizer: Any, key: str) -> list[TokenCharacter]:
    """Characters of one encoder's tokens, without those of the template around the prompt."""
    encoder = _encoder_tokenizer(tokenizer, key)
    decode = decoder_of(encoder.inv_vocab)
    characters = characters_of(tokens[key], encoder, decode)
    probes = [characters_of(tokenizer.tokenize_with_weights(probe)[key], encoder, decode) for probe in _PROBES]
    before = _common_length([[item.text for item in probe] for probe in probes])
    behind = _common_length([[item.text for item in reversed(probe)] for probe in probes])
    template = probes[0][:before], probes[0][len(probes[0]) - behind :]
    start = before if _texts(characters[:before]) == _texts(template[0]) else 0
    end = len(characters) - behind
    return characters[start : end if _texts(characters[end:]) == _texts(template[1]) else len(characters)]


def _as_encoded(chunks: Sequence[Sequence[tuple[Any, ...]]], tokenizer: Any, key: str) -> Sequence[Sequence[Any]]:
    """The tokens of which the text encoder gives features."""
    if key not in _PADDING_CUT:
        return chunks
    padding = _encoder_tokenizer(tokenizer, key).pad_token
    return [list(dropwhile(lambda entry: entry[0] == padding, chunk)) for chunk in chunks]


def _encoder_tokenizer(tokenizer: Any, key: str) -> Any:
    """The `SDTokenizer` behind an encoder key: ComfyUI names it "clip_l" for "l", or like the key."""
    for name in (f"clip_{key}", key):
        if hasattr(tokenizer, name):
            return getattr(tokenizer, name)
    raise CountError(
        f"text encoder '{key}' of {type(tokenizer).__name__} is not supported: its tokenizer was not found"
    )


def _object_tokens(
    item: FoundObject, alignment: Alignment, key: str, found: Sequence[FoundObject], prompt: str
) -> ObjectTokens:
    noun = _positions(item.nouns, alignment)
    if not noun:
        raise _lost(item.item.noun, key, [other.item.noun for other in found if _positions(other.nouns, alignment)])
    attributes = []
    for name, spans in zip(item.item.attributes, item.attributes, strict=True):
        if not (places := _positions(spans, alignment)):
            raise _lost(name, key, [prompt[slice(*span)] for span in item.nouns])
        attributes.append(places)
    return ObjectTokens(noun, tuple(attributes))


def _word_tokens(prompt: str, alignment: Alignment) -> tuple[WordTokens, ...]:
    """Every word of the prompt, once; words that the encoder lost are left out."""
    spans: dict[str, list[Span]] = {}
    for match in _WORD.finditer(prompt):
        spans.setdefault(match.group().lower(), []).append(match.span())
    located = ((prompt[slice(*places[0])], _positions(places, alignment)) for places in spans.values())
    return tuple(WordTokens(word, positions) for word, positions in located if positions)


def _positions(spans: Sequence[Span], alignment: Alignment) -> tuple[int, ...]:
    return tuple(sorted({position for span in spans for position in alignment.positions(span)}))


def _lost(word: str, key: str, has: Sequence[str]) -> CountError:
    there = f"it has: {', '.join(has)}" if has else "it has none of the counted words"
    return CountError(
        f"'{word}' is not among the tokens of text encoder '{key}'; {there}. Shorten the prompt or write it plainly"
    )


def _texts(characters: Sequence[TokenCharacter]) -> list[str]:
    return [item.text for item in characters]


def _common_length(texts: Sequence[Sequence[str]]) -> int:
    """How many items two sequences share from their beginning."""
    same = 0
    for one, other in zip(*texts, strict=False):
        if one != other:
            break
        same += 1
    return same


__all__ = ["Tokens", "count_prompt", "encode_count_prompt", "locate_objects", "prompt_without_weights"]
