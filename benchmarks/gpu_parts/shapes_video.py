"""What does a step of training the Shapes video model cost, and how long would all of its recipe take?"""

from __future__ import annotations

import torch
from headcount.bridge.demo_models.files import WEIGHTS
from headcount.bridge.demo_models.text_encoder import MAX_LENGTH

from demo.train_shapes_video import RECIPES, Training, new_training
from demo.video_bank import ClipBank
from demo.video_scenes import FRAMES
from demo.video_trainee import training_loss

from ..cost_measures import peak_bytes, times
from .costs import wait_for
from .part import Finding

_WANTED_MINUTES = 25.0
_ROUNDS, _ROUNDS_ON_A_CPU = 10, 1
_BATCH_ON_A_CPU, _FRAMES_ON_A_CPU = 1, 2
_END = 49407


def training(device: torch.device) -> list[Finding]:
    """Steps on noise in place of clips, which cost the same; on a CPU one small step of the small model."""
    recipe, on_cpu = RECIPES[device.type], device.type == "cpu"
    batch, frames = (_BATCH_ON_A_CPU, _FRAMES_ON_A_CPU) if on_cpu else (recipe.batch, FRAMES)
    with torch.inference_mode(False):
        latents = torch.randn(batch, 8, frames, 16, 16, generator=torch.Generator().manual_seed(0)).half()
        bank = ClipBank(latents, torch.full((batch, MAX_LENGTH), _END), torch.full((MAX_LENGTH,), _END)).to(device)
        trained = new_training(recipe.size, bank, WEIGHTS, 0, device)

        def step() -> None:
            _step(trained, bank, batch)

        seconds = times({"step": step}, _ROUNDS_ON_A_CPU if on_cpu else _ROUNDS, wait_for(device))["step"]
        memory = peak_bytes(step, trained.model)
    minutes = seconds * recipe.steps / 60
    figures = {
        "million parameters": sum(value.numel() for value in trained.ema) / 1e6,
        "clips per step": batch,
        "frames": frames,
        "s per step": seconds,
        "peak GB": memory / 1e9,
    }
    if on_cpu:
        return [Finding("a small step", figures)]
    whole = {**figures, "steps": recipe.steps, "minutes for all": minutes}
    return [Finding("the whole recipe", whole, f"{_WANTED_MINUTES:.0f} minutes", minutes <= _WANTED_MINUTES)]


def _step(trained: Training, bank: ClipBank, batch: int) -> None:
    generator = torch.Generator(bank.latents.device).manual_seed(trained.step)
    trained.take_step(training_loss(trained.model, bank, generator, batch), 1e-4)
