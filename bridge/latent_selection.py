"""ISAC Latent Selection: runs many candidates a little way and keeps those whose attention promises the asked counts.

Reference: ISAC_LS, Algorithm 2 of "ISAC: Training-Free Instance-to-Semantic Attention Control" (arXiv 2505.20935v4).
Changed: candidates are dropped along the way instead of running to the end, the score is a choice (see
`core.isac.selection`), and the picture itself comes from an ordinary run of the chosen noise with the user's sampler.
"""

from __future__ import annotations

from typing import Any

import comfy.sample
import torch
from torch import Tensor

from ..core.errors import CountError
from ..core.isac.selection import halving
from ..core.prompts.counts import Counts
from .candidate_run import Progress, Selection, with_candidate_run
from .candidates import NODE, Candidate, SelectionSettings
from .families.table import family_of


def select_candidates(
    model: Any,
    positive: Any,
    negative: Any,
    latent: dict[str, Any],
    settings: SelectionSettings,
    counts: Counts | None = None,
    progress: Progress | None = None,
) -> list[Candidate]:
    """All candidates, best first; those that were dropped early come last.

    Args:
        model: ComfyUI's MODEL with whatever patches; it is not changed. Other nodes of this pack do not act on the
            candidates.
        positive, negative: CONDITIONING.
        latent: LATENT; as many candidates as it has pictures are carried to the decision.
        counts: used where the positive conditioning carries none.

    Raises:
        CountError: a family that cannot be read, a latent that is not one picture, or settings that leave nothing to
            choose.
    """
    family = family_of(model, NODE)
    samples, mask = _one_picture(model, latent, settings)
    keep, indices = len(latent["samples"]), list(range(settings.candidates))
    if not halving(settings.candidates, keep, settings.steps, settings.decide_at):
        return [Candidate(index) for index in indices]
    patched, runs = with_candidate_run(model, Selection(family, settings, keep, counts, progress))
    # The noises that samplers give to pictures with these batch indices; ComfyUI's own function seeds all of torch.
    noise = comfy.sample.prepare_noise_inner(samples, torch.Generator().manual_seed(settings.seed), indices)
    comfy.sample.sample(
        patched, noise, settings.steps, settings.cfg, settings.sampler, settings.scheduler, positive, negative,
        samples.repeat(len(indices), *[1] * (samples.ndim - 1)), denoise=settings.denoise, noise_mask=mask,
        disable_pbar=True, seed=settings.seed,
    )  # fmt: skip
    if not runs:
        raise CountError(f"{NODE} has no step to try candidates in: raise steps or denoise")
    return runs[-1].standings.candidates()


def _one_picture(model: Any, latent: dict[str, Any], settings: SelectionSettings) -> tuple[Tensor, Tensor | None]:
    """The latent's picture (1, ...) and its mask (1, 1, h, w), however often they are repeated."""
    samples, mask = latent["samples"], latent.get("noise_mask")
    if samples.is_nested:
        raise CountError(f"{NODE} reads pictures; this latent holds several streams, such as video and sound")
    samples = comfy.sample.fix_empty_latent_channels(model, samples)
    if samples.ndim > 4 and samples.shape[2] > 1:
        raise CountError(f"{NODE} reads pictures; this latent is a video of {samples.shape[2]} latent frames")
    if settings.candidates < len(samples):
        raise CountError(
            f"{NODE} chooses {len(samples)} of {settings.candidates} candidates: the latent has {len(samples)} pictures. "
            "Raise candidates, or lower the latent's batch size"
        )
    mask = None if mask is None else mask.reshape(-1, 1, *mask.shape[-2:])
    for what, batch in (("pictures", samples), ("masks", mask)):
        if batch is not None and not torch.equal(batch, batch[:1].expand_as(batch)):
            raise CountError(
                f"{NODE} tries noises for one picture, and got a latent of {len(batch)} different {what}: "
                "choose one with Latent From Batch"
            )
    return samples[:1], None if mask is None else mask[:1]
