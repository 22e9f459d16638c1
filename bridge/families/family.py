"""What the pack has to know about an architecture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from ...core.attention.calls import AttentionCall, Grid


class Reader(Protocol):
    """Makes sense of the attention calls of one model call, in the order in which they come."""

    def read(
        self, queries: Tensor, keys: Tensor, bias: Tensor | None, options: Mapping[str, Any]
    ) -> AttentionCall | None:
        """One call, or None for one that is not recorded.

        Args:
            queries: (B, H, N, d) as the model's attention gets them.
            keys: (B, H, K, d).
            bias: added to the scores, broadcastable to (B, H, N, K); None for none.
            options: ComfyUI's transformer_options.
        """


@dataclass(frozen=True)
class Family:
    """An architecture.

    Attributes:
        name: what users call its models.
        diffusion: class of ComfyUI's diffusion model.
        reader: a reader for one model call on a latent of (height, width).
        blocks: classes whose forward can be recomputed in the backward pass to save memory, outermost first.
    """

    name: str
    diffusion: type
    reader: Callable[[Grid], Reader]
    blocks: tuple[type, ...]
