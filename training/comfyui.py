"""ComfyUI's classes in a training process, for the network is made of them: no server, no node, none of its settings."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from headcount.core.errors import CountError
from headcount.core.t2icount.network import BuildNetwork

from .pack import ROOT


def comfyui_folders() -> list[Path]:
    """Where a ComfyUI may be: COMFYUI_PATH, the one around this pack, the one that `make setup` unpacked."""
    named = os.environ.get("COMFYUI_PATH")
    return [*([Path(named)] if named else []), ROOT.parent.parent, ROOT / ".comfyui"]


def network_builder() -> BuildNetwork:
    """What makes a network out of ComfyUI's classes, its backbone's weights still to come.

    Raises:
        CountError: there is no ComfyUI.
    """
    if "comfy" not in sys.modules:
        _import_comfyui()
    from headcount.bridge.t2icount.backbone import count_network

    return count_network


def _import_comfyui() -> None:
    folders = comfyui_folders()
    found = next((folder for folder in folders if (folder / "comfy" / "clip_model.py").is_file()), None)
    if found is None:
        raise CountError(
            f"there is no ComfyUI in {' or '.join(map(str, folders))}, and the network is put together of its classes; "
            "name its folder by COMFYUI_PATH"
        )
    sys.path.append(str(found))  # at the end: it has folders of its own with the names of this pack's
    from comfy.cli_args import args

    args.cpu = not (torch.cuda.is_available() or torch.backends.mps.is_available())  # else it stops without a GPU
