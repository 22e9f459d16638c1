"""Runs parts one after the other, as many as the time allows."""

from __future__ import annotations

import gc
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import comfy.model_management
import torch

from .part import Part
from .results import Record, Results


def run_parts(
    parts: list[Part],
    device: torch.device,
    results: Results,
    seconds: float,
    say: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    code: str = "",
) -> list[str]:
    """Run the parts that `results` has no record of; a part that fails is recorded and does not stop the others.

    A part is begun when it will be over in time by its own estimate. Where parts take longer than theirs, those to come
    are expected to do so as well.

    Args:
        seconds: for all of them together.
        say: gets a line after each part.
        code: digest of the code, kept beside the figures.

    Returns:
        Names of the parts for which there was no time, or no device any more.
    """
    start, taken, expected, left = clock(), 0.0, 0.0, []
    broken = False
    for part in parts:
        if part.name in results.records:
            continue
        if part.needs_gpu and device.type == "cpu":
            results.add(part.name, Record("needs a GPU", code=code))
            continue
        pace = max(1.0, taken / expected) if expected else 1.0
        if broken or clock() - start + part.seconds * pace > seconds:
            left.append(part.name)
            continue
        began = clock()
        record = _run(part, device)
        broken = not _tidied(device)
        took = clock() - began
        taken, expected = taken + took, expected + part.seconds
        results.add(part.name, replace(record, seconds=took, code=code))
        say(f"{part.name}: {record.verdict} ({took:.1f} s)")
    if broken:
        say("the device takes no more work: start again to go on")
    return left


def _run(part: Part, device: torch.device) -> Record:
    try:
        with torch.inference_mode():
            return Record("done", findings=part.run(device))
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return Record("failed", error=f"{text[:300]} ({Path(where.filename).name}:{where.lineno})")


def _tidied(device: torch.device) -> bool:
    """Free what a part has left; False where the device does not answer any more, as after an error in a kernel."""
    try:
        comfy.model_management.unload_all_models()
        gc.collect()
        comfy.model_management.soft_empty_cache()
        if device.type != "cpu":
            torch.accelerator.synchronize()
    except RuntimeError:
        return False
    return True
