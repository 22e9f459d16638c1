"""ComfyUI's page in another language shows the pack's nodes in it: names, tooltips, the node library, what is in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from demo.write_locales import FOLDER

from ..helpers.comfy_page import run_command, set_option, settle

pytestmark = [pytest.mark.browser, pytest.mark.every_page]

LANGUAGE = "ja"
NODE = "HeadcountCountSearch"
PAGE: dict[str, str] = json.loads((FOLDER / LANGUAGE / "main.json").read_text(encoding="utf-8"))["headcount"]
TEXTS: dict[str, Any] = json.loads((FOLDER / LANGUAGE / "nodeDefs.json").read_text(encoding="utf-8"))[NODE]
_I18N = """(() => {
  const { provides } = document.querySelector('#vue-app').__vue_app__._context;
  return Object.getOwnPropertySymbols(provides).map(key => provides[key]).find(one => one?.global?.mergeLocaleMessage).global;
})()"""
_SPEAKS = f"language => {_I18N}.locale.value === language"
_PLACE = """type => {
  const { graph, canvas } = window.app;
  graph.clear();
  const node = window.LiteGraph.createNode(type);
  node.pos = [0, 0];
  graph.add(node);
  Object.assign(canvas.ds, { scale: 1, offset: [300, 120] });
  canvas.setDirty(true, true);
}"""
_SHOWN = """() => {
  const node = window.app.graph.nodes[0];
  const names = slots => slots.map(slot => slot.localized_name);
  return { title: node.title, inputs: names(node.inputs), outputs: names(node.outputs) };
}"""
_WIDGET = """name => {
  const { graph, canvas } = window.app;
  const box = canvas.canvas.getBoundingClientRect();
  const y = graph.nodes[0].widgets.find(widget => widget.name === name).last_y + 10;
  return [box.x + canvas.ds.offset[0] + 40, box.y + canvas.ds.offset[1] + y];
}"""


def _speak(page: Page, language: str) -> None:
    """Choose a language in the page's settings, and wait until it speaks it."""
    set_option(page, "Comfy.Locale", language)
    page.wait_for_function(_SPEAKS, arg=language)
    run_command(page, "Comfy.RefreshNodeDefinitions")


@pytest.fixture(scope="module")
def translated(page: Page) -> Iterator[Page]:
    """The page in another language."""
    _speak(page, LANGUAGE)
    yield page
    _speak(page, "en")


@pytest.fixture
def placed(translated: Page, renderer: str) -> Page:
    """One node in sight."""
    translated.evaluate(_PLACE, NODE)
    settle(translated)
    return translated


def test_names(placed: Page) -> None:
    shown = placed.evaluate(_SHOWN)
    assert shown["title"] == TEXTS["display_name"]
    assert set(shown["inputs"]) == {slot["name"] for slot in TEXTS["inputs"].values()}
    named = {int(index): slot["name"] for index, slot in TEXTS["outputs"].items() if "name" in slot}
    assert {index: shown["outputs"][index] for index in named} == named


@pytest.mark.parametrize("widget", ["seeds", "scheduler"])
def test_tooltip(placed: Page, renderer: str, widget: str) -> None:
    """Of a number and of a list of choices; the choices themselves stay as they are."""
    placed.mouse.move(5, 500)
    if renderer == "nodes2":
        placed.get_by_text(TEXTS["inputs"][widget]["name"], exact=True).first.hover()
    else:
        placed.mouse.move(*placed.evaluate(_WIDGET, widget), steps=3)
    placed.get_by_text(TEXTS["inputs"][widget]["tooltip"], exact=True).first.wait_for()


@pytest.mark.parametrize(
    ("node", "english"),
    [
        (NODE, "Run the workflow to see the result here."),
        ("HeadcountAttentionMapViewer", "Run the workflow to see where each word ends up."),
    ],
)
def test_nodes_that_have_not_run(translated: Page, renderer: str, node: str, english: str) -> None:
    translated.evaluate(_PLACE, node)
    translated.get_by_text(PAGE[english], exact=True).wait_for()
    assert translated.get_by_text(english, exact=True).count() == 0


def test_node_library(translated: Page, renderer: str) -> None:
    translated.evaluate("window.app.extensionManager.sidebarTab.toggleSidebarTab('node-library')")
    translated.locator(".side-bar-panel input").first.fill(TEXTS["display_name"])
    translated.locator(".side-bar-panel").get_by_text(TEXTS["display_name"], exact=True).first.wait_for()
    translated.locator(".side-bar-panel input").first.fill("")
    translated.evaluate("window.app.extensionManager.sidebarTab.toggleSidebarTab('node-library')")
