"""ComfyUI's page in a real browser: opens it, loads workflows, and notes what goes wrong in it."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from demo.server import ComfyServer

ROOT = Path(__file__).resolve().parent.parent.parent
CHROMIUM = shutil.which("chromium")
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
_TIMEOUT_MS = 60_000
_SIZE = {"width": 1200, "height": 1100}
# Without the template browser of a first visit, and without what lies over the graph.
_SETTINGS = {"Comfy.TutorialCompleted": True, "Comfy.Minimap.Visible": False, "Comfy.Graph.CanvasInfo": False}
# The pinned page asks to try Nodes 2.0, and whether to go back; its messages would lie over what is clicked.
_DISMISSED = ("vueNodesBannerDismissed", "comfy.vueNodesMigration.dismissed")
_RUN_SECONDS = 300.0
_JOBS = """async () => {
  const queue = await (await fetch('/queue')).json();
  return queue.queue_running.length + queue.queue_pending.length;
}"""
_READY = "window.app?.vueAppReady && window.app.extensionManager && !document.querySelector('#splash')"
# What the pages themselves report, with any pack or none. ComfyUI's own policy forbids them the Registry and other sites;
# a new user has no files of these names; the newest page asks for lists of jobs that ComfyUI 0.3.75 does not have; the
# pinned one trips over a list of its own when it starts.
_OF_THE_PAGE = re.compile(
    r"violates the following Content Security Policy|Refused to connect because it|https://api\.comfy\.org/"
    r"|Failed to load resource.*(user\.css|favicon\.ico|/api/userdata|/api/jobs)|\[Jobs API\]|JobsApiError"
    r"|Error fetching file size|reading 'id'\)\s+at onChange"
)


@contextmanager
def started_browser() -> Iterator[Browser]:
    """Chromium, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS, timeout=_TIMEOUT_MS)
        yield browser
        browser.close()


@contextmanager
def comfy_page(browser: Browser, server: ComfyServer) -> Iterator[Page]:
    """ComfyUI's page, ready for use."""
    user = server.base / "user" / "default"
    user.mkdir(parents=True, exist_ok=True)
    (user / "comfy.settings.json").write_text(json.dumps(_SETTINGS))
    page = browser.new_page(viewport=_SIZE)
    page.set_default_timeout(_TIMEOUT_MS)
    page.add_init_script("".join(f"localStorage.setItem('{name}', 'true');" for name in _DISMISSED))
    page.goto(server.address)
    wait_until_ready(page)
    yield page
    page.close()


def wait_until_ready(page: Page) -> None:
    """After the page was asked for, or reloaded."""
    page.wait_for_function(_READY)


def settle(page: Page) -> None:
    """Let the page draw what has changed."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def set_option(page: Page, name: str, value: Any) -> None:
    """Change one of the page's settings."""
    page.evaluate(
        "async ([name, value]) => { await window.app.extensionManager.setting.set(name, value) }", [name, value]
    )
    settle(page)


def open_workflow(page: Page, workflow: dict[str, Any], *, new_tab: bool = False) -> None:
    """Load a workflow as opening its file does; without a new tab it takes the place of the one that is open."""
    page.evaluate(
        """async ([workflow, isNew]) => {
          const tab = isNew ? null : window.app.extensionManager.workflow.activeWorkflow;
          await window.app.loadGraphData(workflow, true, true, tab);
        }""",
        [workflow, new_tab],
    )
    settle(page)


def run_command(page: Page, name: str) -> None:
    """One of the commands that the page's menus and shortcuts have."""
    page.evaluate("async name => { await window.app.extensionManager.command.execute(name) }", name)
    settle(page)


def press_run(page: Page) -> None:
    """The page's Run button."""
    page.get_by_test_id("queue-button").first.click()


def wait_for_queue(page: Page, jobs: int) -> None:
    """Until so many jobs run or wait; 0 for the end of them all."""
    deadline = time.monotonic() + _RUN_SECONDS
    while page.evaluate(_JOBS) != jobs:
        assert time.monotonic() < deadline, f"{page.evaluate(_JOBS)} jobs instead of {jobs}"
        page.wait_for_timeout(100)


@contextmanager
def watched(page: Page) -> Iterator[list[str]]:
    """Errors in the page: uncaught ones, and those written to the console, less what the page itself is to blame for."""
    found: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        told = f"{message.text} {message.location['url']}"
        if message.type == "error" and not _OF_THE_PAGE.search(told):
            found.append(told)

    def on_error(error: Any) -> None:
        found.append(str(error))

    listeners: list[tuple[str, Callable[[Any], None]]] = [("console", on_console), ("pageerror", on_error)]
    for event, listener in listeners:
        page.on(event, listener)
    yield found
    for event, listener in listeners:
        page.remove_listener(event, listener)
