"""Photographs ComfyUI's page with an example workflow in it."""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page

from .browser import comfy_page, started_browser
from .picture_files import HELP, WORKFLOWS, Band, banded
from .server import ComfyServer


@dataclass(frozen=True)
class View:
    """A picture of a workflow in the page.

    Attributes:
        path: its file.
        titles: of the nodes shown; none for the whole graph.
        band: model and node, which are written across it above the first model file that the workflow needs.
    """

    path: Path
    titles: tuple[str, ...] = ()
    band: tuple[str, str] | None = None


_OF_MODELS = (
    "Load Checkpoint",
    "Count Prompt",
    "Count Control (ISAC Attention Control)",
    "Count Guide (NUMINA)",
    "KSampler",
)
# Workflow -> what is photographed of it, and whether it is run before; the photo's file of weights is not everybody's.
VIEWS = {
    "4 Count your photo": (
        False,
        View(
            WORKFLOWS / "4 Count your photo.jpg",
            ("Load Image", "SAM3 Counter", "Counted"),
            ("SAM 3.1", "count a photo"),
        ),
    ),
    "Shapes - the right number": (
        True,
        View(HELP / "HeadcountIsacAttentionControl" / "graph.jpg"),
        View(HELP / "HeadcountCountPrompt" / "node.jpg", ("Count Prompt", "What is counted")),
    ),
    "Shapes - keep only right images": (
        True,
        View(HELP / "HeadcountLoadT2ICountModel" / "node.jpg", ("Load T2ICount Model", "Counted")),
    ),
    "Shapes - the right number by layout": (
        True,
        View(
            HELP / "HeadcountNuminaCountGuide" / "layout.jpg",
            ("Attention Map Viewer: layout", "What was found, and what was aimed at"),
        ),
    ),
    "Wan 2.1 - the right number in a video": (
        False,
        View(
            WORKFLOWS / "Wan 2.1 - the right number in a video.jpg",
            ("Load Diffusion Model", "Count Prompt", "Count Guide (NUMINA)", "KSampler"),
            ("Wan 2.1", "Count Guide"),
        ),
    ),
    **{
        name: (False, View(WORKFLOWS / f"{name}.jpg", _OF_MODELS, (model, node)))
        for name, model, node in (
            ("SD 1.5 - the right number", "SD 1.5", "Count Control"),
            ("SDXL - the right number", "SDXL", "Count Control"),
            ("SD 3.5 - the right number", "SD 3.5 Large", "Count Control"),
            ("Flux - the right number", "Flux 1 Dev", "Count Control"),
            ("Flux - the right number by layout", "Flux 1 Dev", "Count Guide"),
        )
    },
    **{
        f"{model} - the right number": (
            False,
            View(
                WORKFLOWS / f"{model} - the right number.jpg",
                ("Load Diffusion Model", *_OF_MODELS[1:3], "KSampler"),
                (model, "Count Control"),
            ),
        )
        for model in ("Krea 2", "Qwen-Image", "Qwen-Image 2.1", "Z-Image")
    },
    **{
        f"{model} - the right number in a video": (
            False,
            View(
                WORKFLOWS / f"{model} - the right number in a video.jpg",
                ("Count Prompt", "Count Guide (NUMINA)", *samplers),
                (model, "Count Guide"),
            ),
        )
        for model, *samplers in (
            ("MiniMax H3", "KSampler"),
            ("LTX-2.3", "SamplerCustom"),
            ("Wan 2.2", "KSampler (Advanced): high noise", "KSampler (Advanced): low noise"),
        )
    },
    "Count a photo with SAM3": (
        False,
        View(HELP / "HeadcountSam3Counter" / "node.jpg", ("Load Checkpoint: SAM3", "SAM3 Counter", "Counted")),
        View(
            WORKFLOWS / "Count a photo with SAM3.jpg",
            ("Load Image", "SAM3 Counter", "Counted"),
            ("SAM 3.1", "count a photo"),
        ),
    ),
    "Count a video with SAM3": (
        False,
        View(
            HELP / "HeadcountCountsFromTracks" / "node.jpg",
            ("What to follow", "Run SAM3 Video Track", "Counts from Tracks"),
        ),
        View(
            WORKFLOWS / "Count a video with SAM3.jpg",
            ("Load Video", "Run SAM3 Video Track", "Counts from Tracks"),
            ("SAM 3.1", "count a video"),
        ),
    ),
    "Ask a language model how many": (
        False,
        View(
            HELP / "HeadcountCountsFromText" / "node.jpg",
            ("Generate Text: ask it", "What it said", "Counts from Text"),
        ),
        View(
            WORKFLOWS / "Ask a language model how many.jpg",
            ("Generate Text: ask it", "Counts from Text"),
            ("Qwen 3.5", "ask it"),
        ),
    ),
    **{
        name: (False, View(WORKFLOWS / f"{name}.jpg", titles, band))
        for name, titles, band in (
            (
                "SDXL - keep only right images with SAM3",
                ("Count Prompt", "SAM3 Counter", "Counted", "Count Check"),
                ("SAM 3.1", "keep right images"),
            ),
            (
                "SDXL - find a seed with SAM3",
                ("Count Prompt", "SAM3 Counter", "Count Search"),
                ("SAM 3.1", "find a seed"),
            ),
        )
    },
    "Count a photo with a detector": (
        False,
        View(WORKFLOWS / "Count a photo with a detector.jpg", ("Load Image", "Detector Counter", "Counted")),
    ),
    "Count a photo with T2ICount": (
        False,
        View(
            WORKFLOWS / "Count a photo with T2ICount.jpg",
            ("Load Image", "Load T2ICount Model", "Object Counter (T2ICount)"),
        ),
    ),
}
IDLE = """async () => {
  const queue = await (await fetch('/queue')).json()
  return queue.queue_running.length + queue.queue_pending.length === 0
}"""
# Shows the given box of the graph, 20 pixels from the corner, and returns the scale.
FIT = """([x, y, width, height, canvas_width, canvas_height]) => {
  const view = app.canvas.ds, scale = Math.min((canvas_width - 40) / width, (canvas_height - 40) / height, 1)
  view.scale = scale
  view.offset = [20 / scale - x, 20 / scale - y]
  app.canvas.draw(true, true)
  return scale
}"""
BOXES = """titles => (titles.length ? app.graph.nodes.filter(node => titles.includes(node.title))
  .map(node => [node.pos[0], node.pos[1] - 30, node.size[0], node.size[1] + 30])
  : app.graph.groups.map(group => [group.pos[0], group.pos[1], group.size[0], group.size[1]]))"""
