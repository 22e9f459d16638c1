"""Turns token ids back into the characters they stand for, for every kind of vocabulary that ComfyUI's tokenizers use."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_BYTE_PIECE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
_UNKNOWN_PIECES = frozenset({"<unk>", "[UNK]", "<|unk|>"})

Decoder = Callable[[str], bytes]


@dataclass(frozen=True)
class TokenCharacter:
    """One character of the text that tokens spell.

    Attributes:
        text: the character; `UNKNOWN` for a token that stands for something the vocabulary lacks.
        positions: positions of the tokens that it came from, one or, for a character split into bytes, several.
    """

    text: str
    positions: tuple[int, ...]


def sequence_length(chunks: Sequence[Sequence[tuple[Any, ...]]]) -> int:
    """Number of tokens over all chunks, start and padding included."""
    return sum(len(chunk) for chunk in chunks)


def characters_of(chunks: Sequence[Sequence[tuple[Any, ...]]], encoder: Any, decode: Decoder) -> list[TokenCharacter]:
    """Characters of all chunks laid end to end, spaces left out.

    Args:
        chunks: chunks of (token id or embedding, weight, ...) of one encoder.
        encoder: its ComfyUI `SDTokenizer`.
        decode: of its vocabulary, from `decoder_of`.

    Returns:
        characters in order; embeddings, start, end and padding tokens have none.
    """
    special = {encoder.start_token, encoder.end_token, encoder.pad_token}
    spelled: list[tuple[int, int]] = []  # (byte, position)
    characters: list[TokenCharacter] = []
    for position, entry in enumerate(entry for chunk in chunks for entry in chunk):
        piece = _piece(entry[0], encoder.inv_vocab, special)
        if piece in _UNKNOWN_PIECES:
            characters += _decode_bytes(spelled)
            spelled = []
            characters.append(TokenCharacter(UNKNOWN, (position,)))
        elif piece is not None:
            spelled += [(byte, position) for byte in decode(piece)]
    return characters + _decode_bytes(spelled)


def decoder_of(pieces: Mapping[int, str]) -> Decoder:
    """How a vocabulary writes text: byte-level BPE (CLIP, Qwen), word pieces (BERT), plain bytes (ByT5) or sentencepiece."""
    names = "\n".join(("", *pieces.values(), ""))  # one text is searched sooner than 50,000
    if "\n[CLS]\n" in names:
        return lambda piece: piece.removeprefix("##").encode()
    # First: a sentencepiece vocabulary may hold a "Ġ" of its own, but byte-level ones never write "▁".
    if "\n▁" in names:
        return _from_sentencepiece
    if "</w>\n" in names:
        return lambda piece: _from_byte_alphabet(piece.removesuffix("</w>"))
    if "\nĠ" in names:
        return _from_byte_alphabet
    return lambda piece: bytes([ord(piece)]) if len(piece) == 1 and ord(piece) < 256 else piece.encode()


def _piece(token: object, pieces: Mapping[int, str], special: set[object]) -> str | None:
    """The piece of a token id; None for embeddings, for start, end and padding, and for ids outside the vocabulary."""
    if not isinstance(token, int) or token in special:
        return None
    return pieces.get(token)


def _byte_alphabet() -> dict[str, int]:
    """The letters that byte-level BPE writes bytes with: printable Latin-1 as itself, the rest from U+0100 on (GPT-2)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + index): byte for index, byte in enumerate(others)}


_BYTES = _byte_alphabet()


def _from_byte_alphabet(piece: str) -> bytes:
    if all(letter in _BYTES for letter in piece):
        return bytes(_BYTES[letter] for letter in piece)
    return piece.encode()


def _from_sentencepiece(piece: str) -> bytes:
    byte = _BYTE_PIECE.fullmatch(piece)
    return bytes([int(byte.group(1), 16)]) if byte else piece.replace("▁", " ").encode()


def _decode_bytes(spelled: Sequence[tuple[int, int]]) -> list[TokenCharacter]:
    """UTF-8 characters of bytes that carry their token's position, spaces left out."""
    characters: list[TokenCharacter] = []
    index = 0
    while index < len(spelled):
        if (first := spelled[index])[0] < 0x80:
            if not chr(first[0]).isspace():
                characters.append(TokenCharacter(chr(first[0]), (first[1],)))
            index += 1
            continue
        size = _character_size(spelled[index][0])
        part = spelled[index : index + size]
        try:
            text = bytes(byte for byte, _ in part).decode()
        except UnicodeDecodeError:
            text, part = UNKNOWN, part[:1]
        if not text.isspace():
            characters.append(TokenCharacter(text, tuple(sorted({position for _, position in part}))))
        index += len(part)
    return characters


def _character_size(first: int) -> int:
    """How many bytes a UTF-8 character has, from its first byte."""
    return 1 if first < 0xC0 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
