"""All parts of the GPU benchmark in the order in which they run: checks first, the expensive last."""

from __future__ import annotations

from functools import partial

from . import gradients, memory, precision, shapes
from .costs import costs
from .parts import Part

MODELS = ("sd15", "sdxl", "sd35m", "tiny")
_SECONDS = {"sd15": 40.0, "sdxl": 90.0, "sd35m": 110.0, "tiny": 8.0}

_CHECKED = {
    "gradient": ("The gradient in float32 against float64 on the CPU", 20, gradients.against_float64),
    "sparse": ("The gradient through the touched rows against the full graph", 5, gradients.sparse),
    "precision": ("Half precision and fp8 against float32 with the same weights", 15, precision.precision),
    "weights": (
        "Layers that cast, without keeping what they cast, against plain autograd",
        5,
        precision.recast_weights_way,
    ),
    "exit": ("A pass that ends at the last call it reads against a whole one", 5, gradients.early_exit),
    "repeat": ("The same gradient four times", 5, gradients.repeated),
    "recompute": ("Blocks recomputed against activations kept", 5, memory.recomputed_blocks),
    "auto": ("The setting 'auto' under a limit that ComfyUI reports", 5, memory.automatic),
    "runs-out": ("Memory that runs out once", 5, memory.runs_out),
}
CHECKS = (
    Part("alias", "Weights as normal tensors, nothing copied", 5, gradients.alias),
    *(Part(name, title, time, partial(gradients.each, of=of)) for name, (title, time, of) in _CHECKED.items()),
    Part("limit", "Memory that really runs out", 10, memory.real_limit, needs_gpu=True),
    Part(
        "offload",
        "Weights partly in RAM against all on the device",
        10,
        partial(gradients.each, of=memory.offloaded),
        needs_gpu=True,
    ),
    Part("shapes", "Pictures of the Shapes model against those of a CPU", 60, shapes.pictures),
    Part("emoji-video", "A training step of the Emoji video model", 60, shapes.training),
)


def parts_for(models: list[str]) -> list[Part]:
    """The checks, and the costs of each model of `MODELS`."""
    tables = [
        Part(f"cost-{name}", f"Cost of a step, {name} with random weights", _SECONDS[name], partial(costs, name))
        for name in models
    ]
    return [*CHECKS, *tables]
