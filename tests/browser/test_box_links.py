"""Links of boxes in ComfyUI's pages: those of saved workflows stay, and core's nodes connect to ours."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page

from demo.server import ComfyServer
from demo.workflow_runs import upstream, with_widgets

from ..helpers.comfy_page import missing_types, open_workflow, queued_prompt
from ..helpers.saved_work import FEW_STEPS, WORKFLOWS

pytestmark = [pytest.mark.browser, pytest.mark.every_page]

OLD = next(path for path in WORKFLOWS if path.stem == "shapes_everything")
_CONNECT = """([from, output, to, input]) => {
  const graph = window.app.graph;
  const placed = type => {
    const found = graph.nodes.find(node => node.type === type);
    if (found) return found;
    const made = LiteGraph.createNode(type);
    graph.add(made);
    return made;
  };
  const [source, target] = [placed(from), placed(to)];
  const slot = target.inputs.findIndex(one => one.name === input);
  source.connect(source.outputs.findIndex(one => one.name === output), target, slot);
  return target.inputs[slot].link != null && graph.links.get(target.inputs[slot].link).origin_id === source.id;
}"""


def linked_as_before() -> tuple[dict[str, Any], str, str]:
    """A workflow of release 0.4 in which Count Check reads the boxes of Instance Masks, and the ids of both."""
    workflow = json.loads(OLD.read_text())
    (masks,) = (node for node in workflow["nodes"] if node["type"] == "HeadcountInstanceMasks")
    (check,) = (node for node in workflow["nodes"] if node["type"] == "HeadcountCountCheck")
    inputs = {slot["name"]: slot for slot in check["inputs"]}
    dropped, number = inputs["counted"]["link"], workflow["last_link_id"] + 1
    inputs["counted"]["link"], inputs["boxes"]["link"], masks["outputs"][2]["links"] = None, number, [number]
    for node in workflow["nodes"]:
        for slot in node["outputs"]:
            slot["links"] = [link for link in slot.get("links") or [] if link != dropped]
    workflow["links"] = [link for link in workflow["links"] if link[0] != dropped]
    workflow["links"].append(
        [number, masks["id"], 2, check["id"], check["inputs"].index(inputs["boxes"]), "BOUNDING_BOXES"]
    )
    workflow["last_link_id"] = number
    return workflow, str(masks["id"]), str(check["id"])


def test_a_link_of_the_old_type_opens_and_runs(page: Page, host: ComfyServer) -> None:
    workflow, masks, check = linked_as_before()
    open_workflow(page, workflow)
    assert missing_types(page) == []
    prompt = queued_prompt(page)
    assert prompt[check]["inputs"]["boxes"] == [masks, 2] and "counted" not in prompt[check]["inputs"]
    prompt = {name: prompt[name] for name in upstream(prompt, check)}
    prompt = with_widgets(prompt, FEW_STEPS)
    assert host.run(prompt)[check]["images"]


@pytest.mark.parametrize(
    ("source", "output", "target", "input"),
    [
        ("RTDETR_detect", "bboxes", "HeadcountCountCheck", "boxes"),
        ("SAM3_Detect", "bboxes", "HeadcountCountSearchPick", "boxes"),
        ("HeadcountInstanceMasks", "boxes", "DrawBBoxes", "bboxes"),
        ("HeadcountT2ICountCounter", "boxes", "CropByBBoxes", "bboxes"),
        ("StringConcatenate", "STRING", "HeadcountCountCheck", "boxes"),
    ],
)
def test_new_nodes_connect(source: str, output: str, target: str, input: str, page: Page) -> None:
    open_workflow(page, {"nodes": [], "links": [], "groups": [], "version": 0.4, "last_node_id": 0, "last_link_id": 0})
    assert page.evaluate(_CONNECT, [source, output, target, input])


def test_nodes_of_a_saved_workflow_connect_to_those_of_comfyui(page: Page) -> None:
    open_workflow(page, json.loads(OLD.read_text()))
    name = page.evaluate("() => window.app.graph.nodes.find(n => n.type === 'HeadcountInstanceMasks').outputs[2].name")
    assert page.evaluate(_CONNECT, ["HeadcountInstanceMasks", name, "DrawBBoxes", "bboxes"])
    assert page.evaluate(_CONNECT, ["RTDETR_detect", "bboxes", "HeadcountCountCheck", "boxes"])
