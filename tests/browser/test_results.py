"""What nodes say of their results stays with them, in every page and renderer, and is text and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from demo.server import ComfyServer

from ..helpers.comfy_page import (
    drop_file,
    forget_outputs,
    open_workflow,
    press_run,
    queue_run,
    reload,
    run_command,
    settle,
    wait_for_queue,
)
from ..helpers.result_page import EVERY_RESULT, SAVED, SHOWN, ResultPage

pytestmark = [pytest.mark.browser, pytest.mark.every_page]

CHECK = SHOWN["check"]
RIGHT = "✓ 1 of 2 right; best: image 1"
STOPPED = "✗ 0 of 2 right; nothing passed on"
SCRIPT = "<img src=x onerror=window.ran=1>"
_VALUES = "() => window.app.graph.serialize().nodes.map(node => node.widgets_values ?? null)"
_BOTTOM = """kind => {
  const { graph, canvas } = window.app;
  const node = graph.nodes.find(node => node.type === kind);
  const { offset, scale } = canvas.ds;
  return canvas.canvas.getBoundingClientRect().y + (node.pos[1] + node.size[1] + offset[1]) * scale;
}"""
_SET = """([kind, name, value]) => {
  const node = window.app.graph.nodes.find(node => node.type === kind);
  node.widgets.find(widget => widget.name === name).value = value;
}"""
_TELL = """async ([kind, event, more]) => {
  const { graph, api } = window.app;
  const id = String(graph.nodes.find(node => node.type === kind).id);
  const detail = { prompt_id: more.run, timestamp: 0, node_id: id, node_type: kind, node: id, display_node: id, executed: [] };
  detail.nodes = { [id]: { state: 'running', value: 0, max: 2, node_id: id, display_node_id: id, prompt_id: more.run } };
  Object.assign(detail, { displayNodeId: id, nodeId: id, parentNodeId: id, realNodeId: id, jobId: more.run }, more);
  detail.blob = await new Promise(done => document.createElement('canvas').toBlob(done));
  api.dispatchEvent(new CustomEvent(event, { detail }));
  window.app.canvas.setDirty(true, true);
}"""
"""What the server tells of a run of a node: the page cannot know that nothing runs."""
_IMAGES = """kind => {
  const node = window.app.graph.nodes.find(node => node.type === kind);
  const inNode = [...document.querySelectorAll(`[data-node-id="${node.id}"] img`)].filter(image => image.checkVisibility());
  const shown = window.LiteGraph.vueNodesMode ? inNode : node.imgs ?? [];
  return [...new Set(shown.map(image => new URL(image.src).protocol))].join();
}"""
"""Of the images that a node shows: "blob:" is a live preview, "http:" a result."""
_TEXT_WIDGETS = """text => {
  for (const node of window.app.graph.nodes) {
    for (const widget of node.widgets ?? []) if (typeof widget.value === 'string' && !widget.options?.values) {
      widget.value = text;
    }
  }
}"""


_SAY = """([kind, lines]) => {
  const id = String(window.app.graph.nodes.find(node => node.type === kind).id);
  const table = Array.from({ length: lines }, (_, at) => `image ${at + 1}: 3 cats: right`).join('\\n');
  const output = { headcount_result: [{ verdict: '3 of 3 right', right: true, marks: [true, true, true], table }] };
  window.app.api.dispatchEvent(new CustomEvent('executed', { detail: { node: id, display_node: id, output, prompt_id: '1' } }));
}"""
"""What the server sends at the end of a node."""
_SHOWS_ALL = "card => card.innerText.includes('image 5') && card.clientHeight === card.scrollHeight"
_SCROLLS = (
    "card => card.innerText.includes('image 40') && 180 < card.clientHeight && card.clientHeight < card.scrollHeight"
)


_FAILURE = {
    "run": "failing",
    "exception_message": "nothing is asked for\n",
    "exception_type": "CountError",
    "traceback": [],
}


_TOLD = """() => {
  for (const event of ['execution_start', 'execution_success']) {
    window.app.api.dispatchEvent(new CustomEvent(event, { detail: { prompt_id: 'told', timestamp: 0 } }));
  }
}"""
"""What a test tells is of no run before it, which was another workflow's."""


