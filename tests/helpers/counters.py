"""A T2ICount model on the Shapes demo model, its decoder not trained: it reads words and counts something everywhere."""

from __future__ import annotations

import atexit
from functools import cache
from pathlib import Path

import folder_paths
import torch
from headcount.bridge.t2icount.loaded import LoadedCounter, load_counter
from headcount.core.t2icount.network import CountNetwork

from training.run_folder import write_checkpoint
from training.start import start_network

SHAPES_MODEL = Path(__file__).resolve().parents[2] / "demo" / "weights" / "shapes.safetensors"
UNTRAINED = "untrained.safetensors"


def untrained_network() -> CountNetwork:
    return start_network(SHAPES_MODEL, seed=0).requires_grad_(False).eval()


def model_folder() -> Path:
    """ComfyUI's models/t2icount, in the tests' own base folder."""
    folder = Path(folder_paths.models_dir) / "t2icount"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_untrained(path: Path) -> None:
    """At half precision, as the shipped counter is."""
    write_checkpoint(untrained_network().half(), path)


@cache
def untrained_counter() -> LoadedCounter:
    """Loaded from a file in inference mode, as ComfyUI's executor does; shared by all tests."""
    write_untrained(model_folder() / UNTRAINED)
    with torch.inference_mode():
        return load_counter(UNTRAINED, "fp32")


atexit.register(untrained_counter.cache_clear)  # ComfyUI's patchers cannot be taken down once its modules are gone
