"""Results inside the workflow that ComfyUI writes into every image it saves.

The page queues the workflow before its nodes run, so that it would carry the results of the run before. They are taken out
when a prompt arrives, and each node puts its own in as it runs: an image shows the results of the run that made it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

PROPERTIES = ("headcount_result", "headcount_note")
"""Where the page keeps what a node shows, in the properties of the node; see web/result/state.js."""


def without_results(request: dict[str, Any]) -> dict[str, Any]:
    """A request to queue a prompt, whose workflow no longer carries what its nodes showed before.

    Made for `PromptServer.add_on_prompt_handler`. The request comes from anywhere: what does not look like a workflow stays.
    """
    for node in _all_nodes(_workflow(_get(_get(request, "extra_data"), "extra_pnginfo"))):
        properties = _get(node, "properties")
        if isinstance(properties, dict):
            for name in PROPERTIES:
                properties.pop(name, None)
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
        before = [] if is_first else properties.get(PROPERTIES[0], [])
        properties[PROPERTIES[0]] = [*before, result]


def _workflow(extra_pnginfo: Any) -> Any:
    return _get(extra_pnginfo, "workflow")


def _node_at(workflow: Any, path: str) -> dict[str, Any] | None:
    nodes, found = _nodes_of(workflow), None
    for part in path.split(":"):
        found = next((node for node in nodes if str(node.get("id")) == part), None)
        if found is None:
            return None
        inner = (part for part in _subgraphs_of(workflow) if _get(part, "id") == found.get("type"))
        nodes = _nodes_of(next(inner, None))
    return found


def _all_nodes(workflow: Any) -> Iterator[dict[str, Any]]:
    for part in (workflow, *_subgraphs_of(workflow)):
        yield from _nodes_of(part)


def _nodes_of(graph: Any) -> list[dict[str, Any]]:
    nodes = _get(graph, "nodes")
    return [node for node in nodes if isinstance(node, dict)] if isinstance(nodes, list) else []


def _subgraphs_of(workflow: Any) -> list[Any]:
    found = _get(_get(workflow, "definitions"), "subgraphs")
    return found if isinstance(found, list) else []


def _get(holder: Any, name: str) -> Any:
    return holder.get(name) if isinstance(holder, Mapping) else None
