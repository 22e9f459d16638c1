"""The files in workflows/ and subgraphs/: known nodes and valid values, links that fit, no overlaps, every model file named.

After a node got a new input or output: save the files that have it from the page (`make serve`).
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterable
from typing import Any

import pytest

from demo.node_widgets import COMPARED, DYNAMIC_COMBO, NOT_COMPARED_YET, SEED_CONTROL, UPLOAD, Input, Schema, inputs_of
from demo.stamp_workflows import FILES

from ..helpers.example_workflows import AUTHORS_FILE, INPUT_NODE, LOADERS, OUTPUT_NODE, widget_values

pytestmark = pytest.mark.server

Node = dict[str, Any]
Graph = dict[str, Any]

NOTE = "MarkdownNote"
TITLE = 30
LINK = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
ADDRESS = r"https://huggingface\.co/[\w.-]+/[\w.-]+/resolve/main/[\w./-]+\.safetensors"
MATCHED = "COMFY_MATCHTYPE_V3"
OF_THE_PAGE = {SEED_CONTROL: ("fixed", "increment", "decrement", "randomize"), UPLOAD: ("image",)}
every_file = pytest.mark.parametrize("graph", FILES, ids=lambda path: path.stem, indirect=True)


@pytest.fixture
def graph(request: pytest.FixtureRequest) -> Graph:
    """The nodes of a workflow, or those inside the blueprint."""
    content = json.loads(request.param.read_text())
    return content["definitions"]["subgraphs"][0] if "definitions" in content else content


def _nodes(graph: Graph) -> list[Node]:
    """All but the notes, which only the page knows."""
    return [node for node in graph["nodes"] if node["type"] != NOTE]


def _box(node: Node) -> tuple[float, float, float, float]:
    """Left, top with the title, right, bottom."""
    (x, y), (width, height) = node["pos"], node["size"]
    return x, y - TITLE, x + width, y + height


@every_file
def test_no_two_nodes_overlap(graph: Graph) -> None:
    for one, other in itertools.combinations(graph["nodes"], 2):
        a, b = _box(one), _box(other)
        apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
        assert apart, (one["type"], other["type"])


@every_file
def test_every_node_is_in_a_group(graph: Graph) -> None:
    groups = [group["bounding"] for group in graph["groups"]]
    for node in graph["nodes"]:
        left, top, right, bottom = _box(node)
        inside = [x <= left and y <= top and right <= x + w and bottom <= y + h for x, y, w, h in groups]
        assert sum(inside) == 1, node["type"]


def _slots(ends: dict[int, list[Node]]) -> dict[int, tuple[int, int]]:
    """Link -> the node and the number of the slot that name it."""
    return {
        link: (node, place)
        for node, slots in ends.items()
        for place, slot in enumerate(slots)
        for link in slot.get("linkIds") or slot.get("links") or [slot.get("link")]
        if link is not None
    }


@every_file
def test_links_join_slots_of_one_type(graph: Graph) -> None:
    nodes = {node["id"]: node for node in graph["nodes"]}
    origins = {INPUT_NODE: graph.get("inputs", []), **{key: node["outputs"] for key, node in nodes.items()}}
    targets = {OUTPUT_NODE: graph.get("outputs", []), **{key: node["inputs"] for key, node in nodes.items()}}
    links = [link if isinstance(link, dict) else dict(zip(LINK, link, strict=True)) for link in graph["links"]]
    assert {link["id"]: (link["origin_id"], link["origin_slot"]) for link in links} == _slots(origins)
    assert {link["id"]: (link["target_id"], link["target_slot"]) for link in links} == _slots(targets)
    for link in links:
        origin = origins[link["origin_id"]][link["origin_slot"]]["type"]
        target = targets[link["target_id"]][link["target_slot"]]["type"]
        assert link["type"] == origin and (target == "*" or set(origin.split(",")) & set(target.split(","))), link


@every_file
def test_no_id_is_given_twice(graph: Graph) -> None:
    """Nor by the page, which counts on from the last ones."""
    state = graph.get("state") or {"lastNodeId": graph["last_node_id"], "lastLinkId": graph["last_link_id"]}
    nodes = [node["id"] for node in graph["nodes"]]
    links = [link["id"] if isinstance(link, dict) else link[0] for link in graph["links"]]
    for ids, last in ((nodes, state["lastNodeId"]), (links, state["lastLinkId"])):
        assert len(set(ids)) == len(ids) and max(ids) <= last


def _types(slots: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(slot["name"], slot["type"]) for slot in slots]


def _taken(types: list[tuple[str, str]], saved: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    """The types of a schema, with those that a switch takes from what is connected as the file has them."""
    connected = dict(_types(saved))
    return [(name, connected.get(name, kind) if kind == MATCHED else kind) for name, kind in types]


@every_file
def test_inputs_and_outputs_are_those_of_the_nodes(graph: Graph, object_info: dict[str, Schema]) -> None:
    for node in _nodes(graph):
        schema = object_info[node["type"]]
        widgets = [widget for widget, _ in widget_values(node, schema)]
        sockets = [socket for socket in inputs_of(schema) if not socket.is_widget]
        own = [(slot.name, slot.type) for slot in (*sockets, *widgets) if not slot.is_of_the_page]
        of_the_page = {widget.name for widget in widgets if widget.is_of_the_page}
        assert {pair for pair in _types(node["inputs"]) if pair[0] not in of_the_page} == set(
            _taken(own, node["inputs"])
        ), node["type"]
        outputs = list(zip(schema["output_name"], schema["output"], strict=True))
        assert _types(node["outputs"]) == _taken(outputs, node["outputs"]), node["type"]


@every_file
def test_what_a_node_needs_is_connected(graph: Graph, object_info: dict[str, Schema]) -> None:
    for node in _nodes(graph):
        needed = {
            slot.name for slot in inputs_of(object_info[node["type"]]) if not (slot.is_widget or slot.is_optional)
        }
        assert needed <= {slot["name"] for slot in node["inputs"] if slot["link"] is not None}, node["type"]


def _files(node: Node) -> list[str]:
    """Names of the model files that the node says where to get."""
    return [file["name"] for file in node["properties"].get("models", [])]


def _own(node: dict[str, Any]) -> list[str]:
    """No value at all where the artist's own video goes: ComfyUI ships an image to begin with, and no video."""
    return [""] if node["type"] == "LoadVideo" else []


