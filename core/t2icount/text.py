"""The CLIP text tower, and what a noun becomes in it.

Written out here because the names of its weights differ between versions of the libraries that have one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from .config import TextConfig

_END_TOKEN = 49407
_UNKNOWN = 1 << 30


@dataclass(frozen=True)
class ClassText:
    """What the text tower makes of B nouns.

    Attributes:
        hidden: (B, T, W) last hidden states.
        vector: (B, W) their mean over the noun's own tokens.
        mask: (B, T) 1 on the noun's own tokens, else 0.
    """

    hidden: Tensor
    vector: Tensor
    mask: Tensor

    def __len__(self) -> int:
        return len(self.hidden)

    def __getitem__(self, rows: slice | Tensor) -> ClassText:
        return ClassText(self.hidden[rows], self.vector[rows], self.mask[rows])

    def each_repeated(self, times: int) -> ClassText:
        """Every noun `times` times in a row: (B * times) nouns."""
        return ClassText(*(part.repeat_interleave(times, 0) for part in (self.hidden, self.vector, self.mask)))


class ShortTable(nn.Module):
    """Looks CLIP ids up in a table of the known ones; row 0 stands for every other id.

    Attributes:
        ids: known CLIP ids in rising order, unused places filled with a huge number.
    """

    ids: Tensor

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(rows, width)
        self.register_buffer("ids", torch.full((rows - 1,), _UNKNOWN, dtype=torch.int64))

    def known(self, tokens: Tensor) -> Tensor:
        """Whether the table has a row of its own for each token."""
        return self.ids[self._place(tokens)] == tokens

    def forward(self, tokens: Tensor) -> Tensor:
        rows: Tensor = self.table(torch.where(self.known(tokens), self._place(tokens) + 1, 0))
        return rows

    def _place(self, tokens: Tensor) -> Tensor:
        return torch.searchsorted(self.ids, tokens.to(self.ids)).clamp_max(len(self.ids) - 1)


class _SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            rearrange(project(x), "b t (h c) -> b h t c", h=self.heads)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        out: Tensor = self.out_proj(rearrange(mixed, "b h t c -> b t (h c)"))
        return out


class _Feedforward(nn.Module):
    def __init__(self, width: int, inner: int, activation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.fc1, self.fc2, self.activation = nn.Linear(width, inner), nn.Linear(inner, width), activation

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(self.activation(self.fc1(x)))
        return out


class _Layer(nn.Module):
    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(config.width), nn.LayerNorm(config.width)
        self.self_attn = _SelfAttention(config.width, config.heads)
        self.mlp = _Feedforward(config.width, config.inner, _ACTIVATIONS[config.activation])

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        out: Tensor = x + self.mlp(self.layer_norm2(x))
        return out


def _quick_gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(1.702 * x)


_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"quick_gelu": _quick_gelu, "gelu": functional.gelu}


class _Embeddings(nn.Module):
    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        table = ShortTable if config.short_table else nn.Embedding
        self.token_embedding = table(config.vocabulary, config.width)
        self.position_embedding = nn.Embedding(config.positions, config.width)

    def forward(self, tokens: Tensor) -> Tensor:
        places = torch.arange(tokens.shape[1], device=tokens.device)
        out: Tensor = self.token_embedding(tokens) + self.position_embedding(places)
        return out


class TextTower(nn.Module):
    """Causal, pre-norm transformer over CLIP tokens; padding is not masked (as the authors have it)."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = _Embeddings(config)
        self.encoder = nn.ModuleDict({"layers": nn.ModuleList(_Layer(config) for _ in range(config.layers))})
        self.final_layer_norm = nn.LayerNorm(config.width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T) CLIP ids to (B, T, W) hidden states."""
        x = self.embeddings(tokens)
        layers = self.encoder["layers"]
        for layer in layers.children():
            x = layer(x)
        hidden: Tensor = self.final_layer_norm(x)
        if self.config.zero_padding:
            ends = (tokens == _END_TOKEN).cumsum(1)
            is_said = (ends == 0) | ((ends == 1) & (tokens == _END_TOKEN))
            hidden = hidden * is_said.unsqueeze(-1)
        return hidden


def class_text(hidden: Tensor, mask: Tensor) -> ClassText:
    """Mean over a noun's own tokens (spec: c = sum(h * mask) / sum(mask)).

    Args:
        hidden: (B, T, W).
        mask: (B, T), at least one 1 per row.
    """
    weights = mask.to(hidden).unsqueeze(-1)
    return ClassText(hidden, (hidden * weights).sum(1) / weights.sum(1), mask.to(hidden))
