"""Puts a prompt, its counts and a seed into a workflow of the user's."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headcount.core.errors import CountError

from demo.comfy_client import ComfyClient, Prompt
from demo.node_widgets import SEED_NAMES
from demo.workflow_to_prompt import WorkflowError, workflow_to_prompt

from .asks import Ask

TITLE = "prompt"
_TEXTS = ("text", "prompt", "value", "string")


def read_workflow(file: Path, client: ComfyClient) -> Prompt:
    """A workflow, in the API format or as the page saves it.

    Raises:
        CountError: it cannot be read, is no workflow, or has nodes that the server does not know.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CountError(f"{file} cannot be read: {error}. Give a workflow of File > Export (API)") from error
    if isinstance(content, dict) and isinstance(content.get("nodes"), list):
        try:
            return workflow_to_prompt(content, client.object_info())
        except WorkflowError as error:
            raise CountError(
                f"{file}: {error}. Install what is missing, or give a workflow of File > Export (API)"
            ) from error
    if not isinstance(content, dict) or not content or not all(map(_is_node, content.values())):
        raise CountError(f"{file} is no workflow. Give one of File > Export (API)")
    return content


def _is_node(value: Any) -> bool:
    return isinstance(value, dict) and "class_type" in value and isinstance(value.get("inputs"), dict)


def prompt_input(workflow: Prompt, given: str | None) -> tuple[str, str]:
    """(node, input) that the prompt goes into.

    Args:
        workflow: in the API format.
        given: "ID.input"; None for the text of the one node with the title "prompt".

    Raises:
        CountError: there is none such, or several; the message lists what there is.
    """
    texts = _texts(workflow)
    if given is not None:
        node, _, name = given.partition(".")
        if name not in workflow.get(node, {}).get("inputs", {}):
            raise CountError(
                f"the workflow has no input {given!r} for the prompt. Give --prompt-node one of {_list(texts)}"
            )
        return node, name
    titled = [place for place, title in texts.items() if title.strip().lower() == TITLE]
    if len(titled) != 1:
        raise CountError(
            f"the workflow has {len(titled)} nodes with text and the title {TITLE!r}, and one is needed. Give "
            f"your prompt's node that title, or give --prompt-node one of {_list(texts)}"
        )
    return titled[0]


def _texts(workflow: Prompt) -> dict[tuple[str, str], str]:
    """Inputs that hold text of their own -> title of the node; of each node the one that is most likely its prompt."""
    found = {}
    for node, placed in workflow.items():
        names = [name for name in _TEXTS if isinstance(placed["inputs"].get(name), str)]
        if names:
            found[node, names[0]] = placed.get("_meta", {}).get("title", "")
    return found


def _list(texts: Mapping[tuple[str, str], str]) -> str:
    return (
        ", ".join(f"{node}.{name} ({title or 'no title'})" for (node, name), title in texts.items())
        or "(it has no texts)"
    )


def filled(workflow: Prompt, place: tuple[str, str], ask: Ask, seed: int) -> Prompt:
    """A copy of `workflow` that draws `ask`: the prompt at `place`, counts in every objects input, the seed in every seed.

    Inputs that are connected to other nodes stay so.
    """
    prompt = copy.deepcopy(workflow)
    for placed in prompt.values():
        inputs = placed["inputs"]
        for name in SEED_NAMES & inputs.keys():
            if not isinstance(inputs[name], list):
                inputs[name] = seed
        if isinstance(inputs.get("objects"), str):
            inputs["objects"] = objects_line(ask.counts)
    prompt[place[0]]["inputs"][place[1]] = ask.prompt
    return prompt


def objects_line(counts: Mapping[str, int]) -> str:
    """ "3 cats, 1 dog", as Count Prompt reads it."""
    return ", ".join(f"{count} {noun}" for noun, count in counts.items())
