"""ComfyUI's page in a real browser, without a window: for pictures of it and for its tests."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from .server import ComfyServer

CHROMIUM = shutil.which("chromium")
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
# Without the template browser of a first visit, and without what lies over the graph.
_SETTINGS = {"Comfy.TutorialCompleted": True, "Comfy.Minimap.Visible": False, "Comfy.Graph.CanvasInfo": False}
_READY = "window.app?.graph && window.app.extensionManager && !document.querySelector('#splash')"
_TIMEOUT_MS = 120_000


@contextmanager
def started_browser() -> Iterator[Browser]:
    """Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS, timeout=_TIMEOUT_MS)
        yield browser
        browser.close()


@contextmanager
def comfy_page(browser: Browser, server: ComfyServer, width: int, height: int, **options: Any) -> Iterator[Page]:
    """ComfyUI's page, ready for use, `width` x `height` pixels; `options` are Playwright's for a new page."""
    user = server.base / "user" / "default"
    user.mkdir(parents=True, exist_ok=True)
    (user / "comfy.settings.json").write_text(json.dumps(_SETTINGS))
    page = browser.new_page(viewport={"width": width, "height": height}, **options)
    page.set_default_timeout(_TIMEOUT_MS)
    page.goto(server.address)
    wait_until_ready(page)
    yield page
    page.close()


def wait_until_ready(page: Page) -> None:
    """After the page was asked for, or reloaded."""
    page.wait_for_function(_READY)
