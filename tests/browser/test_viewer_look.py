"""The view can be read: every text stands out from what is behind it, in the dark and in the light theme."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page

from ..helpers.comfy_page import set_option
from ..helpers.viewer_page import ViewerPage

pytestmark = [pytest.mark.browser, pytest.mark.every_page]

MIN_CONTRAST = 4.5  # Web Content Accessibility Guidelines 2, level AA, for small text
TEXTS = ".hc-message, .hc-chip, .hc-readout, .hc-name, select, .hc-value, .hc-play, figcaption, .hc-entry"
# A colour as the screen gets it, whatever way the style sheet names it, with what makes the element see-through.
COLOUR = """part => {
  const context = new OffscreenCanvas(1, 1).getContext('2d');
  context.fillStyle = getComputedStyle(part).color;
  context.fillRect(0, 0, 1, 1);
  let opacity = 1;
  for (let at = part; at; at = at.parentElement) opacity *= Number(getComputedStyle(at).opacity);
  const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
  return [red, green, blue, alpha / 255 * opacity];
}"""


@pytest.fixture(params=["dark", "light"])
def theme(request: pytest.FixtureRequest, page: Page) -> Iterator[str]:
    set_option(page, "Comfy.ColorPalette", request.param)
    yield request.param
    set_option(page, "Comfy.ColorPalette", "dark")


@pytest.mark.parametrize("mode", ["words", "steps", "regions", "objects", "layout"])
def test_texts_stand_out(mode: str, theme: str, made_up: ViewerPage) -> None:
    made_up.place(400, 600)  # all of it in sight
    made_up.choose("Show", mode)
    made_up.stop()
    made_up.page.mouse.move(5, 500)
    made_up.page.wait_for_timeout(300)  # the page fades from one theme into the other
    parts = [part for part in made_up.view.locator(TEXTS).all() if part.is_visible() and part.is_enabled()]
    assert len(parts) > 5
    screen = np.asarray(Image.open(io.BytesIO(made_up.page.screenshot())).convert("RGB"))
    assert (luminance(background(parts[0], screen)) > 0.5) == (theme == "light")
    found = {part.text_content() or "": round(contrast(part, screen), 2) for part in parts}
    assert {text: value for text, value in found.items() if value < MIN_CONTRAST} == {}


def background(part: Locator, screen: np.ndarray) -> np.ndarray:
    """The commonest colour on the screen (H, W, 3) where an element is."""
    box = part.bounding_box()
    assert box is not None
    left, top, right, bottom = box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]
    assert right <= screen.shape[1] and bottom <= screen.shape[0], "the element is in sight"
    pixels = screen[round(top) : round(bottom), round(left) : round(right)].reshape(-1, 3)
    colours, counts = np.unique(pixels, axis=0, return_counts=True)
    return colours[counts.argmax()].astype(float)


def contrast(part: Locator, screen: np.ndarray) -> float:
    """1 to 21: between a text's colour and its ground."""
    ground = background(part, screen)
    *colour, alpha = part.evaluate(COLOUR)
    darker, lighter = sorted([luminance(alpha * np.asarray(colour) + (1 - alpha) * ground), luminance(ground)])
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: np.ndarray) -> float:
    """Relative luminance of an sRGB colour in 0 to 255."""
    part = np.asarray(colour) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.asarray([0.2126, 0.7152, 0.0722]))
