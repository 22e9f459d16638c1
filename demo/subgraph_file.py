"""A subgraph as ComfyUI's page saves it for its node library: a workflow with one node, whose type the file defines."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from .workflow_file import Group, workflow_file
from .workflow_to_prompt import ObjectInfo

INPUT_NODE, OUTPUT_NODE = -10, -20  # ComfyUI's ids of the two ends of a subgraph
_LINK_FIELDS = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
_SLOT, _END_WIDTH, _BETWEEN = 20, 160, 100

Entries = list[dict[str, Any]]


@dataclass(frozen=True)
class Port:
    """An input or output of the subgraph: its name, and the class of the node inside and that node's input or output."""

    name: str
    node: str
    slot: str


@dataclass(frozen=True)
class Subgraph:
    """A group of nodes that is one node from outside.

    Attributes:
        name: what the node library and the node's title say.
        description: what the node library says about it.
        groups: the nodes inside, each of another class; what comes from outside is connected by the ports.
        inputs: several ports of one name are one input that goes to several nodes. Widgets come last.
        outputs: one port each.
        size: width and height of the node in pixels.
    """

    name: str
    description: str
    groups: tuple[Group, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    size: tuple[int, int]

    def id(self, part: str) -> str:
        """The same in every call: the page compares files by it."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"headcount/{self.name}/{part}"))


def subgraph_file(subgraph: Subgraph, schemas: ObjectInfo) -> dict[str, Any]:
    """The content of the subgraph's file for nodes with these schemas."""
    inner = workflow_file(subgraph.groups, schemas)
    right = max(group["bounding"][0] + group["bounding"][2] for group in inner["groups"])
    links = [dict(zip(_LINK_FIELDS, link, strict=True)) for link in inner["links"]]
    nodes = {node["type"]: node for node in inner["nodes"]}
    inputs, values = _connect_inputs(subgraph, nodes, links)
    outputs = _connect_outputs(subgraph, nodes, links, right + _BETWEEN)
    definition = {
        "id": subgraph.id("subgraph"),
        "version": 1,
        "state": {"lastGroupId": 2, "lastNodeId": len(nodes), "lastLinkId": len(links), "lastRerouteId": 0},
        "revision": 0,
        "config": {},
        "name": subgraph.name,
        "inputNode": _end(INPUT_NODE, -_BETWEEN - _END_WIDTH, inputs),
        "outputNode": _end(OUTPUT_NODE, right + _BETWEEN, outputs),
        "inputs": inputs,
        "outputs": outputs,
        "widgets": [],
        "nodes": inner["nodes"],
        "groups": inner["groups"],
        "links": links,
        "extra": {},
    }
    return {
        "id": subgraph.id("file"),
        "revision": 0,
        "last_node_id": 1,
        "last_link_id": 0,
        "nodes": [_outside(subgraph, inputs, outputs, values)],
        "links": [],
        "groups": [],
        "definitions": {"subgraphs": [definition]},
        "config": {},
        "extra": {"BlueprintDescription": subgraph.description},
        "version": 0.4,
    }


def _link(links: Entries, *values: Any) -> int:
    links.append(dict(zip(_LINK_FIELDS, (len(links) + 1, *values), strict=True)))
    return len(links)


def _connect_inputs(subgraph: Subgraph, nodes: dict[str, Any], links: Entries) -> tuple[Entries, list[Any]]:
    """The subgraph's inputs, and the values of those that are widgets."""
    names = list(dict.fromkeys(port.name for port in subgraph.inputs))
    inputs: Entries = []
    values = []
    for number, name in enumerate(names):
        joined = []
        for port in (port for port in subgraph.inputs if port.name == name):
            slots = nodes[port.node]["inputs"]
            place = next(place for place, slot in enumerate(slots) if slot["name"] == port.slot)
            slots[place]["link"] = _link(
                *(links, INPUT_NODE, number, nodes[port.node]["id"], place, slots[place]["type"])
            )
            joined.append((slots[place], nodes[port.node]))
        slot, node = joined[0]
        here = [-_BETWEEN, (number + 1) * _SLOT]
        into = [slot["link"] for slot, _ in joined]
        known = subgraph.id(f"input {name}")
        inputs.append({"id": known, "name": name, "type": slot["type"], "linkIds": into, "pos": here})
        if "widget" in slot:
            values.append(_value(node, slot["name"]))
    return inputs, values


def _value(node: dict[str, Any], widget: str) -> Any:
    """The value of a node's widget. Behind a seed, the list has one of the page's own."""
    names = [slot["name"] for slot in node["inputs"] if "widget" in slot]
    if "seed" in names:
        names.insert(names.index("seed") + 1, "")
    return node["widgets_values"][names.index(widget)]


def _connect_outputs(subgraph: Subgraph, nodes: dict[str, Any], links: Entries, left: int) -> Entries:
    outputs = []
    for number, port in enumerate(subgraph.outputs):
        slots = nodes[port.node]["outputs"]
        place = next(place for place, slot in enumerate(slots) if slot["name"] == port.slot)
        kind = slots[place]["type"]
        link = _link(links, nodes[port.node]["id"], place, OUTPUT_NODE, number, kind)
        slots[place]["links"] = [*(slots[place]["links"] or []), link]
        here = [left + _SLOT, (number + 1) * _SLOT]
        known = subgraph.id(f"output {port.name}")
        outputs.append({"id": known, "name": port.name, "type": kind, "linkIds": [link], "pos": here})
    return outputs


def _end(number: int, left: int, slots: Entries) -> dict[str, Any]:
    return {"id": number, "bounding": [left, 0, _END_WIDTH, (len(slots) + 2) * _SLOT]}


def _outside(subgraph: Subgraph, inputs: Entries, outputs: Entries, values: list[Any]) -> dict[str, Any]:
    """The one node of the file."""
    widgets = [slot["name"] for slot in inputs[-len(values) :]]
    return {
        "id": 1,
        "type": subgraph.id("subgraph"),
        "pos": [0, 0],
        "size": [*subgraph.size],
        "flags": {},
        "order": 0,
        "mode": 0,
        "inputs": [
            {"name": slot["name"], "type": slot["type"], "link": None}
            | ({"widget": {"name": slot["name"]}} if slot["name"] in widgets else {})
            for slot in inputs
        ],
        "outputs": [{"name": slot["name"], "type": slot["type"], "links": None} for slot in outputs],
        "title": subgraph.name,
        "properties": {},
        "widgets_values": values,
    }
