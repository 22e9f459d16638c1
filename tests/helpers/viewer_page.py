"""An Attention Map Viewer in ComfyUI's page, for tests in a real browser."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Locator, Page

from .comfy_page import ROOT, open_workflow, press_run, settle

VIEWER = "HeadcountAttentionMapViewer"
_PLACE = """([width, height]) => {
  const { graph, canvas } = window.app;
  const node = graph.nodes.find(node => node.type === 'HeadcountAttentionMapViewer');
  for (const other of graph.nodes) if (other !== node) other.pos = [other.pos[0], other.pos[1] + 4000];
  node.setSize([width, height]);
  Object.assign(canvas.ds, { scale: 1, offset: [120 - node.pos[0], 180 - node.pos[1]] });
  canvas.setDirty(true, true);
}"""
_RUN_MS = 300_000
_SHOWN = """() => {
  const view = document.querySelector('.headcount-viewer');
  return view?.querySelector('.hc-readout')?.textContent && view.querySelector('canvas').width >= 512
    && view.ariaBusy !== 'true';
}"""


def first_viewer(workflow: dict[str, Any]) -> dict[str, Any]:
    """The first viewer among a workflow's nodes."""
    return next(node for node in workflow["nodes"] if node["type"] == VIEWER)


def example(name: str) -> dict[str, Any]:
    """One of the example workflows."""
    return json.loads((ROOT / "workflows" / f"{name}.json").read_text())


def workflow_with_viewer(name: str, steps: int, batch: int = 1) -> dict[str, Any]:
    """An example workflow, cut down to its first viewer and what that takes."""
    workflow = example(name)
    origins = {link[0]: link[1] for link in workflow["links"]}
    nodes, kept = {node["id"]: node for node in workflow["nodes"]}, set()
    waiting = [first_viewer(workflow)["id"]]
    while waiting:
        here = waiting.pop()
        if here not in kept:
            kept.add(here)
            links = (slot.get("link") for slot in nodes[here].get("inputs", ()))
            waiting += [origins[link] for link in links if link is not None]
    workflow["nodes"] = [nodes[key] for key in sorted(kept)]
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
    """One viewer in the page; of several in a graph, the first."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def view(self) -> Locator:
        return self.page.locator(".headcount-viewer").first

    @property
    def canvas(self) -> Locator:
        return self.view.locator("canvas")

    def open(self, workflow: dict[str, Any]) -> None:
        """Load a workflow and bring its viewer into sight."""
        open_workflow(self.page, workflow)
        self.place()  # the page puts only those widgets into the document that are in sight
        self.view.wait_for(state="attached")

    def place(self, width: int = 460, height: int = 760) -> None:
        """Give the viewer's node a size, and bring it into sight, apart from all others."""
        self.page.evaluate(_PLACE, [width, height])
        settle(self.page)

    def run(self) -> None:
        """Press Run and wait for the view."""
        press_run(self.page)
        self.wait()

    def wait(self) -> None:
        """Until a picture is shown."""
        self.page.wait_for_function(_SHOWN, timeout=_RUN_MS)
        settle(self.page)

    def settle(self) -> None:
        """Until everything that was asked for is drawn."""
        settle(self.page)
        self.page.wait_for_function("() => !document.querySelector('.headcount-viewer[aria-busy=true]')")

    def stop(self) -> None:
        """Stop the steps, which play once they are chosen."""
        self.page.evaluate("() => document.querySelector('.headcount-viewer [aria-label^=Stop]')?.click()")
        self.settle()

    def on_node(self, script: str) -> Any:
        """Evaluate a line of script about the viewer's `node`."""
        find = f"window.app.graph.nodes.find(node => node.type === '{VIEWER}')"
        result = self.page.evaluate(f"() => {{ const node = {find}; {script} }}")
        settle(self.page)
        return result

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
        self.settle()

    def shown_words(self) -> list[str]:
        chips = self.view.locator(".hc-chip[aria-pressed=true]").all_text_contents()
        return [chip.split(" ×")[0] for chip in chips]

    def control(self, name: str) -> Locator:
        return self.view.get_by_label(name, exact=True)

    def choose(self, name: str, value: str) -> None:
        self.control(name).select_option(value)
        self.settle()

    def slide(self, name: str, value: float) -> None:
        self.control(name).fill(str(value))
        self.settle()

    def _place_of(self, u: float, v: float) -> tuple[float, float]:
        """Where a place of the picture is on the screen."""
        box, shape = self.canvas.bounding_box(), self.canvas.evaluate("canvas => [canvas.width, canvas.height]")
        assert box is not None
        scale = min(box["width"] / shape[0], box["height"] / shape[1])
        x = box["x"] + box["width"] / 2 + (u - 0.5) * shape[0] * scale
        y = box["y"] + box["height"] / 2 + (v - 0.5) * shape[1] * scale
        return x, y

    def click(self, u: float, v: float) -> None:
        """Click a place of the picture."""
        self.page.mouse.click(*self._place_of(u, v))
        self.settle()

    def touch(self, event: str, u: float, v: float) -> None:
        """Send a finger's event at a place of the picture."""
        x, y = self._place_of(u, v)
        self.canvas.dispatch_event(event, {"pointerType": "touch", "clientX": x, "clientY": y, "bubbles": True})
        self.settle()

    def hover(self, u: float, v: float) -> str:
        """Point at a place of the picture, 0 to 1 from its left and top. Returns what is said about it."""
        self.page.mouse.move(*self._place_of(u, v))
        self.page.wait_for_function(
            "() => document.querySelector('.headcount-viewer .hc-readout').textContent.startsWith('This spot')"
        )
        self.settle()
        return self.said()

    def leave(self) -> None:
        """Point at nothing."""
        self.page.mouse.move(5, 500)
        self.settle()

    def said(self) -> str:
        return self.view.locator(".hc-readout").text_content() or ""

    def text(self) -> str:
        return self.view.text_content() or ""

    def message(self) -> str:
        return self.view.locator(".hc-message").text_content() or ""

    def state(self) -> dict[str, Any]:
        """What the node keeps in the workflow."""
        return self.on_node("return node.serialize().properties")
