"""Does the gradient stay the same where memory is short? Blocks recomputed, limits, memory that runs out, weights in RAM."""

from __future__ import annotations

from functools import partial
from typing import Any
from unittest.mock import patch

import comfy.model_management
import torch
from headcount.bridge.gradients import differentiable_call
from headcount.bridge.gradients.memory import MemorySetting
from headcount.core.isac import AnchoredObjective
from torch import Tensor

from ..lab.steps import pass_of
from .compared import SAME, Smooth, blocks_seen, close, exact_products, gradient, gradient_by, peak
from .parts import Finding
from .small_models import Form, small_model

_SIDE = 160
_OFFLOADED = (
    ("fp32", torch.float32, None),
    ("fp16", torch.float16, None),
    ("fp16 cast to fp32", torch.float16, torch.float32),
)


def recomputed_blocks(name: str, device: torch.device) -> list[Finding]:
    """Blocks recomputed in backward against activations kept."""
    model, objective = small_model(name, Form(device), side=32), Smooth()

    def step(memory: MemorySetting) -> Tensor:
        return gradient(model, objective, memory)

    with exact_products():
        expected, found = step("fast"), step("low")
        kept, lean = peak(model, partial(step, "fast")), peak(model, partial(step, "low"))
    return [close(name, found, expected, SAME, **{"MB": lean / 1e6, "MB, all kept": kept / 1e6})]


def automatic(name: str, device: torch.device) -> list[Finding]:
    """The setting "auto" recomputes blocks where ComfyUI reports little free memory, and only there."""
    model, findings = small_model(name, Form(device)), []
    with exact_products():
        expected = gradient(model, Smooth())
        for free, wanted in ((1e6, True), (1e15, False)):
            reported = patch.object(comfy.model_management, "get_free_memory", lambda *_, f=free, **__: f)
            with reported, blocks_seen() as seen:
                found = gradient(model, Smooth(), "auto")
            findings.append(_seen(f"{name}, {free / 1e6:.0g} MB free", found, expected, seen, [wanted]))
    return findings


def runs_out(name: str, device: torch.device) -> list[Finding]:
    """An allocation that fails in the middle of a pass: it is taken again with blocks recomputed."""
    model, calls = small_model(name, Form(device)), 0
    own = differentiable_call.attention_pytorch

    def failing(*args: Any, **kwargs: Any) -> Tensor:
        nonlocal calls
        calls += torch.is_grad_enabled()  # not those of the call without a graph that comes before
        if calls == 3:
            raise comfy.model_management.OOM_EXCEPTION("out of memory, for the benchmark")
        return own(*args, **kwargs)

    with exact_products():
        expected = gradient(model, Smooth())
        with patch.object(differentiable_call, "attention_pytorch", failing), blocks_seen() as seen:
            found = gradient(model, Smooth())
    return [_seen(name, found, expected, seen, [False, True])]


def _seen(name: str, found: Tensor, expected: Tensor, seen: list[bool], wanted: list[bool], **figures: Any) -> Finding:
    finding = close(name, found, expected, SAME, **{"blocks recomputed, by try": str(seen), **figures})
    return finding.also(seen == wanted, str(wanted))


def real_limit(device: torch.device) -> list[Finding]:
    """PyTorch's own limit on this process, between what a pass takes with all activations and with blocks recomputed."""
    model = small_model("SD 1.5", Form(device), side=_SIDE)
    objective = AnchoredObjective(model.counted.target)
    with exact_products():
        expected = gradient(model, objective)
        most = {memory: _reserved(partial(gradient, model, objective, memory), device) for memory in ("fast", "low")}
        room = (most["fast"] + most["low"]) / 2
        total = torch.cuda.get_device_properties(device).total_memory
        torch.accelerator.empty_cache()
        torch.cuda.set_per_process_memory_fraction(room / total, device)
        try:
            with blocks_seen() as seen:
                found = gradient_by(pass_of(model), model, objective)
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0, device)
    figures = {"MB allowed": room / 1e6, "MB, all kept": most["fast"] / 1e6, "MB, recomputed": most["low"] / 1e6}
    return [_seen(f"SD 1.5, latent of {_SIDE} x {_SIDE}", found, expected, seen, [False, True], **figures)]


def _reserved(step: Any, device: torch.device) -> int:
    """Most bytes that PyTorch takes from the device for a step, with all that it had before."""
    torch.accelerator.synchronize()
    torch.accelerator.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    step()
    return torch.cuda.max_memory_reserved(device)


def offloaded(name: str, device: torch.device) -> list[Finding]:
    """Weights that ComfyUI leaves in RAM for want of memory, cast to the device call by call."""
    findings = []
    for label, weights, compute in _OFFLOADED:
        resident = small_model(name, Form(device, weights, compute))
        size = sum(weight.nbytes for weight in resident.patcher.model.parameters())
        model = small_model(name, Form(device, weights, compute, resident=int(size * 0.6)))
        in_ram = [weight for weight in model.patcher.model.parameters() if weight.device.type == "cpu"]
        away = sum(weight.nbytes for weight in in_ram) / size
        with exact_products():
            expected, found = gradient(resident, Smooth()), gradient(model, Smooth())
        finding = close(f"{name}, {label}", found, expected, 1e-3, **{"of the weights in RAM": f"{away:.0%}"})
        findings.append(finding.also(0 < away < 1, "some in RAM"))
        model.patcher.detach()
    return findings
