"""The subgraph blueprint in ComfyUI's page: it is in the node library, is placed by a click, and runs."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import Page

from demo.server import ComfyServer
from demo.workflow_runs import pictures_of

from ..helpers.comfy_page import open_workflow
from ..helpers.example_workflows import BLUEPRINT

pytestmark = [pytest.mark.browser, pytest.mark.every_page]

NAME = BLUEPRINT.stem
LIBRARY = "window.app.extensionManager.command.execute('Workspace.ToggleSidebarTab.node-library')"
SEARCH = re.compile("Search", re.IGNORECASE)
FREE_PLACE = (700, 800)
EMPTY = {"nodes": [], "links": [], "groups": [], "version": 0.4, "last_node_id": 0, "last_link_id": 0}
NODES = "window.app.graph.nodes.map(node => node.title)"
# What an artist does next: connects a model and something that shows the picture, and changes the settings.
CONNECT = """values => {
  const { graph } = window.app;
  const group = graph.nodes[0];
  const add = type => { const node = LiteGraph.createNode(type); graph.add(node); return node };
  const model = add('HeadcountLoadShapesDemoModel'), shown = add('PreviewImage');
  const text = add('PreviewAny'), viewer = add('HeadcountAttentionMapViewer');
  ['model', 'clip', 'vae'].forEach((name, slot) => model.connect(slot, group, name));
  group.connect('IMAGE', shown, 'images');
  group.connect('summary', text, 'source');
  group.connect('MAPS', viewer, 'maps');
  group.connect('LATENT', viewer, 'samples');
  group.connect('IMAGE', viewer, 'image');
  for (const widget of group.widgets) if (widget.name in values) widget.value = values[widget.name];
}"""
PROMPT = "async () => (await window.app.graphToPrompt()).output"
VALUES = {
    "prompt": "three red circles",
    "negative prompt": "",
    "width": 128,
    "height": 128,
    "pictures": 2,
    "seed": 5,
    "steps": 20,
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


def test_it_is_in_the_library_and_runs(page: Page, host: ComfyServer) -> None:
    _place(page)
    page.evaluate(CONNECT, VALUES)
    prompt = page.evaluate(PROMPT)
    kinds = {placed["class_type"]: node for node, placed in prompt.items()}
    sampled = prompt[kinds["KSampler"]]["inputs"]
    assert (sampled["seed"], sampled["steps"], sampled["cfg"]) == (5, 20, 3)
    sampled["steps"] = 4
    outputs = host.run(prompt)
    assert outputs[kinds["PreviewAny"]]["text"] == ["3 red circles"]
    drawn = pictures_of(host, outputs[kinds["PreviewImage"]])
    assert [picture.shape for picture in drawn] == [(128, 128, 3)] * 2
    assert len(outputs[kinds["HeadcountAttentionMapViewer"]]["images"]) == 2, "circles, in both pictures"
    prompt[kinds["HeadcountIsacAttentionControl"]]["inputs"]["strength"] = 0.0
    plain = pictures_of(host, host.run(prompt)[kinds["PreviewImage"]])
    assert not np.array_equal(drawn, plain), "ISAC is in it"