@pytest.fixture
def results(page: Page, renderer: str) -> ResultPage:
    """The graph in a new tab, of which the server has nothing in its cache."""
    forget_outputs(page)
    page.evaluate(_TOLD)
    open_workflow(page, EVERY_RESULT, new_tab=True)
    return ResultPage(page)


def _run(page: Page) -> None:
    press_run(page)
    page.wait_for_timeout(300)
    wait_for_queue(page, 0)
    page.wait_for_timeout(300)


def _drop(page: Page, file: Path) -> None:
    """Drop an image, and wait for the graph in it."""
    page.evaluate("() => { window.app.graph.nodes[0].title = 'of the graph before' }")
    drop_file(page, file)
    page.wait_for_function("() => window.app.graph.nodes.every(node => node.title !== 'of the graph before')")
    settle(page)


def test_a_node_is_tall_enough_for_its_result(results: ResultPage) -> None:
    """Up to a height; beyond, it scrolls."""
    results.place(CHECK)
    card = results.card(CHECK)
    results.page.evaluate(_SAY, [CHECK, 5])
    results.page.wait_for_function(_SHOWS_ALL, arg=card)
    results.page.evaluate(_SAY, [CHECK, 40])
    results.page.wait_for_function(_SCROLLS, arg=card)


def test_results_stay(results: ResultPage, host: ComfyServer) -> None:
    """Run, another tab, a reloaded page, the saved image dropped, run again."""
    page = results.page
    values = page.evaluate(_VALUES)
    _run(page)
    said = results.texts()
    assert [key for key, text in said.items() if not text] == [], "every node says something"
    assert said["check"].splitlines()[:3] == [RIGHT, "1 ✓", "2 ✗"]
    assert "image 2: " in said["check"] and ": wrong, off by " in said["check"]
    assert page.evaluate(_VALUES) == values, "no result among the values of the widgets"

    run_command(page, "Comfy.NewBlankWorkflow")
    assert page.evaluate("() => window.app.graph.nodes.length") == 0
    run_command(page, "Workspace.PreviousOpenedWorkflow")
    assert results.texts() == said and page.evaluate(_VALUES) == values

    reload(page)
    assert results.texts() == said and page.evaluate(_VALUES) == values

    saved = sorted((host.base / "output").glob(f"{SAVED}*.png"))
    _drop(page, saved[-1])
    dropped = results.texts()
    assert {key: dropped[key] for key in ("prompt", "counted", "check")} == {
        key: said[key] for key in ("prompt", "counted", "check")
    }, "those that had run before the image was saved"
    assert page.evaluate(_VALUES) == values

    page.evaluate(_SET, [CHECK, "objects", "9 circles"])
    _run(page)
    assert results.texts()["check"].splitlines()[0] == STOPPED
    assert page.get_by_role("dialog").count() == 0 and page.get_by_text("Execution Blocked").count() == 0
    assert sorted((host.base / "output").glob(f"{SAVED}*.png")) == saved, "nothing passed on"


def test_the_result_of_the_run_before(results: ResultPage) -> None:
    """It is grey while the node runs again and after a stop; the live preview takes the place of its images till then."""
    page = results.page
    _run(page)
    said = results.texts()["check"]
    results.place(CHECK)
    output = page.evaluate("id => window.app.nodeOutputs[id]", _id(page))

    def tell(event: str, **more: object) -> None:
        page.evaluate(_TELL, [CHECK, event, more])

    def images(protocols: str) -> None:
        page.wait_for_function(
            f"([kind, wanted]) => ({_IMAGES})(kind) === wanted", arg=[CHECK, protocols], timeout=10_000
        )

    def says() -> str:
        card = results.card(CHECK)
        assert card is not None
        is_old = card.query_selector(".hc-before .hc-verdict") is not None
        assert is_old == ("The result of the run before:" in card.inner_text())
        return card.inner_text().splitlines()[0] if is_old else card.inner_text()

    images("http:")
    tell("progress_state", run="cancelled")
    assert says() == "Running ..."
    tell("b_preview_with_metadata", run="cancelled")
    images("blob:")
    tell("headcount.note", run="cancelled", text="try 1 of 2")
    tell("progress_state", run="cancelled")
    assert says() == "Running ..."
    tell("execution_interrupted", run="cancelled")
    assert says() == "Stopped before there was a result."
    images("http:")
    tell("progress_state", run="finished")
    tell("b_preview_with_metadata", run="finished")
    images("blob:")
    tell("executed", run="finished", output=output)
    assert says() == said
    images("http:")
    tell("progress_state", run="nothing new")
    assert says() == "Running ..."
    tell("execution_success", run="nothing new")
    assert says() == said