# What lies over the graph is hidden; text boxes, which the page draws as elements, stay.
ONLY_THE_GRAPH = (
    "body * { visibility: hidden } #graph-canvas, .dom-widget, .dom-widget * { visibility: visible !important }"
)


def photograph_page(
    server: ComfyServer, workflows: Collection[str] = tuple(VIEWS)
) -> Iterator[tuple[Image.Image, Path]]:
    """Open workflows of VIEWS in a real browser. Yields pictures, each with its file."""
    with started_browser() as browser, comfy_page(browser, server, 1800, 1000) as page:
        for name in workflows:
            is_run, *views = VIEWS[name]
            workflow = json.loads((WORKFLOWS / f"{name}.json").read_text())
            page.evaluate("workflow => app.loadGraphData(workflow)", workflow)
            if is_run:
                _run(page)
            page.wait_for_timeout(2000)  # the page fetches the pictures
            page.add_style_tag(content=ONLY_THE_GRAPH)
            for view in views:
                picture = _view(page, view.titles)
                if view.band:
                    picture = banded(picture, Band(*view.band, f"needs {_first_file(workflow)}"))
                yield picture, view.path


def _first_file(workflow: dict[str, Any]) -> str:
    """Name of the first model file that a workflow says where to get."""
    return next(file["name"] for node in workflow["nodes"] for file in node["properties"].get("models", []))


def _run(page: Page) -> None:
    page.evaluate("() => app.queuePrompt(0)")
    page.wait_for_timeout(1000)
    while not page.evaluate(IDLE):
        page.wait_for_timeout(500)


def _view(page: Page, titles: tuple[str, ...]) -> Image.Image:
    boxes = page.evaluate(BOXES, list(titles))
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    width = max(box[0] + box[2] for box in boxes) - left
    height = max(box[1] + box[3] for box in boxes) - top
    canvas = page.evaluate(
        "() => { const b = app.canvas.canvas.getBoundingClientRect(); return [b.x, b.y, b.width, b.height] }"
    )
    scale = page.evaluate(FIT, [left, top, width, height, canvas[2], canvas[3]])
    page.wait_for_timeout(1000)
    shot = Image.open(io.BytesIO(page.screenshot()))
    x, y = round(canvas[0]), round(canvas[1])
    return shot.crop((x, y, x + round(width * scale) + 40, y + round(height * scale) + 40))
