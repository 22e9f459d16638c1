"""ComfyUI's page with an Attention Map Viewer in it, for tests in a real browser."""

from __future__ import annotations

import base64
import io
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import ConsoleMessage, Locator, Page, sync_playwright

from demo.server import ComfyServer

ROOT = Path(__file__).resolve().parent.parent.parent
PICTURES = ROOT / "tests" / "output"
VIEWER = "HeadcountAttentionMapViewer"
CHROMIUM = shutil.which("chromium")
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
_TIMEOUT_MS = 60_000
_READY = "window.app?.graph && window.app.extensionManager && !document.querySelector('#splash')"
_PLACE = """([width, height, scale]) => {
  const { graph, canvas } = window.app;
  const node = graph.nodes.find(node => node.type === 'HeadcountAttentionMapViewer');
  for (const other of graph.nodes) if (other !== node) other.pos = [other.pos[0], other.pos[1] + 4000];
  node.setSize([width, height]);
  Object.assign(canvas.ds, { scale, offset: [120 - node.pos[0], 140 - node.pos[1]] });
  canvas.setDirty(true, true);
}"""


@contextmanager
def comfy_page(server: ComfyServer) -> Iterator[Page]:
    """ComfyUI's page, ready for use, without what a first visit shows."""
    user = server.base / "user" / "default"
    user.mkdir(parents=True, exist_ok=True)
    (user / "comfy.settings.json").write_text(json.dumps({"Comfy.TutorialCompleted": True}))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS, timeout=_TIMEOUT_MS)
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        page.set_default_timeout(_TIMEOUT_MS)
        page.goto(server.address)
        page.wait_for_function(_READY)
        yield page
        browser.close()


def wait_until_ready(page: Page) -> None:
    """After a reload."""
    page.wait_for_function(_READY)


def set_option(page: Page, name: str, value: Any) -> None:
    """Change one of the page's settings."""
    page.evaluate(
        "async ([name, value]) => { await window.app.extensionManager.setting.set(name, value) }", [name, value]
    )
    settle(page)


