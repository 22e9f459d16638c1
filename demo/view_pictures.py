"""Photographs the Attention Map Viewer's interactive view in ComfyUI's page, for its help page."""

from __future__ import annotations

import io
import json

from PIL import Image
from playwright.sync_api import Page

from .browser import comfy_page, started_browser
from .picture_files import WORKFLOWS
from .server import ComfyServer

WORKFLOW = "Shapes - the right number"
NODE_SIZE = (460, 760)
POINTED_AT = (0.7, 0.22)  # a circle of that run; from the picture's left and top, 0 to 1
GAP = 16
RUN_MS = 600_000
# Brings the viewer's node into sight, apart from all others, and takes the page's own controls away.
PLACE = """([width, height]) => {
  const { graph, canvas } = app
  const node = graph.nodes.find(node => node.type === 'HeadcountAttentionMapViewer')
  for (const other of graph.nodes) if (other !== node) other.pos = [other.pos[0], other.pos[1] + 4000]
  node.setSize([width, height])
  Object.assign(canvas.ds, { scale: 1, offset: [120 - node.pos[0], 140 - node.pos[1]] })
  canvas.setDirty(true, true)
}"""
DRAWN = """() => {
  const view = document.querySelector('.headcount-viewer')
  return view?.querySelector('.hc-readout').textContent && view.ariaBusy === 'false'
}"""


def photograph_view(server: ComfyServer) -> Image.Image:
    """Run the workflow in a real browser. Returns the view of the words, and beside it that of the things found."""
    with started_browser() as browser, comfy_page(browser, server, 1200, 1000) as page:
        workflow = json.loads((WORKFLOWS / f"{WORKFLOW}.json").read_text())
        page.evaluate("workflow => app.loadGraphData(workflow)", workflow)
        page.wait_for_timeout(1000)  # the page brings the whole graph into sight first
        page.evaluate(PLACE, list(NODE_SIZE))
        page.evaluate("() => app.queuePrompt(0)")
        words = _photograph(page)
        page.get_by_label("Show", exact=True).select_option("objects")
        box = page.locator(".headcount-viewer canvas").bounding_box()
        assert box is not None, "the view is in sight"
        side = min(box["width"], box["height"])
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(*(at + (part - 0.5) * side for at, part in zip(middle, POINTED_AT, strict=True)))
        things = _photograph(page)
    return _beside(words, things)


def _photograph(page: Page) -> Image.Image:
    page.wait_for_function(DRAWN, timeout=RUN_MS)
    page.wait_for_timeout(500)
    return Image.open(io.BytesIO(page.locator(".headcount-viewer").screenshot())).convert("RGB")


def _beside(left: Image.Image, right: Image.Image) -> Image.Image:
    size = 3 * GAP + left.width + right.width, 2 * GAP + max(left.height, right.height)
    both = Image.new("RGB", size, left.getpixel((0, 0)))
    both.paste(left, (GAP, GAP))
    both.paste(right, (2 * GAP + left.width, GAP))
    return both
