"""Writes a workflow file as the page's File > Save makes it, from a list of placed nodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import tomllib

from .comfy_host import PACK, ROOT
from .comfyui_path import OLDEST, dotted
from .node_widgets import Input, Schema, inputs_of, widgets_of
from .workflow_to_prompt import ObjectInfo

NOTE = "MarkdownNote"
CORE = "comfy-core"  # what the Registry and the page call ComfyUI's own nodes
MULTILINE_HEIGHT, PICTURE_HEIGHT, VIEWER_HEIGHT, TEXT_HEIGHT = 80, 250, 500, 90
SLOT_HEIGHT, WIDGET_HEIGHT, TITLE_HEIGHT = 20, 24, 30
BETWEEN_COLUMNS, BETWEEN_NODES, AROUND_GROUP, GROUP_TITLE = 60, 24, 20, 34
RESULT_HEIGHTS = {
    "HeadcountCountPrompt": 72,
    **dict.fromkeys(("HeadcountCountCheck", "HeadcountT2ICountCounter"), 132),
    **dict.fromkeys(("HeadcountCountSearch", "HeadcountCountSearchPick"), 132),
    **dict.fromkeys(("HeadcountIsacLatentSelection", "HeadcountInstanceMasks"), 132),
}
"""What each node's result takes in the page; see web/headcount_result.js."""
VIEWER_NODE = "HeadcountAttentionMapViewer"
PICTURE_NODES = frozenset(
    {
        *("PreviewImage", "SaveImage", "LoadImage", "HeadcountInstanceMasks"),
        *("HeadcountT2ICountCounter", "HeadcountCountCheck"),
    }
)


@dataclass(frozen=True)
class Placed:
    """One node of a workflow.

    Attributes:
        key: name by which other nodes refer to it.
        type: its id in ComfyUI.
        links: input name -> (key, output name) of where it comes from.
        widgets: widget name -> value; the others get the node's defaults.
        title: what stands above it; empty for the node's own name.
        extra_height: pixels below the widgets, for what the node shows.
        files: where the model files that the node names can be had; the page offers those that are missing. A file's
            name is the last part of its address.
        folder: ComfyUI's folder of models that `files` belong into; empty for the last but one part of the address.
    """

    key: str
    type: str
    links: dict[str, tuple[str, str]] = field(default_factory=dict)
    widgets: dict[str, Any] = field(default_factory=dict)
    title: str = ""
    extra_height: int = 0
    files: tuple[str, ...] = ()
    folder: str = ""


@dataclass(frozen=True)
class Group:
    """A named box: columns of nodes from left to right, each a width in pixels and its nodes from top to bottom."""

    title: str
    colour: str
    origin: tuple[int, int]
    columns: tuple[tuple[int, tuple[Placed, ...]], ...]


def workflow_file(groups: tuple[Group, ...], schemas: ObjectInfo) -> dict[str, Any]:
    """The content of a workflow file, format 0.4.

    Args:
        groups: where every node stands.
        schemas: every node's schema, from ComfyClient.object_info().
    """
    boxes, places = _lay_out(groups, schemas)
    nodes = [node for group in groups for _, column in group.columns for node in column]
    ids = {node.key: number for number, node in enumerate(nodes, start=1)}
    links = _links(nodes, ids, schemas)
    order = {key: place for place, key in enumerate(_run_order(nodes))}
    saved = [_saved_node(node, ids[node.key], order[node.key], places[node.key], links, schemas) for node in nodes]
    return {
        "last_node_id": len(nodes),
        "last_link_id": len(links),
        "nodes": saved,
        "links": links,
        "groups": boxes,
        "config": {},
        "extra": {"ds": {"scale": 0.7, "offset": [130, 190]}},
        "version": 0.4,
    }


def _run_order(nodes: list[Placed]) -> Iterator[str]:
    """Keys so that each node comes after those it takes from."""
    waiting, done = list(nodes), set()
    while waiting:
        node = next(node for node in waiting if {key for key, _ in node.links.values()} <= done)
        waiting.remove(node)
        done.add(node.key)
        yield node.key


def _lay_out(groups: tuple[Group, ...], schemas: ObjectInfo) -> tuple[list[dict[str, Any]], dict[str, list[int]]]:
    """Boxes of the groups, and key -> [x, y, width, height] of every node."""
    boxes, places = [], {}
    for number, group in enumerate(groups, start=1):
        x, bottom = group.origin[0] + AROUND_GROUP, 0
        for width, column in group.columns:
            y = group.origin[1] + GROUP_TITLE + TITLE_HEIGHT
            for node in column:
                height = _height(node, schemas)
                places[node.key] = [x, y, width, height]
                bottom = max(bottom, y + height)
                y += height + TITLE_HEIGHT + BETWEEN_NODES
            x += width + BETWEEN_COLUMNS
        width = x - BETWEEN_COLUMNS + AROUND_GROUP - group.origin[0]
        bounding = [*group.origin, width, bottom + AROUND_GROUP - group.origin[1]]
        boxes.append(
            {
                "id": number,
                "title": group.title,
                "bounding": bounding,
                "color": group.colour,
                "font_size": 24,
                "flags": {},
            }
        )
    return boxes, places


