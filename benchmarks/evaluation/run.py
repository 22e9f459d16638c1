"""What `python -m benchmarks.intracomp` does once its command line is read."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace

import torch

from .counters import DetectorCounter, PictureCounter, ShapesCounter
from .counting import count_all
from .detectors import Detector, DetectorSettings
from .generation import Plan, draw_all
from .methods import METHODS
from .prompts import INTRACOMP, SHAPES, Vocabulary, make_asks
from .sources import CHECKPOINT_SAMPLING, SHAPES_SAMPLING, checkpoint_source, shapes_source
from .store import Store
from .tables import render

_SAMPLING = ("steps", "cfg", "sampler", "scheduler", "size")


def run(arguments: argparse.Namespace, device: torch.device) -> None:
    """Draw, count and print the report, each unless told not to.

    Args:
        arguments: as the command line of `benchmarks.intracomp` gives them.
        device: where detectors run; ComfyUI has chosen for itself.

    Raises:
        CountError: the model cannot be used.
        OSError: a file or detector is not there.
        ValueError: there is no such method, or nothing to report.
    """
    vocabulary = SHAPES if arguments.shapes else INTRACOMP
    store = Store(arguments.out)
    if not arguments.skip_generate:
        draw_all(_plan(arguments, vocabulary), store, _tell)
    if not arguments.skip_count:
        for counter in _counters(arguments, device):
            count_all(store, counter, vocabulary.name, arguments.part, _tell)
    if arguments.part == (0, 1):
        _report(arguments, store)


def _plan(arguments: argparse.Namespace, vocabulary: Vocabulary) -> Plan:
    methods = list(dict.fromkeys(arguments.method or ["none"]))
    if unknown := [method for method in methods if method not in METHODS]:
        raise ValueError(f"there is no method {', '.join(unknown)}; there are {', '.join(METHODS)}")
    source = shapes_source() if arguments.shapes else checkpoint_source(arguments.checkpoint)
    given = {name: value for name in _SAMPLING if (value := getattr(arguments, name)) is not None}
    settings = replace(SHAPES_SAMPLING if arguments.shapes else CHECKPOINT_SAMPLING, **given)
    asks = make_asks(vocabulary, arguments.seed, arguments.limit)
    return Plan(vocabulary.name, asks, arguments.images, methods, source, settings, arguments.part)


def _counters(arguments: argparse.Namespace, device: torch.device) -> Iterator[PictureCounter]:
    if arguments.shapes:
        yield ShapesCounter()
    if arguments.detector:
        thresholds = arguments.threshold * (len(arguments.detector) if len(arguments.threshold) == 1 else 1)
        settings = [
            DetectorSettings(source, threshold, arguments.nms)
            for source, threshold in zip(arguments.detector, thresholds, strict=True)
        ]
        yield DetectorCounter([Detector(item, device) for item in settings], arguments.agreement)


def _report(arguments: argparse.Namespace, store: Store) -> None:
    lines, figures = render(store)
    if not lines:
        if arguments.skip_count:
            return
        raise ValueError(f"there is nothing to report: {arguments.out} holds no counted pictures")
    print("\n".join(lines))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
