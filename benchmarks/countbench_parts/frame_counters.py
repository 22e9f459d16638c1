"""What counts the things in frames. Grounding DINO, which CountBench's authors use, is in `grounding`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from headcount.core.errors import CountError
from headcount.core.prompts import plural, same_noun
from numpy.typing import NDArray

from demo.comfy_host import import_comfyui
from demo.counter import count_shapes
from demo.shapes import NOUNS

from ..evaluation.store import file_digest
from .metrics import Counts


class FrameCounter(Protocol):
    """Counts things."""

    @property
    def name(self) -> str:
        """Names the counter and its settings; counts of one name can be compared."""
        ...

    def count(self, frames: NDArray[np.uint8], nouns: Sequence[str]) -> Counts:
        """(N, K) counts of K nouns, in singular or plural, in (N, H, W, 3) frames."""
        ...


class ShapesFrames:
    """The exact counter of the Shapes scenes."""

    name = "exact counter of the Shapes scenes"

    def count(self, frames: NDArray[np.uint8], nouns: Sequence[str]) -> Counts:
        """See `FrameCounter`.

        Raises:
            CountError: a noun is no shape.
        """
        known = [next((shape for shape in NOUNS if same_noun(shape, noun)), None) for noun in nouns]
        if None in known:
            raise CountError(
                f"the Shapes counter does not know {nouns[known.index(None)]!r}, only {', '.join(NOUNS)}. "
                "Give --detector the folder of a detector"
            )
        seen = [count_shapes(frame) for frame in frames]
        return np.array([[shapes.get(noun, 0) for noun in known] for shapes in seen], np.int64)


class T2ICountFrames:
    """A T2ICount checkpoint; its counts are rounded.

    Args:
        file: of the authors or of this pack's training.
        device: "cpu", or where ComfyUI finds its accelerator.

    Raises:
        CountError: there is no such file, or it holds something else.
    """

    def __init__(self, file: Path, device: torch.device) -> None:
        if not file.is_file():
            raise CountError(f"there is no file {file}. Give --detector t2icount:FILE")
        import_comfyui("--cpu" if device.type == "cpu" else "--disable-auto-launch")
        import folder_paths
        from headcount.bridge.t2icount.files import FOLDER
        from headcount.bridge.t2icount.loaded import load_counter

        folder_paths.add_model_folder_path(FOLDER, str(file.resolve().parent), is_default=True)
        self._counter = load_counter(file.name, "fp32")
        self.name = f"T2ICount {file.name} {file_digest(file)}"

    def count(self, frames: NDArray[np.uint8], nouns: Sequence[str]) -> Counts:
        pictures = torch.from_numpy(frames).float() / 255
        return self._counter.count(pictures, [plural(noun.lower()) for noun in nouns]).rounded.numpy()
