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
    "HeadcountCountRepair": {"steps": 2, "rounds": 1},
    "HeadcountCountReport": {"steps": 2},
    "HeadcountGenerateUntilRight": {"steps": 2, "tries": 2, "rounds": 1},
}
"""Settings with which a run takes little time, and ends in a picture although few steps draw nothing that is right."""


def lost(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What a prompt said that another one says otherwise or not at all; nodes may have got further inputs."""
    before, now = _named(before), _named(now)
    found = [f"{node}: gone" for node in before.keys() - now.keys()]
    for node in before.keys() & now.keys():
        found += [
            f"{node}.{name}: {value!r} became {now[node].get(name)!r}"
            for name, value in before[node].items()
            if name not in now[node] or now[node][name] != value
        ]
    return sorted(found)


def _named(prompt: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Inputs of every node, by its class and number among those of its class: a page may give nodes of a subgraph other ids."""
    prompt = without_page_values(prompt)
    names: dict[str, str] = {}
    for node in sorted(prompt, key=lambda node: [int(part) for part in node.split(":")]):
        kind = prompt[node]["class_type"]
        names[node] = f"{kind} {sum(name.startswith(f'{kind} ') for name in names.values()) + 1}"

    def named(value: Any) -> Any:
        return [names[value[0]], value[1]] if isinstance(value, list) else value

    return {
        names[node]: {name: named(value) for name, value in placed["inputs"].items()} for node, placed in prompt.items()
    }
