"""What the pack has to know about an architecture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from ...core.attention import AttentionCall, Grid
from ...core.prompts import Counts, TextLayout

Options = Mapping[str, Any]
FOR_GRADIENT = "headcount_for_gradient"
"""In `transformer_options`: True for a model call that this pack makes for a gradient, with or without a graph."""


@dataclass(frozen=True)
class ModelInputs:
    """What ComfyUI hands to the model in one call.

    Attributes:
        diffusion: ComfyUI's diffusion model.
        latent: (height, width) of the latent, of a part of it where a conditioning has an area.
        text: number of tokens in the text context.
        conditions: ComfyUI's further inputs by name, such as "ref_latents".
        options: ComfyUI's transformer_options, a copy for this call.
        frames: of the latent, of one context window where the run has several; 1 for a picture.
    """

    diffusion: Any
    latent: Grid
    text: int
    conditions: Mapping[str, Any]
    options: Options
    frames: int = 1


Record = Callable[[AttentionCall, Options], None]


class Reader(Protocol):
    """Makes sense of the attention calls of a model, in the order in which they come.

    Attributes:
        one_grid: all layers work on one grid, so that fine self-attention has no coarser layer to stand in for it.
    """

    one_grid: bool

    def begin(self, inputs: ModelInputs, record: Record) -> AbstractContextManager[None]:
        """Around one model call; the reader of a model whose attention ComfyUI does not show hands its calls to `record`.

        Raises:
            CountError: these inputs cannot be read.
        """

    def read(self, queries: Tensor, keys: Tensor, bias: Tensor | None, options: Options) -> AttentionCall | None:
        """One call, or None for one that is not recorded.

        Its queries are all of `queries`, or those of its `image`; its keys are the first ones of `keys`.

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
        diffusion: classes of ComfyUI's diffusion models that are read.
        models: classes of ComfyUI's models around them, which say what a diffusion model gets.
        reader: a reader for runs on a latent of (height, width).
        blocks: classes whose forward can be recomputed in the backward pass to save memory, outermost first.
        text_layout: where the tokens of a prompt lie in the text that the model reads, from a processed conditioning of
            ComfyUI. Raises CountError where the conditioning is of another prompt or of other text encoders.
        unread: models of these very classes that are not read: what users call them, to a test of the diffusion model.
        overwritten: names of modules whose input the block around them overwrites, while backward still needs it.
        moves_with_text: whether tokens in front of a conditioning's text move the words; not where they come from elsewhere.
    """

    name: str
    diffusion: tuple[type, ...]
    models: tuple[type, ...]
    reader: Callable[[Grid], Reader]
    blocks: tuple[type, ...]
    text_layout: Callable[[Counts, Mapping[str, Any]], TextLayout]
    unread: Mapping[str, Callable[[Any], bool]] = field(default_factory=dict)
    overwritten: frozenset[str] = frozenset()
    moves_with_text: bool = True

    def has(self, model: Any) -> bool:
        """Whether ComfyUI's `model` (a BaseModel) is of this family, and read."""
        return self._is_of(model) and self.unread_name(model) is None

    def unread_name(self, model: Any) -> str | None:
        """What users call a model of this family's classes that is not read; None for all others."""
        if not self._is_of(model):
            return None
        return next((name for name, is_one in self.unread.items() if is_one(model.diffusion_model)), None)

    def _is_of(self, model: Any) -> bool:
        diffusion = getattr(model, "diffusion_model", None)
        return comfy_class(diffusion) in self.diffusion and comfy_class(model) in self.models


def comfy_class(module: Any) -> type | None:
    """The nearest of ComfyUI's own classes that `module` is of; None for another pack's.

    A class of ComfyUI's that derives from one that is read lays out its tokens in its own way, as Wan's S2V does.
    """
    return next((kind for kind in type(module).__mro__ if kind.__module__.partition(".")[0] == "comfy"), None)
