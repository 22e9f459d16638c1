"""The interactive Attention Map Viewer in ComfyUI's page, on the classic canvas and in Nodes 2.0."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from headcount.bridge.viewer_data import viewer_data
from headcount.core.attention.layer_maps import LayerMaps
from headcount.core.attention.records import RecordedMaps, RunRecord, RunRecorder
from playwright.sync_api import Page

from demo.counter import find_shapes
from demo.server import ComfyServer

from ..helpers.maps import blob_heat
from ..helpers.viewer_page import (
    CHROMIUM,
    VIEWER,
    ViewerPage,
    comfy_page,
    set_option,
    settle,
    wait_until_ready,
    watched,
    workflow_with_viewer,
)

pytestmark = pytest.mark.browser

GRID = (16, 16)
CIRCLES, STARS = [(3, 3), (12, 4)], [(8, 12)]
STEPS = 4
ATTENTION, ISAC = ("shapes_attention", 10), ("shapes_isac", 14)


@pytest.fixture(scope="module")
def page(server: ComfyServer) -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with comfy_page(server) as page:
        yield page


@pytest.fixture(autouse=True)
def errors(page: Page) -> Iterator[list[str]]:
    """Errors of the pack's, of which there are none."""
    with watched(page) as errors:
        yield errors
    assert errors == []


@pytest.fixture(params=[False, True], ids=["canvas", "nodes2"])
def viewer(page: Page, request: pytest.FixtureRequest) -> ViewerPage:
    """A viewer in one of the page's two renderers."""
    set_option(page, "Comfy.VueNodes.Enabled", request.param)
    return ViewerPage(page)


def at(place: tuple[int, int]) -> tuple[float, float]:
    """A cell's middle, from the left and from the top, 0 to 1."""
    return (place[1] + 0.5) / GRID[1], (place[0] + 0.5) / GRID[0]


