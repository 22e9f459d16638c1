"""The pack's nodes. Imported here at the top, so that an import error reaches ComfyUI's log with its traceback."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

NODES: list[type[io.ComfyNode]] = []


class HeadcountExtension(ComfyExtension):
    """What ComfyUI asks for the nodes."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """Every node of the pack."""
        return NODES


async def comfy_entrypoint() -> HeadcountExtension:
    """Entry point that ComfyUI calls once, after importing the pack."""
    return HeadcountExtension()
