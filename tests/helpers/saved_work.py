"""Work that people saved with an earlier release, kept as it was: tests/data/saved_0.4, whose README says what is in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .comfy_page import without_page_values

FOLDER = Path(__file__).resolve().parent.parent / "data" / "saved_0.4"
WORKFLOWS = [*sorted((FOLDER / "workflows").glob("*.json")), FOLDER / "blueprint_placed.json"]
BLUEPRINT = FOLDER / "Generate N objects.json"
AFTER_A_RUN = sorted((FOLDER / "after_a_run").glob("*.json"))
PICTURE = FOLDER / "after_a_run" / "shapes_count.png"
PROMPTS: dict[str, dict[str, Any]] = json.loads((FOLDER / "prompts.json").read_text())
"""Name of a workflow -> what the page of its day queued for it."""
FEW_STEPS = {
    "KSampler": {"steps": 2},
    "EmptyLatentImage": {"batch_size": 1},
    "HeadcountIsacLatentSelection": {"steps": 2, "candidates": 2},
    "HeadcountCountSearch": {"steps": 2, "seeds": 2},
    "HeadcountCountSearchCandidates": {"steps": 2, "seeds": 2},
    "HeadcountCountCheck": {"if_none_right": "best picture"},
}
"""Settings with which a run takes little time, and ends in a picture although few steps draw nothing that is right."""


def lost(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What a prompt said that another one says otherwise or not at all; nodes may have got further inputs."""
    before, now = without_page_values(before), without_page_values(now)
    found = [f"{node}: another node" for node, placed in before.items() if _class(now, node) != placed["class_type"]]
    for node, placed in before.items():
        inputs = now.get(node, {}).get("inputs", {})
        found += [
            f"{node} {placed['class_type']}.{name}: {value!r} became {inputs.get(name)!r}"
            for name, value in placed["inputs"].items()
            if name not in inputs or inputs[name] != value
        ]
    return found


def _class(prompt: dict[str, Any], node: str) -> str | None:
    return prompt.get(node, {}).get("class_type")
