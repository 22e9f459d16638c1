"""How much memory a gradient pass takes, and whether the network's blocks are recomputed to take less.

ComfyUI frees memory for a model's own calls. What autograd keeps for backward comes on top; its size is estimated from
ComfyUI's own measure of a model (`memory_usage_factor`), and then measured in the first pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import comfy.model_management
from torch import Tensor

MemorySetting = Literal["auto", "fast", "low"]

# Most memory of a pass as a multiple of `lean_estimate`. Of `python -m benchmarks.isac_cost --device none`, objective
# "anchored" of a transformer at 1024 x 1024: Flux 9.2, Z-Image 13.4; "paper": Stable Diffusion 1.5 at 512 x 512 8.6, SDXL
# 17.9 and 3.5 Medium 11.1 at 1024 x 1024; with their blocks recomputed 4.2, 3.3 and 1.2. The maps, which are not in there,
# take up to 0.8. "paper" of Flux and Z-Image, 24 and 31, is learnt when memory runs out.
_WHOLE, _RECOMPUTED = 20, 6
_MARGIN = 1.3  # for what comes on top of the activations that were measured: maps, the calls' gradients, backward's own


def lean_estimate(model: Any, shape: list[int] | tuple[int, ...]) -> float:
    """Bytes of ComfyUI's estimate for a model call on a latent of `shape` with memory-efficient attention."""
    dtype = model.manual_cast_dtype or model.get_dtype()
    area = shape[0] * math.prod(shape[2:])
    return float(area * comfy.model_management.dtype_size(dtype) * 0.01 * model.memory_usage_factor * 1024**2)


class GradientMemory:
    """Decides, pass by pass, whether blocks are recomputed; one object for one shape of latent.

    Args:
        setting: "fast" keeps all activations, "low" recomputes blocks, "auto" recomputes them when all activations
            would not fit into the free memory. Memory that has run out once overrules it.
        model: ComfyUI's BaseModel.
        can_recompute: its architecture has blocks that can be recomputed.
    """

    def __init__(self, setting: MemorySetting, model: Any, can_recompute: bool) -> None:
        self._setting = setting
        self._model = model
        self._can_recompute = can_recompute
        self._ran_out = False
        self._measured: float | None = None

    def recomputes(self, x: Tensor) -> bool:
        """Whether the next pass recomputes blocks."""
        if not self._can_recompute or (self._setting == "fast" and not self._ran_out):
            return False
        return self._setting == "low" or self._ran_out or self._need(x) > _free(x)

    def _need(self, x: Tensor) -> float:
        if self._measured is not None:
            return _MARGIN * self._measured
        return _WHOLE * lean_estimate(self._model, x.shape)

    @contextmanager
    def measuring(self, x: Tensor, recomputes: bool) -> Iterator[None]:
        """Around the model's call of a pass: learn once how much memory its activations take."""
        # What is free on a CPU is other programs' business, too.
        if recomputes or self._measured is not None or comfy.model_management.is_device_cpu(x.device):
            yield
            return
        before = _free(x)
        yield
        self._measured = max(before - _free(x), 0.0)

    def ran_out(self) -> bool:
        """Take note that a pass ran out of memory; True when the next one may take less."""
        if self._ran_out or self._setting == "low" or not self._can_recompute:
            return False
        self._ran_out = True
        return True


def _free(x: Tensor) -> float:
    return float(comfy.model_management.get_free_memory(x.device))


def reserving(setting: MemorySetting, can_recompute: bool) -> Callable[..., Any]:
    """A PREPARE_SAMPLING wrapper that has ComfyUI free as much memory as a gradient pass needs at least.

    ComfyUI uses the shape that it passes on for its estimate only, so a larger batch stands for the need.
    """
    factor = _WHOLE if setting == "fast" or not can_recompute else _RECOMPUTED

    def prepare(executor: Any, model: Any, shape: Any, conds: Any, *args: Any, **kwargs: Any) -> Any:
        estimate = float(model.model.memory_required(list(shape)))
        need = factor * lean_estimate(model.model, shape)
        batch = math.ceil(shape[0] * max(1.0, need / estimate)) if estimate > 0 else shape[0]
        return executor(model, [batch, *shape[1:]], conds, *args, **kwargs)

    return prepare
