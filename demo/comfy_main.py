"""Runs ComfyUI's own main.py with the command line given, after the stand-ins of comfy_host. For demo/server.py."""

from __future__ import annotations

import os
import runpy
import sys
import threading
import time
from pathlib import Path


def end_with_parent() -> None:
    """Leave when the process that started this one is gone, however it ended: no server stays behind."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


if __name__ == "__main__":
    # Python put this folder on the import path; its server.py must not stand in for ComfyUI's.
    own = sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from demo.comfy_host import comfyui_folder, stand_in_for_broken_wheels

    folder = comfyui_folder()
    sys.path[sys.path.index(own)] = str(folder)
    threading.Thread(target=end_with_parent, daemon=True).start()
    stand_in_for_broken_wheels()
    runpy.run_path(str(folder / "main.py"), run_name="__main__")
