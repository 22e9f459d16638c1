"""What ComfyUI newer than 0.30.0 does differently where this pack meets it, in one place.

Each difference is found by looking for the thing itself, not by a version number: packs and forks carry parts of newer
versions. Where a name says that the thing is not there, ComfyUI is as old as 0.30.0 in that respect.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import comfy.cli_args
from torch import Tensor, nn

_NO_GRAPHS = "disable_comfy_compiler"
_LOG = logging.getLogger(__name__)


def unpacked(*arguments: Any) -> tuple[Any, ...]:
    """Arguments of an attention call without the containers that ComfyUI 0.32 and newer may hand tensors over in.

    A container has one owner: what is taken out is no longer in it.
    """
    return tuple(
        one.take() if not isinstance(one, Tensor) and hasattr(one, "peek") and hasattr(one, "take") else one
        for one in arguments
    )


@contextmanager
def without_graphs() -> Iterator[None]:
    """Within the block ComfyUI replays no CUDA graph (0.33.1 and newer): a replay runs no Python, nor this pack's."""
    settings = comfy.cli_args.args
    before = getattr(settings, _NO_GRAPHS, None)
    if before is None:
        yield
        return
    setattr(settings, _NO_GRAPHS, True)
    try:
        yield
    finally:
        setattr(settings, _NO_GRAPHS, before)


def warn_of_own_attention(network: nn.Module, node: str) -> None:
    """Say it where layers of a network want another attention than the rest (0.38): an override replaces that, too."""
    if any(type(one).__name__ == "ComfyAttention" and getattr(one, "function", None) for one in network.modules()):
        _LOG.warning(
            "%s: this model's file asks for INT8 attention in some layers. While their attention is recorded they use "
            "ComfyUI's ordinary one, so the image differs slightly from the one without this node",
            node,
        )
