"""Models whose attention the nodes cannot read are refused by name, before sampling."""

from __future__ import annotations

import comfy.model_patcher
import pytest
import torch
from headcount.bridge.families import require_readable
from headcount.bridge.isac import IsacSettings, with_isac
from headcount.bridge.recorder import with_recorder
from headcount.bridge.shapes.files import load_shapes_model
from headcount.core.errors import CountError


class Flux(torch.nn.Module):
    """A model of another family, as far as the nodes look at it."""

    def __init__(self) -> None:
        super().__init__()
        self.diffusion_model = torch.nn.Linear(2, 2)


def flux() -> comfy.model_patcher.ModelPatcher:
    cpu = torch.device("cpu")
    return comfy.model_patcher.ModelPatcher(Flux(), load_device=cpu, offload_device=cpu)


def test_other_families_are_refused_by_name() -> None:
    with pytest.raises(CountError, match=r"ISAC Attention Control cannot read .*\(Flux\).*SDXL"):
        with_isac(flux(), IsacSettings())
    with pytest.raises(CountError, match=r"Attention Map Recorder cannot read .*\(Flux\)"):
        with_recorder(flux())


def test_no_model_is_said_so() -> None:
    with pytest.raises(CountError, match="connect a loader's MODEL"):
        require_readable(None, "Attention Map Recorder")


def test_u_nets_are_read() -> None:
    assert require_readable(load_shapes_model().model, "Attention Map Recorder") is None
