"""ComfyUI's page in a real browser: loads workflows, and notes what goes wrong in it."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, Page

from demo.browser import wait_until_ready

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE_ONLY = {"upload", "preview"}  # an upload button; the text that Preview as Text shows
_RUN_SECONDS = 300.0
_JOBS = """async () => {
  const queue = await (await fetch('/queue')).json();
  return queue.queue_running.length + queue.queue_pending.length;
}"""
_NEWEST_JOB = "async () => Object.entries(await (await fetch('/history?max_items=1')).json())[0]"
# What the pages themselves report, with any pack or none: ComfyUI's own policy forbids them the Registry and other sites,
# a new user has no files of these names, and a reloaded page looks for its graph too early.
_OF_THE_PAGE = re.compile(
    r"violates the (following|document's) Content Security Policy|graph accessed before initialization"
    r"|Failed to load resource.*(user\.css|favicon\.ico|/api/userdata)"
)


def reload(page: Page) -> None:
    """Load the page again, and wait for the workflow that was open."""
    page.wait_for_timeout(800)  # the page saves its draft half a second after the last change
    page.reload()
    wait_until_ready(page)
    page.wait_for_function("() => window.app.graph.nodes.length")
    settle(page)


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
          if (tab) window.app.nodeOutputs = {}; // else the page would give them to the nodes of the other workflow
          await window.app.loadGraphData(workflow, true, true, tab);
        }""",
        [workflow, new_tab],
    )
    settle(page)


def close_other_tabs(page: Page) -> None:
    """Leave the workflow in sight alone."""
    page.evaluate(
        """async () => {
          const { workflow } = window.app.extensionManager;
          for (const one of workflow.openWorkflows.filter(one => one !== workflow.activeWorkflow)) {
            await workflow.closeWorkflow(one);
          }
        }"""
    )


def files_of(workflow: dict[str, Any]) -> list[str]:
    """Names of the model files that a workflow says where to get."""
    nodes = [*workflow["nodes"]]
    for inner in workflow.get("definitions", {}).get("subgraphs", []):
        nodes += inner["nodes"]
    return [file["name"] for node in nodes for file in node.get("properties", {}).get("models", [])]


def wait_for_the_offer_of(page: Page, files: list[str]) -> None:
    """A workflow for a large model: the page says which file is missing, or how many if there are several."""
    if files:
        said = re.compile("|".join([re.escape(files[0]), r"\d (errors|issues) found"]))
        page.get_by_text(said).first.wait_for()


def missing_types(page: Page) -> list[str]:
    """Types of nodes that the page does not know, in the graph that is open and in its subgraphs."""
    return page.evaluate(
        """() => {
          const { graph } = window.app;
          const nodes = [graph, ...(graph.subgraphs?.values() ?? [])].flatMap(part => part.nodes);
          return nodes.map(node => node.type).filter(type => !(type in window.LiteGraph.registered_node_types));
        }"""
    )


def queued_prompt(page: Page) -> dict[str, Any]:
    """What the Run button would queue, without the titles and the values that exist only in the page."""
    prompt = page.evaluate("async () => (await window.app.graphToPrompt()).output")
    return without_page_values(prompt)


def without_page_values(prompt: dict[str, Any]) -> dict[str, Any]:
    """A prompt's classes and inputs alone, to compare it with another."""
    return {
        node: {
            "class_type": placed["class_type"],
            "inputs": {name: value for name, value in placed["inputs"].items() if name not in PAGE_ONLY},
        }
        for node, placed in prompt.items()
    }


def drop_file(page: Page, path: Path, kind: str = "image/png") -> None:
    """Drop a file on the graph, as from a folder of the desktop."""
    data = base64.b64encode(path.read_bytes()).decode()
    transfer = page.evaluate_handle(
        """async ([data, name, type]) => {
          const bytes = await (await fetch(`data:${type};base64,${data}`)).arrayBuffer();
          const transfer = new DataTransfer();
          transfer.items.add(new File([bytes], name, { type }));
          return transfer;
        }""",
        [data, path.name, kind],
    )
    page.dispatch_event("#graph-canvas", "drop", {"dataTransfer": transfer})
    settle(page)


def run_command(page: Page, name: str) -> None:
    """One of the commands that the page's menus and shortcuts have."""
    page.evaluate("async name => { await window.app.extensionManager.command.execute(name) }", name)
    settle(page)


def press_run(page: Page) -> None:
    """The page's Run button."""
    page.get_by_test_id("queue-button").first.click()


def queue_run(page: Page) -> None:
    """Press Run and wait until the server has the job."""
    with page.expect_response("**/prompt"):
        press_run(page)


def forget_outputs(page: Page) -> None:
    """So that the server runs every node again: a run out of its cache ends before a test can do anything."""
    page.evaluate(
        """async () => {
          const body = JSON.stringify({ free_memory: true });
          await fetch('/free', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
        }"""
    )


def wait_for_queue(page: Page, jobs: int) -> None:
    """Until so many jobs run or wait; 0 for the end of them all."""
    deadline = time.monotonic() + _RUN_SECONDS
    while page.evaluate(_JOBS) != jobs:
        assert time.monotonic() < deadline, f"{page.evaluate(_JOBS)} jobs instead of {jobs}"
        page.wait_for_timeout(100)


def wait_for_progress(page: Page) -> None:
    """Until a step of a running job is done: what interrupts a job before its first node runs is lost in ComfyUI."""
    stepped = page.evaluate(
        """seconds => new Promise(done => {
          window.app.api.addEventListener('progress', () => done(true), {once: true});
          setTimeout(() => done(false), 1000 * seconds);
        })""",
        _RUN_SECONDS,
    )
    assert stepped, "nothing has run"


def run_to_the_end(page: Page) -> dict[str, Any]:
    """Press Run, and wait for the end of what it queued. Returns the job's entry of the history."""
    before = page.evaluate(_NEWEST_JOB)
    press_run(page)
    deadline = time.monotonic() + _RUN_SECONDS
    while (job := page.evaluate(_NEWEST_JOB)) == before:
        assert time.monotonic() < deadline, "nothing was run"
        page.wait_for_timeout(100)
    return job[1]


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
