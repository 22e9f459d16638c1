"""Workflows, blueprint and picture of an earlier release open in ComfyUI's pages, mean what they meant, and run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from demo.server import ComfyServer
from demo.workflow_runs import with_widgets

from ..helpers.comfy_page import (
    drop_file,
    files_of,
    missing_types,
    open_workflow,
    queued_prompt,
    run_to_the_end,
    wait_for_the_offer_of,
)
from ..helpers.saved_work import AFTER_A_RUN, BLUEPRINT, FEW_STEPS, PICTURE, PROMPTS, WORKFLOWS, lost

pytestmark = [pytest.mark.browser, pytest.mark.every_page]

SHOWN_TABLE = "Asked and counted"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_means_what_it_meant(path: Path, page: Page) -> None:
    workflow = json.loads(path.read_text())
    open_workflow(page, workflow)
    wait_for_the_offer_of(page, files_of(workflow))
    assert missing_types(page) == []
    assert lost(PROMPTS[path.stem], queued_prompt(page)) == []


def test_the_blueprint_opens(page: Page) -> None:
    open_workflow(page, json.loads(BLUEPRINT.read_text()))
    assert page.get_by_role("dialog").count() == 0
    assert missing_types(page) == []


@pytest.mark.parametrize("path", AFTER_A_RUN, ids=lambda path: path.stem)
def test_a_workflow_saved_after_a_run_runs(path: Path, page: Page, host: ComfyServer) -> None:
    """Whatever of its tables the page of its day had put among the values."""
    open_workflow(page, json.loads(path.read_text()))
    assert missing_types(page) == []
    prompt = with_widgets(queued_prompt(page), FEW_STEPS)
    outputs = host.run(prompt)
    assert [
        node for node, placed in prompt.items() if placed["class_type"] == "SaveImage" and node not in outputs
    ] == []


def test_a_dropped_picture_runs_twice(page: Page, host: ComfyServer, renderer: str) -> None:
    open_workflow(page, {"nodes": [], "links": [], "groups": [], "version": 0.4, "last_node_id": 0, "last_link_id": 0})
    drop_file(page, PICTURE)
    page.wait_for_function("() => window.app.graph.nodes.some(node => node.type === 'HeadcountCountCheck')")
    assert missing_types(page) == []
    for seed in (31, 32):
        page.evaluate(_SET, {"seed": seed, "steps": 4})
        job = run_to_the_end(page)
        assert job["status"]["status_str"] == "success"
        assert _table(job).startswith("asked: 4 circles\n")
        assert page.get_by_role("dialog").count() == 0


_SET = """values => {
  const sampler = window.app.graph.nodes.find(node => node.type === 'KSampler');
  for (const [name, value] of Object.entries(values)) sampler.widgets.find(widget => widget.name === name).value = value;
}"""


def _table(job: dict[str, Any]) -> str:
    """What the node behind Count Check shows."""
    [node] = [key for key, placed in job["prompt"][2].items() if placed["_meta"]["title"] == SHOWN_TABLE]
    return job["outputs"][node]["text"][0]
