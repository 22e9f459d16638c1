"""Runs a sampler of the user's choice so that something can happen to its state once a step, before the model sees it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol

from torch import Tensor

from ..core.errors import CountError
from .state_gate import UNSUPPORTED, StateGate


class AtState(Protocol):
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


class _ModelProxy:
    """Stands in for the model that a sampler calls; everything but the call goes to the real one."""

    def __init__(self, model: Any, before_call: Callable[[Tensor, Tensor, dict[str, Any]], dict[str, Any]]) -> None:
        object.__setattr__(self, "_model", model)
        object.__setattr__(self, "_before_call", before_call)

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_model"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(object.__getattribute__(self, "_model"), name, value)

    def __call__(self, x: Tensor, sigma: Tensor, model_options: dict[str, Any] | None = None, **kwargs: Any) -> Tensor:
        options = object.__getattribute__(self, "_before_call")(x, sigma, model_options or {})
        return object.__getattribute__(self, "_model")(x, sigma, model_options=options, **kwargs)


def sampler_function(sampler: Any, node: str) -> Callable[..., Tensor]:
    """The k-diffusion function of a ComfyUI sampler.

    Raises:
        CountError: the sampler is of another kind, or asks the model about other things than its state.
    """
    function = getattr(sampler, "sampler_function", None)
    if function is None:
        raise CountError(f"{node} works with ComfyUI's own samplers; {type(sampler).__name__} is of another kind")
    name = getattr(function, "__name__", "")
    if name in UNSUPPORTED:
        raise CountError(
            f"{node} cannot steer this sampler ({name}), because {UNSUPPORTED[name]}. "
            "Choose another one, such as euler, dpmpp_2m or dpmpp_2m_sde"
        )
    return function


def run_sampler(
    executor: Any,
    guider: Any,
    sigmas: Tensor,
    extra_args: dict[str, Any],
    callback: Any,
    *rest: Any,
    at_state: AtState,
    node: str,
) -> Tensor:
    """Run a SAMPLER_SAMPLE executor and call `at_state` once a step.

    The sampler object may be shared and cached, so its function is swapped for the run only. The chain of the other
    wrappers goes on as it is.

    Returns:
        The sampler's samples.

    Raises:
        CountError: after the first step, the sampler turns out not to ask about its state.
    """
    sampler = executor.class_obj
    original = sampler.sampler_function
    gate = StateGate(getattr(original, "__name__", ""))

    def before_call(x: Tensor, sigma: Tensor, model_options: dict[str, Any]) -> dict[str, Any]:
        return at_state(x, sigma, model_options, gate.step) if gate.is_state(x) else model_options

    @wraps(original)  # a second node of this kind in the same run knows the sampler by its name
    def steered(model: Any, *args: Any, **kwargs: Any) -> Tensor:
        return original(_ModelProxy(model, before_call), *args, **kwargs)

    def after_step(step: int, denoised: Tensor, x: Tensor, total: int) -> None:
        gate.step_done(x)
        if gate.lost and gate.step == 1 and total > 1:
            raise CountError(
                f"{node} cannot follow this sampler: it asks the model about copies of its state. "
                "Choose another one, such as euler, dpmpp_2m or dpmpp_2m_sde"
            )
        if callback is not None:
            callback(step, denoised, x, total)

    sampler.sampler_function = steered
    try:
        return executor(guider, sigmas, extra_args, after_step, *rest)
    finally:
        sampler.sampler_function = original
