"""Custom nodes of the benchmarks: the papers' methods with one part exchanged, as the rows of their ablations have it.

These are choices of the benchmarks; the nodes of the pack offer what the papers end up with. Methods are written as
`isac_ablation:schedule=A`, `numina_ablation:heads=top2` and `numina_detected`. `benchmarks.effect` runs them as they are. For
`--workflow` this folder is a custom node of its own: link it into custom_nodes of each ComfyUI server, beside the pack, whose
code it uses. The node of `numina_detected` needs a counter, so that it is put into the workflow itself.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from comfy_api.latest import ComfyExtension, io

_NODE_OF_THE_PACK = "HeadcountNuminaCountGuide"


def pack(module: str) -> Any:
    """A module of the pack, which a ComfyUI server knows under the path of its folder."""
    if "headcount" in sys.modules:  # of benchmarks and tests
        return import_module(f"headcount.{module}")
    from nodes import NODE_CLASS_MAPPINGS

    return import_module(f"{NODE_CLASS_MAPPINGS[_NODE_OF_THE_PACK].__module__.partition('.nodes.')[0]}.{module}")


class AblationNodes(ComfyExtension):
    """What ComfyUI asks for the nodes."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        from .detected import NuminaDetected
        from .isac import IsacAblation
        from .numina import NuminaAblation

        return [IsacAblation, NuminaAblation, NuminaDetected]


async def comfy_entrypoint() -> AblationNodes:
    """Entry point that ComfyUI calls once, after importing the folder."""
    return AblationNodes()
