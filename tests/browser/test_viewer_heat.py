"""The view shows heat where the words are: in pixels, for every control, in both pages and both renderers."""

from __future__ import annotations

import numpy as np
import pytest

from ..helpers.drawn_views import CIRCLES, STARS, STEPS, around, at, coloured
from ..helpers.viewer_page import ViewerPage

pytestmark = [pytest.mark.browser, pytest.mark.every_page]


def test_heat_lies_where_the_words_are(made_up: ViewerPage) -> None:
    assert made_up.shown_words() == ["circles", "<b>stars</b>"], "the counted ones, and prompts are text"
    heat = coloured(made_up.pixels())
    assert min(around(heat, place) for place in CIRCLES + STARS) > 0.4
    assert max(around(heat, place) for place in [(0, 8), (15, 15), (8, 0)]) < 0.05


def test_chips_choose_words(made_up: ViewerPage) -> None:
    made_up.press("stars")
    assert made_up.shown_words() == ["circles"]
    heat = coloured(made_up.pixels())
    assert min(around(heat, place) for place in CIRCLES) > 0.4 and around(heat, STARS[0]) < 0.05
    made_up.press("circles")
    assert made_up.shown_words() == ["circles"], "one stays"
    assert made_up.on_node("return node.widgets.find(widget => widget.name === 'words').value") == "circles"


def test_words_that_nothing_is_counted_of_are_behind_more(made_up: ViewerPage) -> None:
    assert not made_up.chip("three").is_visible()
    made_up.view.get_by_role("button", name="1 more").click()
    made_up.press("three")
    made_up.view.get_by_role("button", name="fewer words").click()
    assert made_up.chip("three").is_visible(), "it is shown"
    assert "three" in made_up.hover(*at(STARS[0]))
    made_up.press("three")
    assert not made_up.chip("three").is_visible()
    made_up.leave()


def test_each_word_has_the_colour_of_its_chip(made_up: ViewerPage) -> None:
    for word, place in (("circles", CIRCLES[0]), ("stars", STARS[0])):
        chip = made_up.chip(word).evaluate("chip => getComputedStyle(chip).backgroundColor")
        colour = np.asarray([int(part) for part in chip[4:-1].split(",")])
        pixels = made_up.pixels()
        found = [around(pixels[..., channel], place) for channel in range(3)]
        assert np.argsort(found)[-1] == np.argsort(colour)[-1] or abs(np.ptp(colour)) < 30
        assert int(np.argmin(found)) == int(np.argmin(colour))


def test_opacity_and_scale(made_up: ViewerPage) -> None:
    """Circles get twice the attention that stars get: only a shared scale shows it."""
    alone = around(coloured(made_up.pixels()), STARS[0])
    made_up.choose("Scale", "shared")
    shared = coloured(made_up.pixels())
    assert around(shared, STARS[0]) < 0.6 * alone and around(shared, CIRCLES[0]) > 0.4
    made_up.choose("Scale", "per word")
    made_up.slide("Opacity", 0)
    assert np.abs(made_up.pixels() - 0.5).max() < 0.03, "the picture alone"
    made_up.slide("Opacity", 1)
    assert around(coloured(made_up.pixels()), STARS[0]) > 0.6


def test_steps(made_up: ViewerPage) -> None:
    """Maps grow over the steps, on one scale; Play ends at the last one."""
    seen = []
    made_up.choose("Show", "steps")
    made_up.view.get_by_role("button", name="Play the steps").wait_for()
    assert made_up.control("Step").input_value() == str(STEPS), "they play as soon as they are shown"
    for step in range(1, STEPS + 1):
        made_up.slide("Step", step)
        assert made_up.control("Step").get_attribute("aria-valuetext") == f"step {step}"
        seen.append(around(coloured(made_up.pixels()), STARS[0]))
    assert seen == sorted(seen) and seen[0] < 0.3 * seen[-1]
    made_up.view.get_by_role("button", name="Play the steps").click()
    made_up.view.get_by_role("button", name="Stop playing the steps").wait_for()
    made_up.view.get_by_role("button", name="Play the steps").wait_for()
    assert made_up.control("Step").input_value() == str(STEPS)


def test_layers_and_heads(made_up: ViewerPage) -> None:
    made_up.choose("Layers", "output.3.0")
    heat = coloured(made_up.pixels())
    assert around(heat, CIRCLES[0]) < 0.05 < around(heat, STARS[0])
    made_up.choose("Heads", "strongest")
    assert "stars</b> 100 %" in made_up.hover(*at(STARS[0]))
    made_up.leave()


def test_words_are_ranked_where_the_mouse_is(made_up: ViewerPage) -> None:
    """The mean over steps: 0.01 + 0.25 for circles, 0.01 + 0.125 for stars; each word against its own strongest spot."""
    said = "This spot: circles 100 %, <b>stars</b> 7 %. 100 % is where the word is strongest."
    assert made_up.hover(*at(CIRCLES[0])) == said
    assert made_up.hover(*at(STARS[0])).startswith("This spot: <b>stars</b> 100 %, circles 4 %")
    made_up.leave()
    assert made_up.said().startswith("Hover over the image")
