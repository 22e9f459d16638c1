"""The example workflows, and what takes the place of model files that are not to be had here."""

from __future__ import annotations

from typing import Any

FOR_LARGE_MODELS = ("wan_numina", "sd15_isac", "sdxl_isac", "sd35_isac", "flux_isac", "flux_numina")
"""Their model files are gigabytes; tests/server/test_model_workflows.py runs some with small models."""


def with_shipped_counter(prompt: dict[str, Any]) -> dict[str, Any]:
    """The shipped counter in place of the T2ICount authors' file, with a noun that it knows. Changes `prompt`."""
    for placed in prompt.values():
        if placed["inputs"].get("model_name") == "best_model_paper.pth":
            placed["inputs"]["model_name"] = "shapes_counter.safetensors"
            [counter] = [other for other in prompt.values() if other["class_type"] == "HeadcountT2ICountCounter"]
            counter["inputs"]["text"] = "circles"
    return prompt
