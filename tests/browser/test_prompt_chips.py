"""The chips under Count Prompt: read while somebody types, kept with no workflow, and the way to correct a count."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Locator, Page

from ..helpers.comfy_page import open_workflow, reload, run_command, settle

pytestmark = [pytest.mark.browser]

KIND = "HeadcountCountPrompt"
NOTHING = "No number found: nothing will be steered."
_BLANK = {"nodes": [], "links": [], "groups": [], "version": 0.4, "last_node_id": 0, "last_link_id": 0}
_ADD = """([kind, count]) => {
  for (let index = 0; index < count; index++) {
    const node = window.LiteGraph.createNode(kind);
    node.pos = [40 + (index % 5) * 420, 60 + Math.floor(index / 5) * 420];
    window.app.graph.add(node);
  }
  Object.assign(window.app.canvas.ds, { scale: 1, offset: [0, 0] });
  window.app.canvas.setDirty(true, true);
}"""
_SET = """([name, value]) => {
  const node = window.app.graph.nodes.at(-1);
  const widget = node.widgets.find(widget => widget.name === name);
  widget.value = value;
  widget.callback?.(value);
}"""
_VALUE = "name => window.app.graph.nodes.at(-1).widgets.find(widget => widget.name === name).value"


class Chips:
    """The chips of the newest node."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.root = page.locator(".headcount-reading").last

    def add(self, nodes: int = 1) -> None:
        self.page.evaluate(_ADD, [KIND, nodes])
        settle(self.page)

    def type(self, text: str, name: str = "text") -> None:
        self.page.evaluate(_SET, [name, text])

    def says(self, *texts: str) -> None:
        """Wait for chips and notes, these and no others."""
        self.page.wait_for_function(
            """wanted => {
              const roots = [...document.querySelectorAll('.headcount-reading')];
              const said = [...(roots.at(-1)?.children ?? [])].map(one => one.textContent);
              return JSON.stringify(said) === JSON.stringify(wanted);
            }""",
            arg=list(texts),
        )

    def chip(self, text: str) -> Locator:
        return self.root.get_by_role("button", name=text)

    def field(self, name: str) -> Locator:
        return self.root.get_by_label(name, exact=True)


@pytest.fixture
def chips(page: Page, renderer: str) -> Chips:
    open_workflow(page, _BLANK, new_tab=True)
    found = Chips(page)
    found.add()
    return found


@pytest.mark.every_page
def test_typing(chips: Chips) -> None:
    """With the keyboard into the node's own field."""
    chips.says("What is counted shows here.")
    field = chips.page.locator("textarea").first
    field.click()
    chips.page.keyboard.type("three red cats and 2 dogs")
    chips.says("3 red cats", "2 dogs")
    field.fill("a few cats")
    chips.says(NOTHING, "'a few cats' is not a number: write one, such as 'three cats'")
    field.fill("三只猫和两只狗")
    chips.says("3 猫", "2 狗")


@pytest.mark.every_page
def test_a_click_corrects(chips: Chips) -> None:
    """A chip's fields write the objects line; the keyboard is enough."""
    chips.type("three red cats and 2 dogs")
    chips.says("3 red cats", "2 dogs")
    chips.chip("3 red cats").focus()
    chips.page.keyboard.press("Enter")
    chips.field("count").fill("5")
    chips.page.keyboard.press("Enter")
    chips.says("5 red cats", "2 dogs")
    assert chips.page.evaluate(_VALUE, "objects") == "5 red cats, 2 dogs"
    chips.chip("2 dogs").click()
    chips.field("noun").fill("birds")
    chips.page.keyboard.press("Enter")
    chips.page.wait_for_function(
        "() => document.querySelector('.headcount-reading')?.textContent.includes(\"'birds' is not in the prompt\")"
    )


def test_escape_leaves_all_as_it_is(chips: Chips) -> None:
    chips.type("two cats")
    chips.says("2 cats")
    chips.chip("2 cats").click()
    chips.field("count").fill("9")
    chips.page.keyboard.press("Escape")
    chips.says("2 cats")
    assert chips.page.evaluate(_VALUE, "objects") == ""


def test_undo(chips: Chips) -> None:
    chips.type("two cats")
    chips.says("2 cats")
    chips.page.wait_for_timeout(300)
    chips.chip("2 cats").click()
    chips.field("count").fill("4")
    chips.page.keyboard.press("Enter")
    chips.says("4 cats")
    chips.page.evaluate("() => document.activeElement?.blur()")
    run_command(chips.page, "Comfy.Undo")
    chips.says("2 cats")


