"""A small LoRA of the Shapes model among the server's models, so that graphs can hold LoRAs and LoRA hooks."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from demo.comfy_host import ROOT

NAME = "fuzz.safetensors"
_MODEL = ROOT / "demo" / "weights" / "shapes.safetensors"
_LAYERS = "attn2.to_k.weight"


def write_lora(base: Path) -> Path:
    """Write a LoRA of rank 2 into the folder of ComfyUI's base directory. Returns the file."""
    file = base / "models" / "loras" / NAME
    file.parent.mkdir(parents=True, exist_ok=True)
    generator, lora = torch.Generator().manual_seed(8), {}
    with safe_open(_MODEL, "pt") as model:
        for name in (key for key in model.keys() if key.endswith(_LAYERS)):  # noqa: SIM118 - not a dict
            wide, deep = model.get_slice(name).get_shape()
            stem = name.removesuffix(".weight")
            lora[f"{stem}.lora_up.weight"] = torch.randn(wide, 2, generator=generator) / 10
            lora[f"{stem}.lora_down.weight"] = torch.randn(2, deep, generator=generator) / 10
    save_file(lora, file)
    return file
