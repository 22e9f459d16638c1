"""Text that stands in a node while the page is open."""

from __future__ import annotations

import sys

from comfy_execution.utils import get_executing_context


def show_text(text: str) -> None:
    """Write `text` into the running node, as ComfyUI's Get Image Size does. Without a page nothing happens."""
    running = get_executing_context()
    server = sys.modules.get("server")  # ComfyUI imports it before any pack; a test has none
    if running is not None and server is not None:
        server.PromptServer.instance.send_progress_text(text, running.node_id)
