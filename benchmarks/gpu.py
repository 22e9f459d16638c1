"""Everything that only a GPU can tell, in one command: is the gradient right there, and what does a step cost?

`python -m benchmarks.gpu` runs checks on small models and cost tables on models at their real size with random weights,
and prints Markdown. Each part's result is written to --out when it is done and not taken again, so that a run that ends
early can be gone on with; no part is begun that would not be over within --minutes. On a CPU the same parts run on small
models, those that need a GPU say so.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from demo.comfy_host import import_comfyui

from .gpu_parts.parts import Part, Results, markdown, run_parts
from .lab.command import new_parser
from .lab.store import file_digest

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str] | None = None) -> int:
    """Run and print. Returns 1 where a part failed or fell short of what is wanted."""
    started = time.monotonic()
    given = _parser().parse_args(arguments)
    if given.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("PyTorch finds no CUDA device here: give --device cpu for a dry run")
    # Without any argument import_comfyui runs ComfyUI on the CPU. PyTorch's attention is ComfyUI's own choice on NVIDIA.
    import_comfyui("--cpu" if given.device == "cpu" else "--use-pytorch-cross-attention")

    device = _device(given.device)
    parts, wanted = _parts(given)
    try:
        results = Results(given.out, machine(device))
    except ValueError as error:
        raise SystemExit(str(error)) from error
    if given.retry:
        results.forget_failed()
    seconds = given.minutes * 60 - (time.monotonic() - started)
    left = run_parts(wanted, device, results, seconds, lambda line: print(line, flush=True), code=_code())
    print(f"\n{markdown(results, parts)}")
    if left:
        print(f"\nNo time was left for {', '.join(left)}: the same command goes on with them.")
    records = [results.records[part.name] for part in wanted if part.name in results.records]
    return int(any(record.falls_short for record in records))


def _device(kind: str) -> torch.device:
    """The device that ComfyUI works on."""
    import comfy.model_management

    device = comfy.model_management.get_torch_device()
    if device.type != kind:
        raise SystemExit(f"ComfyUI works on {device}: give --device {device.type}")
    return device


def _parts(given: argparse.Namespace) -> tuple[list[Part], list[Part]]:
    """All parts for the given models, and those that are to be run."""
    from .gpu_parts.all_parts import MODELS, parts_for

    default = ["tiny"] if given.device == "cpu" else [name for name in MODELS if name != "tiny"]
    models = given.models.split(",") if given.models else default
    _known("--models", models, MODELS)
    parts = parts_for(models)
    names = [part.name for part in parts]
    only = given.only or names
    _known("--only", only, names)
    return parts, [part for part in parts if part.name in only]


def _known(option: str, given: Sequence[str], known: Sequence[str]) -> None:
    if unknown := [name for name in given if name not in known]:
        raise SystemExit(f"{option} has {', '.join(unknown)}; there are {', '.join(known)}")


def _code() -> str:
    """Names the code that figures hold for."""
    parts = ("core", "bridge", "benchmarks")
    return file_digest(*sorted(file for part in parts for file in (ROOT / part).rglob("*.py")))


def machine(device: torch.device) -> dict[str, str]:
    """What the figures hold for."""
    import comfyui_version

    name = "CPU" if device.type == "cpu" else torch.cuda.get_device_name(device)
    return {"device": name, "torch": torch.__version__, "ComfyUI": comfyui_version.__version__}


def _parser() -> argparse.ArgumentParser:
    parser = new_parser(__doc__)
    found = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", choices=("cuda", "cpu"), default=found)
    parser.add_argument("--models", help="whose steps are measured, with commas; default: all, on a CPU a tiny one")
    parser.add_argument("--only", nargs="+", help="names of parts; default: all")
    parser.add_argument("--out", type=Path, default=Path("output/gpu.json"), help="default: output/gpu.json")
    parser.add_argument("--minutes", type=float, default=9.0)
    parser.add_argument("--retry", action="store_true", help="run parts again that failed")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
