"""ISAC steers a run with a ControlNet: its weights are inference tensors too, and ComfyUI adds its output in place."""

from __future__ import annotations

import comfy.cldm.cldm
import comfy.controlnet
import comfy.ops
import comfy.sample
import torch
from headcount.bridge.isac import IsacSettings, with_isac
from headcount.bridge.shapes.files import load_shapes_model
from headcount.bridge.shapes.model import UNET_CONFIG
from headcount.bridge.token_positions import encode_count_prompt

import nodes as comfy_nodes


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


@torch.inference_mode()
def test_steering_with_a_controlnet() -> None:
    shapes, control = load_shapes_model(), random_controlnet()
    assert next(control.control_model.parameters()).is_inference()
    positive, _ = encode_count_prompt(shapes.clip, "three circles")
    negative = shapes.clip.encode_from_tokens_scheduled(shapes.clip.tokenize(""))
    positive, negative = comfy_nodes.ControlNetApplyAdvanced().apply_controlnet(
        positive,
        negative,
        control,
        torch.rand(1, 128, 128, 3, generator=torch.Generator().manual_seed(1)),
        1.0,
        0.0,
        1.0,
    )
    noise = torch.randn(1, 8, 16, 16, generator=torch.Generator().manual_seed(2))

    def sample(model):
        return comfy.sample.sample(
            model,
            noise,
            4,
            3.0,
            "euler",
            "simple",
            positive,
            negative,
            torch.zeros_like(noise),
            disable_pbar=True,
            seed=3,
        )

    steered, handle = with_isac(shapes.model, IsacSettings())
    samples = sample(steered)
    assert torch.isfinite(samples).all()
    assert not torch.equal(samples, sample(shapes.model))
    assert len(handle.record_for(samples)[0].steps) == 4
    assert all(parameter.is_inference() for parameter in control.control_model.parameters())
