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
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from demo.comfy_host import import_comfyui

import_comfyui("--disable-auto-launch" if "cuda" in sys.argv else "--cpu")  # without an argument it takes the CPU
import comfy.samplers  # noqa: E402
from headcount.bridge.comfyui.run_notes import RunNotes  # noqa: E402
from headcount.bridge.gradients.attention_gradient import GradientPass  # noqa: E402
from headcount.bridge.gradients.memory import MemorySetting, lean_estimate  # noqa: E402
from headcount.bridge.isac.control import FAST_SHARE  # noqa: E402
from headcount.bridge.recording.recorder import RecordedRun  # noqa: E402
from headcount.core.attention import (  # noqa: E402
    AttentionCall,
    aggregate,
    foreground,
)
from headcount.core.isac import (  # noqa: E402
    AnchoredObjective,
    LossWeights,
    Objective,
    ObjectiveStep,
    PaperObjective,
    PlainStep,
    Pull,
    StepLosses,
    Target,
    paper_losses,
)

from .cost_measures import Step, fused_attention, operations, peak_bytes, times, without_numbers  # noqa: E402
from .cost_models import KINDS, NAMES, CostModel, cost_model  # noqa: E402

WEIGHTS = LossWeights(0.5, 0.5)
FLOORS = {"sd15": 2.10, "sdxl": 2.01, "sd35m": 2.24}  # time per step against plain, DESIGN.md
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def paper(target: Target) -> Objective:
    """The paper's objective in the middle of a run, where both of its losses count."""
    return PaperObjective(target, WEIGHTS)


@dataclass(frozen=True)
class FullGraph:
    """The paper's objective as one would write it down: all matrices in one graph."""

    target: Target

    def select(self, calls: list[AttentionCall]) -> list[AttentionCall]:
        return calls

    def start(self) -> ObjectiveStep:
        return PlainStep(lambda leaves: paper_losses(aggregate(leaves), self.target, WEIGHTS))


@dataclass
class ShapesOnly:
    """Reads the calls that another objective reads, and pulls at them with numbers that nobody needs."""

    like: Objective
    calls: list[AttentionCall] = field(default_factory=list)

    def select(self, calls: list[AttentionCall]) -> list[AttentionCall]:
        self.calls = self.like.select(calls)
        return self.calls

    def start(self) -> ObjectiveStep:
        return _EmptyStep(self)


@dataclass
class _EmptyStep:
    of: ShapesOnly

    def see(self, call: AttentionCall) -> None:
        pass

    def finish(self) -> StepLosses:
        nothing = torch.zeros(len(self.of.calls[0].queries))
        return StepLosses(nothing, nothing, nothing)

    def touches(self, call: AttentionCall) -> bool:
        return call.place in {other.place for other in self.of.calls}

    def pull(self, call: AttentionCall) -> Pull:
        return Pull(call, torch.zeros_like(call.queries), torch.zeros_like(call.keys))


@dataclass(frozen=True)
class Mode:
    """A way to steer.

    Attributes:
        objective: None for a mode that only records.
        share: of a run's steps that are steered.
        dense: its matrices stay in memory, which may be too much.
    """

    objective: Callable[[Target], Objective] | None
    memory: MemorySetting = "fast"
    share: float = 1.0
    dense: bool = False


MODES = {
    "exact (anchored)": Mode(AnchoredObjective),
    "exact (paper)": Mode(paper),
    f"fast (anchored, first {FAST_SHARE:.0%} of the steps)": Mode(AnchoredObjective, share=FAST_SHARE),
    "blocks recomputed (anchored)": Mode(AnchoredObjective, "low"),
    "blocks recomputed (paper)": Mode(paper, "low"),
    "full graph (paper), for reference": Mode(FullGraph, dense=True),
    "recording only": Mode(None),
}


def model_calls(model: CostModel, options: dict[str, Any]) -> None:
    """A plain step: both conditionings."""
    conditionings = [[model.counted.conditioning], [model.negative]]
    comfy.samplers.calc_cond_batch(model.patcher.model, conditionings, model.x, model.sigma, options)