def settle(page: Page) -> None:
    """Let the page draw what has changed."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


@contextmanager
def watched(page: Page) -> Iterator[list[str]]:
    """Errors in the page that come from the pack: uncaught ones, and those written to the console."""
    found: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        told = message.text + message.location["url"]
        if message.type == "error" and "headcount" in told.lower() and "https://api.comfy.org/" not in told:
            found.append(told)

    def on_error(error: Any) -> None:
        found.append(str(error))

    listeners: list[tuple[str, Callable[[Any], None]]] = [("console", on_console), ("pageerror", on_error)]
    for event, listener in listeners:
        page.on(event, listener)
    yield found
    for event, listener in listeners:
        page.remove_listener(event, listener)


def workflow_with_viewer(name: str, viewer: int, steps: int, batch: int = 1) -> dict[str, Any]:
    """An example workflow, cut down to one viewer and what it takes."""
    workflow = json.loads((ROOT / "workflows" / f"{name}.json").read_text())
    origins = {link[0]: link[1] for link in workflow["links"]}
    nodes, kept, waiting = {node["id"]: node for node in workflow["nodes"]}, set(), [viewer]
    while waiting:
        here = waiting.pop()
        if here not in kept:
            kept.add(here)
            links = (slot.get("link") for slot in nodes[here].get("inputs", ()))
            waiting += [origins[link] for link in links if link is not None]
    workflow["nodes"] = [nodes[key] for key in kept]
    workflow["links"] = [link for link in workflow["links"] if link[1] in kept and link[3] in kept]
    links = {link[0] for link in workflow["links"]}
    for node in workflow["nodes"]:
        for output in node.get("outputs", ()):
            output["links"] = [link for link in output.get("links") or () if link in links]
        if node["type"] == "KSampler":
            node["widgets_values"][2] = steps
        if node["type"] == "EmptyLatentImage":
            node["widgets_values"][2] = batch
    return workflow | {"groups": []}


class ViewerPage:
    """One viewer in the page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def view(self) -> Locator:
        return self.page.locator(".headcount-viewer").first

    @property
    def canvas(self) -> Locator:
        return self.view.locator("canvas")

    def open(self, workflow: dict[str, Any]) -> None:
        """Load a workflow as opening its file does."""
        self.page.evaluate("workflow => window.app.loadGraphData(workflow)", workflow)
        self.place()  # the page puts only those widgets into the document that are in sight
        self.view.wait_for(state="attached")

    def place(self, width: int = 460, height: int = 760, scale: float = 1.0) -> None:
        """Give the viewer's node a size, and bring it into sight, apart from all others."""
        self.page.evaluate(_PLACE, [width, height, scale])
        settle(self.page)

    def run(self) -> None:
        """Queue the workflow and wait for its view."""
        self.page.evaluate("async () => { await window.app.queuePrompt(0) }")
        self.wait()

    def wait(self) -> None:
        """Until a picture is shown."""
        self.canvas.wait_for()
        self.page.wait_for_function(
            "() => document.querySelector('.headcount-viewer .hc-readout')?.textContent && "
            "document.querySelector('.headcount-viewer canvas').width >= 512"
        )
        settle(self.page)

    def settle(self) -> None:
        """Until everything that was asked for is drawn."""
        settle(self.page)
        self.page.wait_for_function("() => !document.querySelector('.headcount-viewer[aria-busy=true]')")

    def pixels(self) -> np.ndarray:
        """(H, W, 3) what the canvas shows, 0 to 1."""
        self.settle()
        file = self.canvas.evaluate("canvas => canvas.toDataURL()").split(",")[1]
        image = Image.open(io.BytesIO(base64.b64decode(file)))
        return np.asarray(image.convert("RGB"), dtype=np.float32) / 255

    def chip(self, word: str) -> Locator:
        return self.view.locator(".hc-chip", has_text=word).first

    def press(self, word: str) -> None:
        self.chip(word).click()

    def shown_words(self) -> list[str]:
        chips = self.view.locator(".hc-chip[aria-pressed=true]").all_text_contents()
        return [chip.split(" ×")[0] for chip in chips]

    def choose(self, name: str, value: str) -> None:
        self.view.get_by_label(name, exact=True).select_option(value)
        self.settle()

    def slide(self, name: str, value: float) -> None:
        self.view.get_by_label(name, exact=True).fill(str(value))
        self.settle()

    def hover(self, u: float, v: float) -> str:
        """Point at a place of the picture, 0 to 1 from its left and top. Returns what is said about it."""
        box, shape = self.canvas.bounding_box(), self.canvas.evaluate("canvas => [canvas.width, canvas.height]")
        assert box is not None
        scale = min(box["width"] / shape[0], box["height"] / shape[1])
        x = box["x"] + box["width"] / 2 + (u - 0.5) * shape[0] * scale
        y = box["y"] + box["height"] / 2 + (v - 0.5) * shape[1] * scale
        self.page.mouse.move(x, y)
        self.page.wait_for_function(
            "() => document.querySelector('.headcount-viewer .hc-readout').textContent.startsWith('Here')"
        )
        self.settle()
        return self.said()

    def leave(self) -> None:
        """Point at nothing."""
        self.page.mouse.move(5, 500)
        self.settle()

    def said(self) -> str:
        return self.view.locator(".hc-readout").text_content() or ""

    def message(self) -> str:
        return self.view.locator(".hc-message").text_content() or ""

    def state(self) -> dict[str, Any]:
        """What the node keeps in the workflow."""
        return self.page.evaluate(
            "() => window.app.graph.serialize().nodes.find(node => node.type === 'HeadcountAttentionMapViewer').properties"
        )

    def picture(self, name: str) -> None:
        """Keep a screenshot."""
        PICTURES.mkdir(exist_ok=True)
        self.page.screenshot(path=PICTURES / f"viewer_{name}.png")
