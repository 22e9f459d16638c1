"""A small GLIGEN of ComfyUI's own classes, put into a conditioning by ComfyUI's own node."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from comfy.gligen import GatedSelfAttentionDense, Gligen, PositionNet
from comfy.ldm.modules.attention import BasicTransformerBlock
from comfy.model_patcher import ModelPatcher
from torch import Tensor

import nodes as comfy_nodes

from .models import CPU, TINY_WIDTH, Setup, random_weights


class _Clip:
    """A CLIP whose pooled text is random, the same in every call."""

    def tokenize(self, text: str) -> str:
        return text

    def encode_from_tokens(self, tokens: str, return_pooled: str) -> tuple[None, Tensor]:
        assert return_pooled == "unprojected", "that is what GLIGEN was trained on"
        return None, torch.randn(1, TINY_WIDTH, generator=torch.Generator().manual_seed(9))


def random_gligen(setup: Setup, alpha: float = 0.5, inference: bool = True) -> ModelPatcher:
    """One part for each transformer block of the small U-Net; `alpha` is how much it adds."""
    blocks = [one for one in setup.model.model.diffusion_model.modules() if isinstance(one, BasicTransformerBlock)]
    with torch.inference_mode(inference), torch.no_grad():
        parts = [
            GatedSelfAttentionDense(one.attn1.to_q.in_features, TINY_WIDTH, 2, one.attn1.to_q.in_features // 2)
            for one in blocks
        ]
        network = Gligen(parts, PositionNet(TINY_WIDTH, TINY_WIDTH), TINY_WIDTH)
        network.load_state_dict(random_weights(network))
        for part in parts:
            part.alpha_attn.fill_(alpha)
            part.alpha_dense.fill_(alpha)
    return ModelPatcher(network.eval(), CPU, CPU)


def with_boxes(setup: Setup, alpha: float = 0.5, inference: bool = True) -> Setup:
    """Places for two of the prompt's objects."""
    gligen, positive = random_gligen(setup, alpha, inference), setup.positive
    for x in (16, 40):
        boxed: Any = comfy_nodes.GLIGENTextBoxApply().append(positive, _Clip(), gligen, "a cat", 16, 32, x, 16)
        (positive,) = boxed
    return replace(setup, positive=positive)
