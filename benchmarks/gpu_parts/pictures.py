"""Does a whole run give the pictures that a CPU gives? The Shapes model, plain and steered."""

from __future__ import annotations

from typing import Any

import comfy.sample
import numpy as np
import torch
from headcount.bridge.demo_models.files import load_shapes_model
from headcount.bridge.demo_models.model import ShapesModel
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.prompts.token_positions import encode_count_prompt

from ..effect_cases import Case, make_cases
from .compared import exact_products
from .part import Finding

_CFG = 3.0
_STEPS, _CASES = 20, 8
_STEPS_ON_A_CPU, _CASES_ON_A_CPU = 6, 1


def shapes(device: torch.device) -> list[Finding]:
    """Pictures of the same noises on the device and on a CPU; on a CPU, twice there."""
    loaded = load_shapes_model()
    if loaded.model.load_device.type != device.type:
        raise RuntimeError(f"ComfyUI works on {loaded.model.load_device}")
    on_cpu = load_shapes_model().model
    on_cpu.load_device = on_cpu.offload_device = torch.device("cpu")
    cases = make_cases(_CASES // 2, _CASES // 2, seed=7)
    steps = _STEPS
    if device.type == "cpu":
        steps, cases = _STEPS_ON_A_CPU, cases[:_CASES_ON_A_CPU]
    findings = []
    for name, settings in (("plain", None), ("steered (anchored)", IsacSettings())):
        with exact_products():
            here = [_picture(loaded, loaded.model, case, settings, steps) for case in cases]
            there = [_picture(loaded, on_cpu, case, settings, steps) for case in cases]
        findings.append(_compared(name, cases, here, there))
    return findings


def _compared(name: str, cases: list[Case], here: list[np.ndarray], there: list[np.ndarray]) -> Finding:
    counts = [(case.count(a), case.count(b)) for case, a, b in zip(cases, here, there, strict=True)]
    same = sum(a == b for a, b in counts)
    right = [sum(pair[side] == case.asked for case, pair in zip(cases, counts, strict=True)) for side in range(2)]
    differences = [np.abs(a.astype(float) - b).mean() for a, b in zip(here, there, strict=True)]
    figures = {
        "pictures": len(cases),
        "same counts": same,
        "as asked here": right[0],
        "as asked on a CPU": right[1],
        "mean difference of 255": float(np.mean(differences)),
    }
    return Finding(name, figures, "the same counts, 2 of 255", bool(same == len(cases) and max(differences) <= 2))


def _picture(loaded: ShapesModel, model: Any, case: Case, settings: IsacSettings | None, steps: int) -> np.ndarray:
    positive, _ = encode_count_prompt(loaded.clip, case.prompt, "")
    negative = loaded.clip.encode_from_tokens_scheduled(loaded.clip.tokenize(""))
    steered = model if settings is None else with_isac(model, settings)[0]
    latent = comfy.sample.fix_empty_latent_channels(model, torch.zeros(1, 4, 16, 16))
    noise = comfy.sample.prepare_noise(latent, case.seed)
    samples = comfy.sample.sample(
        steered, noise, steps, _CFG, "euler", "simple", positive, negative, latent, disable_pbar=True, seed=case.seed
    )
    return (loaded.vae.decode(samples)[0].float().cpu().numpy() * 255).round().astype(np.uint8)
