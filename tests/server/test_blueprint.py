"""The subgraph blueprint: what is in the file, and that the server hands it to the page."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from demo.blueprint import FOLDER, NAME, blueprint
from demo.server import ComfyServer
from demo.subgraph_file import INPUT_NODE, OUTPUT_NODE

pytestmark = pytest.mark.server

FILE = FOLDER / f"{NAME}.json"


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    return json.loads(FILE.read_text())


def _fetch(server: ComfyServer, path: str) -> Any:
    with urlopen(server.address + path) as answer:
        return json.loads(answer.read())


def test_the_server_lists_it(server: ComfyServer, content: dict[str, Any]) -> None:
    listed = _fetch(server, "/global_subgraphs")
    [(key, entry)] = [(key, entry) for key, entry in listed.items() if entry["name"] == NAME]
    assert entry["info"]["node_pack"].endswith("headcount")
    assert json.loads(_fetch(server, f"/global_subgraphs/{quote(key)}")["data"]) == content


def test_the_file_is_what_the_nodes_are_now(object_info: dict[str, Any], content: dict[str, Any]) -> None:
    """After a node got a new input or another default: `make pictures`."""
    assert content == blueprint(object_info)


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
    assert len(node["widgets_values"]) == sum("widget" in slot for slot in node["inputs"])


def test_every_link_joins_slots_of_one_type(content: dict[str, Any]) -> None:
    [subgraph] = content["definitions"]["subgraphs"]
    nodes = {node["id"]: node for node in subgraph["nodes"]}
    origins = {INPUT_NODE: subgraph["inputs"], **{key: node["outputs"] for key, node in nodes.items()}}
    targets = {OUTPUT_NODE: subgraph["outputs"], **{key: node["inputs"] for key, node in nodes.items()}}
    links = {link["id"]: link for link in subgraph["links"]}
    assert len(links) == len(subgraph["links"])
    for key, link in links.items():
        origin = origins[link["origin_id"]][link["origin_slot"]]
        target = targets[link["target_id"]][link["target_slot"]]
        assert origin["type"] == link["type"] == target["type"]
        assert key in (origin.get("links") or origin["linkIds"])
        assert target.get("link", target.get("linkIds")) in (key, [key])


def test_every_socket_inside_is_connected(content: dict[str, Any]) -> None:
    [subgraph] = content["definitions"]["subgraphs"]
    loose = [
        (node["type"], slot["name"])
        for node in subgraph["nodes"]
        for slot in node["inputs"]
        if "widget" not in slot and "shape" not in slot and slot["link"] is None
    ]
    assert loose == []
