"""Images as bytes, and back: every file, preview and model of another library takes 0 to 255."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor


def pixels_of(image: Tensor) -> NDArray[np.uint8]:
    """The same shape in uint8, of values in 0..1; what lies outside becomes 0 or 255."""
    values = image.detach().float().clamp(0, 1).cpu().numpy()
    return (values * 255).round().astype(np.uint8)


def image_of(pixels: NDArray[np.uint8] | Image.Image) -> Tensor:
    """The same shape in float32, 0..1, of uint8 pixels or an image of Pillow."""
    return torch.from_numpy(np.asarray(pixels, np.float32) / 255)
