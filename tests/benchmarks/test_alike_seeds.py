"""The model that is made to collapse: seeds start alike, and what comes later is their own."""

from __future__ import annotations

import pytest
import torch

from benchmarks.lab.alike_seeds import COMMON, OWN, with_alike_seeds

from ..helpers.models import smallest


@pytest.mark.parametrize("flow", [False, True])
def test_only_full_runs_begin_alike(flow: bool) -> None:
    model = smallest(flow).model
    plain, alike = (one.get_model_object("model_sampling") for one in (model, with_alike_seeds(model)))
    noises = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    empty, given = torch.zeros_like(noises), noises.clone()
    begun = alike.noise_scaling(plain.sigma_max, noises, empty, True)
    assert torch.corrcoef(begun.flatten(1))[0, 1] > 0.97 and torch.equal(noises, given)
    assert begun.std() == pytest.approx(float(plain.noise_scaling(plain.sigma_max, noises, empty, True).std()), rel=0.1)
    middle = plain.percent_to_sigma(0.2)
    later = [one.noise_scaling(torch.tensor(middle), noises.clone(), empty) for one in (plain, alike)]
    assert torch.equal(*later) and pytest.approx(1, abs=1e-3) == COMMON**2 + OWN**2
