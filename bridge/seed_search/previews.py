"""Samples seeds as far as their plan goes, and decodes the model's prediction of the clean latent there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import comfy.model_management
import comfy.sample
import comfy.samplers
import torch
from torch import Tensor

from ...core.errors import CountError
from ..sampling.image import decoded
from .call_memory import CallMemory, can_remember, recording, remembering
from .preview_plan import PreviewPlan, plan_for
from .runs import Batches, EndSampling, Progress, how_many_fit, may_end_early
from .search import InitialLatent, Search, initial_latent
from .settings import SearchSettings

_NODE = SearchSettings.node

StepDone = Callable[[int, Tensor], None]
"""Called after each step with how many seeds took it, and (1, ...) the first one's predicted clean latent."""


@dataclass(frozen=True)
class PreviewBatch:
    """What candidates are predicted to show.

    Attributes:
        frames: (n * f, H, W, 3) f frames of each of n candidates, 0 to 1.
        frames_each: f, 1 for images.
    """

    frames: Tensor
    frames_each: int

    @property
    def images(self) -> Tensor:
        """(n, H, W, 3) one per candidate: the frame in the middle."""
        return self.frames[self.frames_each // 2 :: self.frames_each]


@dataclass(frozen=True)
class Previews:
    """Previews of one search's candidates; made by `previews_of`.

    Attributes:
        search: with a clone of the user's model.
        memory: what is kept of the candidates' own steps; None where nothing may be.
    """

    search: Search[SearchSettings]
    initial: InitialLatent
    plan: PreviewPlan
    memory: CallMemory | None = None

    def at_once(self) -> int:
        """How many candidates are previewed together: as many as may be, and as memory allows."""
        if not self.plan.together:
            return 1
        model = self.search.model
        to_load = max(0, model.model_size() - model.loaded_size())
        free = comfy.model_management.get_free_memory(model.load_device) - to_load
        return min(self.search.settings.at_once, how_many_fit(model.model, self.initial.samples.shape, free))

    def predicted(self, indices: Iterable[int], step_done: StepDone) -> Iterator[tuple[list[int], Tensor]]:
        """Candidates, and (n, C, ...) their predicted clean latents, a batch at a time."""
        at_once = self.at_once()
        return Batches(at_once).run(indices, at_once, lambda batch: self._looked_at(batch, step_done))

    def decoded(self, progress: Progress) -> Iterator[tuple[list[int], PreviewBatch]]:
        """All candidates with their previews, a batch at a time."""
        for batch, latents in self.predicted(range(self.search.settings.seeds), progress.add):
            yield batch, self.decode(latents)

    def decode(self, latents: Tensor) -> PreviewBatch:
        """What (n, C, ...) predicted clean latents show."""
        previews = decode(self.search.vae, latents, self.search.settings.frames)
        comfy.model_management.throw_exception_if_processing_interrupted()
        return previews

    def progress(self) -> Progress:
        """Counts the steps of all candidates."""
        return Progress(self.search.settings.seeds * self.plan.steps, self.search.progress)

    def varied(self, index: int, latent: Tensor, first: int, step_done: StepDone) -> Tensor:
        """(1, C, ...) the predicted clean latent of a run with the noise of candidate `index`.

        Args:
            latent: (1, C, ...) the clean latent of another candidate, which the run begins with, noised.
            first: the step that it begins with.
        """
        plan = replace(self.plan, sigmas=self.plan.sigmas[first:], steps=self.plan.steps - first)
        model = self.search.model
        if self.memory is not None:
            model = recording(model, self.memory, [index], is_variation=True)
        return self._sampled(model, [index], plan, latent, step_done)

    def keeps(self, index: int) -> bool:
        """Whether a sampler can go on where candidate `index` was looked at."""
        run = None if self.memory is None else self.memory.runs.get(index)
        return run is not None and bool(run.calls)

    def keep_only(self, indices: Iterable[int]) -> None:
        """Let go of what is kept of all other candidates: hundreds of megabytes for many seeds of many steps."""
        if self.memory is not None:
            self.memory.keep_only(indices)

    def chosen_model(self, model: Any, indices: Sequence[int]) -> Any:
        """`model` so that a sampler of these candidates goes on where they were last looked at."""
        return model if self.memory is None else remembering(model, self.memory.of(indices))

    def _looked_at(self, indices: list[int], step_done: StepDone) -> Tensor:
        model, start = self.search.model, self.initial.samples
        if self.memory is not None and self.plan.is_own:
            model = recording(model, self.memory, indices)
        latent = start.expand(len(indices), *start.shape[1:]).clone()
        return self._sampled(model, indices, self.plan, latent, step_done)

    def _sampled(
        self, model: Any, indices: list[int], plan: PreviewPlan, latent: Tensor, step_done: StepDone
    ) -> Tensor:
        predictions: list[Tensor] = []

        def after_step(step: int, denoised: Tensor, x: Tensor, total: int) -> None:
            step_done(len(indices), denoised[:1])
            comfy.model_management.throw_exception_if_processing_interrupted()
            if step + 1 >= plan.steps:
                predictions.append(denoised)
                raise EndSampling

        search = self.search
        samples = comfy.sample.sample_custom(
            model, self.initial.noise_of(indices), search.settings.cfg, comfy.samplers.sampler_object(plan.sampler),
            plan.sigmas, search.positive, search.negative, latent, noise_mask=self.initial.mask, callback=after_step,
            disable_pbar=True, seed=self.initial.seed_of(indices[0]),
        )  # fmt: skip
        if not predictions:  # the sampler has steps of its own, and has gone all of its way
            return samples
        return search.model.model.process_latent_out(predictions[0].float()).to(samples.device)


def previews_of(search: Search[SearchSettings]) -> Previews:
    """Previews of a search's candidates through a clone of its model, which is not changed.

    Whatever is on the model acts on them, ISAC too: a seed that is right without it is often wrong with it, and the other way
    round. Handles of MAPS get nothing of these runs.

    Raises:
        CountError: the inputs cannot be searched; the message says which.
    """
    if search.model is None:
        raise CountError(f"{_NODE} got no model; connect a loader's MODEL output")
    initial = initial_latent(search.model, search.latent, search.settings)
    patched = search.model.clone()
    may_end_early(patched)
    is_video = initial.samples.ndim > 4 and initial.samples.shape[2] > 1  # its states would take gigabytes
    memory = CallMemory() if can_remember(search.model) and not is_video else None
    return Previews(replace(search, model=patched), initial, plan_for(patched, search.settings), memory)


def decode(vae: Any, latents: Tensor, frames: int) -> PreviewBatch:
    """Decode (n, C, ...) clean latents; of videos, as many evenly spread frames as asked for.

    Raises:
        CountError: there is no VAE, or it is of another model.
    """
    if vae is None:
        raise CountError(f"{_NODE} got no VAE; connect the loader's VAE output, or a Load VAE node")
    if latents.ndim < 5:
        return PreviewBatch(decoded(vae, latents)[..., :3], 1)
    # One by one: a video's decoder needs much more memory than an image's.
    videos = [_spread(decoded(vae, latent[None]), frames) for latent in latents]
    return PreviewBatch(torch.cat(videos)[..., :3], len(videos[0]))


def _spread(video: Tensor, frames: int) -> Tensor:
    """(f, H, W, C) of (1, T, H, W, C) or (T, H, W, C): the middles of f equal parts."""
    video = video.reshape(-1, *video.shape[-3:])
    many = max(1, min(frames, len(video)))
    return video[[int((part + 0.5) * len(video) / many) for part in range(many)]]