def _height(node: Placed, schemas: ObjectInfo) -> int:
    """What LiteGraph needs: a line per slot, a line per widget, and room for pictures and long texts."""
    if node.type == NOTE:
        return node.extra_height
    schema = schemas[node.type]
    slots = max(len(_sockets(schema)), len(schema["output"]))
    widgets = [widget for widget, _ in _widgets(schema, node.widgets)]
    texts = sum(bool(widget.options.get("multiline")) for widget in widgets)
    height = SLOT_HEIGHT * slots + 6 + (WIDGET_HEIGHT * len(widgets) + 8 if widgets else 0) + texts * MULTILINE_HEIGHT
    height += VIEWER_HEIGHT if node.type == VIEWER_NODE else 0
    height += PICTURE_HEIGHT if node.type in PICTURE_NODES else 0
    height += TEXT_HEIGHT if node.type == "PreviewAny" else 0
    height += RESULT_HEIGHTS.get(node.type, 0)
    return height + node.extra_height


def _sockets(schema: Schema) -> list[Input]:
    return [one for one in inputs_of(schema) if not one.is_widget]


def _widgets(schema: Schema, given: dict[str, Any]) -> list[tuple[Input, Any]]:
    """All widgets with their values, in the order of the file."""
    return list(widgets_of(schema, lambda widget: given.get(widget.name, widget.default)))


def _slots(node: Placed, schema: Schema) -> list[Input]:
    """Everything that a link can go into, in the order of the file: a widget takes one instead of its own value."""
    widgets = [widget for widget, _ in _widgets(schema, node.widgets) if not widget.is_of_the_page]
    return [*_sockets(schema), *widgets]


def _links(nodes: list[Placed], ids: dict[str, int], schemas: ObjectInfo) -> list[list[Any]]:
    """[id, from node, output, to node, input, type] of every link."""
    by_key = {node.key: node for node in nodes}
    found: list[list[Any]] = []
    for node in nodes:
        names = [slot.name for slot in _slots(node, schemas[node.type])] if node.links else []
        for name, (origin, output) in node.links.items():
            schema = schemas[by_key[origin].type]
            slot = schema["output_name"].index(output)
            kind = schema["output"][slot]
            found.append([len(found) + 1, ids[origin], slot, ids[node.key], names.index(name), kind])
    return found


def _model_file(address: str, folder: str) -> dict[str, str]:
    last_but_one, name = address.split("/")[-2:]
    return {"name": name, "url": address, "directory": folder or last_but_one}


def _pack_of(schema: Schema) -> dict[str, str]:
    """Name and version in the Registry, by which the Manager's "Install Missing Nodes" finds the pack of a node."""
    is_ours = schema["python_module"] == f"custom_nodes.{PACK}"
    return {"cnr_id": PACK, "ver": _version()} if is_ours else {"cnr_id": CORE, "ver": dotted(OLDEST)}


@cache
def _version() -> str:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def _saved_node(
    node: Placed, number: int, order: int, place: list[int], links: list[list[Any]], schemas: ObjectInfo
) -> dict[str, Any]:
    x, y, width, height = place
    saved = {
        "id": number,
        "type": node.type,
        "pos": [x, y],
        "size": [width, height],
        "flags": {},
        "order": order,
        "mode": 0,
    }
    if node.title:
        saved["title"] = node.title
    if node.type == NOTE:
        saved |= {"inputs": [], "outputs": [], "properties": {}, "widgets_values": [node.widgets["text"]]}
        return saved | {"color": "#432", "bgcolor": "#653"}
    schema = schemas[node.type]
    into = {link[4]: link[0] for link in links if link[3] == number}
    out_of = [[link[0] for link in links if link[1:3] == [number, slot]] for slot in range(len(schema["output"]))]
    inputs = [
        {"name": slot.name, "type": slot.type}
        | ({"widget": {"name": slot.name}} if slot.is_widget else {"shape": 7} if slot.is_optional else {})
        | {"link": into.get(place)}
        for place, slot in enumerate(_slots(node, schema))
    ]
    outputs = [
        {"name": name, "type": kind, "links": found or None}
        for name, kind, found in zip(schema["output_name"], schema["output"], out_of, strict=True)
    ]
    properties: dict[str, Any] = {"Node name for S&R": node.type, **_pack_of(schema)}
    if node.files:
        properties["models"] = [_model_file(address, node.folder) for address in node.files]
    values = [value for _, value in _widgets(schema, node.widgets)]
    return saved | {"inputs": inputs, "outputs": outputs, "properties": properties, "widgets_values": values}
