"""What does a count cost, in time, memory and operations, against the published way to count?

`python -m benchmarks.t2icount_cost` builds the network at its real size with random weights (what a count costs does not
depend on training) and counts a few nouns in one picture of a few windows, three ways in turns in one process:

- this pack: the windows are encoded once for all nouns, attention is fused and no map of it is made;
- noun by noun: every noun encodes the windows again;
- as published: besides, the text tower runs once per window, attention is computed with whole matrices and its mean over
  the heads is kept for every layer of the U-Net until the maps are fused, although a count does not read them.

Putting the windows together again is left out, it is the same for all.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import torch

from demo.comfy_host import import_comfyui

import_comfyui("--cpu")  # the network below runs on the device it is given, whatever ComfyUI uses
from headcount.core.t2icount.config import OFFICIAL, EncoderConfig, TextConfig, UNetConfig  # noqa: E402

from .lab.command import add_json, new_parser, wait_for  # noqa: E402
from .lab.count_ways import WAYS, Work, idle_parts, layers, random_work  # noqa: E402
from .lab.measures import Step, operations, peak_bytes, times  # noqa: E402
from .lab.tables import table  # noqa: E402

TINY = replace(
    OFFICIAL,
    name="tiny",
    text=TextConfig(vocabulary=512, width=64, layers=2, heads=4, inner=128),
    encoder=EncoderConfig(channels=32),
    unet=UNetConfig(channels=32),
    stages=(64, 32, 32),
    window=192,
)
SIZES = {"tiny": TINY, "full": OFFICIAL}
PUBLISHED_PARAMETERS = 1_065_648_553


@dataclass(frozen=True)
class Row:
    """One way's figures; memory in bytes beyond the weights, `windows_per_second` for each noun."""

    way: str
    seconds: float
    windows_per_second: float
    peak: int
    operations: float


def measured(work: Work, rounds: int) -> list[Row]:
    """Every way's time, memory and operations for the whole picture and all nouns."""
    device = work.windows.device
    steps: dict[str, Step] = {name: lambda way=way: way(work) for name, way in WAYS.items()}
    shapes = random_work(work.network.config, len(work.windows), len(work.tokens), torch.device("meta"))
    counted = len(work.windows) * len(work.tokens)
    found = times(steps, rounds, wait_for(device))
    return [
        Row(
            name,
            found[name],
            counted / found[name],
            peak_bytes(step, work.network),
            operations(lambda name=name: WAYS[name](shapes)),
        )
        for name, step in steps.items()
    ]


def ways_table(rows: list[Row]) -> list[str]:
    """Markdown; ratios are to the first row."""
    first = rows[0]
    against = "against this pack"
    header = ["way", "time", against, "windows a second", "peak", against, "operations"]
    cells = (
        [
            row.way,
            f"{row.seconds:.2f} s",
            f"{row.seconds / first.seconds:.2f}x",
            f"{row.windows_per_second:.2f}",
            f"{row.peak / 1e9:.2f} GB",
            f"{row.peak / first.peak:.2f}x",
            f"{row.operations / 1e12:.3f} TFLOP",
        ]
        for row in rows
    )
    return table(header, cells)


def main() -> None:
    """Measure and print."""
    parser = new_parser(__doc__)
    parser.add_argument("--size", choices=tuple(SIZES), default="full")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--windows", type=int, default=2, help="of the picture")
    parser.add_argument("--nouns", type=int, default=2, help="counted in the picture")
    parser.add_argument("--rounds", type=int, default=3, help="that times are the median of, after one not counted")
    add_json(parser)
    given = parser.parse_args()
    config = SIZES[given.size]
    with torch.inference_mode():
        work = random_work(config, given.windows, given.nouns, torch.device(given.device))
        idle, rows = idle_parts(random_work(config, 1, 1, torch.device("meta"))), measured(work, given.rounds)
    built = sum(weight.numel() for weight in work.network.parameters())
    how = "bytes of live tensors" if given.device == "cpu" else "the accelerator's allocated memory"
    print(f"## A count, {given.size}, {given.windows} windows, {given.nouns} nouns, float32, {given.device}\n")
    print(f"Median of {given.rounds}. Peak: {how}, beyond the weights ({4 * built / 1e9:.2f} GB).\n")
    print("\n".join(ways_table(rows)) + "\n")
    found = len(layers(work.network))
    print(f"Layers with weights: {found}, of which a count leaves idle: {len(idle)}. Parameters: {built:,}", end="")
    print(f" of the checkpoint's {PUBLISHED_PARAMETERS:,}." if config is OFFICIAL else ".")
    if given.json:
        report: dict[str, Any] = {"size": given.size, "device": given.device, "torch": torch.__version__, "idle": idle}
        given.json.write_text(json.dumps({**report, "rows": [vars(row) for row in rows]}, indent=1))


if __name__ == "__main__":
    main()
