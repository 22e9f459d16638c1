"""Refuses runs in which the model is shown a part of the picture or of the batch at a time.

Maps of parts say nothing about how many things the whole picture shows, and a gradient of parts steers none of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import comfy.model_patcher
from comfy.patcher_extension import WrappersMP, add_wrapper_with_key
from torch import Tensor

from ...core.errors import CountError

_KEY = "headcount_whole_picture"


def refuse_context_windows(
    guider: Any, sigmas: Tensor, model_options: dict[str, Any], latent: Tensor, node: str
) -> None:
    """Check before the first step that no context windows apply.

    Raises:
        CountError: they do.
    """
    handler = model_options.get("context_handler")
    if handler is None:
        return
    conditionings = list(guider.conds.values())
    if handler.should_use_context(guider.inner_model, conditionings, latent, sigmas[:1], model_options):
        raise CountError(
            f"{node} cannot be combined with context windows, which show the model a part of the batch at a time: "
            "remove the Context Windows node, or raise its context_length until the whole batch fits"
        )


def refuse_no_pictures(latent: Tensor, node: str) -> None:
    """Check before the first step that there is a picture: a count of 0 may have been connected to batch_size.

    Raises:
        CountError: the batch is empty.
    """
    if latent.shape[0] == 0:
        raise CountError(f"{node} got a latent without an image: its batch_size is 0. Set it to 1 or more")


def whole_pictures_only(
    model_options: dict[str, Any], latent: Tensor, conditionings: Iterable[Iterable[dict[str, Any]]], node: str
) -> dict[str, Any]:
    """A copy of `model_options` under which the model refuses everything but the whole batch of whole pictures.

    Conditionings with an area are shown that area, and nothing is wrong with that.

    Args:
        latent: (B, ..., h, w) the sampler's state.
        conditionings: ComfyUI's processed ones.
    """
    whole = tuple(latent.shape[-2:])
    areas = [conditioning.get("area") for group in conditionings for conditioning in group or ()]
    sizes = {whole, *(_shown(area, whole) for area in areas if area is not None)}
    options = comfy.model_patcher.create_model_options_clone(model_options)

    def check(executor: Any, x: Tensor, *args: Any, **kwargs: Any) -> Any:
        transformer_options = args[4] if len(args) > 4 else kwargs.get("transformer_options")
        chunks = len((transformer_options or {}).get("uuids", ()))
        shown = tuple(x.shape[-2:])
        if shown not in sizes or (chunks and x.shape[0] != chunks * latent.shape[0]):
            raise CountError(
                f"{node} cannot be combined with a node that shows the model a part of the image or of the batch at a "
                f"time ({len(x) // max(chunks, 1)} of {shown[0]} x {shown[1]} instead of {len(latent)} of {whole[0]} x "
                f"{whole[1]} latent pixels), such as tiled diffusion: remove that node"
            )
        return executor(x, *args, **kwargs)

    add_wrapper_with_key(WrappersMP.APPLY_MODEL, _KEY, check, options, is_model_options=True)
    return options


def _shown(area: tuple[int, ...], whole: tuple[int, ...]) -> tuple[int, ...]:
    """(height, width) of an area (sizes, then starts) as ComfyUI cuts it off at the picture's edge."""
    sizes, starts = area[: len(area) // 2][-2:], area[-2:]
    return tuple(min(size, side - start) for size, start, side in zip(sizes, starts, whole, strict=True))


def on_one_device(model_options: dict[str, Any]) -> dict[str, Any]:
    """Take the split over several GPUs out of `model_options`, a copy, and return it.

    Each GPU works in a thread of its own, to which neither PyTorch's gradient mode nor an exception of this thread belongs.
    """
    model_options.pop("multigpu_clones", None)
    return model_options
