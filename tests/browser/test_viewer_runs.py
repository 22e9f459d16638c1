"""The view after real runs: finished, failed, cancelled, bypassed; what goes into the prompt and the workflow."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from demo.counter import find_shapes

from ..helpers.comfy_page import (
    close_other_tabs,
    forget_outputs,
    open_workflow,
    press_run,
    queue_run,
    reload,
    run_command,
    set_option,
    wait_for_progress,
    wait_for_queue,
)
from ..helpers.drawn_views import coloured, drawn
from ..helpers.viewer_page import VIEWER, ViewerPage, example, first_viewer, workflow_with_viewer

pytestmark = pytest.mark.browser


@pytest.mark.every_page
def test_a_run_behind_another_workflow(viewer: ViewerPage) -> None:
    """A viewer of the same id in sight shows nothing of it; its own shows it when it is back, and after a reload."""
    workflow = workflow_with_viewer("Shapes - look inside the model", steps=2)
    open_workflow(viewer.page, workflow, new_tab=True)
    viewer.place()
    forget_outputs(viewer.page)
    queue_run(viewer.page)
    open_workflow(viewer.page, workflow, new_tab=True)
    viewer.place()
    wait_for_queue(viewer.page, 0)
    viewer.page.wait_for_timeout(300)
    assert "Run the workflow" in viewer.message() and not viewer.canvas.is_visible()
    assert not viewer.state().get("headcount_viewer", {}).get("folder")
    run_command(viewer.page, "Workspace.PreviousOpenedWorkflow")
    viewer.place()
    viewer.wait()
    viewer.page.wait_for_timeout(300)
    reload(viewer.page)
    viewer.place()
    viewer.wait()
    close_other_tabs(viewer.page)


@pytest.mark.every_page
def test_the_demo_runs_from_the_run_button(viewer: ViewerPage) -> None:
    """The whole of "Shapes - the right number", in few steps: every node runs, and the view shows words and losses."""
    viewer.open(example("Shapes - the right number"))
    _set_steps(viewer, 6)
    viewer.run()
    wait_for_queue(viewer.page, 0)
    assert viewer.shown_words() == ["red circles", "blue stars"]
    assert viewer.view.locator("polyline").count() == 2
    [newest] = viewer.page.evaluate("async () => Object.values(await (await fetch('/history?max_items=1')).json())")
    assert newest["status"]["status_str"] == "success"


def test_a_real_run(viewer: ViewerPage) -> None:
    viewer.open(workflow_with_viewer("Shapes - look inside the model", steps=10))
    assert "Run the workflow" in viewer.message() and not viewer.canvas.is_visible()
    viewer.run()
    assert viewer.shown_words() == ["circles", "stars"]
    viewer.press("stars")
    viewer.slide("Opacity", 0)
    picture = viewer.pixels()
    viewer.slide("Opacity", 1)
    heat = coloured(viewer.pixels())  # of a picture that is grey
    small = (picture[::4, ::4] * 255).round().astype(np.uint8)
    found = [one for one in find_shapes(small) if one.noun == "circle"]
    assert found, "the model draws circles"
    inside = np.zeros(heat.shape, dtype=bool)
    for one in found:
        left, top, right, bottom = (4 * side for side in one.box)
        inside[top:bottom, left:right] = True
    assert heat[inside].mean() > 1.3 * heat[~inside].mean()
    assert viewer.view.locator("polyline").count() == 0, "no losses without ISAC"


def test_failed_cancelled_and_bypassed_runs(viewer: ViewerPage, errors: list[str]) -> None:
    """None of them takes the view away, and the next run is shown."""
    viewer.open(workflow_with_viewer("Shapes - look inside the model", steps=2))
    viewer.run()
    folder = viewer.state()["headcount_viewer"]["folder"]

    viewer.on_node("node.widgets.find(widget => widget.name === 'show').value = 'layout'")
    press_run(viewer.page)
    viewer.page.get_by_text("View details").first.click()
    viewer.page.get_by_text("these maps have no layout").first.wait_for()  # the page tells the node's error
    set_option(viewer.page, "Comfy.RightSidePanel.IsOpen", False)
    wait_for_queue(viewer.page, 0)
    assert viewer.canvas.is_visible() and viewer.state()["headcount_viewer"]["folder"] == folder
    errors.clear()  # the page logs that a run failed

    viewer.on_node("node.widgets.find(widget => widget.name === 'show').value = 'steps'")
    _set_steps(viewer, 5000)
    press_run(viewer.page)
    wait_for_progress(viewer.page)
    run_command(viewer.page, "Comfy.Interrupt")
    wait_for_queue(viewer.page, 0)
    assert viewer.canvas.is_visible() and viewer.state()["headcount_viewer"]["folder"] == folder

    _set_steps(viewer, 3)
    viewer.on_node("node.mode = 4")  # bypassed
    queued = viewer.page.evaluate("async () => (await window.app.graphToPrompt()).output")
    assert VIEWER not in {node["class_type"] for node in queued.values()}
    assert viewer.canvas.is_visible()
    viewer.on_node("node.mode = 0")

    press_run(viewer.page)
    wait_for_queue(viewer.page, 0)
    viewer.wait()
    assert viewer.state()["headcount_viewer"]["folder"] != folder
    assert viewer.control("Step").get_attribute("max") == "3"


def _set_steps(viewer: ViewerPage, steps: int) -> None:
    """Steps of every sampler; further ones than the view shows would be another run."""
    viewer.page.evaluate(
        """steps => {
          for (const node of window.app.graph.nodes.filter(node => node.type === 'KSampler')) {
            node.widgets.find(widget => widget.name === 'steps').value = steps;
          }
        }""",
        steps,
    )


def test_the_view_writes_the_nodes_settings_and_nothing_else(viewer: ViewerPage, drawn_folder: str) -> None:
    workflow = workflow_with_viewer("Shapes - look inside the model", steps=2)
    first_viewer(workflow)["properties"]["headcount_viewer"] = {"folder": drawn_folder}
    viewer.open(workflow)
    viewer.wait()
    viewer.slide("Opacity", 0.5)
    queued, saved = viewer.page.evaluate(
        "async () => { const made = await window.app.graphToPrompt(); return [made.output, made.workflow] }"
    )
    [inputs] = [node["inputs"] for node in queued.values() if node["class_type"] == VIEWER]
    assert set(inputs) == {"maps", "samples", "image", "show", "words", "opacity", "scale", "selected"}
    assert inputs["opacity"] == 0.5
    node = first_viewer(saved)
    assert node["widgets_values"] == ["words", "", 0.5, "per word", ""]
    assert len(json.dumps(node["properties"]["headcount_viewer"])) < 400


@pytest.mark.parametrize("show", ["steps", "regions", "layout", "objects"])
def test_the_node_says_what_is_shown(show: str, viewer: ViewerPage, drawn_folder: str) -> None:
    workflow = drawn(drawn_folder)
    first_viewer(workflow)["widgets_values"] = [show, "<B>stars</b>", 0.3, "shared"]
    viewer.open(workflow)
    viewer.wait()
    assert viewer.control("Show").input_value() == show
    viewer.choose("Show", "words")
    assert viewer.shown_words() == ["<b>stars</b>"] and "30 %" in viewer.text()
    assert viewer.control("Scale").input_value() == "shared"


def test_a_prompt_that_counts_nothing(viewer: ViewerPage) -> None:
    """After a run of another prompt: its maps go, and the view says why there are none."""
    viewer.open(workflow_with_viewer("Shapes - look inside the model", steps=3))
    viewer.run()
    words = "node => node.type === 'HeadcountCountPrompt'"
    viewer.page.evaluate(f"() => {{ app.graph.nodes.find({words}).widgets[0].value = 'some hearts on a table' }}")
    press_run(viewer.page)
    wait_for_queue(viewer.page, 0)
    viewer.canvas.wait_for(state="hidden")
    assert "counts nothing" in viewer.message()
    assert viewer.on_node("return node.properties.headcount_viewer.folder") == ""


def test_a_folder_that_is_none_is_not_asked_for(viewer: ViewerPage) -> None:
    asked: list[str] = []
    viewer.page.on("request", lambda request: asked.append(request.url))
    folders: tuple[Any, ...] = ("../../models", "headcount_viewer/../x", 7, None)
    for folder in folders:
        viewer.open(drawn(folder, mode="<b>", words=[3], step=-2, picture=99, opacity="x"))
        assert viewer.message() == "Run the workflow to see where each word ends up."
    assert [url for url in asked if "view.json" in url] == []
