"""Is the gradient right with weights in half precision and in fp8, and with layers that cast them?"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from unittest.mock import patch

import torch
from headcount.bridge.gradients import differentiable
from torch import Tensor

from .compared import SAME, Smooth, close, cosine, exact_products, gradient, peak
from .gradients import OBJECTIVES
from .parts import Finding
from .small_models import FP8, Form, small_model

_SAME_LENGTH = 0.05


@dataclass(frozen=True)
class Precision:
    """A form, and the bars of its gradient against that of the same weights, multiplied out, in float32.

    Attributes:
        smooth: least cosine for an objective without maxima.
        anchored: for one with maxima, which rounding may move to another place; None for no bar.
    """

    form: Callable[[torch.device], Form]
    smooth: float
    anchored: float | None = None


_HALF, _BRAIN = (0.9999, 0.9999), (0.999, None)
PRECISIONS = {
    "fp16": Precision(lambda device: Form(device, torch.float16), *_HALF),
    "bf16": Precision(lambda device: Form(device, torch.bfloat16), *_BRAIN),
    "fp8 cast to fp16": Precision(lambda device: Form(device, FP8, torch.float16), *_HALF),
    "fp8 cast to bf16": Precision(lambda device: Form(device, FP8, torch.bfloat16), *_BRAIN),
}


def precision(name: str, device: torch.device) -> list[Finding]:
    """Half precision and fp8 against float32 with the same weights."""
    findings = []
    for label, one in PRECISIONS.items():
        form = one.form(device)
        rounded = form.rounded or form.weights
        model = small_model(name, form)
        plain = small_model(name, replace(form, weights=torch.float32, compute=None, rounded=rounded))
        for objective, least in (("all probabilities", one.smooth), ("anchored", one.anchored), ("paper", None)):
            make = OBJECTIVES[objective]
            with exact_products():
                expected = gradient(plain, make(plain.counted.target))
            found = gradient(model, make(model.counted.target))
            findings.append(_pointing(f"{name}, {label}, {objective}", found, expected, least))
    return findings


def _pointing(what: str, found: Tensor, expected: Tensor, least: float | None) -> Finding:
    """Whether two gradients point the same way and are about as long; without a bar only how much they do."""
    angle, length = cosine(found, expected), float(found.double().norm() / expected.double().norm())
    figures = {"cosine": f"{angle:.6f}", "length": length}
    if least is None:
        return Finding(what, figures)
    right = angle > least and abs(length - 1) < _SAME_LENGTH
    return Finding(what, figures, f"cosine above {least}, length within {_SAME_LENGTH:.0%}", right)


def recast_weights_way(name: str, device: torch.device) -> list[Finding]:
    """Layers that cast, without keeping what they cast, against plain autograd on aliases."""
    model, objective = small_model(name, Form(device, torch.float16, torch.float32)), Smooth()

    def step() -> Tensor:
        return gradient(model, objective)

    with exact_products():
        found, lean = step(), peak(model, step)
        with patch.object(differentiable, "recast_weights", lambda _: nullcontext()):
            expected, full = step(), peak(model, step)
    return [close(name, found, expected, SAME, **{"MB": lean / 1e6, "MB, plain autograd": full / 1e6})]
