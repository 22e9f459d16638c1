"""Every example workflow opens in ComfyUI's pages, and queues what workflow_to_prompt makes of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from demo.server import workflow_to_prompt

from ..helpers.comfy_page import ROOT, open_workflow

pytestmark = [pytest.mark.browser, pytest.mark.every_page]

WORKFLOWS = sorted((ROOT / "workflows").glob("*.json"))
PAGE_ONLY = {"upload", "preview"}  # an upload button; the text that Preview as Text shows
EVERY_KIND_OF_NODE = ROOT / "tests" / "golden" / "workflow.json"


def _files_of(workflow: dict[str, Any]) -> list[str]:
    nodes = [*workflow["nodes"]]
    for inner in workflow.get("definitions", {}).get("subgraphs", []):
        nodes += inner["nodes"]
    return [file["name"] for node in nodes for file in node.get("properties", {}).get("models", [])]


def _close_the_offer_of(page: Page, files: list[str]) -> None:
    """A workflow for a large model: the page says which files are missing; newer ones tell how many, if there are several."""
    if files:
        page.get_by_text(re.compile("|".join([re.escape(files[0]), r"\d issues found"]))).first.wait_for()
        page.keyboard.press("Escape")
        page.get_by_role("dialog").wait_for(state="detached")


def _types_the_page_misses(page: Page) -> list[str]:
    """Of the graph and of its subgraphs."""
    return page.evaluate(
        """() => {
          const { graph } = window.app;
          const nodes = [graph, ...(graph.subgraphs?.values() ?? [])].flatMap(part => part.nodes);
          return nodes.map(node => node.type).filter(type => !(type in window.LiteGraph.registered_node_types));
        }"""
    )


@pytest.mark.parametrize("path", [*WORKFLOWS, EVERY_KIND_OF_NODE], ids=lambda path: path.stem)
def test_workflow_opens(path: Path, renderer: str, page: Page, object_info: dict[str, Any]) -> None:
    workflow = json.loads(path.read_text())
    open_workflow(page, workflow, new_tab=renderer == "canvas")
    _close_the_offer_of(page, _files_of(workflow))
    assert page.get_by_role("dialog").count() == 0
    assert _types_the_page_misses(page) == []
    queued = page.evaluate("async () => (await window.app.graphToPrompt()).output")
    assert _bare(workflow_to_prompt(workflow, object_info)) == _bare(queued)


def _bare(prompt: dict[str, Any]) -> dict[str, Any]:
    """Without the titles, and without the values that exist only in the page."""
    return {
        node: (placed["class_type"], {name: value for name, value in placed["inputs"].items() if name not in PAGE_ONLY})
        for node, placed in prompt.items()
    }


def test_a_missing_node_is_noticed(page: Page, renderer: str) -> None:
    """The check above does fail for a node that ComfyUI does not have."""
    node = {"id": 1, "type": "HeadcountNoSuchNode", "pos": [0, 0], "size": [200, 100], "flags": {}, "mode": 0}
    node |= {"order": 0, "properties": {}}
    workflow = {"nodes": [node], "links": [], "groups": [], "version": 0.4, "last_node_id": 1, "last_link_id": 0}
    open_workflow(page, workflow)
    page.get_by_text("HeadcountNoSuchNode").first.wait_for()  # a dialog in older pages, a message in newer ones
    assert _types_the_page_misses(page) == ["HeadcountNoSuchNode"]
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
