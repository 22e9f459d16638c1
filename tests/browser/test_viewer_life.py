"""What may happen to the viewer's node: never run, resized, collapsed, copied, left and found again."""

from __future__ import annotations

from typing import Any

import pytest

from demo.server import ComfyServer

from ..helpers.comfy_page import open_workflow, reload, run_command, settle
from ..helpers.drawn_views import CIRCLES, STARS, around, coloured, drawn, drawn_record, drawn_video, write_view
from ..helpers.viewer_page import VIEWER, ViewerPage

pytestmark = pytest.mark.browser

EMPTY = "Run the workflow to see where each word ends up."


def test_an_empty_node(viewer: ViewerPage) -> None:
    viewer.page.evaluate("() => window.app.graph.clear()")
    viewer.page.evaluate(
        """type => {
          const node = window.LiteGraph.createNode(type);
          node.pos = [0, 0];
          window.app.graph.add(node);
        }""",
        VIEWER,
    )
    width, height = viewer.on_node("return [...node.size]")
    assert width >= 400 and height >= 700
    viewer.place()
    viewer.canvas.wait_for(state="hidden")
    assert viewer.message() == EMPTY
    assert viewer.on_node("return node.widgets.filter(widget => !widget.hidden).map(widget => widget.name)") == [
        "attention_view"
    ], "one set of controls"


@pytest.mark.every_page
def test_sizes(made_up: ViewerPage) -> None:
    """Nothing sticks out of the view, and the view does not stick out of its node."""
    for width, height in ((300, 300), (900, 820), (460, 760)):
        made_up.place(width, height)
        made_up.page.wait_for_timeout(200)
        outer = made_up.view.bounding_box()
        assert outer is not None
        for part in made_up.view.locator(
            "canvas, .hc-chips, .hc-readout, select:visible, input:visible, button, svg"
        ).all():
            inner = part.bounding_box()
            if inner is None or part.evaluate("part => part.closest('[hidden]') !== null"):
                continue
            assert inner["x"] >= outer["x"] and inner["x"] + inner["width"] <= outer["x"] + outer["width"] + 1
            assert inner["y"] >= outer["y"] and inner["y"] + inner["height"] <= outer["y"] + outer["height"] + 1
        canvas = made_up.canvas.bounding_box()
        assert canvas is not None and canvas["height"] >= 100 and canvas["width"] >= 150


@pytest.mark.every_page
def test_collapsed_and_back(made_up: ViewerPage) -> None:
    made_up.on_node("node.collapse()")
    made_up.canvas.wait_for(state="hidden")
    made_up.on_node("node.collapse()")
    made_up.canvas.wait_for()
    assert around(coloured(made_up.pixels()), STARS[0]) > 0.4


def test_a_copy_has_a_view_of_its_own(made_up: ViewerPage) -> None:
    """Copied and pasted with the keyboard."""
    made_up.on_node("window.app.canvas.selectNode(node); document.activeElement?.blur()")
    made_up.page.mouse.move(690, 200, steps=3)  # beside the node: there the copy is put
    made_up.page.keyboard.press("Control+c")
    made_up.page.keyboard.press("Control+v")
    views = made_up.page.locator(".headcount-viewer")
    views.nth(1).locator("canvas").wait_for()
    assert views.count() == 2
    made_up.page.wait_for_function("() => document.querySelectorAll('.headcount-viewer .hc-chip').length >= 6")
    views.nth(1).locator(".hc-chip").first.click()
    pressed = [views.nth(index).locator(".hc-chip[aria-pressed=true]").count() for index in (0, 1)]
    assert sorted(pressed) == [1, 2]


def test_two_viewers_in_one_graph(viewer: ViewerPage, host: ComfyServer, drawn_folder: str) -> None:
    """Each shows its own run."""
    open_workflow(viewer.page, drawn(drawn_folder, write_view(host, drawn_video(), "the second")))
    viewer.page.evaluate("() => Object.assign(window.app.canvas.ds, { scale: 1, offset: [120, 180] })")
    settle(viewer.page)
    views = viewer.page.locator(".headcount-viewer")
    for index, (note, words) in enumerate([("a view of a test", 3), ("the second", 1)]):
        views.nth(index).get_by_text(note).wait_for()
        assert views.nth(index).locator(".hc-chip").count() == words
    assert views.count() == 2


def test_a_reloaded_page(made_up: ViewerPage) -> None:
    made_up.press("circles")
    reload(made_up.page)
    made_up.place()
    made_up.wait()
    assert made_up.shown_words() == ["<b>stars</b>"]


def test_another_workflow_and_back(made_up: ViewerPage) -> None:
    made_up.press("stars")
    run_command(made_up.page, "Comfy.NewBlankWorkflow")
    assert made_up.page.evaluate("() => window.app.graph.nodes.length") == 0
    run_command(made_up.page, "Workspace.PreviousOpenedWorkflow")
    made_up.place()
    made_up.wait()
    assert made_up.shown_words() == ["circles"]
    heat = coloured(made_up.pixels())
    assert around(heat, CIRCLES[0]) > 0.4 and around(heat, STARS[0]) < 0.05


def test_a_state_that_does_not_fit_the_view(viewer: ViewerPage, drawn_folder: str) -> None:
    state = {"step": 99, "picture": 99, "layer": "none of these", "words": ["gone"], "heads": "strongest"}
    viewer.open(drawn(drawn_folder, **state))
    viewer.wait()
    assert viewer.shown_words() == ["circles", "<b>stars</b>"]
    assert viewer.control("Image").input_value() == "1"


@pytest.mark.parametrize(
    ("state", "mode"),
    [
        ({"step": 3}, "steps"),
        ({"step": 3, "mode": "words"}, "steps"),
        ({"step": 0, "mode": "words"}, "words"),
        ({"step": 3, "mode": "words", "layer": "output.3.0"}, "words"),
        ({"step": 3, "mode": "regions"}, "regions"),
        ({"step": 3, "mode": "words", "more": False}, "words"),
    ],
)
def test_a_step_that_was_saved_in_words_is_shown(
    state: dict[str, Any], mode: str, viewer: ViewerPage, drawn_folder: str
) -> None:
    """Until there was "more", words had a step, which a chosen layer overruled."""
    viewer.open(drawn(drawn_folder, **state))
    viewer.wait()
    assert viewer.control("Show").input_value() == mode
    if mode == "steps":
        assert viewer.control("Step").input_value() == "3"


def test_files_that_are_gone(viewer: ViewerPage, errors: list[str]) -> None:
    """The only message in the console is the browser's own: the server has no such file."""
    viewer.open(drawn("headcount_viewer/view_00000000"))
    viewer.page.wait_for_function("() => document.querySelector('.hc-message').textContent.includes('gone')")
    assert viewer.message() == "The maps are gone. Run the workflow to see them."
    assert len(errors) == 1 and "404" in errors[0]
    errors.clear()


def test_another_version(viewer: ViewerPage, host: ComfyServer) -> None:
    """A view that an earlier release wrote is not misread."""
    folder = write_view(host, drawn_record(), "of another release")
    file = host.base / "temp" / folder / "view.json"
    file.write_text(file.read_text().replace('"version":2', '"version":1'))
    viewer.open(drawn(folder))
    viewer.page.wait_for_function("() => document.querySelector('.hc-message').textContent.includes('version')")
    assert "Run the workflow again" in viewer.message()
