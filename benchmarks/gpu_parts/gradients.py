"""Is the gradient right on this device? Small models against themselves in other places and ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from headcount.bridge.gradients import differentiable_call
from headcount.bridge.gradients.autograd_weights import autograd_view
from headcount.core.attention import aggregate
from headcount.core.isac import (
    AnchoredObjective,
    Objective,
    PromptTarget,
    anchored_losses,
    paper_grid,
    paper_losses,
)
from torch import Tensor

from ..lab.steps import WEIGHTS, FullGraph, paper, pass_of
from .compared import BITS, RELATIVE, SAME, Smooth, close, exact_products, gradient, gradient_by, relative
from .parts import Finding
from .small_models import FP8, SMALL, Form, small_model

CPU = torch.device("cpu")
OBJECTIVES: dict[str, Callable[[PromptTarget], Objective]] = {
    "all probabilities": lambda _: Smooth(),
    "anchored": AnchoredObjective,
    "paper": paper,
}


def each(device: torch.device, of: Callable[[str, torch.device], list[Finding]]) -> list[Finding]:
    """What `of` finds on every small model."""
    return [finding for name in SMALL for finding in of(name, device)]


def alias(device: torch.device) -> list[Finding]:
    """A normal tensor laid over the storage of an inference tensor, for every dtype that weights come in."""
    findings = []
    for dtype in (torch.float32, torch.float16, torch.bfloat16, FP8, torch.float8_e5m2, torch.int8):
        weight = (torch.randn(65, 32, device=device) * 4).to(dtype)[1:].T
        with torch.inference_mode(False):
            view = autograd_view(weight)
        same_place = view.data_ptr() == weight.data_ptr() and view.stride() == weight.stride()
        same_numbers = torch.equal(view.clone().float(), weight.float())
        passed = weight.is_inference() and not view.is_inference() and same_place and same_numbers
        weight.copy_(torch.zeros_like(weight))
        passed = passed and not bool(view.clone().float().any())
        figures = {"same place": str(same_place), "same numbers": str(same_numbers)}
        findings.append(
            Finding(str(dtype).removeprefix("torch."), figures, "a normal tensor in the same memory", passed)
        )
    return findings


def against_float64(name: str, device: torch.device) -> list[Finding]:
    """Gradients in float32 on the device against those of the same model in float64 on the CPU."""
    exact = small_model(name, Form(CPU, torch.float64, latent=torch.float64, rounded=torch.float32))
    here = small_model(name, Form(device))
    findings = []
    for label, make in OBJECTIVES.items():
        expected = gradient(exact, make(exact.counted.target))
        with exact_products():
            found = gradient(here, make(here.counted.target))
        findings.append(close(f"{name}, {label}", found, expected, 1e-3))
    found, expected = gradient(here, Smooth()), gradient(exact, Smooth())
    return [*findings, close(f"{name}, all probabilities, TF32 where ComfyUI has it", found, expected, 2e-2)]


def sparse(name: str, device: torch.device) -> list[Finding]:
    """The gradients through the few rows and columns that losses touch, against the full graph."""
    model = small_model(name, Form(device))
    target = model.counted.target
    losses_of = {
        "anchored": lambda calls: anchored_losses(calls, AnchoredObjective(target)),
        "paper": lambda calls: paper_losses(aggregate(calls, paper_grid(calls)), target, WEIGHTS),
    }
    findings = []
    for label, losses in losses_of.items():
        objective = OBJECTIVES[label](target)
        with exact_products():
            found, expected = gradient(model, objective), gradient(model, FullGraph(losses))
        findings.append(close(f"{name}, {label}", found, expected, 1e-3))
    return findings


def early_exit(name: str, device: torch.device) -> list[Finding]:
    """A pass that ends at the last call which the objective reads, against one that runs the whole model."""
    model, objective = small_model(name, Form(device)), Smooth(first=3)
    one, found, numbers = pass_of(model), [], []
    for _ in range(2):
        with counted_attention() as calls, exact_products():
            found.append(gradient_by(one, model, objective))
        numbers.append(len(calls))
    finding = close(name, found[1], found[0], SAME, **{"attention calls": f"{numbers[1]} of {numbers[0]}"})
    # The last call that is read is recorded, and not computed.
    return [finding.also(numbers[1] == 2, "2 attention calls")]


@contextmanager
def counted_attention() -> Iterator[list[int]]:
    """Within the block: an entry for every attention that is computed in a gradient pass."""
    calls: list[int] = []
    own = differentiable_call.attention_pytorch

    def counting(*args: Any, **kwargs: Any) -> Tensor:
        calls.append(len(calls) + 1)
        return own(*args, **kwargs)

    with patch.object(differentiable_call, "attention_pytorch", counting):
        yield calls


def repeated(name: str, device: torch.device) -> list[Finding]:
    """The same gradient again: fused attention's backward may add up in another order each time."""
    findings = []
    for label, dtype in (("fp32", torch.float32), ("fp16", torch.float16)):
        model = small_model(name, Form(device, dtype))
        one = pass_of(model)
        first, *others = (gradient_by(one, model, Smooth()) for _ in range(4))
        most = max(relative(other, first) for other in others)
        same = all(torch.equal(other, first) for other in others)
        findings.append(Finding(f"{name}, {label}", {RELATIVE: most, BITS: str(same)}))
    return findings
