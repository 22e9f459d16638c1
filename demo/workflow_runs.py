"""Runs the example workflows with other prompts and hands back their pictures."""

from __future__ import annotations

import copy
import io
import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from training.files import read_picture

from .comfy_client import ComfyClient, Prompt
from .comfy_host import ROOT
from .workflow_to_prompt import workflow_to_prompt

Pictures = list[np.ndarray]
_PICTURES = ("PreviewImage", "SaveImage")


@cache
def workflow_prompt(client: ComfyClient, name: str) -> Prompt:
    """workflows/<name>.json as a prompt for this ComfyUI."""
    workflow = json.loads((ROOT / "workflows" / f"{name}.json").read_text())
    return workflow_to_prompt(workflow, client.object_info())


def with_widgets(prompt: Prompt, settings: dict[str, dict[str, Any]]) -> Prompt:
    """A copy in which all nodes of a class have other widget values; links stay."""
    changed = copy.deepcopy(prompt)
    for node in changed.values():
        inputs = node["inputs"]
        values = settings.get(node["class_type"], {})
        inputs |= {name: value for name, value in values.items() if not isinstance(inputs.get(name), list)}
    return changed


def upstream(prompt: Prompt, node: str) -> set[str]:
    """Ids of all nodes that a node depends on, and its own."""
    found, waiting = set(), [node]
    while waiting:
        here = waiting.pop()
        if here not in found:
            found.add(here)
            waiting += [value[0] for value in prompt[here]["inputs"].values() if isinstance(value, list)]
    return found


def pictures_of(client: ComfyClient, shown: dict[str, Any]) -> Pictures:
    """The pictures that a node shows in the page."""
    return [read_picture(io.BytesIO(client.image(reference))) for reference in shown["images"]]


def _run(client: ComfyClient, prompt: Prompt, workflow: str) -> dict[str, dict[str, Any]]:
    """The outputs of a prompt. Raises TimeoutError that names the workflow and its text."""
    try:
        return client.run(prompt)
    except TimeoutError as error:
        texts = [node["inputs"]["text"] for node in prompt.values() if node["class_type"] == "HeadcountCountPrompt"]
        raise TimeoutError(f"workflows/{workflow}.json with {', '.join(map(repr, texts))}: {error}") from error


@dataclass(frozen=True)
class Comparison:
    """A workflow that draws the same noise without and with a node, and the node's id."""

    workflow: str
    node: str


EMOJI_ISAC = Comparison("Emoji - the right number", "HeadcountIsacAttentionControl")
ISAC = Comparison("Shapes - the right number", "HeadcountIsacAttentionControl")
NUMINA = Comparison("Shapes - the right number by layout", "HeadcountNuminaCountGuide")
SELECTION, ATTENTION = "Shapes - choose the noise", "Shapes - look inside the model"


def run_with_and_without(
    client: ComfyClient, text: str, pictures: int, seed: int, compared: Comparison = ISAC
) -> tuple[Pictures, Pictures]:
    """Run a comparison for a prompt. Returns the pictures without its node and those with it."""
    settings = {
        "HeadcountCountPrompt": {"text": text},
        "EmptyLatentImage": {"batch_size": pictures},
        "HeadcountLoadDemoModel": {"batch_size": pictures},
        "KSampler": {"seed": seed},
    }
    whole = with_widgets(workflow_prompt(client, compared.workflow), settings)
    ends = {node: upstream(whole, node) for node, placed in whole.items() if placed["class_type"] in _PICTURES}
    decoded = {node for node in ends if whole[whole[node]["inputs"]["images"][0]]["class_type"] == "VAEDecode"}
    needed = set().union(*(ends[node] for node in decoded))
    outputs = _run(client, {node: placed for node, placed in whole.items() if node in needed}, compared.workflow)
    classes = {node: {whole[other]["class_type"] for other in ends[node]} for node in decoded}
    (steered,) = (node for node in decoded if compared.node in classes[node])
    (without,) = decoded - {steered}
    return pictures_of(client, outputs[without]), pictures_of(client, outputs[steered])


def run_selection(client: ComfyClient, text: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Run `SELECTION` for a prompt. Returns the picture of the first noise and of the chosen one."""
    settings = {
        "HeadcountCountPrompt": {"text": text},
        "HeadcountIsacLatentSelection": {"seed": seed},
        "KSampler": {"seed": seed},
    }
    prompt = with_widgets(workflow_prompt(client, SELECTION), settings)
    outputs = _run(client, prompt, SELECTION)
    pictures = {
        prompt[node]["class_type"]: pictures_of(client, shown)[0]
        for node, shown in outputs.items()
        if "images" in shown
    }
    return pictures["PreviewImage"], pictures["SaveImage"]


def run_attention(client: ComfyClient, seed: int) -> list[list[tuple[str, np.ndarray]]]:
    """Run `ATTENTION`. Returns lines of captioned pictures: overview, then one per noun over the steps."""
    prompt = with_widgets(workflow_prompt(client, ATTENTION), {"KSampler": {"seed": seed}})
    outputs = _run(client, prompt, ATTENTION)
    views: dict[str, list[tuple[str, np.ndarray]]] = {}
    for node, placed in prompt.items():
        if placed["class_type"] == "HeadcountAttentionMapViewer":
            captions = _listed(prompt, outputs, node)
            views[placed["inputs"]["show"]] = list(zip(captions, pictures_of(client, outputs[node]), strict=True))
    (picture,) = (
        pictures_of(client, outputs[node])[0]
        for node, placed in prompt.items()
        if placed["class_type"] == "PreviewImage" and prompt[placed["inputs"]["images"][0]]["class_type"] == "VAEDecode"
    )
    (masks,) = (node for node, placed in prompt.items() if placed["class_type"] == "HeadcountInstanceMasks")
    nouns = [caption for caption, _ in views["words"]]
    overview = [
        ("picture", picture),
        *((f"words: {noun}", overlay) for noun, overlay in views["words"]),
        ("regions", views["regions"][0][1]),
        ("objects found", pictures_of(client, outputs[masks])[0]),
    ]
    steps = [[view for view in views["steps"] if view[0].startswith(noun + ",")] for noun in nouns]
    return [overview, *steps]


def _listed(prompt: Prompt, outputs: dict[str, Any], viewer: str) -> list[str]:
    """What the viewer says that its pictures show, less the image's number, from the text node behind it."""
    (text,) = (
        outputs[node]["text"][0]
        for node, placed in prompt.items()
        if placed["class_type"] == "PreviewAny" and placed["inputs"]["source"][0] == viewer
    )
    return [re.sub(r"^image \d+: ", "", line) for line in text.splitlines()]
