"""ISAC Latent Selection: runs many candidates a little way and keeps those whose attention promises the asked counts.

Reference: ISAC_LS, Algorithm 2 of "ISAC: Training-Free Instance-to-Semantic Attention Control" (arXiv 2505.20935v4).
Changed, unless the score is "algorithm 2": candidates are dropped along the way instead of running to the end, the score is
a choice (see `core.isac.selection`), and the image itself comes from an ordinary run of the chosen noise with the user's
sampler.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import comfy.sample
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...core.errors import CountError
from ..comfyui.node_text import NodeResult
from ..families.family import Family
from ..families.table import family_of
from ..sampling.whole_image import refuse_context_windows
from .attention_scorer import AttentionRun
from .pool import CandidatePool, ScoredCandidate
from .runs import may_end_early
from .search import InitialLatent, Search, SearchResult, initial_latent
from .settings import SelectionSettings

_NODE = SelectionSettings.node
_KEY = "headcount_selection"
_OWN_KEYS = "headcount"


def select_latent(search: Search[SelectionSettings]) -> SearchResult:
    """`select_candidates` with ComfyUI's progress bar and preview."""
    return select_candidates(search.with_progress())


def select_candidates(search: Search[SelectionSettings]) -> SearchResult:
    """All candidates, best first; those that were dropped early come last.

    Other nodes of this pack do not act on the candidates. The latent of the result has the batch indices of the best ones, in
    place of any that it had: a sampler with the same seed gives its images their noises. With "algorithm 2" it holds the best
    ones' own samples instead, as a sampler's output does.

    Raises:
        CountError: a family that cannot be read, a latent that is not one image, or settings that leave nothing to choose.
    """
    settings = search.settings
    family = family_of(search.model, _NODE)
    initial = initial_latent(search.model, search.latent, settings, by_index=True)
    if initial.samples.ndim > 4 and initial.samples.shape[2] > 1:
        raise CountError(
            f"{_NODE} reads images; this latent is a video of {initial.samples.shape[2]} latent frames. Connect an "
            "empty latent of one image"
        )
    samples = None
    if settings.stages(initial.wanted, settings.steps):
        candidates, samples = _scored(search, family, initial)
    else:
        candidates = [ScoredCandidate(index) for index in range(settings.candidates)]
    table = score_table(candidates, settings.seed)
    best = [candidate.index for candidate in candidates]
    latent, seed = initial.chosen(best)
    if settings.goes_to_the_end and samples is not None:
        of_empty = ("downscale_ratio_spacial", "downscale_ratio_temporal")  # which KSampler takes off, too
        latent = {name: value for name, value in search.latent.items() if name not in of_empty}
        latent["samples"] = samples[best[: initial.wanted]]
    return SearchResult(candidates, latent, seed, table, _result_of(candidates[0], table))


def score_table(candidates: Sequence[ScoredCandidate], seed: int) -> str:
    """One line per candidate, best first, as text for the user."""
    if not any(candidate.steps for candidate in candidates):
        return f"seed {seed}: all {len(candidates)} candidates are kept, so none was tried"
    lines = [f"seed {seed}: candidates from best to worst (a lower score is better)"]
    lines += [f"index {one.index}: score {one.score:.3f} after {one.steps} steps" for one in candidates]
    return "\n".join(lines)


def _result_of(best: ScoredCandidate, table: str) -> NodeResult:
    chosen = f"chosen: index {best.index}, score {best.score:.3f}" if best.steps else "nothing to choose"
    return NodeResult(chosen, table=table)


def _scored(
    search: Search[SelectionSettings], family: Family, initial: InitialLatent
) -> tuple[list[ScoredCandidate], Tensor]:
    """The candidates, best first, and their samples in the order of their indices, finished where all go to the end."""
    settings = search.settings
    patched, pools = _with_candidates(search, family)
    noise = initial.noise_of(range(settings.candidates))
    samples = comfy.sample.sample(
        patched, noise, settings.steps, settings.cfg, settings.sampler, settings.scheduler, search.positive,
        search.negative, initial.samples.repeat(len(noise), *[1] * (noise.ndim - 1)), denoise=settings.denoise,
        noise_mask=initial.mask, disable_pbar=True, seed=settings.seed,
    )  # fmt: skip
    if not pools:
        raise CountError(f"{_NODE} has no step to try candidates in: raise steps or denoise")
    return pools[-1].candidates(), samples


def _with_candidates(search: Search[SelectionSettings], family: Family) -> tuple[Any, list[CandidatePool]]:
    """A clone of the model whose sampling runs are runs of candidates, and the list that gets the pool of each run.

    What other nodes of this pack put on the model is left out: steering would take a gradient of every candidate, and a
    recorder is there for the image.
    """
    patched = search.model.clone()
    for kind, wrappers in patched.wrappers.items():
        for key in [key for key in wrappers if str(key).startswith(_OWN_KEYS)]:
            patched.remove_wrappers_with_key(kind, key)
    for kind, callbacks in patched.callbacks.items():
        for key in [key for key in callbacks if str(key).startswith(_OWN_KEYS)]:
            patched.remove_callbacks_with_key(kind, key)
    active: list[AttentionRun] = []
    pools: list[CandidatePool] = []

    def sample(executor, guider, sigmas, extra_args, callback, noise, *rest):  # noqa: ANN001, ANN202 - ComfyUI's signature
        refuse_context_windows(guider, sigmas, extra_args["model_options"], noise, _NODE)
        run = AttentionRun(search, family, guider, sigmas, noise, executor.class_obj)

        def after_step(step: int, denoised: Tensor, x: Tensor, total: int) -> None:
            run.gate.step_done(x)
            if callback is not None:
                callback(step, denoised, x, total)

        active.append(run)
        pools.append(run.pool)
        try:
            with run.noise:
                samples = executor(guider, sigmas, extra_args, after_step, noise, *rest)
        finally:
            active.clear()
        run.pool.end()
        return samples

    may_end_early(patched)
    patched.add_wrapper_with_key(WrappersMP.PREPARE_SAMPLING, _KEY, _room_for_one)
    patched.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, _KEY, sample)
    patched.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, _KEY, lambda *call, **more: active[0].predict(*call, **more))
    patched.add_wrapper_with_key(WrappersMP.CALC_COND_BATCH, _KEY, lambda *call: active[0].ask(*call))
    return patched, pools


def _room_for_one(executor: Any, model: Any, shape: Any, *args: Any, **kwargs: Any) -> Any:
    """ComfyUI frees memory for as many pictures as the sampler has; candidates take what the model leaves."""
    return executor(model, [1, *shape[1:]], *args, **kwargs)
