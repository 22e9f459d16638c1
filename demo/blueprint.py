"""Writes subgraphs/*.json: ready groups of nodes that ComfyUI's page lists in its node library.

Such a file is a workflow with one node in it, whose type is a subgraph that the file defines.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

from .comfy_host import ROOT
from .workflow_file import Group, Placed, workflow_file
from .workflow_parts import BLUE, GREEN, PROMPTS
from .workflow_to_prompt import ObjectInfo

FOLDER = ROOT / "subgraphs"
NAME = "Generate N objects"
INPUT_NODE, OUTPUT_NODE = -10, -20  # ComfyUI's ids of the two ends of a subgraph
_DESCRIPTION = (
    "Draws the number of things that the prompt asks for: Count Prompt, ISAC Attention Control, KSampler and VAE Decode. "
    "Connect a model, its text encoder and its VAE, and set size, steps and cfg to what the model likes."
)
_SLOT, _END_WIDTH, _BETWEEN = 20, 160, 100
_WIDTH, _HEIGHT = 400, 640


@dataclass(frozen=True)
class Port:
    """An input or output of the subgraph: its name, and the class of the node inside and that node's input or output."""

    name: str
    node: str
    slot: str


_PROMPT, _NEGATIVE, _LATENT = "HeadcountCountPrompt", "CLIPTextEncode", "EmptyLatentImage"
_ISAC, _SAMPLER, _DECODE = "HeadcountIsacAttentionControl", "KSampler", "VAEDecode"
# Several ports of one name are one input that goes to several nodes.
INPUTS = (
    Port("model", _ISAC, "model"),
    Port("clip", _PROMPT, "clip"),
    Port("clip", _NEGATIVE, "clip"),
    Port("vae", _DECODE, "vae"),
    Port("prompt", _PROMPT, "text"),
    Port("negative prompt", _NEGATIVE, "text"),
    Port("width", _LATENT, "width"),
    Port("height", _LATENT, "height"),
    Port("pictures", _LATENT, "batch_size"),
    Port("strength", _ISAC, "strength"),
    Port("mode", _ISAC, "mode"),
    *(Port(name, _SAMPLER, name) for name in ("seed", "steps", "cfg", "sampler_name", "scheduler")),
)
OUTPUTS = (
    Port("IMAGE", _DECODE, "IMAGE"),
    Port("LATENT", _SAMPLER, "LATENT"),
    Port("MAPS", _ISAC, "MAPS"),
    Port("COUNTS", _PROMPT, "COUNTS"),
    Port("summary", _PROMPT, "summary"),
)


def _inside() -> tuple[Group, ...]:
    """The nodes; what comes from outside is connected afterwards."""
    links = {"model": ("isac", "MODEL"), **PROMPTS, "latent_image": ("latent", "LATENT")}
    return (
        Group(
            *("Prompt and size", BLUE, (0, 0)),
            (
                (
                    380,
                    (
                        Placed("prompt", _PROMPT, {}, {"text": "three cats and two dogs"}),
                        Placed("negative", _NEGATIVE, {}, {"text": ""}, "Negative prompt"),
                        Placed("latent", _LATENT),
                    ),
                ),
            ),
        ),
        Group(
            *("Steer and sample", GREEN, (480, 0)),
            (
                (320, (Placed("isac", _ISAC, {}, {"mode": "fast"}),)),
                (
                    300,
                    (
                        Placed("sampler", _SAMPLER, links),
                        Placed("decode", _DECODE, {"samples": ("sampler", "LATENT")}),
                    ),
                ),
            ),
        ),
    )


def blueprint(schemas: ObjectInfo) -> dict[str, Any]:
    """The content of subgraphs/Generate N objects.json for nodes with these schemas."""
    inner = workflow_file(_inside(), schemas)
    right = max(group["bounding"][0] + group["bounding"][2] for group in inner["groups"])
    links = [dict(zip(_LINK_FIELDS, link, strict=True)) for link in inner["links"]]
    nodes = {node["type"]: node for node in inner["nodes"]}
    inputs, values = _connect_inputs(nodes, links)
    outputs = _connect_outputs(nodes, links, right + _BETWEEN)
    subgraph = {
        "id": _id("subgraph"),
        "version": 1,
        "state": {"lastGroupId": 2, "lastNodeId": len(nodes), "lastLinkId": len(links), "lastRerouteId": 0},
        "revision": 0,
        "config": {},
        "name": NAME,
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
        "id": _id("file"),
        "revision": 0,
        "last_node_id": 1,
        "last_link_id": 0,
        "nodes": [_outside(inputs, outputs, values)],
        "links": [],
        "groups": [],
        "definitions": {"subgraphs": [subgraph]},
        "config": {},
        "extra": {"BlueprintDescription": _DESCRIPTION},
        "version": 0.4,
    }