def gradient_step(model: CostModel, mode: Mode, objective: Objective | None = None) -> Step:
    """The gradient pass of a mode, on its own."""
    one = GradientPass(
        model.patcher.model, model.family, model.counted.conditioning, mode.memory, RunNotes("the benchmark")
    )
    wanted = objective or mode.objective(model.counted.target)
    return lambda: one(model.x, model.sigma, {}, wanted)


def step_of(model: CostModel, mode: Mode) -> Step:
    """A whole step of a mode: the gradient pass, if any, and the model's own calls."""
    if mode.objective is None:

        def recorded() -> None:
            run = RecordedRun([model.counted], model.family, model.patcher.model.diffusion_model)
            model_calls(model, run.at_state(model.x, model.sigma, {}, 0))
            run.finish()

        return recorded
    gradient = gradient_step(model, mode)

    def steered() -> None:
        gradient()
        model_calls(model, {})

    return steered


def too_much(model: CostModel) -> str:
    """Why the full graph is left out; "" where it fits into half of the free memory."""
    shapes = ShapesOnly(FullGraph(model.counted.target))
    gradient_step(model, Mode(FullGraph), shapes)()
    cells = sum(call.queries.shape[:3].numel() * call.keys.shape[2] for call in shapes.calls)
    finest = max(call.grid[0] * call.grid[1] for call in shapes.calls)
    need = cells * 4 * 3 + len(shapes.calls) * finest**2 * 4
    free = comfy.model_management.get_free_memory(model.x.device)
    return "" if need < free / 2 else f"would need about {need / 1e9:.0f} GB"


@dataclass(frozen=True)
class Row:
    """One mode's figures; memory in bytes beyond the weights."""

    mode: str
    seconds: float
    ratio: float
    peak: int
    clustering: float | None = None


def measured(model: CostModel, modes: dict[str, Mode], rounds: int) -> list[Row]:
    """Time and memory of a plain step and of every mode's."""
    device = model.x.device
    plain: Step = lambda: model_calls(model, {})  # noqa: E731
    steps = {"plain": plain, **{name: step_of(model, mode) for name, mode in modes.items()}}
    on_cpu = device.type == "cpu"
    wait: Callable[[], None] = (lambda: None) if on_cpu else torch.accelerator.synchronize
    found = times(steps, rounds, wait)
    rows = []
    for name, step in steps.items():
        mode = modes.get(name, Mode(None))
        ratio = 1 + mode.share * (found[name] / found["plain"] - 1)
        clustering = clustering_seconds(step, wait) / found["plain"] if mode.objective in (paper, FullGraph) else None
        rows.append(
            Row(name, found["plain"] * ratio, ratio, peak_bytes(step, model.patcher.model.diffusion_model), clustering)
        )
    return rows


def clustering_seconds(step: Step, wait: Callable[[], None]) -> float:
    """How long a step spends in finding instances in the foreground; `wait` returns when the device has nothing to do."""
    spent, own = 0.0, foreground.cluster

    def timed(*args: Any, **kwargs: Any) -> Any:
        nonlocal spent
        wait()
        start = time.perf_counter()
        result = own(*args, **kwargs)
        wait()
        spent += time.perf_counter() - start
        return result

    foreground.cluster = timed
    try:
        step()
    finally:
        foreground.cluster = own
    return spent


@dataclass(frozen=True)
class Count:
    """Operations and memory of one gradient pass, on shapes: `ratio` is a steered step's to a plain one's."""

    mode: str
    ratio: float
    forward_share: float
    peak: int
    peak_per_estimate: float


