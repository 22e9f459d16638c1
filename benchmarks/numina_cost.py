"""What does NUMINA Count Guide cost against plain sampling, in time and memory?

`python -m benchmarks.numina_cost` builds Wan 2.1 1.3B at its real configuration with random weights (what a run costs does
not depend on training) and samples with classifier-free guidance through ComfyUI's own sampler, in turns: plain, guided (a
layout is read, the run begins again with a bias), nothing to change (the layout has what is asked for, the run goes on) and
guided with the first run's cache. The floor of each is its work in the model's layers, counted.

A CPU samples a small video in few steps, where the steps up to the layout weigh more than in the paper's 20 of 50; the
floor says by how much. Random weights answer so differently from step to step that the cache has hardly a call to save: its
row shows what it costs. Nor do they show things, so that a layout is read off flat maps, of which all heads are looked
through and none is left alone; what it takes where there are things, and what the bias takes in a layer of the paper's
size, is measured on its own.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from typing import Any, get_args

import torch

from demo.comfy_host import import_comfyui

_CPU = () if "cuda" in sys.argv else ("--cpu",)
import_comfyui(*_CPU, "--use-pytorch-cross-attention")  # what ComfyUI uses on a GPU, and never a whole matrix
from headcount.bridge.numina.settings import NuminaSettings, When  # noqa: E402

from .lab.command import DTYPES, add_json, new_parser, wait_for  # noqa: E402
from .lab.measures import Wait  # noqa: E402
from .lab.real_models import SAMPLED_KINDS, Size, sampled, with_blocks  # noqa: E402
from .numina_cost_parts.layouts import LAYOUT_BAR, LayoutCost, layout_costs, layouts_table, shown  # noqa: E402
from .numina_cost_parts.rows import random_layer, row_costs, rows_table  # noqa: E402
from .numina_cost_parts.runs import Row, measured, parts_table, runs_table, ways_of  # noqa: E402

PARTS = ("runs", "layouts", "rows")
HEADS, WIDTH, TOKENS, GRID, FRAMES = 12, 128, 512, (30, 52), 21  # a layer of Wan 2.1 1.3B in the paper
PAPER_STEPS, PAPER_OF = 20, 50  # up to the layout, of all


def size_of(given: argparse.Namespace) -> Size:
    """The size that is asked for, or what suits the device."""
    kind = SAMPLED_KINDS[given.model]
    size = kind.small if given.device == "cpu" else kind.size
    wanted = {name: getattr(given, name) for name in vars(size) if getattr(given, name) is not None}
    if size.frames is None:
        wanted.pop("frames", None)
    return replace(size, **wanted)


def whole_runs(given: argparse.Namespace, device: torch.device, wait: Wait) -> list[Row]:
    """Samples and prints."""
    size = size_of(given)
    kind = SAMPLED_KINDS[given.model] if given.blocks is None else with_blocks(SAMPLED_KINDS[given.model], given.blocks)
    one = sampled(kind, size, device, DTYPES[given.dtype], given.shift)
    settings = NuminaSettings(method=given.method, when=given.when)
    rows = measured(one, ways_of(one, tuple(given.asked), settings), given.rounds, wait)
    before = (rows[1].floor - 1) * size.steps
    shape = "x".join(map(str, one.latent.shape[2:]))
    print(f"## Sampling, {given.model}, latent {shape}, {size.steps} steps, {given.dtype}, {device.type}\n")
    print(f"Guided runs do {before:.2f} steps twice; the paper's 20 steps and the same part of one would be", end=" ")
    print(f"{1 + (PAPER_STEPS + before % 1) / PAPER_OF:.3f}x of {PAPER_OF} steps. Rounds: {given.rounds}.", end=" ")
    print("Floor: work in linear layers and convolutions. Peak: beyond the weights.\n")
    print(
        "\n".join([*runs_table(rows), "", "Of it in the pack, against a plain run:", "", *parts_table(rows), ""]),
        flush=True,
    )
    return rows


def a_layout(given: argparse.Namespace, device: torch.device, wait: Wait) -> list[LayoutCost]:
    """Reads one frame and prints."""
    costs = layout_costs(shown(1, tuple(given.grid), HEADS, WIDTH, TOKENS, device), given.rounds, wait)
    print(f"## A layout, one frame of {given.grid[0]} x {given.grid[1]}, {HEADS} heads, two nouns\n")
    print(f"{torch.get_num_threads()} threads; bar {LAYOUT_BAR} s on two. Parts in ms.\n")
    print("\n".join([*layouts_table(costs), ""]), flush=True)
    return costs


def a_layer(given: argparse.Namespace, device: torch.device, wait: Wait) -> dict[str, float]:
    """Biases one layer and prints."""
    dtype = DTYPES[given.dtype]
    layer = random_layer(given.layer_frames, tuple(given.grid), HEADS, WIDTH, TOKENS, device, dtype)
    with torch.inference_mode():
        seconds = row_costs(layer, given.rounds, wait)
    print(f"## A biased layer, {layer.queries.shape[2]} x {TOKENS}, {HEADS} heads, {given.dtype}\n")
    print("\n".join([*rows_table(seconds), ""]))
    return seconds


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = new_parser(__doc__)
    parser.add_argument("--model", choices=tuple(SAMPLED_KINDS), default="wan")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--dtype", choices=tuple(DTYPES), default="bf16")
    parser.add_argument("--parts", choices=PARTS, nargs="+", default=PARTS)
    parser.add_argument("--frames", type=int, help="of the latent; default: the paper's, few on a CPU")
    parser.add_argument("--height", type=int, help="of the attention's finest grid, in cells")
    parser.add_argument("--width", type=int, help="likewise")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--blocks", type=int, help="fewer blocks of wan: the memory of a larger video, in less time")
    parser.add_argument("--asked", type=int, nargs=2, default=(1, 1), help="things of the two nouns")
    parser.add_argument("--method", choices=("robust", "paper", "release"), default="robust")
    parser.add_argument(
        "--when", choices=get_args(When), default="auto", help="what the time of the layout is reckoned by"
    )
    parser.add_argument("--shift", type=float, help="of the schedule; default: the authors'")
    parser.add_argument("--rounds", type=int, default=2, help="that are timed")
    parser.add_argument(
        "--grid", type=int, nargs=2, default=GRID, help="of the layout and the layer that are measured alone"
    )
    parser.add_argument("--layer-frames", type=int, default=FRAMES, help="of that layer")
    add_json(parser)
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    given = arguments()
    device = torch.device(given.device)
    wait = wait_for(device)
    report: dict[str, Any] = {"model": given.model, "device": given.device, "torch": torch.__version__}
    with torch.inference_mode():
        if "layouts" in given.parts:
            report["layouts"] = [vars(cost) for cost in a_layout(given, device, wait)]
        if "rows" in given.parts:
            report["rows"] = a_layer(given, device, wait)
        if "runs" in given.parts:
            report["runs"] = [{**vars(row), "ratio": row.ratio} for row in whole_runs(given, device, wait)]
    if given.json:
        given.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
