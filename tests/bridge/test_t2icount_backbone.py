"""ComfyUI's classes as a counter's backbone: which attention they use, and that training reaches their weights."""

from __future__ import annotations

from typing import Any

import comfy.ldm.modules.attention as comfy_attention
import pytest
import torch
from headcount.bridge.t2icount import backbone
from headcount.core.t2icount.config import SHAPES
from torch import Tensor

from ..helpers.counting_sets import with_start_weights


@pytest.mark.parametrize(
    ("device", "dtype", "is_users"),
    [
        ("meta", torch.float32, False),
        ("meta", torch.float16, True),
        ("meta", torch.bfloat16, True),
        ("cpu", torch.bfloat16, False),
    ],
)
@pytest.mark.parametrize("is_watched", [False, True])
def test_whose_attention(
    monkeypatch: pytest.MonkeyPatch, device: str, dtype: torch.dtype, is_users: bool, is_watched: bool
) -> None:
    """The user's, for instance Sage, where it can run; "meta" stands for a graphics card."""
    seen: list[str] = []

    @comfy_attention.wrap_attn
    def users(q: Tensor, *_rest: Any, **_options: Any) -> Tensor:
        seen.append("user's")
        return q

    monkeypatch.setattr(comfy_attention, "optimized_attention", users)
    monkeypatch.setattr(comfy_attention, "attention_pytorch", lambda q, *_, **__: seen.append("torch's") or q)
    unet = backbone.FeatureUNet(SHAPES).to(device, dtype)
    maps = backbone.AttentionMaps() if is_watched else None
    unet(
        torch.zeros(1, 8, 16, 16, device=device, dtype=dtype), torch.zeros(1, 32, 128, device=device, dtype=dtype), maps
    )
    transformers = sum(isinstance(layer, comfy_attention.SpatialTransformer) for layer in unet.modules())
    assert seen == ["user's" if is_users else "torch's"] * (2 * transformers)


def test_half_precision_training_reaches_every_weight() -> None:
    """As training runs it, in bfloat16 around float32 weights, its blocks computed twice."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = with_start_weights(backbone.count_network(SHAPES))
        latent, context = torch.randn(2, 8, 16, 16), torch.randn(2, 32, 128)
    gradients: list[list[Tensor]] = []
    for is_checkpointed in (False, True):
        with torch.autocast("cpu", torch.bfloat16):
            features = network.diffusion_model(latent, context, None, is_checkpointed)
        total = sum(feature.float().square().mean() for feature in features)
        gradients.append(list(torch.autograd.grad(total, list(network.diffusion_model.parameters()))))
    for plain, again in zip(*gradients, strict=True):
        assert plain.abs().max() > 0
        torch.testing.assert_close(again, plain, rtol=0.1, atol=0.1 * plain.abs().max().item())
