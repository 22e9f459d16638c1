"""What the command lines of the benchmarks share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from demo.comfy_host import import_comfyui

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def new_parser(about: str | None) -> argparse.ArgumentParser:
    """A parser whose help is a module's text as it is written."""
    return argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)


def positive(text: str) -> int:
    """For `type=`: a whole number from 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)


def not_negative(text: str) -> int:
    """For `type=`: a whole number from 0."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0")
    return int(text)


def part_of(text: str) -> tuple[int, int]:
    """For `type=`: "i/n", the i-th of n parts, from 0."""
    first, _, parts = text.partition("/")
    if not (first.isdigit() and parts.isdigit() and int(first) < int(parts)):
        raise argparse.ArgumentTypeError(f"{text!r} is no part: expected i/n with i from 0 to n-1, such as 0/4")
    return int(first), int(parts)


def addresses_of(text: str) -> list[str]:
    """For `--servers`: addresses of running ComfyUI servers, joined by commas."""
    return [address.strip().rstrip("/") for address in text.split(",") if address.strip()]


def add_servers(group: argparse._ArgumentGroup, made: str) -> None:
    """The options of a workflow that servers run; `made` says what it makes, such as "video"."""
    group.add_argument("--servers", type=addresses_of, default=["http://127.0.0.1:8188"], metavar="URL,URL",
                       help="addresses of running ComfyUI servers, which share the work")  # fmt: skip
    group.add_argument(
        "--prompt-node", metavar="ID.input", help="what gets the prompt (the node with the title 'prompt')"
    )
    group.add_argument("--output-node", metavar="ID", help=f"the node that saves the {made}, where several do")
    group.add_argument("--timeout", type=float, default=3600.0, help=f"longest time for one {made} in seconds (3600)")


def add_limit(parser: argparse.ArgumentParser, of: str) -> None:
    """--limit, for a look at a benchmark that takes long."""
    parser.add_argument("--limit", type=positive, metavar="N", help=f"only N of the {of}, evenly taken")


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json, for programs."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")


def tell(text: str) -> None:
    """Say how far a run is, beside its results."""
    print(text, file=sys.stderr, flush=True)


def device_of(given: str | None) -> torch.device:
    """The device of that name; without one the accelerator, or the CPU where there is none.

    Raises:
        CountError: PyTorch has no such device.
    """
    if given is None:
        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return found or torch.device("cpu")
    try:
        return torch.empty(0, device=given).device
    except (RuntimeError, AssertionError) as error:
        from headcount.core.errors import CountError  # a command may parse its line before the pack can be imported

        raise CountError(f"--device {given}: {str(error).splitlines()[0]}. Leave it out, or give cpu") from error


def start_comfyui(device: torch.device) -> None:
    """Import ComfyUI, which decides at its first import what it runs on."""
    import_comfyui("--cpu" if device.type == "cpu" else "--disable-auto-launch")


def wait_for(device: torch.device) -> Callable[[], None]:
    """What waits until the device has done all that it was given."""
    return (lambda: None) if device.type == "cpu" else torch.accelerator.synchronize
