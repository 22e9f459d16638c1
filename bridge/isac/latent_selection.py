"""ISAC Latent Selection: runs many candidates a little way and keeps those whose attention promises the asked counts.

Reference: ISAC_LS, Algorithm 2 of "ISAC: Training-Free Instance-to-Semantic Attention Control" (arXiv 2505.20935v4).
Changed: candidates are dropped along the way instead of running to the end, the score is a choice (see
`core.isac.selection`), and the picture itself comes from an ordinary run of the chosen noise with the user's sampler.
"""

from __future__ import annotations

from typing import Any

import comfy.sample
import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...core.errors import CountError
from ...core.isac import halving
from ...core.prompts import Counts
from ..comfyui.progress import SamplingProgress
from ..families.table import family_of
from ..sampling.start_latent import start_samples
from ..sampling.whole_image import refuse_context_windows
from .candidate_run import CandidateRun, Decided, Selection
from .candidates import NODE, Candidate, SelectionSettings, Standings

_KEY = "headcount_selection"
_OWN_KEYS = "headcount"


def select_candidates(
    model: Any,
    positive: Any,
    negative: Any,
    latent: dict[str, Any],
    settings: SelectionSettings,
    counts: Counts | None = None,
    progress: SamplingProgress | None = None,
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
    patched, finished = _with_candidates(model, Selection(family, settings, keep, counts, progress))
    # The noises that samplers give to pictures with these batch indices; ComfyUI's own function seeds all of torch.
    noise = comfy.sample.prepare_noise_inner(samples, torch.Generator().manual_seed(settings.seed), indices)
    comfy.sample.sample(
        patched, noise, settings.steps, settings.cfg, settings.sampler, settings.scheduler, positive, negative,
        samples.repeat(len(indices), *[1] * (samples.ndim - 1)), denoise=settings.denoise, noise_mask=mask,
        disable_pbar=True, seed=settings.seed,
    )  # fmt: skip
    if not finished:
        raise CountError(f"{NODE} has no step to try candidates in: raise steps or denoise")
    return finished[-1].candidates()


def _one_picture(model: Any, latent: dict[str, Any], settings: SelectionSettings) -> tuple[Tensor, Tensor | None]:
    """The latent's picture (1, ...) and its mask (1, 1, h, w), however often they are repeated."""
    samples, mask = latent["samples"], latent.get("noise_mask")
    if samples.is_nested:
        raise CountError(f"{NODE} reads pictures; this latent holds several streams, such as video and sound")
    samples = start_samples(model, latent, NODE)
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


def _with_candidates(model: Any, selection: Selection) -> tuple[Any, list[Standings]]:
    """A clone of `model` whose sampling runs are runs of candidates, and the list that gets the standings of each run.

    What other nodes of this pack put on the model is left out: steering would take a gradient of every candidate, and a
    recorder is there for the picture.
    """
    patched = model.clone()
    for kind, wrappers in patched.wrappers.items():
        for key in [key for key in wrappers if str(key).startswith(_OWN_KEYS)]:
            patched.remove_wrappers_with_key(kind, key)
    for kind, callbacks in patched.callbacks.items():
        for key in [key for key in callbacks if str(key).startswith(_OWN_KEYS)]:
            patched.remove_callbacks_with_key(kind, key)
    active: list[CandidateRun] = []
    finished: list[Standings] = []

    def sample(executor, guider, sigmas, extra_args, callback, noise, *rest):  # noqa: ANN001, ANN202 - ComfyUI's signature
        refuse_context_windows(guider, sigmas, extra_args["model_options"], noise, NODE)
        run = CandidateRun(selection, guider, sigmas, noise, executor.class_obj)

        def after_step(step: int, denoised: Tensor, x: Tensor, total: int) -> None:
            run.gate.step_done(x)
            if callback is not None:
                callback(step, denoised, x, total)

        active.append(run)
        try:
            with run.noise:
                noise = executor(guider, sigmas, extra_args, after_step, noise, *rest)
            run.standings.end()
        except Decided:  # the candidates themselves are not needed
            pass
        finally:
            active.clear()
        finished.append(run.standings)
        return noise

    patched.add_wrapper_with_key(WrappersMP.PREPARE_SAMPLING, _KEY, _room_for_one)
    patched.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, _KEY, sample)
    patched.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, _KEY, lambda *call, **more: active[0].predict(*call, **more))
    patched.add_wrapper_with_key(WrappersMP.CALC_COND_BATCH, _KEY, lambda *call: active[0].ask(*call))
    return patched, finished


def _room_for_one(executor: Any, model: Any, shape: Any, *args: Any, **kwargs: Any) -> Any:
    """ComfyUI frees memory for as many pictures as the sampler has; candidates take what the model leaves."""
    return executor(model, [1, *shape[1:]], *args, **kwargs)
