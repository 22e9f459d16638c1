"""The presets of ISAC Attention Control on the page: what a choice shows, and what older files keep."""

from __future__ import annotations

import json
from typing import Any

import pytest
from headcount.bridge.isac.presets import PRESETS
from playwright.sync_api import Page

from ..helpers.comfy_page import open_workflow, settle
from ..helpers.saved_work import WORKFLOWS

pytestmark = [pytest.mark.browser, pytest.mark.every_page]

NODE = "HeadcountIsacAttentionControl"
EMPTY: dict[str, Any] = {"nodes": [], "links": [], "groups": [], "version": 0.4, "last_node_id": 0, "last_link_id": 0}
_ADD = """type => {
  const node = window.LiteGraph.createNode(type);
  window.app.graph.add(node);
}"""
_CHOOSE = """([name, value]) => {
  const node = window.app.graph.nodes.find(node => node.type === 'HeadcountIsacAttentionControl');
  const widget = node.widgets.find(widget => widget.name === name);
  widget.value = value;
  widget.callback?.(value);
}"""
_SHOWN = """() => Object.fromEntries(window.app.graph.nodes
  .find(node => node.type === 'HeadcountIsacAttentionControl').widgets.map(widget => [widget.name, widget.value]))"""


@pytest.fixture
def node(page: Page, renderer: str) -> Page:
    """A page with a new node."""
    open_workflow(page, EMPTY)
    page.evaluate(_ADD, NODE)
    settle(page)
    return page


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_shows_its_values(preset: str, node: Page) -> None:
    node.evaluate(_CHOOSE, ["preset", preset])
    shown = node.evaluate(_SHOWN)
    assert shown["preset"] == preset and {name: shown[name] for name in PRESETS[preset]} == PRESETS[preset]


def test_a_changed_value_is_the_artists_own(node: Page) -> None:
    node.evaluate(_CHOOSE, ["step_size", 0.05])
    shown = node.evaluate(_SHOWN)
    assert shown["preset"] == "custom" and shown["step_size"] == 0.05
    node.evaluate(_CHOOSE, ["strength", 0.5])
    node.evaluate(_CHOOSE, ["preset", "strong"])
    assert node.evaluate(_SHOWN)["strength"] == 0.5


def test_a_file_from_before_the_presets_keeps_its_values(page: Page, renderer: str) -> None:
    [path] = [path for path in WORKFLOWS if path.stem == "shapes_isac"]
    workflow = json.loads(path.read_text())
    [saved] = [node["widgets_values"] for node in workflow["nodes"] if node["type"] == NODE]
    open_workflow(page, workflow)
    shown = page.evaluate(_SHOWN)
    assert shown.pop("preset") == "custom"
    assert [shown[name] for name in shown][: len(saved)] == saved
