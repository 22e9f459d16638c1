"""The Shapes video model as it is trained: ComfyUI's Wan transformer and the Shapes text encoder, with gradients."""

from __future__ import annotations

import math
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

from .comfy_host import import_comfyui

import_comfyui("--cpu")
import comfy.ops  # noqa: E402
from comfy.ldm.modules.attention import attention_pytorch  # noqa: E402
from comfy.ldm.wan.model import WanModel  # noqa: E402
from headcount.bridge.demo_models.text_encoder import (  # noqa: E402
    CLIP_CONFIG,
    VOCABULARY_SIZE,
    ShapesTextTransformer,
)
from headcount.bridge.demo_models.video_model import SHIFT  # noqa: E402
from headcount.bridge.demo_models.video_size import VideoSize  # noqa: E402
from headcount.bridge.gradients.differentiable import training_kernels  # noqa: E402

from .train_shapes import END_TOKEN, out_of_place, start_weights  # noqa: E402
from .video_bank import ClipBank  # noqa: E402

PROMPT_DROPOUT = 0.1
TIMESTEPS = 1000  # the model is told its sigma in thousandths


class VideoTrainee(nn.Module):
    """Transformer and text encoder; predicts the velocity, noise minus latent."""

    def __init__(self, size: VideoSize) -> None:
        super().__init__()
        layers = comfy.ops.disable_weight_init
        self.diffusion_model = WanModel(**size.config(), dtype=torch.float32, device="cpu", operations=layers)
        self.text = ShapesTextTransformer(dict(CLIP_CONFIG), torch.float32, "cpu", layers)
        for layer in self.text.text_model.encoder.layers:
            layer.forward = MethodType(out_of_place, layer)  # ComfyUI adds in place, which autograd cannot undo
        start_weights(self.text)
        start_transformer(self.diffusion_model)

    def forward(self, x: Tensor, sigma: Tensor, tokens: Tensor) -> Tensor:
        """(B, 8, F, 16, 16) velocity at (B,) noise levels for (B, 32) prompts."""
        context = self.text.text_model(tokens, dtype=torch.float32)[0]
        ended = (tokens == END_TOKEN).cumsum(1)
        first_end_or_before = (ended == 0) | ((ended == 1) & (tokens == END_TOKEN))
        context = context * first_end_or_before.unsqueeze(-1)
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
        known: CLIP ids of all words that the prompts use, in rising order.

    Raises:
        ValueError: there are too many words.
    """
    if len(known) >= VOCABULARY_SIZE:
        raise ValueError(f"the prompts use {len(known)} tokens; the embedding table holds {VOCABULARY_SIZE - 1}")
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


def training_loss(model: nn.Module, bank: ClipBank, generator: torch.Generator, batch: int) -> Tensor:
    """Mean squared error of the predicted velocity on one random batch, half of its clips played backwards.

    Noise levels are logit-normal, shifted as the sampler's are (Esser et al. 2024, sections 3.1 and 5.3.2).
    """
    device = bank.latents.device
    chosen = torch.randint(len(bank.latents), (batch,), generator=generator, device=device)
    backwards = torch.rand(batch, 1, 1, 1, 1, generator=generator, device=device) < 0.5
    clean, tokens = bank.latents[chosen].float(), bank.tokens[chosen]
    clean = torch.where(backwards, clean.flip(2), clean)
    dropped = torch.rand(batch, 1, generator=generator, device=device) < PROMPT_DROPOUT
    tokens = torch.where(dropped, bank.empty, tokens)
    noise = torch.randn(clean.shape, generator=generator, device=device)
    sigma = torch.sigmoid(torch.randn(batch, generator=generator, device=device) + math.log(SHIFT))
    level = sigma.view(-1, 1, 1, 1, 1)
    with torch.autocast(device.type, torch.bfloat16):
        velocity = model((1 - level) * clean + level * noise, sigma, tokens)
    return (velocity.float() - (noise - clean)).square().mean()
