"""What a node says in the page: its own result, and notes on the runs of a model that it patched."""

from __future__ import annotations

import sys

from comfy_execution.utils import get_executing_context

NOTE_EVENT = "headcount.note"
"""Message to the page: {"node": id of the node that speaks, "text": plain text; "" takes an earlier note away}."""


def running_node() -> str | None:
    """Id of the node that ComfyUI executes now; None outside a run of a graph."""
    running = get_executing_context()
    return None if running is None else running.node_id


def show_text(text: str) -> None:
    """Write `text` into the running node, as ComfyUI's Get Image Size does. Without a page nothing happens."""
    server, node = _server(), running_node()
    if node is not None and server is not None:
        server.send_progress_text(text, node, server.client_id)


def show_note(text: str, node: str | None) -> None:
    """Write `text` into `node`, which need not be the running one: a sampler runs what an earlier node patched.

    Only the page whose run this is gets it. Without a page or a node nothing happens.
    """
    server = _server()
    if node is not None and server is not None:
        server.send_sync(NOTE_EVENT, {"node": node, "text": text}, server.client_id)


def _server():
    """ComfyUI's server; it imports its module before any pack, and a test has none."""
    module = sys.modules.get("server")
    return None if module is None else getattr(module.PromptServer, "instance", None)
