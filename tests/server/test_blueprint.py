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
    assert len(node["widgets_values"]) == len(node["properties"]["proxyWidgets"])


def test_each_setting_is_an_input_linked_to_the_widget_inside(content: dict[str, Any]) -> None:
    """The seed too: newer pages keep no widget that is shown without one, older ones move it on either way."""
    [node] = content["nodes"]
    [subgraph] = content["definitions"]["subgraphs"]
    [inner] = subgraph["nodes"]
    links = {link["id"]: link for link in subgraph["links"]}
    linked = [inner["inputs"][links[slot["linkIds"][0]]["target_slot"]] for slot in subgraph["inputs"]]
    shown = [[str(inner["id"]), slot["name"]] for slot in linked if "widget" in slot]
    assert node["properties"]["proxyWidgets"] == shown and "seed" in [name for _, name in shown]
    assert inner["id"] != node["id"]  # else a page gives it another id when it is placed


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
    assert inside == node["widgets_values"]
