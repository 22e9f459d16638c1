"""Where the Shapes model's weights are, and how they get into ComfyUI."""

from __future__ import annotations

from pathlib import Path

import comfy.utils

from ...core.errors import CountError
from .model import ShapesModel, build_shapes_model

WEIGHTS = Path(__file__).resolve().parents[2] / "demo" / "weights" / "shapes.safetensors"


def load_shapes_model(path: Path = WEIGHTS) -> ShapesModel:
    """Read a safetensors file of the Shapes model.

    Raises:
        CountError: the file is missing or holds another model.
    """
    if not path.is_file():
        raise CountError(
            f"the Shapes demo model is missing: {path.name} is not in the pack's demo/weights folder. Install the pack again"
        )
    return build_shapes_model(comfy.utils.load_torch_file(str(path), safe_load=True))
