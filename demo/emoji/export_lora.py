"""Writes what a distilled model learnt as a LoRA of its teacher, in the form that ComfyUI loads.

`python -m demo.emoji.export_lora --student .cache/emoji/emoji_few_step.safetensors --file few_step_lora.safetensors`. Of the
change of each matrix it keeps the strongest directions (singular value decomposition); biases and norms stay whole.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..train_shapes import halved

TEACHER = Path(__file__).resolve().parents[1] / "weights" / "emoji_unet.safetensors"
NETWORK = "diffusion_model."
RANK = 32  # of 96 to 384 rows; what it leaves out is printed


def lora_of(teacher: Mapping[str, Tensor], student: Mapping[str, Tensor], rank: int) -> dict[str, Tensor]:
    """`student` less `teacher`, network alone, under ComfyUI's names for LoRA weights."""
    lora = {}
    for name, weight in student.items():
        layer, _, kind = name.rpartition(".")
        change = weight.float() - teacher[name].float()
        if not name.startswith(NETWORK):
            continue
        if kind == "bias":
            lora[f"{layer}.diff_b"] = change
        elif weight.ndim == 1:
            lora[f"{layer}.diff"] = change
        else:
            up, down = _factors(change.flatten(1), rank)
            lora[f"{layer}.lora_up.weight"] = up.reshape(*up.shape, *[1] * (weight.ndim - 2))
            lora[f"{layer}.lora_down.weight"] = down.reshape(-1, *weight.shape[1:])
    return lora


def _factors(change: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """(m, r) and (r, n) whose product is the best approximation of (m, n) of that rank, equally long."""
    left, lengths, right = torch.linalg.svd(change, full_matrices=False)
    roots = lengths[:rank].sqrt()
    return left[:, :rank] * roots, roots[:, None] * right[:rank]


def kept_share(teacher: Mapping[str, Tensor], student: Mapping[str, Tensor], lora: Mapping[str, Tensor]) -> float:
    """Of the squared change of all matrices, 0..1."""
    whole = kept = 0.0
    for name in (name for name in lora if name.endswith(".lora_up.weight")):
        layer = name.removesuffix(".lora_up.weight")
        change = (student[f"{layer}.weight"].float() - teacher[f"{layer}.weight"].float()).flatten(1)
        found = lora[name].flatten(1) @ lora[f"{layer}.lora_down.weight"].flatten(1)
        whole += float(change.square().sum())
        kept += float(change.square().sum() - (change - found).square().sum())
    return kept / whole


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, default=TEACHER)
    parser.add_argument("--student", type=Path, required=True)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--rank", type=int, default=RANK)
    given = parser.parse_args(arguments)
    teacher, student = load_file(given.teacher), load_file(given.student)
    lora = lora_of(teacher, student, given.rank)
    print(f"rank {given.rank} keeps {kept_share(teacher, student, lora):.1%} of the squared change")
    save_file(halved(lora), given.file)


if __name__ == "__main__":
    main()
