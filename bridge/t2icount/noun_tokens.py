"""Nouns as the text tower's input: CLIP's own tokens, from the vocabulary that ComfyUI ships."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from comfy.sd1_clip import SDTokenizer
from torch import Tensor

from ...core.errors import CountError
from ...core.t2icount.network import CountNetwork
from ...core.t2icount.tokens import class_tokens
from ..demo_models.text_encoder import KnownWordsEmbedding

_END_OF_WORD = "</w>"


class NounTokens:
    """Reads nouns for one network."""

    def __init__(self, network: CountNetwork) -> None:
        self._config = network.config.text
        tower: Any = network.text_tower
        table = tower.embeddings.token_embedding
        self._known_ids = table.ids.cpu().clone() if isinstance(table, KnownWordsEmbedding) else None

    @cached_property
    def _tokenizer(self) -> SDTokenizer:
        return SDTokenizer()

    def tokens(self, nouns: Sequence[str]) -> tuple[Tensor, Tensor]:
        """(K, T) ids and (K, T) 1 on each noun's own tokens.

        Raises:
            CountError: a noun is empty, too long, or has a word that the model has never seen.
        """
        if not nouns:
            raise CountError("there is no noun to count")
        rows = [class_tokens(self._ids(noun), self._config, noun) for noun in nouns]
        ids, masks = zip(*rows, strict=True)
        return torch.stack(ids), torch.stack(masks)

    def _ids(self, noun: str) -> list[int]:
        ids: list[int] = self._tokenizer.tokenizer(noun, add_special_tokens=False)["input_ids"]
        if self._known_ids is not None and not torch.isin(torch.tensor(ids), self._known_ids).all():
            raise CountError(
                f"this T2ICount model does not know {noun!r}: it knows {', '.join(self._known_words(self._known_ids))}. "
                "Ask for one of its nouns, or connect another counter"
            )
        return ids

    def _known_words(self, known: Tensor) -> list[str]:
        pieces = (self._tokenizer.inv_vocab.get(token, "") for token in known.tolist())
        words = (piece.removesuffix(_END_OF_WORD) for piece in pieces if piece.endswith(_END_OF_WORD))
        return sorted(word for word in words if word.isalpha())
