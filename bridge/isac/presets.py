"""Named settings of ISAC Attention Control: what an artist chooses between instead of seven numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CUSTOM = "custom"
"""The preset that leaves every setting as the node shows it; prompts that were saved before there were presets have it."""
_SAME = {"spacing": 0.0, "bind": True, "clustering": "kmeans"}
_ANCHORED = {"objective": "anchored", "step_mode": "relative", **_SAME}
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "normal": {**_ANCHORED, "mode": "fast", "step_size": 0.08},
    "gentle": {**_ANCHORED, "mode": "fast", "step_size": 0.04},
    "strong": {**_ANCHORED, "mode": "exact", "step_size": 0.08},
    # Algorithm 1 of the paper: its objective, eta 0.01, every step.
    "paper": {"objective": "paper", "step_mode": "paper", **_SAME, "mode": "exact", "step_size": 0.01},
}
"""Preset -> values of the node's inputs. All set the same inputs."""
DEFAULT = "normal"


def preset_values(preset: str, shown: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a preset stands for: `shown`, with what the preset sets."""
    return {**shown, **PRESETS.get(preset, {})}
