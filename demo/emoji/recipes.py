"""The Emoji diffusion models by name: how each begins, what it minimises, and how long it is trained.

A further model is a further entry: `begin` may build any network of ComfyUI's that takes (latent, 1000 sigma, context).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..step_training import Plan
from ..train_shapes import Bank, Trainee, fresh_unet, start_weights, training_loss
from .bank import clip_bank, every_known_word, frame_bank, latent_bank
from .distilled import distilled_loss, taught_loss
from .video import clip_loss, video_trainee

# demo.train_shapes has put the pack on the import path
import comfy.ops  # isort: skip
from comfy.ldm.lumina.model import NextDiT  # isort: skip
from headcount.bridge.demo_models.emoji import EMOJI_TRANSFORMER_CONFIG, EMOJI_UNET_CONFIG  # isort: skip
from headcount.bridge.demo_models.emoji_text import EMOJI_CLIP_CONFIG  # isort: skip


@dataclass(frozen=True)
class Recipe:
    """How to train one model.

    Attributes:
        begin: the model with fresh weights, from PyTorch's global generator.
        plan: steps, batch and rate.
        loss: mean loss of one random batch of so many scenes, from model, bank, generator and batch; with a teacher, that
            comes first.
        bank: what it is trained on; see `latent_bank`.
        teacher: a model to learn from, before its weights are there, whose text encoder the student takes over for good.
    """

    begin: Callable[[], Trainee]
    plan: Plan
    loss: Callable[..., Tensor] = training_loss
    bank: Callable[..., Bank] = latent_bank
    teacher: Callable[[], Trainee] | None = None


def unet_trainee() -> Trainee:
    """The U-Net of the Shapes model, on more channels, and its text encoder with more words."""
    return Trainee(every_known_word(), fresh_unet(EMOJI_UNET_CONFIG), EMOJI_CLIP_CONFIG)


class TransformerTrainee(Trainee):
    """ComfyUI's Lumina network takes noise levels as they are, and wants to know how long the text is."""

    def predicted(self, x: Tensor, sigma: Tensor, context: Tensor) -> Tensor:
        return self.diffusion_model(x, sigma, context=context, num_tokens=context.shape[1])


def fresh_transformer() -> NextDiT:
    """The network with fresh weights: each block changes nothing at first, and the prediction is 0."""
    network = NextDiT(
        **EMOJI_TRANSFORMER_CONFIG, dtype=torch.float32, device="cpu", operations=comfy.ops.disable_weight_init
    )
    start_weights(network)
    for name, parameter in network.named_parameters():
        if "norm" in name or name == "cap_embedder.0.weight":
            nn.init.ones_(parameter)
        elif "adaLN_modulation" in name or name.startswith("final_layer.linear"):
            nn.init.zeros_(parameter)
    return network


def transformer_trainee() -> Trainee:
    """A joint-attention transformer of the kind of Z-Image, with a text encoder like the U-Net's."""
    return TransformerTrainee(every_known_word(), fresh_transformer(), EMOJI_CLIP_CONFIG)


_PLAN = Plan(steps=12000, batch=256, rate=1e-3, betas=(0.9, 0.95), weight_decay=1e-3)
RECIPES = {
    "unet": Recipe(unet_trainee, _PLAN),
    "transformer": Recipe(transformer_trainee, _PLAN),
    "taught_transformer": Recipe(transformer_trainee, _PLAN, taught_loss, teacher=unet_trainee),
    "taught_video": Recipe(video_trainee, _PLAN, taught_loss, frame_bank, teacher=unet_trainee),
    "video": Recipe(video_trainee, _PLAN, clip_loss, clip_bank),
    "few_step": Recipe(unet_trainee, replace(_PLAN, steps=3000, rate=2e-4), distilled_loss, teacher=unet_trainee),
}
