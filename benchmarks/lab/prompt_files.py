"""The prompts that effects are measured on: 300 for tuning and 300 for reporting, for each family of demo models.

Defaults are chosen on the tuning prompts, figures come from the reporting prompts; the two share no prompt and no seed.
FROZEN: a test holds the files' SHA-256.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "prompts"
SETS = ("tuning", "reporting")
SEEDS_APART = 64  # a search goes through seeds from a prompt's own on


@dataclass(frozen=True)
class PromptRow:
    """One prompt.

    Attributes:
        counts: noun in the singular -> how many are asked for.
        seed: of the noise that every method starts from.
        groups: names of the groups that it is in.
        colours: noun -> its colour, where the prompt names one.
    """

    prompt: str
    counts: dict[str, int]
    seed: int
    groups: list[str]
    colours: dict[str, str] = field(default_factory=dict)


def read_prompts(family: str, prompt_set: str) -> list[PromptRow]:
    """The prompts of a family ("emoji", "shapes") and set ("tuning", "reporting"); any first of them are of all groups."""
    rows = json.loads((FOLDER / f"{family}_{prompt_set}.json").read_text(encoding="utf-8"))
    return [PromptRow(**row) for row in rows]
