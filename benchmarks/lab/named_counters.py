"""The counters that artists have, by what is written on the command line: the same classes as behind the nodes' COUNTER.

FOLDER is Detector Counter with a detector's folder, `sam3:FILE` SAM3 Counter with a checkpoint, `t2icount:FILE` T2ICount;
`shapes` and `emoji` are the counters of the demo worlds. ComfyUI, which says where they run, is imported here only.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from headcount.core.counting import Counted, Counter, DetectionSettings
from headcount.core.errors import CountError
from torch import Tensor

from demo.comfy_host import stand_in_for_broken_wheels

from .counters import ExactShapes, NamedCounter, OnProgress, T2ICountFile
from .detection import Detection, agreed
from .store import file_digest

SAM3, T2ICOUNT = "sam3:", "t2icount:"
HELP = "FOLDER of a zero-shot detector, sam3:FILE, t2icount:FILE, shapes, or emoji"
Counters = Sequence[NamedCounter]


class _Named:
    """A counter behind a node, under a name."""

    vocabulary = ()

    def __init__(self, name: str, counter: Counter) -> None:
        self.name, self._counter = name, counter

    def count(self, images: Tensor, nouns: Sequence[str], on_progress: OnProgress = None) -> Counted:
        """See `NamedCounter`."""
        return self._counter.count(images, nouns, on_progress=on_progress)


class Agreement:
    """Of several counters that give boxes, an object counts when any two see it (ISAC paper, section 4).

    Args:
        counters: at least two.
        least_overlap: intersection over union from which two counters see the same object.
    """

    vocabulary = ()

    def __init__(self, counters: Counters, least_overlap: float = 0.5) -> None:
        self._counters, self._least_overlap = tuple(counters), least_overlap
        names = " | ".join(counter.name for counter in counters)
        self.name = f"any two of: {names}; agreement {least_overlap:g}"

    def count(self, images: Tensor, nouns: Sequence[str], on_progress: OnProgress = None) -> Counted:
        """See `NamedCounter`; the best box of each object.

        Raises:
            CountError: a counter gives no boxes.
        """
        seen = [_detections(counter, counter.count(images, nouns, on_progress)) for counter in self._counters]
        boxes, numbers = [], []
        for found in zip(*seen, strict=True):
            best = [max(group, key=lambda item: item.score) for group in agreed(found, self._least_overlap)]
            best.sort(key=lambda item: -item.score)
            boxes.append([_box_of(item) for item in best])
            numbers.append([sum(item.noun == noun for item in best) for noun in nouns])
        counts = torch.tensor(numbers, dtype=torch.float32).reshape(len(images), len(nouns))
        return Counted(tuple(nouns), counts, (((),) * len(nouns),) * len(images), tuple(boxes))


def _detections(counter: NamedCounter, counted: Counted) -> list[list[Detection]]:
    if counted.boxes is None:
        raise CountError(f"{counter.name} gives no boxes, so it cannot agree with others. Give it to --detector alone")
    return [
        [
            Detection(
                box["label"], box["score"], (box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"])
            )
            for box in boxes
        ]
        for boxes in counted.boxes
    ]


def _box_of(item: Detection) -> dict[str, Any]:
    left, top, right, bottom = item.box
    place = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    return {**place, "label": item.noun, "score": item.score}


def counter_of(text: str, threshold: float = 0.3, merge_overlap: float = 0.5) -> NamedCounter:
    """The counter that is written so.

    Args:
        threshold, merge_overlap: of detectors, see `DetectionSettings`.

    Raises:
        CountError: there is no such file or folder, or it holds something else.
    """
    settings = DetectionSettings(threshold, merge_overlap)
    made_so = f"score {threshold:g}, overlap {merge_overlap:g}"
    if text == "shapes":
        return ExactShapes()
    if text == "emoji":
        from headcount.bridge.demo_models.emoji_counter import DECIDER_WEIGHTS, load_emoji_counter

        return _Named(f"Emoji counter {file_digest(DECIDER_WEIGHTS)}", load_emoji_counter())
    if text.startswith(T2ICOUNT):
        return T2ICountFile(Path(text.removeprefix(T2ICOUNT)))
    if text.startswith(SAM3):
        file = _existing(Path(text.removeprefix(SAM3)), Path.is_file)
        return _Named(f"SAM3 {file.name} {file_digest(file)}, {made_so}", _sam3(file, settings))
    folder = _existing(Path(text), Path.is_dir)
    return _Named(f"{folder.resolve().name} {_weights(folder)}, {made_so}", _detector(folder, settings))


def counters_of(
    texts: Sequence[str], thresholds: Sequence[float], merge_overlap: float, agreement: float
) -> NamedCounter:
    """The one counter that is written, or the agreement of several; one threshold each, or one for all."""
    each = list(thresholds) * (len(texts) if len(thresholds) == 1 else 1)
    counters = [counter_of(text, threshold, merge_overlap) for text, threshold in zip(texts, each, strict=True)]
    return counters[0] if len(counters) == 1 else Agreement(counters, agreement)


def _existing(path: Path, is_there: Any) -> Path:
    if not is_there(path):
        raise CountError(f"--detector: there is no {path}. Give {HELP}")
    return path


def _weights(folder: Path) -> str:
    return file_digest(*sorted(folder.glob("*.safetensors")))


def _detector(folder: Path, settings: DetectionSettings) -> Counter:
    stand_in_for_broken_wheels()
    from headcount.bridge.counters.detector import DetectorCounter
    from headcount.bridge.counters.detector_files import read_detector

    return DetectorCounter(read_detector(folder), settings)


def _sam3(file: Path, settings: DetectionSettings) -> Counter:
    import comfy.sd
    from headcount.bridge.counters.sam3 import Sam3Counter

    model, clip, *_ = comfy.sd.load_checkpoint_guess_config(str(file), output_vae=False, output_clip=True)
    return Sam3Counter(model, clip, settings)
