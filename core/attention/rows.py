"""Some rows of a call's attention matrix at a time: their probabilities, and where a gradient on them goes.

Whole matrices of a fine grid take gigabytes; nothing here is larger than a block of rows.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import CountError
from .calls import AttentionCall

# Scores of all heads that are alive at a time, 64 MB in float32, of which about three copies are made. A CPU is fastest
# where they fit its cache: 3.4 s against 5.0 s with eight times as many, for all rows of SD1.5's attention at 512 x 512.
_MAX_SCORES = 1 << 24
_MAX_SCORES_ON_CPU = 1 << 20


class PictureRows:
    """One picture of a call, without the model's graph.

    Scores are computed in float32, or in float64 for a float64 model, with the bias of the call.

    Raises:
        CountError: the call has no heads.
    """

    def __init__(self, call: AttentionCall, item: int) -> None:
        self.heads = call.queries.shape[1]
        if self.heads == 0:
            raise CountError(f"attention call '{call.layer}' has no heads")
        self.dtype = torch.promote_types(call.queries.dtype, torch.float32)
        self._queries = call.queries[item].detach()
        self._keys = call.keys[item].detach().to(self.dtype)
        self._scale = self._queries.shape[-1] ** -0.5
        bias = call.bias
        self._bias = None if bias is None else bias[item if bias.shape[0] > 1 else 0].detach().to(self.dtype)

    def blocks(self, rows: Tensor) -> tuple[Tensor, ...]:
        """`rows` in parts that are small enough to be worked on at once."""
        most = _MAX_SCORES_ON_CPU if self._keys.device.type == "cpu" else _MAX_SCORES
        blocks: tuple[Tensor, ...] = rows.split(max(1, most // (self.heads * self._keys.shape[1])))
        return blocks

    def all_rows(self) -> Tensor:
        """(N,) indices of all rows."""
        return torch.arange(self._queries.shape[1], device=self._queries.device)

    def _scaled_queries(self, rows: Tensor) -> Tensor:
        queries: Tensor = self._queries[:, rows].to(self.dtype) * self._scale
        return queries

    def _probabilities(self, queries: Tensor, rows: Tensor) -> Tensor:
        scores = queries @ self._keys.transpose(1, 2)
        if self._bias is not None:
            scores += self._bias[:, rows] if self._bias.shape[1] > 1 else self._bias
        return torch.softmax(scores, dim=-1)

    def head_sums(self, rows: Tensor) -> Tensor:
        """Probabilities of `rows`, summed over the heads (ISAC, eq. 1 and 2): (n,) to (n, K)."""
        return self._probabilities(self._scaled_queries(rows), rows).sum(0)

    def gradient(self, rows: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Carry a gradient on `head_sums(rows)` through the softmax.

        Args:
            rows: (n,) indices of rows.
            gradient: (n, K).

        Returns:
            (H, n, d) gradient of those queries and (H, K, d) of all keys.
        """
        queries = self._scaled_queries(rows)
        by_score = self._probabilities(queries, rows)
        mean = torch.einsum("hnk,nk->hn", by_score, gradient)
        by_score *= gradient - mean[..., None]
        return by_score @ self._keys * self._scale, by_score.transpose(1, 2) @ queries
