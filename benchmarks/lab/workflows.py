"""Workflows of a user's own for many prompts: read, filled, and what they show. CountBench and IntraCompBench run them."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.error import URLError

from headcount.core.errors import CountError

from demo.comfy_client import ComfyClient, Prompt
from demo.node_widgets import SEED_NAMES
from demo.workflow_to_prompt import WorkflowError, workflow_to_prompt

from .servers import no_answer

VIDEOS = frozenset({".mp4", ".webm", ".mkv", ".mov"})
PICTURES = frozenset({".png", ".webp", ".gif", ".jpg", ".jpeg"})
TITLE = "prompt"
_TEXTS = ("text", "prompt", "value", "string")
Reference = dict[str, str]


def shown_files(outputs: dict[str, dict[str, Any]], node: str | None) -> list[Reference]:
    """The files of a finished run that are its video: one file, or pictures that are its frames.

    Args:
        outputs: node -> what it shows, as ComfyUI's history has it.
        node: takes only this node's.

    Raises:
        CountError: none is shown, several videos are, or several nodes show some; saved files go before previews.
    """
    found = {name: _references(shown) for name, shown in outputs.items() if node in (None, name)}
    for kind in ("output", "temp"):
        saved = {name: files for name, all_ in found.items() if (files := [one for one in all_ if one["type"] == kind])}
        if len(saved) > 1:
            raise CountError(f"nodes {', '.join(saved)} all save pictures or videos. Give one of them to --output-node")
        if saved:
            (files,) = saved.values()
            if len(files) > 1 and any(suffix(one) in VIDEOS for one in files):
                raise CountError(
                    f"node {next(iter(saved))} saves {len(files)} videos at once. Make one: set its batch to 1"
                )
            return files
    raise CountError(
        f"the workflow showed no video or picture{f' in node {node}' if node else ''}. Add Save Video or Save Image"
    )


def _references(shown: dict[str, Any]) -> list[Reference]:
    """Files that a node shows, whatever it calls the list: ComfyUI's own say "images", others "gifs" or "videos"."""
    entries = [entry for value in shown.values() if isinstance(value, list) for entry in value]
    files = [entry for entry in entries if isinstance(entry, dict) and "filename" in entry]
    return [
        {"filename": file["filename"], "subfolder": file.get("subfolder", ""), "type": file.get("type", "output")}
        for file in files
        if suffix(file) in VIDEOS | PICTURES
    ]


def suffix(file: Mapping[str, str]) -> str:
    """Of a file's name, in lower case."""
    return Path(file["filename"]).suffix.lower()


def read_workflow(file: Path, addresses: Sequence[str]) -> Prompt:
    """A workflow, in the API format or as the page saves it.

    Args:
        addresses: of servers; the first that answers says what nodes there are.

    Raises:
        CountError: it cannot be read, is no workflow, or has nodes that the server does not know; or no server answers.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CountError(f"{file} cannot be read: {error}. Give a workflow of File > Export (API)") from error
    if isinstance(content, dict) and isinstance(content.get("nodes"), list):
        try:
            return workflow_to_prompt(content, _nodes_of(addresses))
        except WorkflowError as error:
            raise CountError(
                f"{file}: {error}. Install what is missing, or give a workflow of File > Export (API)"
            ) from error
    if not isinstance(content, dict) or not content or not all(map(_is_node, content.values())):
        raise CountError(f"{file} is no workflow. Give one of File > Export (API)")
    return content


def _nodes_of(addresses: Sequence[str]) -> dict[str, dict[str, Any]]:
    reasons: dict[str, str] = {}
    for address in addresses:
        try:
            return ComfyClient(address).object_info()
        except (URLError, ConnectionError) as error:
            reasons[address] = str(getattr(error, "reason", error))
    raise no_answer(reasons)


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


def filled(
    workflow: Prompt, place: tuple[str, str], text: str, counts: Mapping[str, int], seed: int, **values: Any
) -> Prompt:  # fmt: skip
    """A copy of `workflow` that draws a prompt: its text at `place`, counts in every objects input, the seed in every seed.

    Args:
        **values: go into every input of that name, such as steps.

    Inputs that are connected to other nodes stay so.
    """
    prompt = copy.deepcopy(workflow)
    for placed in prompt.values():
        inputs = placed["inputs"]
        for name in SEED_NAMES & inputs.keys():
            if _is_own(inputs[name]):
                inputs[name] = seed
        if isinstance(inputs.get("objects"), str):
            inputs["objects"] = objects_line(counts)
        inputs.update({name: value for name, value in values.items() if name in inputs and _is_own(inputs[name])})
    prompt[place[0]]["inputs"][place[1]] = text
    return prompt


def _is_own(value: Any) -> bool:
    """Whether an input holds a value of its own instead of a link."""
    return not isinstance(value, list)


def objects_line(counts: Mapping[str, int]) -> str:
    """ "3 cats, 1 dog", as Count Prompt reads it."""
    return ", ".join(f"{count} {noun}" for noun, count in counts.items())
