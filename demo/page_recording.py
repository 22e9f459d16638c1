"""Records the first minute with the pack in ComfyUI's page: template, Run, right images, as an animated WebP."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from .browser import comfy_page, started_browser
from .page_pictures import IDLE
from .server import ComfyServer

TEMPLATE = "1 Start here - the right number"
SCREEN = 1440, 900
SIZE = 1200, 750
SHOT_MS, LONGEST_MS, LAST_MS = 1000, 300_000, 4000
QUALITY = 60
_COMMAND = "name => window.app.extensionManager.command.execute(name)"


@dataclass
class _Film:
    """Pictures of a page, each with the time for which it is shown."""

    page: Page
    frames: list[Image.Image] = field(default_factory=list)
    times: list[int] = field(default_factory=list)

    def shoot(self, shown_ms: int) -> None:
        shot = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)
        self.frames.append(shot)
        self.times.append(shown_ms)

    def save(self, path: Path) -> None:
        first, *rest = self.frames
        first.save(path, save_all=True, append_images=rest, duration=self.times, loop=0, quality=QUALITY, method=6)


def record_first_minute(server: ComfyServer, path: Path) -> None:
    """Do what the README says after installing, and film it.

    Raises:
        TimeoutError: the run did not end within `LONGEST_MS`.
    """
    with started_browser() as browser, comfy_page(browser, server, *SCREEN) as page:
        film = _Film(page)
        page.evaluate(_COMMAND, "Comfy.BrowseTemplates")
        page.get_by_text("headcount", exact=True).first.click()
        template = page.get_by_text(TEMPLATE, exact=True).first
        template.scroll_into_view_if_needed()
        page.wait_for_timeout(3000)  # the thumbnails
        film.shoot(2500)
        template.click()
        page.wait_for_function("window.app.graph.nodes.length > 5")
        page.evaluate(_COMMAND, "Comfy.Canvas.FitView")
        page.wait_for_timeout(2000)
        film.shoot(2500)
        page.get_by_role("button", name="Run").first.click()
        for _ in range(LONGEST_MS // SHOT_MS):
            page.wait_for_timeout(SHOT_MS)
            film.shoot(200)
            if page.evaluate(IDLE):
                break
        else:
            raise TimeoutError(f"{TEMPLATE} did not end within {LONGEST_MS // 1000} s")
        page.wait_for_timeout(2500)
        film.shoot(LAST_MS)
        film.save(path)
