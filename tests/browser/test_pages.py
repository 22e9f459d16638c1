"""ComfyUI's page in a real browser: example workflows open there and queue what workflow_to_prompt makes of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import ConsoleMessage, Page, sync_playwright

from demo.server import ComfyServer, workflow_to_prompt

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parent.parent.parent
PICTURES = ROOT / "tests" / "output"
WORKFLOWS = sorted((ROOT / "workflows").glob("*.json"))
# The page asks the Registry which pack each node belongs to; ComfyUI's own policy, with --disable-api-nodes, forbids it.
REGISTRY = "https://api.comfy.org/"
PAGE_ONLY = {"upload", "preview"}  # an upload button; the text that Preview as Text shows
EVERY_KIND_OF_NODE = ROOT / "tests" / "golden" / "workflow.json"
CHROMIUM = shutil.which("chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
TIMEOUT_MS = 60_000
SETTINGS = {"Comfy.TutorialCompleted": True}

Reports = list[str]


@pytest.fixture(scope="module")
def page(server: ComfyServer) -> Iterator[Page]:
    """ComfyUI's page, ready for use, without the template browser of a first visit."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    user = server.base / "user" / "default"
    user.mkdir(parents=True, exist_ok=True)
    (user / "comfy.settings.json").write_text(json.dumps(SETTINGS))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS, timeout=TIMEOUT_MS)
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.set_default_timeout(TIMEOUT_MS)
        page.goto(server.address)
        page.wait_for_function("window.app?.graph && window.app.extensionManager && !document.querySelector('#splash')")
        yield page
        browser.close()


@pytest.fixture
def reports(page: Page) -> Iterator[Reports]:
    """Errors in the page that come from the pack: uncaught ones, and those written to the console."""
    found: Reports = []

    def on_console(message: ConsoleMessage) -> None:
        told = message.text + message.location["url"]
        if message.type == "error" and "headcount" in told.lower() and REGISTRY not in told:
            found.append(message.text)

    def on_error(error: Any) -> None:
        found.append(str(error))

    page.on("console", on_console)
    page.on("pageerror", on_error)
    yield found
    page.remove_listener("console", on_console)
    page.remove_listener("pageerror", on_error)


def _open(page: Page, workflow: dict[str, Any]) -> None:
    """Load a workflow as opening its file does, and let the page draw it."""
    page.evaluate("workflow => window.app.loadGraphData(workflow)", workflow)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def _close_the_offer_of(page: Page, files: list[dict[str, str]]) -> None:
    """A workflow for a large model: the page says which files are missing, and offers each for download."""
    for file in files:
        page.get_by_text(file["name"]).first.wait_for()
    if files:
        page.keyboard.press("Escape")
        page.get_by_role("dialog").wait_for(state="detached")


def _types_the_page_misses(page: Page) -> list[str]:
    return page.evaluate("window.app.graph.nodes.filter(node => node.has_errors).map(node => node.type)")


@pytest.mark.parametrize("path", [*WORKFLOWS, EVERY_KIND_OF_NODE], ids=lambda path: path.stem)
def test_workflow_opens(path: Path, page: Page, reports: Reports, object_info: dict[str, Any]) -> None:
    workflow = json.loads(path.read_text())
    _open(page, workflow)
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"{path.stem}.png")
    _close_the_offer_of(page, [file for node in workflow["nodes"] for file in node["properties"].get("models", [])])
    assert page.get_by_role("dialog").count() == 0
    assert _types_the_page_misses(page) == []
    assert reports == []
    queued = page.evaluate("async () => (await window.app.graphToPrompt()).output")
    assert _bare(workflow_to_prompt(workflow, object_info)) == _bare(queued)


def _bare(prompt: dict[str, Any]) -> dict[str, Any]:
    """Without the titles, and without the values that exist only in the page."""
    return {
        node: (placed["class_type"], {name: value for name, value in placed["inputs"].items() if name not in PAGE_ONLY})
        for node, placed in prompt.items()
    }


def test_a_missing_node_is_noticed(page: Page) -> None:
    """The check above does fail for a node that ComfyUI does not have."""
    node = {"id": 1, "type": "HeadcountNoSuchNode", "pos": [0, 0], "size": [200, 100], "flags": {}, "mode": 0}
    workflow = {"nodes": [node], "links": [], "groups": [], "version": 0.4, "last_node_id": 1, "last_link_id": 0}
    _open(page, workflow)
    page.get_by_text("HeadcountNoSuchNode").first.wait_for()  # a dialog in older pages, a message in newer ones
    assert _types_the_page_misses(page) == ["HeadcountNoSuchNode"]
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
