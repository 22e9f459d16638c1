"""Where the Shapes models' weights are, and how they get into ComfyUI."""

from __future__ import annotations

from pathlib import Path

import comfy.utils
from torch import Tensor

from ...core.errors import CountError
from ...core.weights import not_finite
from .model import ShapesModel, build_shapes_model
from .video_model import build_shapes_video_model

_FOLDER = Path(__file__).resolve().parents[2] / "demo" / "weights"
WEIGHTS = _FOLDER / "shapes.safetensors"
_POINTER = b"version https://git-lfs"
VIDEO_WEIGHTS = _FOLDER / "shapes_video.safetensors"


def load_shapes_model(path: Path = WEIGHTS) -> ShapesModel:
    """Read a safetensors file of the Shapes model.

    Raises:
        CountError: the file is missing, damaged or holds another model.
    """
    if not path.is_file():
        raise CountError(
            f"the Shapes demo model is missing: {path.name} is not in the pack's demo/weights folder. Install the pack again"
        )
    return build_shapes_model(_tensors_of(path))


def load_shapes_video_model(path: Path = VIDEO_WEIGHTS) -> ShapesModel:
    """Read a safetensors file of the Shapes video model.

    Raises:
        CountError: the file is missing, damaged or holds another model.
    """
    if not path.is_file():
        raise CountError(
            f"the Shapes video model is missing: {path.name} is not in the pack's demo/weights folder. This version comes "
            "without it: in a clone of the pack's repository `make setup` and then `.venv/bin/python -m "
            f"demo.train_shapes_video --out output/shapes_video` train it; copy {path.name} from there into demo/weights"
        )
    return build_shapes_video_model(_tensors_of(path))


def _tensors_of(path: Path) -> dict[str, Tensor]:
    """What a safetensors file holds, by name.

    Raises:
        CountError: the file is damaged, incomplete, or only a pointer to itself.
    """
    try:
        tensors = comfy.utils.load_torch_file(str(path), safe_load=True)
    except Exception as error:  # each way of being damaged has a class of its own, and it depends on the reader
        with path.open("rb") as file:
            is_pointer = file.read(len(_POINTER)) == _POINTER
        if is_pointer:
            raise CountError(
                f"{path.name} is a pointer of Git LFS, not the model itself: run `git lfs pull` in the pack's folder, or "
                "install the pack again"
            ) from error
        why = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise CountError(
            f"{path.name} is damaged or incomplete: it has {path.stat().st_size} bytes ({why}). Install the pack again"
        ) from error
    broken = not_finite(tensors)
    if broken:
        raise CountError(
            f"{path.name} is damaged: {broken[0]} holds values that are not numbers. Install the pack again"
        )
    return tensors
