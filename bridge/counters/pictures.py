"""ComfyUI's images as counters read them."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...core.errors import CountError


def rgb_pictures(image: Any) -> Tensor:
    """(N, H, W, 3) of an IMAGE: transparency is dropped, grey becomes red, green and blue.

    Raises:
        CountError: it is no batch of images.
    """
    if not isinstance(image, Tensor) or image.ndim != 4 or not image.numel():
        given = f"shape {tuple(image.shape)}" if isinstance(image, Tensor) else type(image).__name__
        raise CountError(
            f"the counter needs an IMAGE of shape (images, height, width, channels) with an image in it, and got {given}"
        )
    if image.shape[-1] < 3:
        return image[..., :1].expand(*image.shape[:-1], 3)
    return image[..., :3]
