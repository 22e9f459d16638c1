"""Where the Shapes models' weights are, and how they get into ComfyUI."""

from __future__ import annotations

from pathlib import Path

from .model import ShapesModel, build_shapes_model
from .video_model import build_shapes_video_model
from .weights import tensors_of

_FOLDER = Path(__file__).resolve().parents[2] / "demo" / "weights"
WEIGHTS = _FOLDER / "shapes.safetensors"
VIDEO_WEIGHTS = _FOLDER / "shapes_video.safetensors"


def load_shapes_model(path: Path = WEIGHTS) -> ShapesModel:
    """Read a safetensors file of the Shapes model.

    Raises:
        CountError: the file is missing, damaged or holds another model.
    """
    return build_shapes_model(tensors_of(path)[0])


def load_shapes_video_model(path: Path = VIDEO_WEIGHTS) -> ShapesModel:
    """Read a safetensors file of the Shapes video model.

    Raises:
        CountError: the file is missing, damaged or holds another model.
    """
    fix = (
        "This version comes without it: in a clone of the pack's repository `make setup` and then `.venv/bin/python -m "
        f"demo.train_shapes_video --out output/shapes_video` train it; copy {path.name} from there into demo/weights"
    )
    return build_shapes_video_model(tensors_of(path, fix)[0])
