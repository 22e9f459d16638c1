"""Files that graphs need: a small LoRA of the Shapes model, and a small picture."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

from demo.comfy_host import ROOT

LORA, PICTURE = "fuzz.safetensors", "fuzz.png"
_MODEL = ROOT / "demo" / "weights" / "shapes.safetensors"
_LAYERS = "attn2.to_k.weight"


def write_files(base: Path) -> list[Path]:
    """Write both into the folders of ComfyUI's base directory. Returns their paths."""
    lora, picture = base / "models" / "loras" / LORA, base / "input" / PICTURE
    lora.parent.mkdir(parents=True, exist_ok=True)
    save_file(_lora(), lora)
    Image.linear_gradient("L").resize((96, 64)).convert("RGBA").save(picture)
    return [lora, picture]


def _lora() -> dict[str, torch.Tensor]:
    """Of rank 2, for every layer that makes keys of words."""
    generator, lora = torch.Generator().manual_seed(8), {}
    with safe_open(_MODEL, "pt") as model:
        for name in (key for key in model.keys() if key.endswith(_LAYERS)):  # noqa: SIM118 - not a dict
            wide, deep = model.get_slice(name).get_shape()
            stem = name.removesuffix(".weight")
            lora[f"{stem}.lora_up.weight"] = torch.randn(wide, 2, generator=generator) / 10
            lora[f"{stem}.lora_down.weight"] = torch.randn(2, deep, generator=generator) / 10
    return lora
