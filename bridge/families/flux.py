"""Flux 1 and 2: joint attention in double and single blocks, [text, image, reference images]."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from comfy.ldm.flux.model import Flux
from comfy.model_base import Flux as FluxBase
from comfy.model_base import Flux2
from torch import nn

from ...core.attention import Grid
from ...core.prompts import Counts, TextLayout, TokenSpan, one_encoder
from .family import Family, ModelInputs, Record
from .joint import JointReader, TokenOrder, patches, text_first

_NORMS = frozenset({"img_norm1", "img_norm2", "txt_norm1", "txt_norm2", "pre_norm"})
_FLUX_2 = ("mistral3_24b", "qwen3_4b", "qwen3_8b")  # of Dev, and of Klein 4B and 9B
_FLUX_2_TEXT = 512  # ComfyUI pads shorter contexts of Flux 2 on the left


def order_of(inputs: ModelInputs) -> TokenOrder:
    """The picture comes first among the images; Kontext's references follow it."""
    patch = inputs.diffusion.patch_size
    return text_first(inputs, patch, reference_tokens(inputs, patch))


def reference_tokens(inputs: ModelInputs, patch: int) -> int:
    """How many image tokens belong to reference latents, (B, C, h, w) or (B, C, F, h, w)."""
    tokens = 0
    for latent in inputs.conditions.get("ref_latents") or ():
        height, width = patches((latent.shape[-2], latent.shape[-1]), patch)
        tokens += height * width * (latent.shape[2] if latent.ndim == 5 else 1)
    return tokens


def text_layout(counts: Counts, conditioning: Mapping[str, Any]) -> TextLayout:
    """T5's tokens; CLIP's enter Flux 1 as one pooled vector. Flux 2 Dev reads Mistral's, Klein Qwen's with its template."""
    length = conditioning["cross_attn"].shape[1]
    encoder = next((key for key in _FLUX_2 if key in counts.lengths), None)
    if encoder is None:
        return one_encoder(counts, "t5xxl", length)
    layout = one_encoder(counts, encoder, length)
    padding = max(_FLUX_2_TEXT - length, 0)
    return TextLayout(length + padding, layout.own + padding, (TokenSpan(encoder, padding),))


class OverwritingReader(JointReader):
    """Reads models whose blocks overwrite their input, such as Flux's, and lets gradients through them."""

    @contextmanager
    def begin(self, inputs: ModelInputs, record: Record) -> Iterator[None]:
        with super().begin(inputs, record), ExitStack() as stack:
            if torch.is_grad_enabled():
                for module in inputs.diffusion.modules():
                    _keep_apart(module, stack)
            yield


def _keep_apart(block: nn.Module, stack: ExitStack) -> None:
    """Until `stack` closes, norms read a copy: the block overwrites their input, which backward needs."""
    for name, norm in block.named_children():
        if name in _NORMS:
            stack.callback(norm.register_forward_pre_hook(lambda _, inputs: (inputs[0].clone(),)).remove)


def overwriting_reader(order_of: Callable[[ModelInputs], TokenOrder]) -> Callable[[Grid], JointReader]:
    """What a family of such blocks gives as its reader."""
    return lambda _: OverwritingReader(order_of)


def _is_ovis(diffusion: Any) -> bool:
    """Whether a Flux has what ComfyUI's loader knows Ovis-Image by."""
    parameters = getattr(diffusion, "params", None)
    return parameters is not None and bool(parameters.yak_mlp and parameters.txt_norm)


# No blocks to recompute: each overwrites its own input, so that a second run would start from another one.
FLUX = Family(
    "Flux 1 and 2, Kontext",
    (Flux,),
    (FluxBase, Flux2),
    overwriting_reader(order_of),
    (),
    text_layout,
    unread={"Ovis-Image": _is_ovis},
)