def counted(name: str, size: int | None, modes: dict[str, Mode] = MODES) -> tuple[float, list[Count]]:
    """Operations of one model call, and what the modes add; in half precision, without the objective's own."""
    model = cost_model(name, torch.device("meta"), torch.float16, size)
    options = {"transformer_options": {"optimized_attention_override": lambda _, *a, **k: fused_attention(*a, **k)}}
    call = [[model.counted.conditioning]]
    rows = []
    with without_numbers():
        with torch.no_grad():
            forward = operations(
                lambda: comfy.samplers.calc_cond_batch(model.patcher.model, call, model.x, model.sigma, options)
            )
        for label, mode in modes.items():
            if mode.objective is None or mode.dense or mode.share < 1:
                continue
            gradient = gradient_step(model, mode, ShapesOnly(mode.objective(model.counted.target)))
            gradient()  # learns how far the model has to run
            whole = operations(gradient)
            peak = peak_bytes(gradient, model.patcher.model.diffusion_model)
            estimate = lean_estimate(model.patcher.model, tuple(model.x.shape))
            rows.append(Count(label, 1 + whole / (2 * forward), whole / forward, peak, peak / estimate))
    return forward, rows


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def counted_table(name: str, forward: float, rows: list[Count]) -> str:
    """What `counted` found, as Markdown."""
    floor = f"; floor of an exact step {FLOORS[name]:.2f}x" if name in FLOORS else ""
    head = (
        f"One model call: {forward / 1e12:.4g} TFLOP{floor}. Peak: of all tensors of the pass, in half precision.\n\n"
    )
    cells = [
        [
            row.mode,
            f"{row.ratio:.2f}x",
            f"{row.forward_share:.2f} F",
            f"{row.peak / 1e9:.2f} GB",
            f"{row.peak_per_estimate:.1f}",
        ]
        for row in rows
    ]
    return head + table(
        ["mode", "operations of a step", "gradient pass", "peak", "peak / ComfyUI's lean estimate"], cells
    )


def measured_table(rows: list[Row]) -> str:
    """What `measured` found, as Markdown; the first row is the plain step."""
    plain = rows[0].peak
    cells = [
        [
            row.mode,
            f"{row.ratio:.2f}x",
            f"{row.seconds:.3f} s",
            f"{row.peak / 1e9:.3f} GB",
            f"{(row.peak - plain) / 1e9:+.3f} GB",
            "" if row.clustering is None else f"{row.clustering:.1%}",
        ]
        for row in rows
    ]
    return table(["mode", "time", "a step", "peak", "peak against plain", "K-means of a plain step"], cells)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=NAMES, required=True)
    parser.add_argument("--device", choices=("cpu", "cuda", "none"), default="cpu", help="none: only count operations")
    parser.add_argument("--dtype", choices=DTYPES, help="default: fp32 on a CPU, fp16 elsewhere")
    parser.add_argument("--size", type=int, help="of the picture in pixels; default: what the model is made for")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--objective", choices=("anchored", "paper"), help="only modes with this objective")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    given = parser.parse_args()
    report: dict[str, Any] = {"model": given.model, "size": given.size, "torch": torch.__version__}
    if given.model in KINDS:
        forward, counts = counted(given.model, given.size)
        report["counted"] = {"forward": forward, "modes": [vars(row) for row in counts]}
        print(f"## Operations, {given.model}\n\n{counted_table(given.model, forward, counts)}\n", flush=True)
    if given.device != "none":
        dtype = DTYPES[given.dtype or ("fp32" if given.device == "cpu" else "fp16")]
        with torch.inference_mode():
            model = cost_model(given.model, torch.device(given.device), dtype, given.size)
            modes = {
                name: mode
                for name, mode in MODES.items()
                if given.objective is None or mode.objective is None or given.objective in name
            }
            if any(mode.dense for mode in modes.values()) and (why := too_much(model)):
                print(f"The full graph is left out: it {why}.\n")
                modes = {name: mode for name, mode in modes.items() if not mode.dense}
            rows = measured(model, modes, given.steps)
        report["measured"] = [vars(row) for row in rows]
        report["device"] = given.device
        how = "bytes of live tensors" if given.device == "cpu" else "the accelerator's allocated memory"
        shape = "x".join(map(str, model.x.shape))
        print(f"## Measured, {given.model}, latent {shape}, {dtype}, {given.device}, median of {given.steps}\n")
        print(f"Peak: {how}, beyond the weights.\n\n{measured_table(rows)}")
    if given.json:
        given.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