def test_a_run_behind_another_workflow(results: ResultPage) -> None:
    """Nodes of the same ids in sight say nothing of it; its own say it when they are back, and after a reload."""
    page = results.page
    page.evaluate(_SET, [CHECK, "objects", "9 circles"])
    queue_run(page)
    open_workflow(page, EVERY_RESULT, new_tab=True)
    wait_for_queue(page, 0)
    page.wait_for_timeout(300)
    assert not any("right" in text or "Running" in text or "Stopped" in text for text in results.texts().values())
    run_command(page, "Workspace.PreviousOpenedWorkflow")
    said = results.texts()
    assert said["check"].splitlines()[0] == STOPPED
    page.wait_for_timeout(300)
    reload(page)
    assert results.texts() == said


def test_why_a_node_failed_stands_in_it(results: ResultPage, errors: list[str]) -> None:
    """And goes when the next run is right, also in a node that the server need not run again."""
    page = results.page
    _run(page)
    said = results.texts()
    page.evaluate(_TELL, [CHECK, "progress_state", {"run": "failing"}])
    page.evaluate(_TELL, [CHECK, "execution_error", _FAILURE])
    assert results.texts()["check"].splitlines()[:2] == ["Stopped before there was a result.", "nothing is asked for"]
    page.evaluate(_TELL, [CHECK, "execution_cached", {"run": "next", "nodes": [_id(page)]}])
    assert results.texts() == said


def test_what_is_behind_a_failed_node_is_of_the_run_before(results: ResultPage) -> None:
    """Until a run comes there, or finds it done."""
    page = results.page
    _run(page)
    said = results.texts()
    page.evaluate(_SET, [SHOWN["counted"], "text", "!!!"])
    _run(page)
    failed = results.texts()
    assert failed["counted"].startswith("Stopped before there was a result.") and "'!!!'" in failed["counted"]
    lines = ["The run stopped before this node.", "The result of the run before:", *said["check"].splitlines()]
    assert failed["check"].splitlines() == lines
    assert failed["prompt"] == said["prompt"]
    page.evaluate(_SET, [SHOWN["counted"], "text", ""])
    _run(page)
    assert results.texts() == said


def test_marks_are_no_buttons(results: ResultPage) -> None:
    """Chips of Count Prompt, which do something, have a frame and a hand; marks of images have neither."""
    look = """([kind, name, element]) => {
      const node = window.app.graph.nodes.find(node => node.type === kind);
      const style = getComputedStyle(node.widgets.find(widget => widget.name === name).element.querySelector(element));
      return [style.borderTopWidth, style.cursor];
    }"""
    page = results.page
    output = {"headcount_result": [{"verdict": "1 of 1 right", "right": True, "marks": [True]}]}
    page.evaluate(_TELL, [CHECK, "executed", {"run": "told", "output": output}])
    assert page.evaluate(look, [CHECK, "result", ".hc-marks span"]) == ["0px", "default"]
    page.wait_for_function("() => document.querySelector('.headcount-reading .hc-chip')")
    assert page.evaluate(look, [SHOWN["prompt"], "reading", ".hc-chip"]) == ["2px", "pointer"]


