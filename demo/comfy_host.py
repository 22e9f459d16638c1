"""Puts a real ComfyUI and this pack on the import path, for training, tests and benchmarks outside a ComfyUI server."""

from __future__ import annotations

import sys
import types
from importlib.machinery import ModuleSpec

from training.pack import PACK, ROOT, register_pack

from .comfyui_path import comfyui_folder, named_folder, packages_of

__all__ = ["PACK", "ROOT", "comfyui_folder", "import_comfyui", "register_pack", "stand_in_for_broken_wheels"]


def _use_its_packages() -> None:
    """What another ComfyUI asks for goes before what .venv has: in this process, and in those that it starts."""
    named = named_folder()
    folder = str(packages_of(named)) if named else ""
    if named and folder not in sys.path:
        sys.path.insert(0, folder)


_use_its_packages()


def stand_in_for_broken_wheels() -> None:
    """Make `import torchvision` and `import torchaudio` work beside a CPU build of torch.

    Their wheels load CUDA libraries. ComfyUI imports both at start, but the pack's models call neither.
    """
    import torch

    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError, OSError):
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _KEPT.append(library)
    try:
        import torchaudio  # noqa: F401
    except (ImportError, RuntimeError, OSError):
        for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
            del sys.modules[name]
        for name in ("torchaudio", "torchaudio.functional", "torchaudio.transforms"):
            module = types.ModuleType(name)
            module.__spec__ = ModuleSpec(name, None)
            module.__path__ = []
            sys.modules[name] = module


_KEPT: list[object] = []  # a torch.library.Library undefines its operators when it is collected


def import_comfyui(*arguments: str) -> None:
    """Make `import comfy` and `import headcount` work in this process, with the ComfyUI command line `arguments`."""
    stand_in_for_broken_wheels()
    folder = str(comfyui_folder())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    real, sys.argv = sys.argv, ["comfyui", *(arguments or ("--cpu",))]
    try:
        import comfy.options

        comfy.options.enable_args_parsing()
        import comfy.cli_args  # parses sys.argv, once
    finally:
        sys.argv = real
    register_pack()
