"""Apple's GPUs refuse float64, and older ones bfloat16: no run asks for them there."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import comfy.sample
import comfy.samplers
import pytest
import torch
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.numina.node import with_numina
from headcount.bridge.numina.settings import NuminaSettings
from headcount.bridge.recording.recorder import with_recorder
from headcount.core.attention.grids import pixel_sources, resize_back
from torch import Tensor

from ..helpers.models import Run, Setup, shapes_setup, start

PACK = Path(__file__).resolve().parents[2]
OURS = tuple(str(PACK / folder) for folder in ("core", "bridge", "nodes"))
LEAVES = {Tensor.cpu, Tensor.numpy, Tensor.tolist, Tensor.item}


class OnApple(Tensor):
    """A tensor that refuses float64 and bfloat16 where this pack's code asks for them, as older Apple GPUs do.

    What is computed with one is one; `cpu()` makes it a usual one.
    """

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = super().__torch_function__(func, types, args, kwargs or {})
        if func in LEAVES:
            return result.as_subclass(Tensor) if isinstance(result, Tensor) else result
        for one in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(one, OnApple) and one.dtype in (torch.float64, torch.bfloat16) and (place := _our_line()):
                raise TypeError(f"Cannot convert a MPS Tensor to {one.dtype}: {place}")
        return result


def _our_line() -> str | None:
    """The innermost line of the pack that is being run, unless ComfyUI's or a library's code lies below it."""
    frame = sys._getframe(1)
    while frame is not None and (frame.f_code.co_filename == __file__ or "/torch/" in frame.f_code.co_filename):
        frame = frame.f_back
    if frame is None or not frame.f_code.co_filename.startswith(OURS):
        return None
    return "".join(traceback.format_list(traceback.extract_stack(frame, 1))).strip()


@pytest.fixture(autouse=True)
def gradients_on_apple(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Autograd gives plain tensors; on a device its results lie there."""
    real = torch.autograd.grad

    def grad(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
        return tuple(one.as_subclass(OnApple) if isinstance(one, Tensor) else one for one in real(*args, **kwargs))

    monkeypatch.setattr(torch.autograd, "grad", grad)
    yield


def sample_on_apple(model: Any, setup: Setup, run: Run) -> Tensor:
    """KSampler, with latents and noise levels of such a device."""
    latent, noise = start(setup, run)
    sigmas = comfy.samplers.KSampler(model, run.steps, torch.device("cpu"), run.sampler, run.scheduler).sigmas
    with torch.inference_mode():
        return comfy.sample.sample(
            model,
            noise.as_subclass(OnApple),
            run.steps,
            run.cfg,
            run.sampler,
            run.scheduler,
            setup.positive,
            setup.negative,
            latent.as_subclass(OnApple),
            sigmas=sigmas.as_subclass(OnApple),
            disable_pbar=True,
            seed=run.seed,
        )


METHODS = {
    "recorder": lambda model: with_recorder(model),
    "anchored": lambda model: with_isac(model, IsacSettings()),
    "paper": lambda model: with_isac(model, IsacSettings("paper", "relative", 0.02)),
    "numina": lambda model: with_numina(model, NuminaSettings()),
}


def test_a_tensor_of_that_device_refuses() -> None:
    tensor = torch.ones(2).as_subclass(OnApple)
    assert tensor.double().dtype == torch.float64, "code outside of the pack may"
    assert isinstance(tensor * 2, OnApple) and not isinstance(tensor.cpu(), OnApple)


@pytest.mark.parametrize(
    ("method", "sampler"), [*((name, "euler") for name in METHODS), ("recorder", "sa_solver"), ("paper", "uni_pc")]
)
def test_runs_ask_for_no_float64_there(method: str, sampler: str) -> None:
    setup = shapes_setup()
    model, maps = METHODS[method](setup.model)
    samples = sample_on_apple(model, setup, Run(sampler, steps=2))
    assert isinstance(samples, Tensor) and torch.isfinite(samples).all()
    assert maps.record_for(samples)[0].steps


@pytest.mark.parametrize("target", [(4, 6), (9, 5)])
def test_cells_of_a_resized_grid(target: tuple[int, int]) -> None:
    """The shares of the cells are reckoned in float64, and handed to the device in its own type."""
    pixels = torch.arange(target[0] * target[1]).as_subclass(OnApple)
    index, weight = pixel_sources(pixels, (6, 8), target, torch.float32)
    assert isinstance(index, OnApple) and weight.dtype == torch.float32
    gradient = torch.rand(2, target[0] * target[1]).as_subclass(OnApple)
    assert resize_back(gradient, (6, 8), target).dtype == torch.float32
