"""Where the Shapes model's weights are, and how they get into ComfyUI."""

from __future__ import annotations

from pathlib import Path

from .model import ShapesModel, build_shapes_model
from .weights import tensors_of

_FOLDER = Path(__file__).resolve().parents[2] / "demo" / "weights"
WEIGHTS = _FOLDER / "shapes.safetensors"


def load_shapes_model(path: Path = WEIGHTS) -> ShapesModel:
    """Read a safetensors file of the Shapes model.

    Raises:
        CountError: the file is missing, damaged or holds another model.
    """
    return build_shapes_model(tensors_of(path)[0])
