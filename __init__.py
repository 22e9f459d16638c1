"""Headcount: image generation that counts, for ComfyUI."""

from pathlib import Path

from .bridge.copies import is_second_copy
from .nodes import comfy_entrypoint

WEB_DIRECTORY = "./web"
if is_second_copy(
    Path(__file__).parent
):  # it brings neither pages nor nodes: two versions that mix are worse than either
    WEB_DIRECTORY = None

__all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
