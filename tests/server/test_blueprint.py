"""The subgraph blueprint as a node of the page, and that the server hands it over; test_example_workflows.py looks inside."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from demo.server import ComfyServer

from ..helpers.example_workflows import BLUEPRINT, widget_values

pytestmark = pytest.mark.server

NAME = BLUEPRINT.stem


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    return json.loads(BLUEPRINT.read_text())


def _fetch(server: ComfyServer, path: str) -> Any:
    with urlopen(server.address + path) as answer:
        return json.loads(answer.read())


def test_the_server_lists_it(server: ComfyServer, content: dict[str, Any]) -> None:
    listed = _fetch(server, "/global_subgraphs")
    [(key, entry)] = [(key, entry) for key, entry in listed.items() if entry["name"] == NAME]
    assert entry["info"]["node_pack"].endswith("headcount")
    assert json.loads(_fetch(server, f"/global_subgraphs/{quote(key)}")["data"]) == content


def test_one_node_whose_type_is_the_subgraph(content: dict[str, Any]) -> None:
    """What the page asks of a blueprint."""
    [node] = content["nodes"]
    [subgraph] = content["definitions"]["subgraphs"]
    assert node["type"] == subgraph["id"]
    assert node["title"] == subgraph["name"] == NAME
    assert content["extra"]["BlueprintDescription"]
    for side in ("inputs", "outputs"):
        assert [(slot["name"], slot["type"]) for slot in node[side]] == [
            (slot["name"], slot["type"]) for slot in subgraph[side]
        ]
    shown = [name for owner, name in node["properties"]["proxyWidgets"] if owner == "-1"]
    assert shown == [slot["name"] for slot in node["inputs"] if "widget" in slot]
    assert len(node["widgets_values"]) == len(node["properties"]["proxyWidgets"])


def test_the_seed_keeps_its_control(content: dict[str, Any]) -> None:
    """It is shown as the node inside has it: the page moves on no seed that comes from outside of a subgraph."""
    [node] = content["nodes"]
    [subgraph] = content["definitions"]["subgraphs"]
    [inner] = subgraph["nodes"]
    own = [name for owner, name in node["properties"]["proxyWidgets"] if owner == str(inner["id"])]
    assert own == ["seed", "control_after_generate"] and "seed" not in [slot["name"] for slot in subgraph["inputs"]]
    [seed] = [slot for slot in inner["inputs"] if slot["name"] == "seed"]
    assert seed["link"] is None


def test_its_values_are_those_of_the_nodes_inside(content: dict[str, Any], object_info: dict[str, Any]) -> None:
    [node] = content["nodes"]
    [subgraph] = content["definitions"]["subgraphs"]
    nodes = {inner["id"]: inner for inner in subgraph["nodes"]}
    links = {link["id"]: link for link in subgraph["links"]}
    inside = []
    for outer, slot in zip(node["inputs"], subgraph["inputs"], strict=True):
        if "widget" in outer:
            link = links[slot["linkIds"][0]]
            inner = nodes[link["target_id"]]
            values = {widget.name: value for widget, value in widget_values(inner, object_info[inner["type"]])}
            inside.append(values[inner["inputs"][link["target_slot"]]["name"]])
    assert inside == [value for value in node["widgets_values"] if value is not None]
