"""The Shapes video model as it is trained: ComfyUI's Wan transformer and the Shapes text encoder, with gradients."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from .comfy_host import import_comfyui

import_comfyui("--cpu")
import comfy.ops  # noqa: E402
from comfy.ldm.modules.attention import attention_pytorch  # noqa: E402
from comfy.ldm.wan.model import WanModel  # noqa: E402
from headcount.bridge.demo_models.text_encoder import ShapesTextTransformer  # noqa: E402
from headcount.bridge.demo_models.video_model import SHIFT  # noqa: E402
from headcount.bridge.demo_models.video_size import VideoSize  # noqa: E402
from headcount.bridge.gradients.differentiable import training_kernels  # noqa: E402

from .train_shapes import Bank, Trainee, dropped_prompts, flow_loss  # noqa: E402

TIMESTEPS = 1000  # the model is told its sigma in thousandths


class VideoTrainee(Trainee):
    """Wan's transformer in place of the U-Net: (B, 8, F, 16, 16); it knows no words before `start_text`."""

    def __init__(self, size: VideoSize) -> None:
        layers = comfy.ops.disable_weight_init
        transformer = WanModel(**size.config(), dtype=torch.float32, device="cpu", operations=layers)
        super().__init__(torch.empty(0, dtype=torch.int64), transformer)
        start_transformer(transformer)

    def predicted(self, x: Tensor, sigma: Tensor, context: Tensor) -> Tensor:
        options = {"optimized_attention_override": _fused_attention}
        with training_kernels():
            return self.diffusion_model(x, sigma * TIMESTEPS, context, transformer_options=options)


def _fused_attention(_: Any, *arguments: Any, **options: Any) -> Tensor:
    """PyTorch's attention, whichever one ComfyUI would have chosen for its command line."""
    return attention_pytorch(*arguments, **options)


def start_transformer(model: WanModel) -> None:
    """Fresh weights, every block at first the identity (adaLN-Zero, Peebles & Xie 2023, section 3.2)."""
    for part in model.modules():
        if isinstance(part, nn.Linear | nn.Conv3d):
            nn.init.xavier_uniform_(part.weight.flatten(1))
            nn.init.zeros_(part.bias)
        elif isinstance(part, nn.LayerNorm | nn.RMSNorm) and part.weight is not None:
            nn.init.ones_(part.weight)
            if getattr(part, "bias", None) is not None:
                nn.init.zeros_(part.bias)
    zero = [model.head.modulation, model.head.head.weight, model.time_projection[1].weight]
    for block in model.blocks:
        zero += [block.modulation, block.cross_attn.o.weight]
    for weight in zero:
        nn.init.zeros_(weight)


def start_text(text: ShapesTextTransformer, weights: dict[str, Tensor], known: Tensor) -> None:
    """Begin with the weights of a trained Shapes text encoder, its table extended to other words.

    Args:
        weights: of a `ShapesTextTransformer`.
        known: CLIP ids of all words that the prompts use, see `known_words`.
    """
    embedding = text.text_model.embeddings.token_embedding
    ids, rows = embedding.ids.clone(), embedding.table.weight.detach().clone()
    ids[: len(known)] = known
    old, name = (
        weights["text_model.embeddings.token_embedding.ids"],
        "text_model.embeddings.token_embedding.table.weight",
    )
    place = torch.searchsorted(old, known).clamp_max(len(old) - 1)
    had = torch.nonzero(old[place] == known).flatten()
    rows[0], rows[had + 1] = weights[name][0], weights[name][place[had] + 1]
    text.load_state_dict(weights)
    with torch.no_grad():
        embedding.ids.copy_(ids)
        embedding.table.weight.copy_(rows)


def training_loss(model: nn.Module, bank: Bank, generator: torch.Generator, batch: int) -> Tensor:
    """`flow_loss` of one random batch, half of its clips played backwards.

    Noise levels are logit-normal, shifted as the sampler's are (Esser et al. 2024, sections 3.1 and 5.3.2).
    """
    clean, tokens = bank.batch(generator, batch)
    backwards = torch.rand(batch, 1, 1, 1, 1, generator=generator, device=clean.device) < 0.5
    clean = torch.where(backwards, clean.flip(2), clean)
    tokens = torch.where(dropped_prompts(tokens, generator), bank.empty, tokens)
    return flow_loss(model, clean, tokens, generator, math.log(SHIFT))
