"""Runs a sampler of the user's choice so that something can happen to its state once a step, before the model sees it.

Where the tensor that the sampler asks about is its state, the state is changed in place. Other samplers keep their state to
themselves, or remember where it was; for those the change stays beside the sampler, see `state_offset`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol

import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...core.errors import CountError
from ..comfyui.compatibility import warn_of_own_attention
from .latent_offset import LatentOffset, decay_of, last_level, with_noise_level
from .step_tracker import StepTracker, known_name
from .whole_image import refuse_context_windows, whole_pictures_only

_ANOTHER = "Choose another one, such as euler, dpmpp_2m or dpmpp_2m_sde"
STEERED_KEY = "headcount_isac"
"""Of Count Control's wrapper on a model."""
REPEATED_KEY = "headcount_repeated"
"""In the `extra_args` of a finished run: True where a memory of earlier runs answered every step, so that no node saw one."""


def is_steered(model: Any) -> bool:
    """Whether Count Control moves the latent in the runs of a MODEL."""
    return bool(model.get_wrappers(WrappersMP.SAMPLER_SAMPLE, STEERED_KEY))


class BeforeStep(Protocol):
    """Called once a step, with the sampler's state.

    Args:
        x: (B, ...) the state; may be changed in place.
        sigma: (B,) noise level.
        model_options: what the sampler is about to call the model with.
        step: index from 0.

    Returns:
        The options to call the model with, the same or a changed copy.
    """

    def __call__(self, x: Tensor, sigma: Tensor, model_options: dict[str, Any], step: int) -> dict[str, Any]: ...


class _Steered:
    """One run: what `before_step` did to the state, and where the sampler's points really are."""

    def __init__(self, gate: StepTracker, before_step: BeforeStep, node: str) -> None:
        self.gate = gate
        self.offset = LatentOffset(with_noise_level)
        self.shape: torch.Size | None = None
        self._before_step = before_step
        self._node = node
        self._level = 0.0

    def ask(self, model: Any, x: Tensor, sigma: Tensor, options: dict[str, Any], **kwargs: Any) -> Tensor:
        """The model's answer to the sampler's call."""
        if x.shape != self.shape:
            raise CountError(
                f"{self._node} cannot follow this sampler: it asks the model about images of another size than the "
                f"latent's, such as parts of it. {_ANOTHER}"
            )
        if self.gate.is_state(x):
            options = self._change(x, sigma, options)
        return model(self.real(x, sigma), sigma, model_options=options, **kwargs)

    def real(self, x: Tensor, sigma: Tensor | None = None) -> Tensor:
        """What the sampler calls x, at a noise level or at that of its last call."""
        if self.offset.is_zero:
            return x
        if sigma is not None:
            self._level = float(sigma.flatten()[0])
        return self.offset.add_to(x, self._level)

    def _change(self, x: Tensor, sigma: Tensor, options: dict[str, Any]) -> dict[str, Any]:
        if not self.gate.beside:
            if not self.offset.is_zero:  # the sampler's habits were learnt: from here on it can have its state back
                x.copy_(self.real(x, sigma))
                self.offset.set(None)
            return self._before_step(x, sigma, options, self.gate.step)
        before = self.real(x, sigma)
        state = before.clone()
        options = self._before_step(state, sigma, options, self.gate.step)
        if not torch.equal(state, before):  # a run that is only watched stays as it is, to the bit
            self.offset.set(state - x, float(sigma.flatten()[0]))
        return options


def _guarded(before_step: BeforeStep, guider: Any, denoise_mask: Tensor | None, node: str) -> BeforeStep:
    """`before_step` for whole pictures only, and within the mask: the model is not shown what inpainting keeps."""

    def guarded(x: Tensor, sigma: Tensor, model_options: dict[str, Any], step: int) -> dict[str, Any]:
        before = None if denoise_mask is None else x.clone()
        options = before_step(x, sigma, whole_pictures_only(model_options, x, guider.conds.values(), node), step)
        if denoise_mask is not None and before is not None:
            x.copy_(torch.where(denoise_mask > 0, x, before))
        return options

    return guarded


class Answering(Protocol):
    """Answers a sampler's calls, with or without the model."""

    def ask(self, model: Any, x: Tensor, sigma: Tensor, options: dict[str, Any], **kwargs: Any) -> Tensor:
        """The predicted clean latent."""


class ModelProxy:
    """Stands in for the model that a sampler calls; everything but the call goes to the real one."""

    def __init__(self, model: Any, run: Answering) -> None:
        object.__setattr__(self, "_model", model)
        object.__setattr__(self, "_run", run)

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_model"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(object.__getattribute__(self, "_model"), name, value)

    def __call__(self, x: Tensor, sigma: Tensor, model_options: dict[str, Any] | None = None, **kwargs: Any) -> Tensor:
        model = object.__getattribute__(self, "_model")
        return object.__getattribute__(self, "_run").ask(model, x, sigma, model_options or {}, **kwargs)


def sampler_function(sampler: Any, node: str) -> Callable[..., Tensor]:
    """The k-diffusion function of a ComfyUI sampler.

    Raises:
        CountError: the sampler is of another kind.
    """
    function = getattr(sampler, "sampler_function", None)
    if function is None:
        raise CountError(
            f"{node} works with samplers of ComfyUI's own kind; {type(sampler).__name__} is of another. {_ANOTHER}"
        )
    return function


def run_sampler(
    executor: Any,
    guider: Any,
    sigmas: Tensor,
    extra_args: dict[str, Any],
    callback: Any,
    noise: Tensor,
    latent: Tensor,
    denoise_mask: Tensor | None,
    *rest: Any,
    before_step: BeforeStep,
    node: str,
) -> Tensor:
    """Run a SAMPLER_SAMPLE executor and call `before_step` once a step.

    The sampler object may be shared and cached, so its function is swapped for the run only. The chain of the other
    wrappers goes on as it is.

    Returns:
        The sampler's samples.

    Raises:
        CountError: the model is shown parts of the picture or of the batch, by context windows (said before the first
            step), by another node or by the sampler.
    """
    refuse_context_windows(guider, sigmas, extra_args["model_options"], noise, node)
    warn_of_own_attention(guider.inner_model, node)
    sampler = executor.class_obj
    original = sampler.sampler_function
    name = known_name(original)
    run = _Steered(StepTracker(name, len(sigmas) - 1), _guarded(before_step, guider, denoise_mask, node), node)

    @wraps(original)  # a second node of this kind in the same run knows the sampler by its name
    def steered(model: Any, noise: Tensor, levels: Tensor, *args: Any, **options: Any) -> Tensor:
        run.shape = noise.shape
        run.offset = LatentOffset(decay_of(name, model, levels, options))
        samples = original(ModelProxy(model, run), noise, levels, *args, **options)
        return run.offset.add_to(samples, last_level(name, levels))

    def after_step(step: int, denoised: Tensor, x: Tensor, total: int) -> None:
        run.gate.step_done(x)
        if callback is not None:
            callback(step, denoised, run.real(x), total)

    sampler.sampler_function = steered
    try:
        return executor(guider, sigmas, extra_args, after_step, noise, latent, denoise_mask, *rest)
    finally:
        sampler.sampler_function = original