def test_paste(chips: Chips) -> None:
    """A pasted text, and a pasted node."""
    field = chips.page.locator("textarea").first
    field.click()
    chips.page.keyboard.insert_text("five birds, no people")
    said = "'no people' counts nothing: put 'people' into the negative prompt"
    chips.says("5 birds", said)
    chips.page.evaluate(
        """() => {
          const { canvas, graph } = window.app;
          document.activeElement?.blur();
          canvas.selectNode(graph.nodes[0]);
          canvas.copyToClipboard();
          canvas.pasteFromClipboard();
        }"""
    )
    chips.page.wait_for_function("() => document.querySelectorAll('.headcount-reading .hc-chip').length === 2")


@pytest.mark.every_page
def test_a_saved_workflow_and_a_reloaded_page(chips: Chips) -> None:
    chips.type("four stars")
    chips.says("4 stars")
    workflow = chips.page.evaluate("() => window.app.graph.serialize()")
    assert "4 stars" not in json.dumps(workflow), "the reading is no part of a workflow"
    assert workflow["nodes"][0]["widgets_values"] == ["four stars", ""]
    open_workflow(chips.page, _BLANK)
    open_workflow(chips.page, workflow)
    chips.says("4 stars")
    reload(chips.page)
    chips.says("4 stars")


def test_in_a_subgraph(chips: Chips) -> None:
    chips.type("six circles")
    chips.says("6 circles")
    chips.page.evaluate(
        """() => {
          const { graph, canvas } = window.app;
          const { subgraph, node } = graph.convertToSubgraph(new Set([graph.nodes[0]]));
          canvas.openSubgraph(subgraph, node);
        }"""
    )
    settle(chips.page)
    chips.says("6 circles")


def test_a_reader_is_read_in_the_run(chips: Chips) -> None:
    """What another node counts is not known before; an objects line of one's own goes before it."""
    chips.type("three cats")
    chips.says("3 cats")
    chips.page.evaluate(
        """() => {
          const { graph } = window.app;
          const reader = window.LiteGraph.createNode("HeadcountCountsFromText");
          reader.pos = [600, 60];
          graph.add(reader);
          const prompt = graph.nodes.find(node => node.comfyClass === "HeadcountCountPrompt");
          reader.connect(0, prompt, prompt.inputs.findIndex(input => input.name === "reader"));
        }"""
    )
    chips.says("What is counted comes from another node: it is read when the workflow runs.")
    chips.page.evaluate(
        """() => {
          const prompt = window.app.graph.nodes.find(node => node.comfyClass === "HeadcountCountPrompt");
          prompt.widgets.find(widget => widget.name === "objects").value = "2 cats";
        }"""
    )
    chips.says("2 cats")


def test_twenty_nodes(chips: Chips) -> None:
    chips.add(19)
    chips.page.evaluate(
        """() => window.app.graph.nodes.forEach((node, index) => {
          node.widgets.find(widget => widget.name === 'text').value = `${index + 2} cats`;
        })"""
    )
    chips.page.wait_for_function(
        """() => {
          const said = [...document.querySelectorAll('.headcount-reading .hc-chip')].map(chip => chip.textContent);
          return new Set(said).size === 20 || said.length >= 1 && window.app.graph.nodes.every((node, index) =>
            node.widgets.find(widget => widget.name === 'reading').element.textContent.startsWith(`${index + 2} cats`));
        }"""
    )


def test_the_server_is_away(chips: Chips, errors: list[str]) -> None:
    """The node says so, and reads on when the server is back."""
    chips.type("two cats")
    chips.says("2 cats")
    chips.page.route("**/headcount/read", lambda route: route.abort())
    chips.type("three cats")
    chips.says("The server does not answer.")
    chips.page.unroute("**/headcount/read")
    chips.says("3 cats")
    errors.clear()  # the page logs the lost requests


def test_text_is_text(chips: Chips) -> None:
    script = "<img src=x onerror=window.ran=1>"
    chips.type(f"two cats {script}", "text")
    chips.type(f"2 {script}", "objects")
    chips.page.wait_for_function("() => document.querySelector('.headcount-reading .hc-note') !== null")
    assert chips.page.evaluate("() => window.ran") is None
    assert chips.page.locator("img[src=x]").count() == 0
