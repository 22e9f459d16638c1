"""One call of a small model, and what is read of it: what every claim about an architecture is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import comfy.samplers
import comfy.utils
import torch
from headcount.bridge.attention.capture import Capture
from headcount.bridge.attention.hook import hooked_options, users_own
from headcount.bridge.families.table import RECORDED_FAMILIES, family_of
from headcount.core.attention.calls import AttentionCall
from torch import Tensor

from .families import Small
from .models import CPU, Setup

NODE = "a test"
SIGMA = 0.8


def random(*shape: int, seed: int = 0) -> Tensor:
    """Normal random numbers, the same in every call."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def noise(one: Small, batch: int = 1) -> Tensor:
    """(batch, C, ..., h, w) a latent of the small model's picture or video, without its sound."""
    return random(one.batch(batch), *one.shape)


def given(setup: Setup, text: Tensor | None = None, **more: Any) -> Setup:
    """With another text, or with further entries in the positive conditioning."""
    own, options = setup.positive[0]
    return replace(setup, positive=[[own if text is None else text, {**options, **more}]])


def as_sampled(setup: Setup, x: Tensor) -> tuple[Tensor, list[torch.Size]]:
    """The state as ComfyUI's samplers have it, with the shapes of its streams: video and sound lie end to end in it."""
    streams = [x, *(random(len(x), *setup.sound, seed=9) for _ in setup.sound[:1])]
    if len(streams) == 1:
        return x, [x.shape]
    packed, shapes = comfy.utils.pack_latents(streams)
    return packed, shapes


def positive_of(setup: Setup, x: Tensor) -> dict[str, Any]:
    """ComfyUI's processed positive conditioning for a latent."""
    state, shapes = as_sampled(setup, x)
    with torch.inference_mode():
        conds = {"positive": comfy.sampler_helpers.convert_cond(setup.positive)}
        zeros = torch.zeros_like(state)
        done = comfy.samplers.process_conds(setup.model.model, state, conds, CPU, zeros, seed=0, latent_shapes=shapes)
        return done["positive"][0]


def capture_for(setup: Setup, x: Tensor, **options: Any) -> Capture:
    """A capture with the reader of the model's family."""
    family = family_of(setup.model, NODE, RECORDED_FAMILIES)
    return Capture(family.reader((x.shape[-2], x.shape[-1])), **options)


def record(setup: Setup, x: Tensor, attention: Callable[..., Tensor] = users_own, **options: Any) -> Capture:
    """One model call with the positive conditioning; `attention` computes."""
    capture = capture_for(setup, x, **options)
    call_model(setup, x, capture, attention)
    return capture


def call_model(setup: Setup, x: Tensor, capture: Capture, attention: Callable[..., Tensor] = users_own) -> None:
    """`record` with a capture of the caller's."""
    setup.model.model.current_patcher = setup.model
    run = hooked_options(setup.model.model_options, capture, attention, keep_previous=False)
    with torch.inference_mode():
        conds, sigma = [[positive_of(setup, x)]], torch.full((len(x),), SIGMA)
        comfy.samplers.calc_cond_batch(setup.model.model, conds, as_sampled(setup, x)[0], sigma, run)


def first_with_text(setup: Setup, x: Tensor) -> AttentionCall:
    """The first call that sees text."""
    return next(one for one in record(setup, x).sink.calls if one.columns("cross") is not None)


def changed(before: Tensor, after: Tensor) -> set[int]:
    """Which of (B, H, N, d) tokens differ."""
    return set(torch.nonzero((before - after).abs().amax((0, 1, 3)) > 1e-4).flatten().tolist())


def most_changed(before: Tensor, after: Tensor) -> int:
    """Which of (B, H, N, d) tokens differs most."""
    return int((before - after).square().sum((0, 1, 3)).argmax())


def with_moved_cell(x: Tensor) -> tuple[Tensor, tuple[int, int, int]]:
    """A latent in which one cell differs, and (frame, row, column) of that cell."""
    row, column, frame = x.shape[-2] // 2 + 1, x.shape[-1] // 3, x.shape[2] - 1 if x.ndim == 5 else 0
    moved = x.clone()
    moved[(..., row, column) if x.ndim == 4 else (..., frame, row, column)] += 4
    return moved, (frame, row, column)


def with_other_noun(setup: Setup, one: Small) -> Setup:
    """Another embedding for "cats", wherever an encoder's features stand in the conditioning."""
    text, options = setup.positive[0][0].clone(), dict(setup.positive[0][1])
    if "t5xxl_ids" in options:  # Anima's words
        options["t5xxl_ids"] = options["t5xxl_ids"] + 5 * (torch.arange(7) == 2)
        return replace(setup, positive=[[text, options]])
    text[:, [2, 8] if one.config.__name__ == "SD3" else [2]] *= -1.5
    if "conditioning_llama3" in options:
        options["conditioning_llama3"] = options["conditioning_llama3"].clone()
        options["conditioning_llama3"][..., 2, :] *= -1.5
    return replace(setup, positive=[[text, options]])
