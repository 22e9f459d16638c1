"""What does a steered step cost against a plain one, in time, memory and operations?

`python -m benchmarks.isac_cost --model sd15` builds the model at its real configuration with random weights (what a
step costs does not depend on training) and prints Markdown: a step of every mode as a ratio to a plain step of
classifier-free guidance, measured in turns in one process, and the operations counted on shapes alone against the floor.
A plain step is two model calls; a steered one adds a forward and a backward pass of one picture.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import torch

from demo.comfy_host import import_comfyui

import_comfyui("--disable-auto-launch" if "cuda" in sys.argv else "--cpu")  # without an argument it takes the CPU
import comfy.samplers  # noqa: E402
from headcount.bridge.gradients.memory import lean_estimate  # noqa: E402

from .lab.command import DTYPES, add_json, new_parser  # noqa: E402
from .lab.cost_tables import Count, counted_table, measured_table  # noqa: E402
from .lab.measures import FUSED, operations, peak_bytes, without_numbers  # noqa: E402
from .lab.real_models import KINDS, NAMES, cost_model  # noqa: E402
from .lab.steps import MODES, Mode, Row, ShapesOnly, gradient_step, measured, too_much  # noqa: E402


def counted(name: str, size: int | None, modes: dict[str, Mode] = MODES) -> tuple[float, list[Count]]:
    """Operations of one model call, and what the modes add; in half precision, without the objective's own."""
    model = cost_model(name, torch.device("meta"), torch.float16, size)
    call = [[model.counted.conditioning]]
    rows = []
    with without_numbers():
        with torch.no_grad():
            forward = operations(
                lambda: comfy.samplers.calc_cond_batch(model.patcher.model, call, model.x, model.sigma, FUSED)
            )
        for label, mode in modes.items():
            if mode.objective is None or mode.dense or mode.share < 1:
                continue
            gradient, fresh = (
                gradient_step(model, mode, ShapesOnly(mode.objective(model.counted.target))) for _ in range(2)
            )
            first, whole = (
                operations(gradient),
                operations(gradient),
            )  # the first one learns how far the model has to run
            peak = peak_bytes(fresh, model.patcher.model.diffusion_model)
            plain = forward * KINDS[name].calls
            estimate = lean_estimate(model.patcher.model, tuple(model.x.shape))
            rows.append(Count(label, 1 + whole / plain, 1 + first / plain, whole / forward, peak, peak / estimate))
    return forward, rows


def _modes(objective: str | None) -> dict[str, Mode]:
    """All modes, or those with an objective and those with none."""
    return {
        name: mode
        for name, mode in MODES.items()
        if objective is None or mode.objective is None or f"({objective}" in name
    }


def _measure(given: argparse.Namespace) -> list[Row]:
    """Measure steps and print."""
    dtype = DTYPES[given.dtype or ("fp32" if given.device == "cpu" else "fp16")]
    with torch.inference_mode():
        model = cost_model(given.model, torch.device(given.device), dtype, given.size)
        modes = _modes(given.objective)
        if any(mode.dense for mode in modes.values()) and (why := too_much(model)):
            print(f"The full graph is left out: it {why}.\n")
            modes = {name: mode for name, mode in modes.items() if not mode.dense}
        rows = measured(model, modes, given.steps)
    how = "bytes of live tensors" if given.device == "cpu" else "the accelerator's allocated memory"
    shape = "x".join(map(str, model.x.shape))
    print(f"## Measured, {given.model}, latent {shape}, {dtype}, {given.device}, median of {given.steps}\n")
    print(f"Peak: {how}, beyond the weights.\n\n" + "\n".join(measured_table(rows)))
    return rows


def main() -> None:
    """Measure and print."""
    parser = new_parser(__doc__)
    parser.add_argument("--model", choices=NAMES, required=True)
    parser.add_argument("--device", choices=("cpu", "cuda", "none"), default="cpu", help="none: only count operations")
    parser.add_argument("--dtype", choices=DTYPES, help="default: fp32 on a CPU, fp16 elsewhere")
    parser.add_argument("--size", type=int, help="of the picture in pixels; default: what the model is made for")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--objective", choices=("anchored", "paper"), help="only modes with this objective")
    add_json(parser)
    given = parser.parse_args()
    report: dict[str, Any] = {"model": given.model, "size": given.size, "torch": torch.__version__}
    if given.model in KINDS:
        forward, counts = counted(given.model, given.size, _modes(given.objective))
        report["counted"] = {"forward": forward, "modes": [vars(row) for row in counts]}
        lines = "\n".join(counted_table(given.model, forward, counts))
        print(f"## Operations, {given.model}\n\n{lines}\n", flush=True)
    if given.device != "none":
        report["measured"] = [vars(row) for row in _measure(given)]
        report["device"] = given.device
    if given.json:
        given.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
