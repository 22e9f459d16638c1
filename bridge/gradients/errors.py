"""What PyTorch says when a gradient cannot be taken, in the words of the node."""

from __future__ import annotations

import comfy.model_management

from ...core.errors import CountError
from ..comfyui.node_names import NOISE_PICKER

_IN_PLACE = "modified by an inplace operation"
_NO_MEMORY = ("out of memory", "not enough memory")
_NO_WAY_BACK = (
    "does not require grad",
    "does not have a grad_fn",
    "derivative for",
    "is not implemented for",
    "don't support automatic differentiation",
    "no autograd formula was registered",
    "Inference tensors cannot be saved for backward",
    "appears to not have been used in the graph",
)


def out_of_memory(error: Exception) -> bool:
    """Whether memory ran out, of an accelerator or of the CPU."""
    if isinstance(error, comfy.model_management.OOM_EXCEPTION):
        return True
    return any(part in str(error) for part in _NO_MEMORY)


def writes_in_place(error: Exception) -> bool:
    """Whether a tensor that backward needs was overwritten."""
    return _IN_PLACE in str(error)


def no_gradient(node: str, detail: str) -> CountError:
    """The error for a model through which no gradient passes."""
    return CountError(
        f"{node} cannot take gradients through this model ({detail}). Models with weights in a format of their own, such "
        f"as NF4 or Nunchaku, often have no way back: use {NOISE_PICKER}, which needs no gradient, or load the "
        "model in fp16, bf16 or fp8"
    )


def explained(error: Exception, node: str) -> CountError | None:
    """The error with the fix, where the cause is known."""
    text = str(error).strip()
    if writes_in_place(error):
        return CountError(
            f"{node} cannot take gradients because a patch of another node overwrites numbers that they need. Set its "
            f"memory to 'fast', or else remove patches such as FreeU from this model, or use {NOISE_PICKER}"
        )
    if any(part in text for part in _NO_WAY_BACK):
        return no_gradient(node, text.splitlines()[0][:200])
    return None
