"""ISAC Latent Selection as a node sees it: with ComfyUI's progress bar and preview, and a LATENT as the result."""

from __future__ import annotations

from typing import Any

import comfy.samplers
import comfy.utils
import latent_preview
from torch import Tensor

from ..core.isac.selection import halving
from ..core.prompts.counts import Counts
from .latent_selection import Candidate, Progress, SelectionSettings, select_candidates


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
        `latent` with the batch indices of the best candidates: a sampler with the same seed gives its pictures their
        noises.

    Raises:
        CountError: see `select_candidates`.
    """
    keep = len(latent["samples"])
    stages = halving(settings.candidates, keep, settings.steps, settings.decide_at)
    entering = [settings.candidates, *(stage.keep for stage in stages)]
    total = sum(many * (stage.last - stage.first) for many, stage in zip(entering, stages, strict=False))
    candidates = select_candidates(model, positive, negative, latent, settings, counts, _progress(model, total))
    return {**latent, "batch_index": [candidate.index for candidate in candidates[:keep]]}, candidates


def _progress(model: Any, total: int) -> Progress:
    """ComfyUI's own bar; updating it is also where a cancelled run ends."""
    bar = comfy.utils.ProgressBar(total)
    previewer = latent_preview.get_previewer(model.load_device, model.model.latent_format)

    def step_done(many: int, denoised: Tensor) -> None:
        preview = previewer and previewer.decode_latent_to_preview_image("JPEG", denoised)
        bar.update_absolute(bar.current + many, total, preview)

    return step_done


def as_table(candidates: list[Candidate], seed: int) -> str:
    """One line per candidate, best first, as text for the user."""
    lines = [f"seed {seed}: candidates from best to worst (a lower score is better)"]
    lines += [f"index {one.index}: score {one.score:.3f} after {one.steps} steps" for one in candidates]
    return "\n".join(lines)
