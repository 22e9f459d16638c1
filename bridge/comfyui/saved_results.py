"""Results inside the workflow that ComfyUI writes into every image it saves.

The page queues the workflow before its nodes run, with the results of the run before in it. Those that this run may change
are taken out when the prompt arrives, and each node puts its own in as it runs: an image says nothing of another run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

RESULTS, NOTE = "headcount_result", "headcount_note"
"""Where the page keeps what a node shows, in the properties of the node; see web/result/state.js."""


def nodes_before(prompt: Any, node_id: str) -> dict[str, tuple[Any, dict[str, Any]]]:
    """A node and everything it hangs on: id -> (class, inputs).

    Args:
        prompt: node id -> {"class_type", "inputs"}; from anywhere, so what does not look like that is left out.
    """
    before: dict[str, tuple[Any, dict[str, Any]]] = {}
    waiting = [node_id]
    while waiting:
        here = waiting.pop()
        placed = _get(prompt, here)
        if here in before or placed is None:
            continue
        inputs = _get(placed, "inputs")
        before[here] = _get(placed, "class_type"), dict(inputs) if isinstance(inputs, Mapping) else {}
        waiting += [
            value[0]
            for value in before[here][1].values()
            if isinstance(value, list) and value and isinstance(value[0], str)
        ]
    return before


def inputs_of_result(prompt: Any, node_id: str) -> str:
    """A short text that is the same for the same node with the same widgets, links and nodes before it.

    Args:
        prompt: as it was sent or as it runs: ComfyUI turns 3 into 3.0 in between.
    """
    before = {
        here: [kind, {name: _whole(value) for name, value in inputs.items()}]
        for here, (kind, inputs) in nodes_before(prompt, node_id).items()
    }
    text = json.dumps(before, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def without_old_results(request: dict[str, Any]) -> dict[str, Any]:
    """A request to queue a prompt, whose workflow no longer carries notes, and results only of nodes with the same inputs.

    Made for `PromptServer.add_on_prompt_handler`. The request comes from anywhere: what does not look like a workflow stays.
    """
    prompt = _get(request, "prompt")
    for node in _all_nodes(_workflow(_get(_get(request, "extra_data"), "extra_pnginfo"))):
        properties = _get(node, "properties")
        if isinstance(properties, dict):
            properties.pop(NOTE, None)
            if RESULTS in properties and not _still_holds(properties[RESULTS], prompt, str(node.get("id"))):
                del properties[RESULTS]
    return request


def keep_result(extra_pnginfo: Any, node_id: str, result: dict[str, Any], *, is_first: bool) -> None:
    """Put a result into the properties of its node; without a workflow or that node in it nothing happens.

    Args:
        extra_pnginfo: the hidden input of the node.
        node_id: with the ids of the subgraphs around the node before its own, separated by colons.
        is_first: whether it takes the place of what is there; a node that runs over a list has a result for each item.
    """
    node = _node_at(_workflow(extra_pnginfo), node_id)
    if node is None:
        return
    properties = node.setdefault("properties", {})
    if isinstance(properties, dict):
        properties[RESULTS] = [*([] if is_first else properties.get(RESULTS, [])), result]


def _still_holds(results: Any, prompt: Any, node: str) -> bool:
    """Is this of a node with the same inputs? A node of a subgraph has a longer id in the prompt, one for each use of it."""
    keys = [key for key in prompt if key.rpartition(":")[2] == node] if isinstance(prompt, Mapping) else []
    result_inputs = {str(_get(one, "inputs")) for one in results} if isinstance(results, list) else set()
    return len(result_inputs) == 1 and any({inputs_of_result(prompt, key)} == result_inputs for key in keys)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _workflow(extra_pnginfo: Any) -> Any:
    return _get(extra_pnginfo, "workflow")


def _node_at(workflow: Any, path: str) -> dict[str, Any] | None:
    nodes, match = _nodes_of(workflow), None
    for part in path.split(":"):
        match = next((node for node in nodes if str(node.get("id")) == part), None)
        if match is None:
            return None
        kind = match.get("type")
        nodes = next((_nodes_of(inner) for inner in _subgraphs_of(workflow) if _get(inner, "id") == kind), [])
    return match


def _all_nodes(workflow: Any) -> Iterator[dict[str, Any]]:
    for part in (workflow, *_subgraphs_of(workflow)):
        yield from _nodes_of(part)


def _nodes_of(graph: Any) -> list[dict[str, Any]]:
    nodes = _get(graph, "nodes")
    return [node for node in nodes if isinstance(node, dict)] if isinstance(nodes, list) else []


def _subgraphs_of(workflow: Any) -> list[Any]:
    subgraphs = _get(_get(workflow, "definitions"), "subgraphs")
    return subgraphs if isinstance(subgraphs, list) else []


def _get(holder: Any, name: str) -> Any:
    return holder.get(name) if isinstance(holder, Mapping) else None
