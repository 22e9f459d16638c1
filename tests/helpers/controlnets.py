"""A ControlNet for the Shapes model."""

from __future__ import annotations

import comfy.cldm.cldm
import comfy.controlnet
import comfy.ops
import torch
from headcount.bridge.demo_models.model import UNET_CONFIG


def random_controlnet() -> comfy.controlnet.ControlNet:
    """A ControlNet of the Shapes U-Net's shape, with weights made under inference mode, as ComfyUI's loader makes them."""
    config = {
        key: value for key, value in UNET_CONFIG.items() if key not in ("out_channels", "transformer_depth_output")
    }
    network = comfy.cldm.cldm.ControlNet(
        **config, hint_channels=3, dtype=torch.float32, operations=comfy.ops.disable_weight_init
    )
    generator = torch.Generator().manual_seed(0)
    state = {key: torch.randn(value.shape, generator=generator) * 0.02 for key, value in network.state_dict().items()}
    network.load_state_dict(state, assign=True)
    return comfy.controlnet.ControlNet(network, load_device=torch.device("cpu"), manual_cast_dtype=None)
