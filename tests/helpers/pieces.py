"""A small sentencepiece model, such as UMT5 and Gemma checkpoints carry."""

from __future__ import annotations

import io
from collections.abc import Sequence

import sentencepiece


def pieces_model(sentences: Sequence[str]) -> bytes:
    """A model of the words in `sentences`, as the bytes of its file."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*sentences] * 20),
        model_writer=written,
        vocab_size=360,
        byte_fallback=True,
        hard_vocab_limit=False,
        character_coverage=1.0,
        pad_id=0,
        eos_id=1,
        bos_id=2,
        unk_id=3,
        minloglevel=2,
    )
    return written.getvalue()
