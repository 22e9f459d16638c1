"""Losses of a model that learns from a finished one.

`distilled_loss` makes a model of few steps, which goes in one step as far as its teacher does in several: one round of
progressive distillation (Salimans & Ho 2022), with classifier-free guidance taken in as well (Meng et al. 2023). The student,
at cfg 1, predicts the mean velocity of the teacher's guided path over an eighth of the schedule.
`taught_loss` gives the teacher's behaviour to another network (Hinton et al. 2015): the teacher's velocity has none of the
noise that a scene's own has, so that it takes far fewer scenes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..train_shapes import SHIFT, Bank, dropped_prompts, noised

STEPS = 8
SUBSTEPS = 2  # of the teacher, in one of the student's: its 16 are nearly the 20 that it is sampled with
GUIDANCE = 3.0


@torch.no_grad()
def guided_path(teacher: nn.Module, x: Tensor, start: Tensor, end: Tensor, tokens: Tensor, empty: Tensor) -> Tensor:
    """Where the teacher's guided Euler steps bring x (B, C, h, w) from noise level `start` (B,) to `end` (B,)."""
    both = torch.cat([tokens, empty.expand_as(tokens)])
    stride = (end - start) / SUBSTEPS
    for step in range(SUBSTEPS):
        level = start + stride * step
        wanted, unguided = teacher(torch.cat([x, x]), torch.cat([level, level]), both).float().chunk(2)
        x = x + stride.view(-1, 1, 1, 1) * (unguided + GUIDANCE * (wanted - unguided))
    return x


def distilled_loss(teacher: nn.Module, model: nn.Module, bank: Bank, generator: torch.Generator, batch: int) -> Tensor:
    """Mean squared error of the mean velocity over one of `STEPS` steps, on one random batch.

    Half of the steps begin where the student's sampler will be, the others anywhere.
    """
    clean, tokens = bank.batch(generator, batch)
    where = {"generator": generator, "device": clean.device}
    noise = torch.randn(clean.shape, **where)
    start = 1 - torch.rand(batch, **where)  # never 0
    start = torch.where(torch.rand(batch, **where) < 0.5, (start * STEPS).ceil() / STEPS, start)
    end = (start - 1 / STEPS).clamp_min(0)
    level = start.view(-1, 1, 1, 1)
    x = (1 - level) * clean + level * noise
    with torch.autocast(clean.device.type, torch.bfloat16):
        reached = guided_path(teacher, x, start, end, tokens, bank.empty)
        velocity = model(x, start, tokens)
    return (velocity.float() - (x - reached) / (start - end).view(-1, 1, 1, 1)).square().mean()


def taught_loss(teacher: nn.Module, model: nn.Module, bank: Bank, generator: torch.Generator, batch: int) -> Tensor:
    """Mean squared error from the teacher's velocity, on one random batch with the noise levels of `training_loss`."""
    clean, tokens = bank.batch(generator, batch)
    tokens = torch.where(dropped_prompts(tokens, generator), bank.empty, tokens)
    x, level, _ = noised(clean, generator, SHIFT)
    with torch.autocast(clean.device.type, torch.bfloat16):
        with torch.no_grad():
            wanted = teacher(x, level, tokens)
        velocity = model(x, level, tokens)
    return (velocity.float() - wanted.float()).square().mean()