_LINK_FIELDS = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")


def _id(part: str) -> str:
    """The same in every call: the page compares files by it."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"headcount/{NAME}/{part}"))


def _link(links: list[dict[str, Any]], *values: Any) -> int:
    links.append(dict(zip(_LINK_FIELDS, (len(links) + 1, *values), strict=True)))
    return len(links)


def _connect_inputs(nodes: dict[str, Any], links: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[Any]]:
    """The subgraph's inputs, and the values of those that are widgets."""
    names = list(dict.fromkeys(port.name for port in INPUTS))
    inputs: list[dict[str, Any]] = []
    values = []
    for number, name in enumerate(names):
        joined = []
        for port in (port for port in INPUTS if port.name == name):
            slots = nodes[port.node]["inputs"]
            place = next(place for place, slot in enumerate(slots) if slot["name"] == port.slot)
            slots[place]["link"] = _link(
                *(links, INPUT_NODE, number, nodes[port.node]["id"], place, slots[place]["type"])
            )
            joined.append((slots[place], nodes[port.node]))
        slot, node = joined[0]
        here = [-_BETWEEN, (number + 1) * _SLOT]
        into = [slot["link"] for slot, _ in joined]
        inputs.append({"id": _id(f"input {name}"), "name": name, "type": slot["type"], "linkIds": into, "pos": here})
        if "widget" in slot:
            values.append(_value(node, slot["name"]))
    return inputs, values


def _value(node: dict[str, Any], widget: str) -> Any:
    """The value of a node's widget. Behind a seed, the list has one of the page's own."""
    names = [slot["name"] for slot in node["inputs"] if "widget" in slot]
    if "seed" in names:
        names.insert(names.index("seed") + 1, "")
    return node["widgets_values"][names.index(widget)]


def _connect_outputs(nodes: dict[str, Any], links: list[dict[str, Any]], left: int) -> list[dict[str, Any]]:
    outputs = []
    for number, port in enumerate(OUTPUTS):
        slots = nodes[port.node]["outputs"]
        place = next(place for place, slot in enumerate(slots) if slot["name"] == port.slot)
        kind = slots[place]["type"]
        link = _link(links, nodes[port.node]["id"], place, OUTPUT_NODE, number, kind)
        slots[place]["links"] = [*(slots[place]["links"] or []), link]
        here = [left + _SLOT, (number + 1) * _SLOT]
        outputs.append(
            {"id": _id(f"output {port.name}"), "name": port.name, "type": kind, "linkIds": [link], "pos": here}
        )
    return outputs


def _end(number: int, left: int, slots: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": number, "bounding": [left, 0, _END_WIDTH, (len(slots) + 2) * _SLOT]}


def _outside(inputs: list[dict[str, Any]], outputs: list[dict[str, Any]], values: list[Any]) -> dict[str, Any]:
    """The one node of the file."""
    widgets = [slot["name"] for slot in inputs[-len(values) :]]
    return {
        "id": 1,
        "type": _id("subgraph"),
        "pos": [0, 0],
        "size": [_WIDTH, _HEIGHT],
        "flags": {},
        "order": 0,
        "mode": 0,
        "inputs": [
            {"name": slot["name"], "type": slot["type"], "link": None}
            | ({"widget": {"name": slot["name"]}} if slot["name"] in widgets else {})
            for slot in inputs
        ],
        "outputs": [{"name": slot["name"], "type": slot["type"], "links": None} for slot in outputs],
        "title": NAME,
        "properties": {},
        "widgets_values": values,
    }


def write_blueprint(schemas: ObjectInfo) -> None:
    """Write the file."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{NAME}.json").write_text(json.dumps(blueprint(schemas), indent=1) + "\n")
