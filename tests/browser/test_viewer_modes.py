"""Things found, layouts, losses, pictures and frames of the view, and all of it from the keyboard."""

from __future__ import annotations

import pytest

from demo.server import ComfyServer

from ..helpers.comfy_page import settle
from ..helpers.drawn_views import (
    CIRCLES,
    STARS,
    STEPS,
    around,
    at,
    coloured,
    drawn,
    drawn_video,
    video_places,
    write_view,
)
from ..helpers.viewer_page import ViewerPage

pytestmark = pytest.mark.browser


def test_pictures_of_a_batch(made_up: ViewerPage) -> None:
    made_up.slide("Image", 1)
    heat = coloured(made_up.pixels())
    assert around(heat, STARS[0]) > 0.4 and around(heat, CIRCLES[0]) < 0.05


def test_things_and_what_a_place_looks_at(made_up: ViewerPage) -> None:
    """A row of self-attention is bright in its own quarter; the thing under the mouse is named."""
    made_up.choose("Show", "objects")
    assert made_up.said() == "Found 2 circles, 1 <b>stars</b>. Click an object for its mask and box."
    made_up.hover(*at((2, 13)))
    light = made_up.pixels().mean(-1)
    quarters = [around(light, place) for place in [(1, 9), (1, 1), (14, 1), (14, 14)]]
    assert quarters[0] > 1.5 * max(quarters[1:])
    assert made_up.hover(*at(STARS[0])).startswith("This spot: 3: <b>stars</b>, 1 of 1.")
    assert ": circles, " in made_up.hover(*at(CIRCLES[1]))
    assert made_up.hover(*at((0, 15))).startswith("This spot: no counted object.")
    made_up.leave()


def test_a_click_on_an_object_selects_it(made_up: ViewerPage) -> None:
    """The node's setting says which, and a second click leaves it out again."""
    selected = "return node.widgets.find(widget => widget.name === 'selected').value"
    made_up.choose("Show", "objects")
    for place, wanted in ((STARS[0], "1:3"), (CIRCLES[0], "1:3, 1:1"), (STARS[0], "1:1"), ((0, 15), "1:1")):
        made_up.click(*at(place))
        assert made_up.on_node(selected) == wanted
    made_up.leave()
    assert made_up.said().endswith("Selected: 1.")
    made_up.canvas.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "Enter"):
        made_up.page.keyboard.press(key)
    made_up.choose("Show", "words")
    made_up.click(*at(STARS[0]))
    assert "3" not in made_up.on_node(selected).replace("1:3", ""), "a click on words selects nothing"


def test_a_finger_reads_where_it_taps_and_drags(made_up: ViewerPage) -> None:
    """What it has read stays: a finger that is gone points at nothing."""
    made_up.touch("pointerdown", *at(CIRCLES[0]))
    assert made_up.said().startswith("This spot: circles 100 %")
    made_up.touch("pointermove", *at(STARS[0]))
    made_up.touch("pointerup", *at(STARS[0]))
    made_up.touch("pointerleave", *at(STARS[0]))
    assert made_up.said().startswith("This spot: <b>stars</b> 100 %")
    assert made_up.canvas.evaluate("canvas => getComputedStyle(canvas).touchAction") == "none"


def test_the_image_keeps_its_size(made_up: ViewerPage) -> None:
    """Whatever the texts around it say."""
    made_up.place(300, 700)
    made_up.choose("Show", "steps")
    made_up.view.get_by_role("button", name="Play the steps").wait_for()
    sizes = set()
    for step in range(1, STEPS + 1):
        made_up.slide("Step", step)
        made_up.hover(*at(STARS[0]))
        sizes.add(str(made_up.canvas.bounding_box()))
        made_up.leave()
        sizes.add(str(made_up.canvas.bounding_box()))
    assert len(sizes) == 1
    made_up.place()


def test_regions(made_up: ViewerPage) -> None:
    made_up.choose("Show", "regions")
    assert made_up.said().startswith("Areas that the model treats as one")
    assert coloured(made_up.pixels()).max() > 0.3
    made_up.hover(*at(STARS[0]))
    assert "attends to" in made_up.said()
    made_up.leave()


