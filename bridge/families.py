"""Which diffusion models the attention nodes can read."""

from __future__ import annotations

from typing import Any

from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

from ..core.errors import CountError

# Class of the diffusion model -> what users call the models of that class.
READABLE = {UNetModel: "Stable Diffusion 1.5, 2.1, SDXL, their fine-tunes and the Shapes demo model"}


def require_readable(model: Any, node: str) -> None:
    """Refuse a MODEL whose attention cannot be read, before anything is sampled.

    Raises:
        CountError: the model is of another family, or a node gave none.
    """
    if model is None:
        raise CountError(f"{node} got no model; connect a loader's MODEL output")
    diffusion = getattr(model.model, "diffusion_model", None)
    if not isinstance(diffusion, tuple(READABLE)):
        name = type(model.model).__name__
        raise CountError(
            f"{node} cannot read the attention of this model ({name}). It works with {READABLE[UNetModel]}"
        )