def _is_valid(widget: Input, value: Any, files: list[str]) -> bool:
    """Whether a widget takes a value; a model file need not be here if it is one of `files`."""
    options = widget.options
    if widget.is_of_the_page:
        return value in OF_THE_PAGE[widget.name]
    kind = widget.options.get("widgetType", widget.type)
    if kind in ("INT", "FLOAT"):
        number = int if kind == "INT" else (int, float)
        return isinstance(value, number) and options["min"] <= value <= options.get("max", math.inf)
    if kind == COMPARED:
        return value == NOT_COMPARED_YET
    if kind == DYNAMIC_COMBO:
        return value in [option["key"] for option in options["options"]]
    if kind == "COMBO":
        return value in [*options["options"], *files]
    return isinstance(value, bool if kind == "BOOLEAN" else str)


@every_file
def test_every_value_is_one_that_its_widget_takes(graph: Graph, object_info: dict[str, Schema]) -> None:
    for node in _nodes(graph):
        found = widget_values(node, object_info[node["type"]])
        wrong = {
            widget.name: value
            for widget, value in found
            if not _is_valid(widget, value, [AUTHORS_FILE, *_files(node), *_own(node)])
        }
        assert wrong == {}, node["type"]
        saved = [widget for widget, _ in found if widget.type != COMPARED]
        assert len(node.get("widgets_values") or []) == len(saved), f"{node['type']} has values of no widget"


@every_file
def test_a_loader_says_where_its_file_is_to_be_had(graph: Graph) -> None:
    for node in _nodes(graph):
        named = [value for value in node.get("widgets_values") or [] if str(value).endswith(".safetensors")]
        assert _files(node) == (named if node["type"] in LOADERS else []), node["type"]
        for file, folder in zip(node["properties"].get("models", []), LOADERS.get(node["type"], ()), strict=True):
            assert file["directory"] == folder
            assert re.fullmatch(ADDRESS, file["url"]) and file["url"].endswith(f"/{file['name']}")