def test_layouts(made_up: ViewerPage) -> None:
    made_up.choose("Show", "layout")
    assert made_up.said() == "Layout after the correction (a plan, not the result): circles 1 → 2"
    after = coloured(made_up.pixels())
    assert around(after, (3, 4)) > 0.2 and around(after, (12, 5)) > 0.2 and around(after, (8, 12)) < 0.05
    made_up.choose("Layout", "before")
    before = coloured(made_up.pixels())
    assert around(before, (3, 4)) > 0.2 and around(before, (12, 5)) < 0.05


def test_frames_of_a_video(viewer: ViewerPage, host: ComfyServer) -> None:
    """Each frame has its own heat, and its own layout before and after."""
    viewer.open(drawn(write_view(host, drawn_video(), "")))
    viewer.wait()
    for frame in range(3):
        viewer.slide("Frame", frame)
        assert viewer.control("Frame").get_attribute("aria-valuetext") == f"frame {frame + 1}"
        heat = coloured(viewer.pixels())
        assert [around(heat, video_places(other)) > 0.4 for other in range(3)] == [frame == at for at in range(3)]
    viewer.choose("Show", "layout")
    for frame in range(3):
        viewer.slide("Frame", frame)
        (row, column), (_, elsewhere) = video_places(frame), video_places((frame + 1) % 3)
        assert viewer.said() == "Layout after the correction (a plan, not the result): circles 1 → 2"
        after = coloured(viewer.pixels())
        assert around(after, (row, column + 1)) > 0.2 and around(after, (row + 5, column + 1)) > 0.2
        assert around(after, (row, elsewhere)) < 0.05
        viewer.choose("Layout", "before")
        assert around(coloured(viewer.pixels()), (row + 5, column + 1)) < 0.05
        viewer.choose("Layout", "after")


def test_losses(made_up: ViewerPage) -> None:
    lines = made_up.view.locator("polyline")
    assert lines.count() == 2
    heights = [float(point.split(",")[1]) for point in (lines.first.get_attribute("points") or "").split()]
    assert len(heights) == STEPS and heights == sorted(heights) and heights[0] < 3, "it falls from the top"
    made_up.choose("Show", "steps")
    made_up.slide("Step", 2)
    assert "3.0" in (made_up.view.locator("figcaption").text_content() or "")


def test_the_arrow_keys_move_the_place(made_up: ViewerPage) -> None:
    made_up.canvas.focus()
    for _ in range(4):
        made_up.page.keyboard.press("ArrowRight")
    settle(made_up.page)
    assert made_up.said().startswith("This spot: <b>stars</b>")
    assert made_up.canvas.evaluate("canvas => canvas === document.activeElement")
    made_up.page.keyboard.press("Escape")
    assert made_up.said().startswith("Hover over")


def test_every_control_is_reached_with_tab_and_has_a_name(made_up: ViewerPage) -> None:
    made_up.chip("circles").focus()
    names, rings = [], []
    focused = "() => [document.activeElement.ariaLabel ?? document.activeElement.textContent, "
    focused += "getComputedStyle(document.activeElement).outlineStyle]"
    for _ in range(12):
        name, ring = made_up.page.evaluate(focused)
        names.append(name)
        rings.append(ring)
        made_up.page.keyboard.press("Tab")
    wanted = ("circles × 2", "Show", "Layers", "Scale", "Image", "Opacity")
    assert [name for name in wanted if name not in names] == []
    assert {rings[names.index(name)] for name in wanted[1:]} == {"solid"}, "what has the focus shows it"
    made_up.choose("Show", "steps")
    made_up.view.get_by_role("button", name="Play the steps").wait_for()
    made_up.control("Step").focus()
    made_up.page.keyboard.press("ArrowLeft")
    assert made_up.state()["headcount_viewer"]["step"] == STEPS - 1
    made_up.chip("circles").focus()
    made_up.page.keyboard.press("Space")
    assert made_up.shown_words() == ["<b>stars</b>"]
