"""Turns a saved workflow (nodes, links, widget values by position) into the API format, as ComfyUI's page does.

Understood: optional and converted inputs, the extra value behind a seed, dynamic combos, notes, reroutes, primitives, muted and
bypassed nodes. Not understood, refused by name: subgraphs and group nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .comfy_client import Prompt
from .node_widgets import ABSENT, Input, Schema, widgets_of

MUTED, BYPASSED = 2, 4  # LiteGraph's node modes
ONLY_IN_THE_PAGE = frozenset({"Note", "MarkdownNote", "Reroute", "PrimitiveNode"})

Node = dict[str, Any]
ObjectInfo = dict[str, Schema]


class WorkflowError(ValueError):
    """A workflow cannot be turned into a prompt; the message names the node."""


@dataclass(frozen=True)
class _Link:
    origin: int
    slot: int
    type: str


def workflow_to_prompt(workflow: dict[str, Any], object_info: ObjectInfo) -> Prompt:
    """Convert the content of a workflow file.

    Args:
        workflow: the parsed JSON file, as the page saves it.
        object_info: every node's schema, from ComfyClient.object_info().

    Returns:
        The prompt to queue: node id -> {"class_type", "inputs", "_meta"}; a link is [node id, output number].

    Raises:
        WorkflowError: a node that ComfyUI does not have (a subgraph or group node among them).
    """
    nodes = {node["id"]: node for node in workflow["nodes"]}
    graph = _Graph(nodes, _links(workflow))
    prompt: Prompt = {}
    for node in nodes.values():
        if node["type"] in ONLY_IN_THE_PAGE or node.get("mode", 0) in (MUTED, BYPASSED):
            continue
        if node["type"] not in object_info:
            raise WorkflowError(f"node {node['id']}: ComfyUI has no {node['type']!r}")
        schema = object_info[node["type"]]
        inputs = {**_widget_values(node, schema), **graph.inputs(node)}
        title = node.get("title") or schema["display_name"] or node["type"]
        prompt[str(node["id"])] = {"class_type": node["type"], "inputs": inputs, "_meta": {"title": title}}
    return prompt


def _links(workflow: dict[str, Any]) -> dict[int, _Link]:
    """Link id -> its origin. Files hold links as lists (schema 0.4) or as objects (schema 1)."""
    found = {}
    for link in workflow["links"]:
        if isinstance(link, dict):
            found[link["id"]] = _Link(link["origin_id"], link["origin_slot"], link["type"])
        else:
            found[link[0]] = _Link(link[1], link[2], link[5])
    return found


@dataclass(frozen=True)
class _Graph:
    nodes: dict[int, Node]
    links: dict[int, _Link]

    def inputs(self, node: Node) -> dict[str, Any]:
        """What the node's connected inputs get: [node id, output number], or the value of a primitive."""
        found = {}
        for slot in node.get("inputs", []):
            value = self._follow(slot.get("link"))
            if value is not None:
                found[slot["name"]] = value
        return found

    def _follow(self, link_id: int | None) -> Any:
        """Where a link really comes from, through reroutes and bypassed nodes; None where nothing is left of it."""
        if link_id is None or link_id not in self.links:
            return None
        link = self.links[link_id]
        origin = self.nodes[link.origin]
        mode = origin.get("mode", 0)
        if mode == MUTED:
            return None
        if mode == BYPASSED:
            return self._follow(_bypass_input(origin, link))
        if origin["type"] == "Reroute":
            return self._follow(origin["inputs"][0].get("link"))
        if origin["type"] == "PrimitiveNode":
            return origin["widgets_values"][0]
        return [str(link.origin), link.slot]


def _bypass_input(node: Node, link: _Link) -> int | None:
    """The input link that a bypassed node hands on: of the same number if its type fits, else the first that fits."""
    inputs = node.get("inputs", [])
    for slot in [*inputs[link.slot : link.slot + 1], *inputs]:
        if slot["type"] == link.type or "*" in (slot["type"], link.type):
            return slot.get("link")
    return None


def _widget_values(node: Node, schema: Schema) -> dict[str, Any]:
    """Widget name -> saved value. Lists are wrapped, since a bare list means a link."""
    saved = node.get("widgets_values") or []
    values = iter(saved)

    def value_of(widget: Input) -> Any:
        return saved.get(widget.name, ABSENT) if isinstance(saved, dict) else next(values, ABSENT)

    named = {widget.name: value for widget, value in widgets_of(schema, value_of) if not widget.is_of_the_page}
    return {name: {"__value__": value} if isinstance(value, list) else value for name, value in named.items()}
