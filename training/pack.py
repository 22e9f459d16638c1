"""Makes this pack importable as `headcount` outside ComfyUI, whatever its folder is called."""

from __future__ import annotations

import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACK = "headcount"


def register_pack() -> None:
    """Make `import headcount.core...` work in this process; without the pack's nodes, which need ComfyUI."""
    if PACK not in sys.modules:
        package = types.ModuleType(PACK)
        package.__path__ = [str(ROOT)]
        sys.modules[PACK] = package
