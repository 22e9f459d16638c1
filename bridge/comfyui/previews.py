"""Pictures that a node shows in the page. They are files: where these cannot be written, the node's outputs still count."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any
from uuid import uuid4

import folder_paths
from comfy_api.latest import io, ui
from torch import Tensor

_QUICK = 1  # compression of PNG, as in ComfyUI's own previews
_LOG = logging.getLogger(__name__)


def image_preview(pictures: Tensor, node: type[io.ComfyNode]) -> dict[str, Any]:
    """What ComfyUI's `ui.PreviewImage` gives for (B, H, W, 3) pictures.

    Where the disk is full it is nothing, no file is left, and the log says so.
    """
    prefix = f"ComfyUI_temp_{uuid4().hex[:8]}"
    try:
        files = ui.ImageSaveHelper.save_images(pictures, prefix, io.FolderType.temp, node, _QUICK)
    except OSError as error:
        for unfinished in Path(folder_paths.get_temp_directory()).glob(f"{prefix}*"):
            unfinished.unlink(missing_ok=True)
        name = node.GET_SCHEMA().display_name.partition(" (")[0]
        _LOG.warning("%s: its preview could not be written (%s); its outputs are complete", name, error.strerror)
        return {}
    return {"images": files, "animated": (False,)}
