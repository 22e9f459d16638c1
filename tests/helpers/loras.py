"""A LoRA for the small models, put on as the nodes of ComfyUI put it on."""

from __future__ import annotations

from typing import Any

import comfy.hooks
import comfy.lora
import torch
from comfy_extras.nodes_hooks import CreateHookKeyframe, SetHookKeyframes

from .models import Conditioning, Setup


def lora_file(setup: Setup) -> dict[str, torch.Tensor]:
    """A LoRA of rank 2 for every layer that makes keys, as a file holds it."""
    generator = torch.Generator().manual_seed(8)
    lora = {}
    for name, value in setup.model.model.named_parameters():
        if name.endswith("to_k.weight"):
            stem = name.removesuffix(".weight")
            lora[f"{stem}.lora_up.weight"] = torch.randn(value.shape[0], 2, generator=generator)
            lora[f"{stem}.lora_down.weight"] = torch.randn(2, value.shape[1], generator=generator)
    return lora


def loaded(setup: Setup, model: Any, strength: float = 0.3) -> Any:
    """What Load LoRA does."""
    patched = model.clone()
    patches = comfy.lora.load_lora(lora_file(setup), comfy.lora.model_lora_keys_unet(setup.model.model, {}))
    assert len(patched.add_patches(patches, strength)) == len(patches) > 0
    return patched


def hooked(setup: Setup, text: Conditioning, keyframes: tuple[tuple[float, float], ...] = ()) -> Conditioning:
    """What Create Hook LoRA, Set Hook Keyframes and Cond Set Props do; keyframes: (strength, start percent)."""
    hooks = comfy.hooks.create_hook_lora(lora_file(setup), 0.3, 0.0)
    group = None
    for strength, start in keyframes:
        (group,) = CreateHookKeyframe().create_hook_keyframe(strength, start, group)
    (hooks,) = SetHookKeyframes().set_hook_keyframes(hooks, group)
    return comfy.hooks.set_conds_props(conds=[text], strength=1.0, set_cond_area="default", hooks=hooks)[0]


def state_of(setup: Setup) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in setup.model.model.state_dict().items()}


def same(state: dict[str, torch.Tensor], setup: Setup) -> bool:
    return all(torch.equal(value, state[name]) for name, value in setup.model.model.state_dict().items())
