"""A custom node for a test server: ComfyUI's own GLIGEN classes for a model's U-Net, untrained.

It lies in the server's custom_nodes and knows nothing of this pack.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from comfy.gligen import GatedSelfAttentionDense, Gligen, PositionNet
from comfy.ldm.modules.attention import BasicTransformerBlock
from comfy.model_patcher import ModelPatcher

CPU = torch.device("cpu")
ALPHA = 0.5  # how much it adds; 0 before training


class RandomGligen:
    """One part for each transformer block."""

    INPUT_TYPES = classmethod(lambda cls: {"required": {"model": ("MODEL",)}})
    RETURN_TYPES: ClassVar = ("GLIGEN",)
    FUNCTION = "build"

    def build(self, model: Any) -> tuple[ModelPatcher]:
        blocks = [one for one in model.model.diffusion_model.modules() if isinstance(one, BasicTransformerBlock)]
        width = blocks[0].attn2.to_k.in_features
        sides = [one.attn1.to_q.in_features for one in blocks]
        with torch.no_grad():
            parts = [GatedSelfAttentionDense(side, width, 2, side // 2) for side in sides]
            network = Gligen(parts, PositionNet(width, width), width)
            generator = torch.Generator().manual_seed(4)
            for name, weights in network.named_parameters():  # ComfyUI leaves them undrawn until a file is loaded
                if weights.ndim > 1:
                    weights.copy_(torch.randn(weights.shape, generator=generator) / weights[0].numel() ** 0.5)
                else:
                    weights.fill_(float(name.endswith("weight")))
            for part in parts:
                part.alpha_attn.fill_(ALPHA)
                part.alpha_dense.fill_(ALPHA)
        return (ModelPatcher(network.eval(), CPU, CPU),)


NODE_CLASS_MAPPINGS = {"TestRandomGligen": RandomGligen}
