"""Makes the videos of CountBench in the user's own ComfyUI, by a workflow of the user's. What is there is not made again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headcount.core.errors import CountError

from demo.comfy_client import ComfyClient, Prompt

from ..lab.servers import spread
from ..lab.store import append_row, digest, read_rows
from ..lab.workflows import Reference, filled, prompt_input, read_workflow, shown_files, suffix
from .prompts import Ask
from .videos import match_videos

MADE_BY, REFUSED = "made_by.json", "refused.jsonl"


@dataclass(frozen=True)
class MakingSettings:
    """How videos are made.

    Attributes:
        servers: addresses of running ComfyUI servers, which share the work.
        workflow: file with the workflow.
        seed: the same for every prompt, as in the paper, which takes 1.
        put_in: puts a method into the workflow with its prompt at (node, input); None leaves it as it is.
        prompt_node: "ID.input" that the prompt goes into; None for the node with the title "prompt".
        output_node: id of the node that shows the video; None where there is one only.
        timeout_s: longest time for one video.
    """

    servers: Sequence[str]
    workflow: Path
    seed: int = 1
    put_in: Callable[[Prompt, tuple[str, str]], Prompt] | None = None
    prompt_node: str | None = None
    output_node: str | None = None
    timeout_s: float = 3600.0


def make_videos(
    settings: MakingSettings, asks: Sequence[Ask], every: Sequence[Ask], folder: Path, report: Callable[[str], None]
) -> None:
    """Make what is missing in `folder`. A prompt that a node refuses is noted in it, and not tried again.

    Args:
        asks: the prompts to make videos of.
        every: all prompts of the files.
        folder: for the videos, 001_... for the first prompt.

    Raises:
        CountError: no ComfyUI answers, the workflow does not fit, or the folder has videos of another workflow or seed.
        PromptError: ComfyUI refused the workflow, or the run was cancelled.
    """
    workflow = read_workflow(settings.workflow, settings.servers)
    place = prompt_input(workflow, settings.prompt_node)
    if settings.put_in is not None:
        workflow = settings.put_in(workflow, place)
    _claim(folder, _made_by(workflow, place, settings.seed, every), len(every))
    done = match_videos(folder, len(every)).keys() | refused_prompts(folder).keys()
    missing = [ask for ask in asks if ask.index not in done]
    made: list[int] = []

    def make(client: ComfyClient, ask: Ask) -> None:
        prompt = filled(workflow, place, ask.prompt, ask.counts, settings.seed)
        outputs = client.run(prompt, settings.timeout_s)
        _fetch(client, shown_files(outputs, settings.output_node), folder, ask.index)
        made.append(ask.index)
        report(f"made {len(made)} of {len(missing)}: {ask.prompt}")

    def refuse(ask: Ask, why: str) -> None:
        append_row(folder / REFUSED, {"index": ask.index, "why": why})
        report(f"prompt {ask.index} is left out, {why}: {ask.prompt}")

    spread(missing, settings.servers, make, refuse)


def refused_prompts(folder: Path) -> dict[int, str]:
    """Number of each prompt that a node refused -> what it said. Without the file they are tried again."""
    return {row["index"]: row["why"] for row in read_rows(folder / REFUSED)}


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


def _fetch(client: ComfyClient, files: Sequence[Reference], folder: Path, index: int) -> None:
    """Download into place; a stopped download leaves nothing that looks finished."""
    unfinished = folder / f".unfinished-{index:03d}"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    if len(files) > 1:
        for number, file in enumerate(files, start=1):
            (unfinished / f"{number:05d}{suffix(file)}").write_bytes(client.image(file))
        unfinished.rename(folder / f"{index:03d}_frames")
        return
    name = f"{index:03d}_{Path(files[0]['filename']).name}"
    (unfinished / name).write_bytes(client.image(files[0]))
    (unfinished / name).rename(folder / name)
    unfinished.rmdir()
