"""The subgraph blueprint in ComfyUI's page: in the node library, placed by a click, another seed in each run."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from demo.server import ComfyServer
from demo.workflow_runs import pictures_of

from ..helpers.comfy_page import open_workflow, run_to_the_end
from ..helpers.example_workflows import BLUEPRINT

pytestmark = [pytest.mark.browser, pytest.mark.every_page]

NAME = BLUEPRINT.stem
LIBRARY = "window.app.extensionManager.command.execute('Workspace.ToggleSidebarTab.node-library')"
SEARCH = re.compile("Search", re.IGNORECASE)
FREE_PLACE = (700, 800)
EMPTY = {"nodes": [], "links": [], "groups": [], "version": 0.4, "last_node_id": 0, "last_link_id": 0}
NODES = "window.app.graph.nodes.map(node => node.title)"
# What an artist does next: connects a model, a counter and something that shows the picture, and changes the settings.
CONNECT = """values => {
  const { graph } = window.app;
  const group = graph.nodes[0];
  const add = type => { const node = LiteGraph.createNode(type); graph.add(node); return node };
  const loader = add('HeadcountLoadDemoModel'), shown = add('PreviewImage'), text = add('PreviewAny');
  loader.widgets.find(widget => widget.name === 'model').value = 'emoji';
  ['model', 'clip', 'vae'].forEach((name, slot) => loader.connect(slot, group, name));
  loader.connect(4, group, 'counter');
  group.connect('IMAGE', shown, 'images');
  group.connect('table', text, 'source');
  for (const widget of group.widgets) if (widget.name in values) widget.value = values[widget.name];
}"""
SEED = "() => window.app.graph.nodes[0].widgets.find(widget => widget.name === 'seed').value"
CONTROL = """() => window.app.graph.nodes[0].subgraph.nodes[0].widgets
  .find(widget => widget.name === 'control_after_generate')"""
VALUES = {
    "prompt": "two apples",
    "negative prompt": "",
    "width": 128,
    "height": 128,
    "isac": "off",
    "tries": 1,
    "seed": 5,
    "steps": 4,
    "cfg": 3,
}


def _place(page: Page) -> None:
    """An empty graph, and the blueprint placed in it by a click in the node library."""
    open_workflow(page, EMPTY, new_tab=True)
    page.evaluate(LIBRARY)
    page.get_by_placeholder(SEARCH).first.fill(NAME)
    page.get_by_text(NAME, exact=True).first.click()
    page.mouse.click(*FREE_PLACE)  # the page hangs the node on the pointer until the next click
    page.wait_for_function(f"{NODES}.length === 1")
    page.evaluate(LIBRARY)


def test_it_is_in_the_library_and_each_run_makes_another_picture(page: Page, host: ComfyServer) -> None:
    _place(page)
    page.evaluate(CONNECT, VALUES)
    assert page.evaluate(SEED) == 5 and page.evaluate(f"({CONTROL})().value") == "randomize"
    first, second = (_run(page, host) for _ in range(2))
    assert first["table"].splitlines()[:1] == ["asked: 2 apples"] and "seed 5" in first["table"]
    assert not re.search(r"seed 5\b", second["table"]) and not np.array_equal(first["picture"], second["picture"])
    page.evaluate(f"() => {{ ({CONTROL})().value = 'fixed' }}")
    seed = page.evaluate(SEED)
    third = _run(page, host)
    assert page.evaluate(SEED) == seed and f"seed {seed}" in third["table"]


def _run(page: Page, host: ComfyServer) -> dict[str, Any]:
    """What the Run button makes: the picture and the table."""
    outputs = run_to_the_end(page)["outputs"]
    [table] = [shown["text"][0] for shown in outputs.values() if "text" in shown]
    [images] = [shown for node, shown in outputs.items() if "images" in shown and ":" not in node]
    [picture] = pictures_of(host, images)
    return {"table": table, "picture": picture}
