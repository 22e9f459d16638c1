"""What `python -m benchmarks.countbench` does once its command line is read."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
from headcount.core.errors import CountError

from .asks import read_asks, spread
from .clip_score import ClipScorer
from .frame_counters import FrameCounter, ShapesFrames, T2ICountFrames
from .grounding import GroundingFrames, GroundingSettings
from .kept import Kept
from .making import MakingSettings, make_videos
from .measuring import Meter, measure_all
from .report import Origin, figures, read_figures, render
from .videos import match_videos

SHAPES, T2ICOUNT = "shapes", "t2icount:"


def run(arguments: argparse.Namespace) -> None:
    """Make videos if told to, measure them, print the report and write it.

    Raises:
        CountError: a file, the detector or the workflow cannot be used, or there is nothing to measure.
        PromptError: ComfyUI could not run the workflow.
        OSError: a file cannot be written.
    """
    every = read_asks(arguments.prompts, arguments.counts)
    asks = spread(every, arguments.limit)
    other = read_figures(arguments.against) if arguments.against else None
    if arguments.workflow:
        make_videos(_making(arguments), asks, every, arguments.videos, _tell)
    videos = match_videos(arguments.videos, len(every))
    missing = tuple(ask.index for ask in asks if ask.index not in videos)
    if len(missing) == len(asks):
        raise CountError(
            f"{arguments.videos} has no video of any prompt. Name them 001_..., or make them with --workflow"
        )
    meter = _meter(arguments)
    measured = measure_all(meter, asks, videos, arguments.missing == "zero", _tell)
    clip = meter.clip.name if meter.clip else None
    origin = Origin(str(arguments.videos), meter.counter.name, clip, missing, arguments.missing)
    content = figures(origin, measured, other)
    text = "\n".join(render(content)) + "\n"
    (arguments.out / "results.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (arguments.out / "report.md").write_text(text, encoding="utf-8")
    print(text, end="")


def _making(arguments: argparse.Namespace) -> MakingSettings:
    return MakingSettings(
        arguments.server,
        arguments.workflow,
        arguments.seed,
        arguments.prompt_node,
        arguments.output_node,
        arguments.timeout,
    )


def _meter(arguments: argparse.Namespace) -> Meter:
    device = _device(arguments.device)
    clip = None
    if arguments.clip:
        clip = ClipScorer(arguments.clip, device, arguments.allow_download)
    return Meter(_counter(arguments, device), clip, Kept(arguments.out / "measured"), arguments.batch)


def _counter(arguments: argparse.Namespace, device: torch.device) -> FrameCounter:
    detector: str = arguments.detector
    if detector == SHAPES:
        return ShapesFrames()
    if detector.startswith(T2ICOUNT):
        return T2ICountFrames(Path(detector.removeprefix(T2ICOUNT)), device)
    settings = GroundingSettings(detector, arguments.box_threshold, may_download=arguments.allow_download)
    return GroundingFrames(settings, device)


def _device(given: str | None) -> torch.device:
    """The device of that name; without one the accelerator, or the CPU where there is none."""
    if given is None:
        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return found or torch.device("cpu")
    try:
        return torch.empty(0, device=given).device
    except (RuntimeError, AssertionError) as error:
        raise CountError(f"--device {given}: {str(error).splitlines()[0]}. Leave it out, or give cpu") from error


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
