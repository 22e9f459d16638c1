"""Runs the example workflows about counting with other prompts and hands back what they show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .comfy_client import ComfyClient, Prompt
from .workflow_runs import Pictures, pictures_of, with_widgets, workflow_prompt

COUNTER, CHECK = "HeadcountT2ICountCounter", "HeadcountCountCheck"
UNTIL_RIGHT, REPORT = "Draw until the number is right", "Does it help on your model"


@dataclass(frozen=True)
class Counting:
    """What a counting workflow shows.

    Attributes:
        counted: what T2ICount Counter shows: per picture, one overlay for each noun.
        counts: what it counted, one line per picture.
        saved: the pictures behind Save Image.
        plain: the pictures behind Preview Image.
        verdicts: Count Check's verdict on each picture; empty without one.
    """

    counted: Pictures
    counts: list[str]
    saved: Pictures
    plain: Pictures
    verdicts: list[str]


def run_counting(client: ComfyClient, name: str, text: str, seed: int, pictures: int) -> Counting:
    """Run workflows/<name>.json for a prompt."""
    seeded = ("KSampler", "HeadcountCountSearch", "HeadcountCountSearchCandidates")
    settings: dict[str, dict[str, Any]] = {node: {"seed": seed} for node in seeded}
    settings |= {node: {"batch_size": pictures} for node in ("EmptyLatentImage", "HeadcountLoadDemoModel")}
    settings["HeadcountCountPrompt"] = {"text": text}
    prompt = with_widgets(workflow_prompt(client, name), settings)
    outputs = client.run(prompt)

    def shown(kind: str) -> Pictures:
        done = [outputs[node] for node in _of(prompt, kind) if node in outputs]  # Count Check may have stopped the rest
        return [picture for output in done for picture in pictures_of(client, output)]

    def told(kind: str) -> list[str]:
        lines = [
            line for node in _of(prompt, kind) for line in outputs[node]["headcount_result"][0]["table"].splitlines()
        ]
        return [line.partition(": ")[2] for line in lines if line.startswith("image ")]

    return Counting(shown(COUNTER), told(COUNTER), shown("SaveImage"), shown("PreviewImage"), told(CHECK))


def run_until_right(client: ComfyClient, text: str, seed: int) -> np.ndarray:
    """What `UNTIL_RIGHT` saves for a prompt."""
    settings = {"HeadcountGenerateUntilRight": {"text": text, "seed": seed}}
    prompt = with_widgets(workflow_prompt(client, UNTIL_RIGHT), settings)
    (saved,) = _of(prompt, "SaveImage")
    return pictures_of(client, client.run(prompt)[saved])[0]


def run_report(client: ComfyClient) -> np.ndarray:
    """What `REPORT` saves."""
    prompt = workflow_prompt(client, REPORT)
    (saved,) = _of(prompt, "SaveImage")
    return pictures_of(client, client.run(prompt, timeout_s=3600.0)[saved])[0]


def run_as_saved(client: ComfyClient, name: str, kinds: dict[str, str]) -> list[list[tuple[str, np.ndarray]]]:
    """Run workflows/<name>.json as it is. Returns a line of captioned pictures for each of `kinds`: caption to node class."""
    prompt = workflow_prompt(client, name)
    outputs = client.run(prompt)
    shown = {caption: [outputs[node] for node in _of(prompt, kind)] for caption, kind in kinds.items()}
    return [[(caption, one) for node in nodes for one in pictures_of(client, node)] for caption, nodes in shown.items()]


def _of(prompt: Prompt, kind: str) -> list[str]:
    return [node for node, placed in prompt.items() if placed["class_type"] == kind]


def lined_up(captions: list[str], pictures: Pictures, columns: int) -> list[list[tuple[str, np.ndarray]]]:
    """Captioned pictures in lines of so many."""
    cells = list(zip(captions, pictures, strict=True))
    return [cells[start : start + columns] for start in range(0, len(cells), columns)]
