"""Makes the videos of CountBench in the user's own ComfyUI, by a workflow of the user's. What is there is not made again."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

from headcount.core.errors import CountError

from demo.comfy_client import ComfyClient, Prompt
from demo.node_widgets import SEED_NAMES
from demo.workflow_to_prompt import WorkflowError, workflow_to_prompt

from ..lab.store import digest
from .prompts import Ask
from .videos import PICTURES, VIDEOS, match_videos

MADE_BY = "made_by.json"
TITLE = "prompt"
_TEXTS = ("text", "prompt", "value", "string")
Reference = dict[str, str]


@dataclass(frozen=True)
class MakingSettings:
    """How videos are made.

    Attributes:
        server: address of a running ComfyUI.
        workflow: file with the workflow.
        seed: the same for every prompt, as in the paper, which takes 1.
        prompt_node: "ID.input" that the prompt goes into; None for the node with the title "prompt".
        output_node: id of the node that shows the video; None where there is one only.
        timeout_s: longest time for one video.
    """

    server: str
    workflow: Path
    seed: int = 1
    prompt_node: str | None = None
    output_node: str | None = None
    timeout_s: float = 3600.0


def make_videos(
    settings: MakingSettings, asks: Sequence[Ask], every: Sequence[Ask], folder: Path, report: Callable[[str], None]
) -> None:
    """Make what is missing in `folder`.

    Args:
        asks: the prompts to make videos of.
        every: all prompts of the files.
        folder: for the videos, 001_... for the first prompt.

    Raises:
        CountError: no ComfyUI answers, the workflow does not fit, or the folder has videos of another workflow or seed.
        PromptError: ComfyUI refused the workflow, or a node failed.
    """
    client = ComfyClient(settings.server.rstrip("/"))
    try:
        workflow = read_workflow(settings.workflow, client)
        place = prompt_input(workflow, settings.prompt_node)
        _claim(folder, _made_by(workflow, place, settings.seed, every), len(every))
        missing = [ask for ask in asks if ask.index not in match_videos(folder, len(every))]
        for number, ask in enumerate(missing, start=1):
            outputs = client.run(filled(workflow, place, ask, settings.seed), settings.timeout_s)
            _fetch(client, shown_files(outputs, settings.output_node), folder, ask.index)
            report(f"made {number} of {len(missing)}: {ask.prompt}")
    except HTTPError:
        raise  # it answers
    except URLError as error:
        raise CountError(
            f"no ComfyUI answers at {settings.server}: {error.reason}. Start it, or give --server"
        ) from error


def _made_by(workflow: Prompt, place: tuple[str, str], seed: int, every: Sequence[Ask]) -> dict[str, Any]:
    """Everything that decides what the videos of a folder show."""
    prompts = {str(ask.index): [ask.prompt, dict(ask.counts)] for ask in every}
    return {
        "workflow": digest(workflow),
        "prompt node": ".".join(place),
        "seed": seed,
        "list of prompts": digest(prompts),
    }


def _claim(folder: Path, made_by: dict[str, Any], prompts: int) -> None:
    """Write down what makes the videos of a folder, or check it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / MADE_BY
    known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
    if known is None and match_videos(folder, prompts):
        raise CountError(
            f"{folder} has videos that were not made by this command. Give --videos another folder, or no --workflow"
        )
    if known not in (None, made_by):
        changed = ", ".join(name for name in made_by if known.get(name) != made_by[name])
        raise CountError(f"the videos in {folder} were made with another {changed}. Give --videos another folder")
    file.write_text(json.dumps(made_by) + "\n", encoding="utf-8")


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
            if len(files) > 1 and any(_suffix(one) in VIDEOS for one in files):
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
        if _suffix(file) in VIDEOS | PICTURES
    ]


def _suffix(file: Mapping[str, str]) -> str:
    return Path(file["filename"]).suffix.lower()


def _fetch(client: ComfyClient, files: Sequence[Reference], folder: Path, index: int) -> None:
    """Download into place; a stopped download leaves nothing that looks finished."""
    unfinished = folder / f".unfinished-{index:03d}"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    if len(files) > 1:
        for number, file in enumerate(files, start=1):
            (unfinished / f"{number:05d}{_suffix(file)}").write_bytes(client.image(file))
        unfinished.rename(folder / f"{index:03d}_frames")
        return
    name = f"{index:03d}_{Path(files[0]['filename']).name}"
    (unfinished / name).write_bytes(client.image(files[0]))
    (unfinished / name).rename(folder / name)
    unfinished.rmdir()


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
