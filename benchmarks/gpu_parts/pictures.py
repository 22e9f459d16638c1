"""Does a whole run give the pictures that a CPU gives? The Shapes model, plain and steered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from headcount.bridge.demo_models.files import load_shapes_model

from ..lab.prompts import Case, make_cases
from ..lab.sampling import SHAPES_SAMPLING, Generator, IsacSettings, Method
from .compared import exact_products
from .part import Finding

_CASES, _CASES_ON_A_CPU, _STEPS_ON_A_CPU = 8, 1, 6


def shapes(device: torch.device) -> list[Finding]:
    """Pictures of the same noises on the device and on a CPU; on a CPU, twice there."""
    loaded = load_shapes_model()
    if loaded.model.load_device.type != device.type:
        raise RuntimeError(f"ComfyUI works on {loaded.model.load_device}")
    on_cpu = load_shapes_model().model
    on_cpu.load_device = on_cpu.offload_device = torch.device("cpu")
    cases = make_cases(_CASES // 2, _CASES // 2, seed=7)
    sampling = SHAPES_SAMPLING
    if device.type == "cpu":
        sampling, cases = replace(sampling, steps=_STEPS_ON_A_CPU), cases[:_CASES_ON_A_CPU]
    generator, findings = Generator(loaded, sampling), []
    for name, method in (("plain", Method()), ("steered (anchored)", Method(IsacSettings()))):
        with exact_products():
            here = [_picture(generator, loaded.model, case, method) for case in cases]
            there = [_picture(generator, on_cpu, case, method) for case in cases]
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


def _picture(generator: Generator, model: Any, case: Case, method: Method) -> np.ndarray:
    samples, _ = method.run(replace(generator.sampling(case.prompt, case.seed), model=model))
    return generator.pixels(samples)[0]
