"""ISAC Latent Selection as a node sees it: with ComfyUI's progress bar and preview, and a LATENT as the result."""

from __future__ import annotations

from typing import Any

import comfy.samplers

from ...core.prompts import Counts
from ..comfyui.node_text import NodeResult
from ..comfyui.progress import sampling_progress
from .candidates import Candidate, SelectionSettings
from .latent_selection import select_candidates


def sampler_names() -> list[str]:
    """ComfyUI's samplers, other packs' included."""
    return list(comfy.samplers.KSampler.SAMPLERS)


def scheduler_names() -> list[str]:
    """ComfyUI's schedulers, other packs' included."""
    return list(comfy.samplers.KSampler.SCHEDULERS)


def select_latent(
    model: Any,
    positive: Any,
    negative: Any,
    latent: dict[str, Any],
    settings: SelectionSettings,
    counts: Counts | None = None,
) -> tuple[dict[str, Any], list[Candidate]]:
    """The latent to sample from, and how every candidate fared, best first.

    Returns:
        `latent` with the batch indices of the best candidates, in place of any that it had: a sampler with the same seed
        gives its pictures their noises.

    Raises:
        CountError: see `select_candidates`.
    """
    candidates = select_candidates(model, positive, negative, latent, settings, counts, sampling_progress(model))
    kept = candidates[: len(latent["samples"])]
    return {**latent, "batch_index": [candidate.index for candidate in kept]}, candidates


def as_table(candidates: list[Candidate], seed: int) -> str:
    """One line per candidate, best first, as text for the user."""
    if not any(one.steps for one in candidates):
        return f"seed {seed}: all {len(candidates)} candidates are kept, so none was tried"
    lines = [f"seed {seed}: candidates from best to worst (a lower score is better)"]
    lines += [f"index {one.index}: score {one.score:.3f} after {one.steps} steps" for one in candidates]
    return "\n".join(lines)


def as_result(candidates: list[Candidate], table: str) -> NodeResult:
    """What the node says: its choice, then the `table` of these candidates."""
    best = candidates[0]
    return NodeResult(
        f"chosen: index {best.index}, score {best.score:.3f}" if best.steps else "nothing to choose", table=table
    )
