"""Every example workflow opens in ComfyUI's pages, and queues what workflow_to_prompt makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from demo.server import workflow_to_prompt

from ..helpers.comfy_page import (
    ROOT,
    files_of,
    missing_types,
    open_workflow,
    queued_prompt,
    set_option,
    wait_for_the_offer_of,
    without_page_values,
)
from ..helpers.viewer_page import example

pytestmark = [pytest.mark.browser, pytest.mark.every_page]

WORKFLOWS = sorted((ROOT / "workflows").glob("*.json"))
EVERY_KIND_OF_NODE = ROOT / "tests" / "golden" / "workflow.json"


@pytest.mark.parametrize("path", [*WORKFLOWS, EVERY_KIND_OF_NODE], ids=lambda path: path.stem)
def test_workflow_opens(path: Path, renderer: str, page: Page, object_info: dict[str, Any]) -> None:
    workflow = json.loads(path.read_text())
    open_workflow(page, workflow, new_tab=renderer == "canvas")
    wait_for_the_offer_of(page, files_of(workflow))
    assert page.get_by_role("dialog").count() == 0
    assert missing_types(page) == []
    assert without_page_values(workflow_to_prompt(workflow, object_info)) == queued_prompt(page)


def test_a_missing_node_is_noticed(page: Page, renderer: str) -> None:
    """The check above does fail for a node that is not there; the page names the pack that the workflow says it is of."""
    workflow = example("Shapes - the right number")
    [node] = [node for node in workflow["nodes"] if node["type"] == "HeadcountLoadShapesDemoModel"]
    node |= {"type": "HeadcountNoSuchNode", "outputs": []}
    open_workflow(page, workflow | {"nodes": [node], "links": [], "groups": []})
    assert missing_types(page) == ["HeadcountNoSuchNode"]
    page.get_by_text("View details").first.click()
    try:
        page.get_by_text("headcount", exact=True).first.wait_for()
    finally:
        set_option(page, "Comfy.RightSidePanel.IsOpen", False)
