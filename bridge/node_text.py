"""Text that stands in a node while the page is open."""

from __future__ import annotations

from comfy_execution.utils import get_executing_context
from server import PromptServer


def show_text(text: str) -> None:
    """Write `text` into the running node, as ComfyUI's Get Image Size does. Without a server nothing happens."""
    running = get_executing_context()
    server = getattr(PromptServer, "instance", None)
    if running is not None and server is not None:
        server.send_progress_text(text, running.node_id)