def _id(page: Page) -> str:
    return page.evaluate("kind => String(window.app.graph.nodes.find(node => node.type === kind).id)", CHECK)


def test_results_lie_in_their_nodes(results: ResultPage) -> None:
    """At every zoom, however long the text is."""
    page = results.page
    page.evaluate(
        """kind => {
          const node = window.app.graph.nodes.find(node => node.type === kind);
          const lines = Array.from({ length: 60 }, (_, index) => `picture ${index + 1}: ${'many '.repeat(30)}`);
          const result = { verdict: '60 of 60 right', right: true, marks: lines.map(() => true), table: lines.join('\\n') };
          node.onExecuted({ headcount_result: [result] });
          node.setSize([300, 420]);
        }""",
        CHECK,
    )
    for scale in (1.0, 0.3):
        results.place(CHECK, scale)
        page.wait_for_timeout(300)
        card = results.card(CHECK)
        assert card is not None and card.is_visible()
        box = card.bounding_box()
        assert box is not None
        _, height = page.evaluate("kind => [...window.app.graph.nodes.find(node => node.type === kind).size]", CHECK)
        assert box["y"] + box["height"] <= page.evaluate(_BOTTOM, CHECK) + 1
        assert 200 * scale < box["width"] <= 300 * scale and 80 * scale < box["height"] <= height * scale
        assert card.evaluate("card => card.scrollHeight > card.clientHeight && card.scrollWidth <= card.clientWidth")


def test_notes(results: ResultPage) -> None:
    """A node that has nothing else to say shows a note, keeps it, and is as before when it is taken away."""
    page, kind = results.page, "HeadcountAttentionMapRecorder"
    tell = """([kind, text]) => {
      const node = window.app.graph.nodes.find(node => node.type === kind);
      window.app.api.dispatchEvent(new CustomEvent('headcount.note', { detail: { node: String(node.id), text } }));
      return [...node.size];
    }"""
    assert results.card(kind) is None
    size = page.evaluate(tell, [kind, ""])
    page.evaluate(tell, [kind, "this run was not steered\nraise denoise"])
    page.evaluate(tell, ["HeadcountLoadShapesDemoModel", ""])
    card = results.card(kind)
    assert card is not None and card.inner_text() == "this run was not steered\nraise denoise"
    run_command(page, "Comfy.NewBlankWorkflow")
    run_command(page, "Workspace.PreviousOpenedWorkflow")
    card = results.card(kind)
    assert card is not None and card.inner_text().startswith("this run was not")
    grown = page.evaluate(tell, [kind, ""])
    assert results.card(kind) is None and grown[0] == size[0]


def test_text_is_text(results: ResultPage, host: ComfyServer, errors: list[str]) -> None:
    """Of every field, file name, result and note, also out of a workflow file that somebody made."""
    page = results.page
    name = f"{SCRIPT}.safetensors"
    (host.base / "models" / "t2icount").mkdir(parents=True, exist_ok=True)
    file = host.base / "models" / "t2icount" / name
    file.write_bytes(b"no model")
    hostile = {"verdict": SCRIPT, "right": True, "marks": [True, SCRIPT], "table": SCRIPT, "note": SCRIPT}
    workflow = page.evaluate("() => window.app.graph.serialize()")
    for node in workflow["nodes"]:
        node.setdefault("properties", {}).update({"headcount_result": [hostile, None, 3], "headcount_note": SCRIPT})
    open_workflow(page, workflow)
    assert all(text.count(SCRIPT) == 4 for text in results.texts().values())
    _run(page)
    page.evaluate(_SET, ["HeadcountLoadT2ICountModel", "model_name", name])
    _run(page)
    page.keyboard.press("Escape")
    for texts in (SCRIPT, f"1 {SCRIPT}", f"a circle {SCRIPT}"):
        page.evaluate(_TEXT_WIDGETS, texts)
        _run(page)
        page.keyboard.press("Escape")
    assert page.evaluate("() => window.ran") is None
    assert page.locator("img[src=x]").count() == 0
    file.unlink()
    errors.clear()  # the page logs that runs failed
