"""The demo models: whole runs of Shapes against those of a CPU, and what a step of training the video model costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from headcount.bridge.demo_models.emoji_video import FRAMES
from headcount.bridge.demo_models.files import load_shapes_model
from headcount.bridge.demo_models.text_encoder import MAX_LENGTH
from headcount.bridge.gradients.differentiable import training_kernels
from headcount.core.emoji.autoencoder import LATENT_CHANNELS

from demo.emoji.recipes import RECIPES
from demo.step_training import StepTraining
from demo.train_shapes import Bank

from ..lab.command import wait_for
from ..lab.measures import peak_bytes, times
from ..lab.method_runs import run_method
from ..lab.node_methods import Method, read_method
from ..lab.prompts import Case, make_cases
from ..lab.sampling import SHAPES_SAMPLING, Generator
from .compared import exact_products
from .parts import Finding

_CASES, _CASES_ON_A_CPU, _STEPS_ON_A_CPU = 8, 1, 3
_WANTED_MINUTES = 25.0
_ROUNDS, _ROUNDS_ON_A_CPU = 10, 1
_BATCH_ON_A_CPU, _FRAMES_ON_A_CPU = 1, 2
_END = 49407


def pictures(device: torch.device) -> list[Finding]:
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
    for name, method in (("plain", read_method("plain")), ("steered (anchored)", read_method("isac_exact"))):
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
    sampling = replace(generator.sampling(case.prompt, case.seed), model=model)
    return generator.pixels(run_method(sampling, method))[0]


def training(device: torch.device) -> list[Finding]:
    """Steps on noise in place of clips, which cost the same; on a CPU one of a single short clip."""
    recipe, on_cpu = RECIPES["video"], device.type == "cpu"
    batch, frames = (_BATCH_ON_A_CPU, _FRAMES_ON_A_CPU) if on_cpu else (recipe.plan.batch, FRAMES)
    with torch.inference_mode(False):
        latents = torch.randn(batch, LATENT_CHANNELS, frames, 16, 16, generator=torch.Generator().manual_seed(0)).half()
        bank = Bank(latents, torch.full((batch, MAX_LENGTH), _END), torch.full((MAX_LENGTH,), _END), {}).to(device)
        with TemporaryDirectory() as folder:
            model = recipe.begin().to(device)
            trainer = StepTraining(model, Path(folder), "video", recipe.plan).trainer

        def step() -> None:
            generator = torch.Generator(device).manual_seed(trainer.step)
            with training_kernels():
                trainer.take_step([recipe.loss(model, bank, generator, batch)])

        seconds = times({"step": step}, _ROUNDS_ON_A_CPU if on_cpu else _ROUNDS, wait_for(device))["step"]
        memory = peak_bytes(step, model)
    minutes = seconds * recipe.plan.steps / 60
    figures = {
        "million parameters": sum(value.numel() for value in trainer.parameters) / 1e6,
        "clips per step": batch,
        "frames": frames,
        "s per step": seconds,
        "peak GB": memory / 1e9,
    }
    if on_cpu:
        return [Finding("a small step", figures)]
    whole = {**figures, "steps": recipe.plan.steps, "minutes for all": minutes}
    return [Finding("the whole recipe", whole, f"{_WANTED_MINUTES:.0f} minutes", minutes <= _WANTED_MINUTES)]
