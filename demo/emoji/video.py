"""The Emoji video model as it is trained: ComfyUI's Wan transformer on clips, and on single pictures at first."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..train_shapes import Bank, Trainee, dropped_prompts, flow_loss
from .bank import every_known_word

# demo.train_shapes has put the pack on the import path
import comfy.ops  # isort: skip
from comfy.ldm.wan.model import WanModel  # isort: skip
from headcount.bridge.demo_models.emoji_text import EMOJI_CLIP_CONFIG  # isort: skip
from headcount.bridge.demo_models.emoji_video import EMOJI_VIDEO_CONFIG, SHIFT  # isort: skip


class VideoTrainee(Trainee):
    """Takes clips (B, C, F, h, w), and single pictures (B, C, h, w) as clips of one frame."""

    def predicted(self, x: Tensor, sigma: Tensor, context: Tensor) -> Tensor:
        clips = x if x.ndim == 5 else x.unsqueeze(2)
        return self.diffusion_model(clips, sigma * 1000, context).view_as(x)


def video_trainee() -> Trainee:
    """A small Wan 2.1, with a text encoder like the U-Net's."""
    network = WanModel(
        **EMOJI_VIDEO_CONFIG, dtype=torch.float32, device="cpu", operations=comfy.ops.disable_weight_init
    )
    start_transformer(network)
    return VideoTrainee(every_known_word(), network, EMOJI_CLIP_CONFIG)


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


def clip_loss(model: nn.Module, bank: Bank, generator: torch.Generator, batch: int) -> Tensor:
    """`flow_loss` of one random batch, half of its clips played backwards.

    Noise levels are logit-normal, shifted as the sampler's are (Esser et al. 2024, sections 3.1 and 5.3.2).
    """
    clean, tokens = bank.batch(generator, batch)
    backwards = torch.rand(batch, 1, 1, 1, 1, generator=generator, device=clean.device) < 0.5
    clean = torch.where(backwards, clean.flip(2), clean)
    tokens = torch.where(dropped_prompts(tokens, generator), bank.empty, tokens)
    return flow_loss(model, clean, tokens, generator, math.log(SHIFT))
