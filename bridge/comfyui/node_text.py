"""What a node says in the page: its result, which stays with it, and notes on the runs of a model that it patched."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from comfy_execution.utils import get_executing_context

from .saved_results import inputs_of_result, keep_result, nodes_before, without_old_results

RESULT_KEY = "headcount_result"
"""Of a node's `ui` output: a list with one dict per result: the fields of `NodeResult`, and what `inputs_of_result` says."""

NOTE_EVENT = "headcount.note"
"""Message to the page: {"node": id of the node that speaks, "text": plain text; "" takes an earlier note away}."""

MAX_LINES, MAX_MARKS = 200, 512  # a workflow file carries the result; the node's own table output is whole


@dataclass(frozen=True)
class NodeResult:
    """What a node shows of its result. All of it is plain text.

    Attributes:
        verdict: the one line that is read first.
        right: colours the verdict, green or red; None leaves it without colour.
        marks: right or wrong, for each image in the order of the table.
        table: further lines.
        note: what the user should know or change.
    """

    verdict: str
    right: bool | None = None
    marks: tuple[bool, ...] = ()
    table: str = ""
    note: str = ""


@dataclass(frozen=True)
class NodePlace:
    """A node of a graph that ran.

    Attributes:
        id: with the ids of the subgraphs around it before its own, separated by colons.
        kind: its class, as the graph names it; "" where the graph is not known.
    """

    id: str
    kind: str = ""


def running_node() -> NodePlace | None:
    """The node that ComfyUI executes now; None outside a run of a graph."""
    running = get_executing_context()
    if running is None:
        return None
    placed = (_running_prompt(running.prompt_id) or {}).get(running.node_id, {})
    return NodePlace(running.node_id, placed.get("class_type", ""))


def result_output(result: NodeResult, node: Any) -> dict[str, list[dict[str, Any]]]:
    """A result as a part of a node's `ui` output: for the page, the history, and the images that the run saves from here on.

    Args:
        node: the class that ComfyUI executes, with its hidden inputs `prompt` and `extra_pnginfo`.
    """
    shown: dict[str, Any] = {
        "verdict": result.verdict,
        "right": result.right,
        "marks": list(result.marks[:MAX_MARKS]),
        "table": _shortened(result.table),
        "note": result.note,
    }
    running, hidden = get_executing_context(), node.hidden
    if running is not None and hidden is not None:
        shown["inputs"] = inputs_of_result(hidden.prompt, running.node_id)
        keep_result(hidden.extra_pnginfo, running.node_id, shown, is_first=not running.list_index)
    return {RESULT_KEY: [shown]}


def keep_results_with_their_run() -> None:
    """Called once, when the pack is loaded: see `saved_results`."""
    server = _server()
    if server is not None:
        server.add_on_prompt_handler(without_old_results)


def show_note(text: str, node: NodePlace | None) -> None:
    """Write `text` into `node`, which need not be the running one: a sampler runs what an earlier node patched.

    Only the page whose run this is gets it. Without a page or a node nothing happens.
    """
    server = _server()
    if node is not None and server is not None:
        for place in _now_at(node):
            server.send_sync(NOTE_EVENT, {"node": place, "text": text}, server.client_id)


def _now_at(node: NodePlace) -> list[str]:
    """Ids of a node in the graph that runs now, which may be a later one.

    ComfyUI gives what a node made to any later node of the same class and inputs, whatever its id: in that graph it is the node
    of its class before the running one.
    """
    running = get_executing_context()
    if running is None:
        return [node.id]
    before = nodes_before(_running_prompt(running.prompt_id), running.node_id)
    alike = [place for place, (kind, _) in before.items() if kind == node.kind]
    return [node.id] if node.id in alike or not alike else alike


def _running_prompt(prompt_id: str) -> Any:
    """Node id -> {"class_type", "inputs"} of a graph that runs; None where the server does not know it."""
    server = _server()
    running = [] if server is None else server.prompt_queue.get_current_queue_volatile()[0]
    return next((item[2] for item in running if item[1] == prompt_id), None)


def _shortened(table: str) -> str:
    lines = table.splitlines()
    left_out = len(lines) - MAX_LINES
    if left_out <= 0:
        return table
    return "\n".join([*lines[:MAX_LINES], f"... and {left_out} more lines, which the output has"])


def _server():
    """ComfyUI's server; it imports its module before any pack, and a test has none."""
    module = sys.modules.get("server")
    return None if module is None else getattr(module.PromptServer, "instance", None)