def drawn_record() -> RunRecord:
    """Two pictures with blobs at known places, which grow from step to step; the second one shows only stars.

    Every pixel looks at its own quarter of the picture.
    """
    words = (("three", (1,)), ("circles", (2,)), ("<b>stars</b>", (4,)))
    recorder = RunRecorder(("circles", "<b>stars</b>"), ((2,), (4,)), (2, 1), words)
    rows, columns = (torch.arange(GRID[0]) // 8), (torch.arange(GRID[1]) // 8)
    quarter = (rows[:, None] * 2 + columns[None]).flatten()
    own = (quarter[:, None] == quarter[None]).float() / 64
    for step in range(STEPS):
        cross = torch.full((2, 256, 6), 0.01)
        cross[0, :, 2] += 0.1 * (step + 1) * blob_heat(GRID, CIRCLES).flatten()
        cross[:, :, 4] += 0.05 * (step + 1) * blob_heat(GRID, STARS).flatten()
        losses = torch.tensor([4.0 - step] * 2), torch.tensor([1.0] * 2)
        recorder.add(step, 1.0 - step / STEPS, RecordedMaps(cross, GRID, own.expand(2, -1, -1), GRID), *losses)
    record = recorder.finish(torch.zeros(2, 4, *GRID))
    assert record is not None
    flat = blob_heat(GRID, STARS).flatten() * torch.tensor([0.0, 1.0, 0.0])[:, None].expand(2, 3, 1)
    layers = (LayerMaps("first third", "mean", None, 0.1 * flat), LayerMaps("output.3.0", "mean", 2, 0.2 * flat))
    layers += (LayerMaps("output.3.0", "strongest", 2, 0.4 * flat),)
    before, after = (torch.zeros(2, *GRID, dtype=torch.long) for _ in range(2))
    before[0, 2:5, 2:5] = after[0, 2:5, 2:5] = 1
    after[0, 11:14, 3:6] = 100
    return dataclasses.replace(record, layers=layers, layouts={"circles": (before, after)})


@pytest.fixture(scope="module")
def drawn_folder(server: ComfyServer) -> str:
    """Files of `drawn_record` where the server has its views; the pictures are grey, so that colour is heat."""
    return write_view(server, drawn_record(), "a view of a test")


def write_view(server: ComfyServer, record: RunRecord, note: str) -> str:
    data = viewer_data(record, torch.full((2, 128, 128, 3), 0.5), note)
    folder = server.base / "temp" / "headcount_viewer" / data.name
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in data.files.items():
        (folder / name).write_bytes(content)
    return f"headcount_viewer/{data.name}"


def drawn(folder: str, **state: Any) -> dict[str, Any]:
    """A workflow whose viewer remembers a view."""
    workflow = workflow_with_viewer(*ATTENTION, steps=2)
    for node in workflow["nodes"]:
        if node["type"] == VIEWER:
            node["widgets_values"] = ["words", "", 0.7, "per word"]
            node.setdefault("properties", {})["headcount_viewer"] = {"folder": folder, **state}
    return workflow


@pytest.fixture
def made_up(viewer: ViewerPage, drawn_folder: str) -> ViewerPage:
    viewer.open(drawn(drawn_folder))
    viewer.wait()
    return viewer


def coloured(pixels: np.ndarray) -> np.ndarray:
    """How far each pixel is from grey."""
    return pixels.max(-1) - pixels.min(-1)


def around(values: np.ndarray, place: tuple[int, int]) -> float:
    """Mean of a canvas around the middle of a cell."""
    (u, v), (height, width) = at(place), values.shape[:2]
    y, x, radius = int(v * height), int(u * width), height // 64
    return float(values[y - radius : y + radius, x - radius : x + radius].mean())


class TestHeat:
    def test_heat_lies_where_the_words_are(self, made_up: ViewerPage) -> None:
        assert made_up.shown_words() == ["circles", "<b>stars</b>"], "the counted ones, and prompts are text"
        heat = coloured(made_up.pixels())
        assert min(around(heat, place) for place in CIRCLES + STARS) > 0.4
        assert max(around(heat, place) for place in [(0, 8), (15, 15), (8, 0)]) < 0.05

    def test_chips_choose_words(self, made_up: ViewerPage) -> None:
        made_up.press("stars")
        assert made_up.shown_words() == ["circles"]
        heat = coloured(made_up.pixels())
        assert min(around(heat, place) for place in CIRCLES) > 0.4 and around(heat, STARS[0]) < 0.05
        made_up.press("circles")
        assert made_up.shown_words() == [] and coloured(made_up.pixels()).max() < 0.02
        assert made_up.state()["headcount_viewer"]["words"] == []

    def test_each_word_has_the_colour_of_its_chip(self, made_up: ViewerPage) -> None:
        for word, place in (("circles", CIRCLES[0]), ("stars", STARS[0])):
            chip = made_up.chip(word).evaluate("chip => getComputedStyle(chip).backgroundColor")
            colour = np.asarray([int(part) for part in chip[4:-1].split(",")])
            pixels = made_up.pixels()
            found = [around(pixels[..., channel], place) for channel in range(3)]
            assert np.argsort(found)[-1] == np.argsort(colour)[-1] or abs(np.ptp(colour)) < 30
            assert int(np.argmin(found)) == int(np.argmin(colour))

    def test_opacity(self, made_up: ViewerPage) -> None:
        made_up.slide("Opacity", 0)
        assert np.abs(made_up.pixels() - 0.5).max() < 0.03, "the picture alone"
        made_up.slide("Opacity", 1)
        assert around(coloured(made_up.pixels()), STARS[0]) > 0.6

    def test_scale(self, made_up: ViewerPage) -> None:
        """Circles get twice the attention that stars get: only a shared scale shows it."""
        alone = around(coloured(made_up.pixels()), STARS[0])
        made_up.choose("Scale", "shared")
        shared = coloured(made_up.pixels())
        assert around(shared, STARS[0]) < 0.6 * alone and around(shared, CIRCLES[0]) > 0.4

    def test_steps(self, made_up: ViewerPage) -> None:
        """Maps grow over the steps, on one scale."""
        seen = []
        for step in range(1, STEPS + 1):
            made_up.slide("Step", step)
            assert made_up.view.get_by_label("Step", exact=True).get_attribute("aria-valuetext") == f"step {step}"
            seen.append(around(coloured(made_up.pixels()), STARS[0]))
        assert seen == sorted(seen) and seen[0] < 0.3 * seen[-1]
        made_up.slide("Step", 0)
        assert "mean of 4 steps" in (made_up.view.text_content() or "")

    def test_play(self, made_up: ViewerPage) -> None:
        made_up.view.get_by_role("button", name="Play the steps").click()
        made_up.view.get_by_role("button", name="Stop playing the steps").wait_for()
        slider = made_up.view.get_by_label("Step", exact=True)
        made_up.view.get_by_role("button", name="Play the steps").wait_for()
        assert slider.input_value() == str(STEPS), "it ends at the last step"

    def test_layers_and_heads(self, made_up: ViewerPage) -> None:
        made_up.choose("Layers", "output.3.0")
        assert "step 3" in (made_up.view.text_content() or "")
        assert around(coloured(made_up.pixels()), CIRCLES[0]) < 0.05 < around(coloured(made_up.pixels()), STARS[0])
        assert "stars</b> 20 %" in made_up.hover(*at(STARS[0]))
        made_up.choose("Heads", "strongest")
        assert "stars</b> 40 %" in made_up.hover(*at(STARS[0]))
        made_up.leave()
        assert made_up.view.get_by_label("Step", exact=True).is_disabled()
        made_up.choose("Layers", "")

    def test_pictures_of_a_batch(self, made_up: ViewerPage) -> None:
        made_up.slide("Picture", 1)
        heat = coloured(made_up.pixels())
        assert around(heat, STARS[0]) > 0.4 and around(heat, CIRCLES[0]) < 0.05


class TestPointing:
    def test_words_are_ranked(self, made_up: ViewerPage) -> None:
        """The mean over steps: 0.01 + 0.25 for circles, 0.01 + 0.125 for stars."""
        assert made_up.hover(*at(CIRCLES[0])) == "Here: circles 26 %, <b>stars</b> 1.0 %, three 1.0 %"
        assert made_up.hover(*at(STARS[0])).startswith("Here: <b>stars</b> 14 %, ")
        made_up.leave()
        assert made_up.said().startswith("Point at the picture")

    def test_what_a_place_looks_at(self, made_up: ViewerPage) -> None:
        made_up.choose("Show", "instances")
        assert made_up.said() == "Found: circles 2, <b>stars</b> 1. Point at a place to see where it looks."
        made_up.hover(*at((2, 13)))
        light = made_up.pixels().mean(-1)
        quarters = [around(light, place) for place in [(1, 9), (1, 1), (14, 1), (14, 14)]]
        assert quarters[0] > 1.5 * max(quarters[1:])
        made_up.leave()

    def test_the_thing_of_a_place(self, made_up: ViewerPage) -> None:
        made_up.choose("Show", "instances")
        assert made_up.hover(*at(STARS[0])).startswith("Here: 3: <b>stars</b>, 1 of 1.")
        assert ": circles, " in made_up.hover(*at(CIRCLES[1]))
        assert made_up.hover(*at((0, 15))).startswith("Here: nothing that is counted.")
        made_up.leave()

    def test_with_the_keyboard(self, made_up: ViewerPage) -> None:
        made_up.canvas.focus()
        for _ in range(4):
            made_up.page.keyboard.press("ArrowRight")
        settle(made_up.page)
        assert made_up.said().startswith("Here: <b>stars</b>")
        assert made_up.canvas.evaluate("canvas => canvas === document.activeElement")
        made_up.page.keyboard.press("Escape")
        assert made_up.said().startswith("Point at")

    def test_every_control_is_reached_with_tab_and_has_a_name(self, made_up: ViewerPage) -> None:
        made_up.chip("circles").focus()
        names = []
        for _ in range(12):
            names.append(
                made_up.page.evaluate("() => document.activeElement.ariaLabel ?? document.activeElement.textContent")
            )
            made_up.page.keyboard.press("Tab")
        for name in ("circles × 2", "Show", "Layers", "Scale", "Step", "Play the steps", "Picture", "Opacity"):
            assert name in names, names
        made_up.view.get_by_label("Step", exact=True).focus()
        made_up.page.keyboard.press("ArrowRight")
        assert made_up.state()["headcount_viewer"]["step"] == 1
        made_up.chip("circles").focus()
        made_up.page.keyboard.press("Space")
        assert made_up.shown_words() == ["<b>stars</b>"]


class TestLossesAndLayouts:
    def test_losses(self, made_up: ViewerPage) -> None:
        lines = made_up.view.locator("polyline")
        assert lines.count() == 2
        heights = [float(point.split(",")[1]) for point in (lines.first.get_attribute("points") or "").split()]
        assert len(heights) == STEPS and heights == sorted(heights) and heights[0] < 3, "it falls from the top"
        made_up.slide("Step", 2)
        assert "3.0" in (made_up.view.locator("figcaption").text_content() or "")

    def test_layouts(self, made_up: ViewerPage) -> None:
        made_up.choose("Show", "layouts")
        assert made_up.said() == "Layout after the correction. circles 1 → 2"
        after = coloured(made_up.pixels())
        assert around(after, (3, 4)) > 0.2 and around(after, (12, 5)) > 0.2 and around(after, (8, 12)) < 0.05
        made_up.choose("Layout", "before")
        before = coloured(made_up.pixels())
        assert around(before, (3, 4)) > 0.2 and around(before, (12, 5)) < 0.05


class TestRuns:
    def test_a_real_run(self, viewer: ViewerPage) -> None:
        viewer.open(workflow_with_viewer(*ATTENTION, steps=10))
        assert "Run the workflow" in viewer.message() and not viewer.canvas.is_visible()
        viewer.run()
        assert viewer.shown_words() == ["circles", "stars"]
        viewer.press("stars")
        viewer.slide("Opacity", 0)
        picture = viewer.pixels()
        viewer.slide("Opacity", 1)
        viewer.press("circles")
        without = viewer.pixels()
        viewer.press("circles")
        heat = (viewer.pixels() - without).mean(-1)
        small = (picture[::4, ::4] * 255).round().astype(np.uint8)
        found = [one for one in find_shapes(small) if one.noun == "circle"]
        assert found, "the model draws circles"
        inside = np.zeros(heat.shape, dtype=bool)
        for one in found:
            left, top, right, bottom = (4 * side for side in one.box)
            inside[top:bottom, left:right] = True
        assert heat[inside].mean() > 1.3 * heat[~inside].mean()
        assert viewer.view.locator("polyline").count() == 0, "no losses without ISAC"
        viewer.press("stars")

    @pytest.mark.parametrize("theme", ["dark", "light"])
    def test_pictures_of_all(self, theme: str, viewer: ViewerPage, request: pytest.FixtureRequest) -> None:
        """ISAC's run of two pictures: chips, sliders and losses, readable on the theme's ground."""
        renderer = "nodes2" if "nodes2" in request.node.name else "canvas"
        set_option(viewer.page, "Comfy.ColorPalette", theme)
        viewer.open(workflow_with_viewer(*ISAC, steps=6, batch=2))
        viewer.run()
        viewer.place()
        assert viewer.view.locator("polyline").count() == 2
        assert viewer.view.get_by_label("Picture", exact=True).is_visible()
        viewer.picture(f"{renderer}_{theme}_words")
        viewer.choose("Show", "instances")
        viewer.hover(0.4, 0.4)
        viewer.picture(f"{renderer}_{theme}_things")
        said = viewer.view.locator(".hc-readout")
        colours = said.evaluate("part => [getComputedStyle(part).color, getComputedStyle(document.body).colorScheme]")
        channels = [float(part) for part in colours[0][colours[0].index("(") + 1 : -1].split(",")[:3]]
        assert (np.mean(channels) > 128) == (theme == "dark")
        viewer.leave()
        set_option(viewer.page, "Comfy.ColorPalette", "dark")

    def test_no_value_of_the_view_goes_into_the_prompt_or_the_workflow(self, made_up: ViewerPage) -> None:
        made_up.slide("Opacity", 0.5)
        queued, saved = made_up.page.evaluate(
            "async () => { const made = await window.app.graphToPrompt(); return [made.output, made.workflow] }"
        )
        (inputs,) = [node["inputs"] for node in queued.values() if node["class_type"] == VIEWER]
        assert (
            set(inputs) == {"maps", "samples", "image", "show", "words", "opacity", "scale"}
            and inputs["opacity"] == 0.7
        )
        (node,) = [node for node in saved["nodes"] if node["type"] == VIEWER]
        assert node["widgets_values"] == ["words", "", 0.7, "per word"]
        assert len(json.dumps(node["properties"]["headcount_viewer"])) < 400

    @pytest.mark.parametrize(("show", "mode"), [("steps", "words"), ("regions", "instances"), ("layout", "layouts")])
    def test_the_node_says_what_is_shown_first(
        self, show: str, mode: str, viewer: ViewerPage, drawn_folder: str
    ) -> None:
        workflow = drawn(drawn_folder)
        for node in workflow["nodes"]:
            if node["type"] == VIEWER:
                node["widgets_values"] = [show, "<B>stars</b>", 0.3, "shared"]
        viewer.open(workflow)
        viewer.wait()
        assert viewer.view.get_by_label("Show", exact=True).input_value() == mode
        viewer.choose("Show", "words")
        assert viewer.shown_words() == ["<b>stars</b>"] and "30 %" in (viewer.view.text_content() or "")
        assert viewer.view.get_by_label("Scale", exact=True).input_value() == "shared"


class TestNodeLife:
    def test_an_empty_node(self, viewer: ViewerPage) -> None:
        viewer.page.evaluate("() => window.app.graph.clear()")
        viewer.page.evaluate(
            "type => { const node = window.LiteGraph.createNode(type); node.pos = [0, 0]; window.app.graph.add(node) }",
            VIEWER,
        )
        viewer.place()
        viewer.canvas.wait_for(state="hidden")
        assert viewer.message() == "Run the workflow to see where the words of the prompt are."

    def test_sizes(self, made_up: ViewerPage) -> None:
        for width, height in ((300, 300), (900, 820), (460, 760)):
            made_up.place(width, height)
            made_up.page.wait_for_timeout(200)
            outer, inner = made_up.view.bounding_box(), made_up.canvas.bounding_box()
            assert outer is not None and inner is not None
            assert inner["height"] >= 100 and inner["width"] >= 150
            assert inner["x"] >= outer["x"] and inner["x"] + inner["width"] <= outer["x"] + outer["width"] + 1
            assert inner["y"] + inner["height"] <= outer["y"] + outer["height"]

    def test_collapsed_and_back(self, made_up: ViewerPage) -> None:
        collapse = "() => { window.app.graph.nodes.find(n => n.type === 'HeadcountAttentionMapViewer').collapse() }"
        made_up.page.evaluate(collapse)
        made_up.canvas.wait_for(state="hidden")
        made_up.page.evaluate(collapse)
        made_up.canvas.wait_for()
        assert around(coloured(made_up.pixels()), STARS[0]) > 0.4

    def test_a_copy_has_a_view_of_its_own(self, made_up: ViewerPage) -> None:
        made_up.page.evaluate(
            """() => {
              const { graph } = window.app;
              const copy = graph.nodes.find(node => node.type === 'HeadcountAttentionMapViewer').clone();
              copy.pos = [copy.pos[0] + 500, copy.pos[1]];
              graph.add(copy);
            }"""
        )
        settle(made_up.page)
        views = made_up.page.locator(".headcount-viewer")
        views.nth(1).locator("canvas").wait_for()
        assert views.count() == 2
        views.nth(1).locator(".hc-chip").first.click()
        pressed = [views.nth(index).locator(".hc-chip[aria-pressed=true]").count() for index in (0, 1)]
        assert pressed == [2, 1]

    def test_a_reloaded_page(self, made_up: ViewerPage) -> None:
        made_up.press("circles")
        made_up.page.reload()
        wait_until_ready(made_up.page)
        made_up.place()
        made_up.wait()
        assert made_up.shown_words() == ["<b>stars</b>"]

    def test_a_folder_that_is_none_is_not_asked_for(self, viewer: ViewerPage) -> None:
        asked: list[str] = []
        viewer.page.on("request", lambda request: asked.append(request.url))
        for folder in ("../../models", "headcount_viewer/../x", 7, None):
            viewer.open(drawn(folder, mode="<b>", words=[3], step=-2, picture=99, opacity="x"))
            assert viewer.message() == "Run the workflow to see where the words of the prompt are."
        assert [url for url in asked if "view.json" in url] == []

    def test_a_state_that_does_not_fit_the_view(self, viewer: ViewerPage, drawn_folder: str) -> None:
        state = {"step": 99, "picture": 99, "layer": "none of these", "words": ["gone"], "heads": "strongest"}
        viewer.open(drawn(drawn_folder, **state))
        viewer.wait()
        assert viewer.shown_words() == ["circles", "<b>stars</b>"]
        assert viewer.view.get_by_label("Picture", exact=True).input_value() == "1"


def test_files_that_are_gone(page: Page, errors: list[str]) -> None:
    """The only message in the console is the browser's own: the server has no such file."""
    set_option(page, "Comfy.VueNodes.Enabled", False)
    viewer = ViewerPage(page)
    viewer.open(drawn("headcount_viewer/view_00000000"))
    page.wait_for_function("() => document.querySelector('.hc-message').textContent.includes('gone')")
    assert viewer.message() == "The maps are gone. Run the workflow to see them."
    assert len(errors) == 1 and "404" in errors[0]
    errors.clear()
