"""Models under torch.compile: the gradient pass runs what was compiled, uncompiled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from comfy.patcher_extension import WrappersMP
from comfy_api.torch_helpers.torch_compile import COMPILE_KEY, set_torch_compile_wrapper

from ..helpers.gradients import Whole, gradient_of, gradient_pass, latent
from ..helpers.models import tiny_setup

SIGMA = torch.full((1,), 2.0)


@pytest.fixture(autouse=True)
def fresh_compiler() -> Iterator[None]:
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    yield
    torch._dynamo.reset()


def frames() -> int:
    """How many functions were compiled."""
    return torch._dynamo.utils.counters["frames"]["total"]


@pytest.mark.parametrize("part", ["diffusion_model", "diffusion_model.time_embed"])
def test_comfyuis_wrapper_is_set_aside(part: str) -> None:
    setup = tiny_setup()
    expected = gradient_of(setup, latent(setup)).gradient
    model = setup.model.clone()
    set_torch_compile_wrapper(model=model, backend="eager", keys=[part])
    wrappers, seen = model.wrappers[WrappersMP.APPLY_MODEL], []
    wrappers["other"] = [lambda executor, *args, **kwargs: (seen.append(1), executor(*args, **kwargs))[1]]
    options = {"transformer_options": {"wrappers": model.wrappers}}
    one = gradient_pass(setup, latent(setup))
    for _ in range(2):
        assert torch.equal(one(latent(setup), SIGMA, options, Whole()).gradient, expected)
    assert frames() == 0
    assert seen == [1, 1, 1] and COMPILE_KEY in wrappers, "other wrappers run, and the model's own options stay"


def test_a_diffusion_model_that_another_pack_compiled() -> None:
    setup = tiny_setup()
    expected = gradient_of(setup, latent(setup)).gradient
    one = gradient_pass(setup, latent(setup))
    base = setup.model.model
    base.diffusion_model = compiled = torch.compile(base.diffusion_model, backend="eager")
    assert torch.equal(one(latent(setup), SIGMA, {}, Whole()).gradient, expected)
    assert base.diffusion_model is compiled
    assert frames() == 0
