"""Files of T2ICount networks: the authors' names load, everything else is said by name."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from headcount.bridge.t2icount.backbone import count_network
from headcount.core.errors import CountError
from headcount.core.t2icount.checkpoint import config_named, config_of, load_network
from headcount.core.t2icount.config import OFFICIAL, SHAPES, plain_backbone
from torch import Tensor

from ..helpers.counting_sets import TINY, tiny_network

KEYS = Path(__file__).parents[1] / "parity" / "recorded_tiny.npz"
ANY = "decoder.upsample1.text_conv.weight"


@pytest.fixture
def state() -> dict[str, Tensor]:
    return dict(tiny_network().state_dict())


@pytest.fixture(scope="module")
def official() -> dict[str, Tensor]:
    """The recorded names and shapes of the authors' checkpoint, without numbers."""
    with np.load(KEYS) as arrays:
        lines = arrays["keys/full"].tobytes().decode().splitlines()
    named = (line.rpartition(" ") for line in lines)
    return {name: torch.empty([int(n) for n in shape.split("x") if n], device="meta") for name, _, shape in named}


def test_the_authors_checkpoint(official: dict[str, Tensor]) -> None:
    assert len(official) == 1161 and config_of(official) is OFFICIAL
    network = load_network(official, count_network)
    assert network.config is OFFICIAL and set(network.state_dict()) < set(official)


def test_without_position_ids_as_newer_libraries_save_it(official: dict[str, Tensor]) -> None:
    newer = {name: value for name, value in official.items() if not name.endswith("position_ids")}
    assert len(newer) == 1160
    load_network(newer, count_network)


def test_inside_a_resume_file(state: dict[str, Tensor]) -> None:
    resume: dict[str, Any] = {"epoch": 3, "optimizer_state_dict": {"state": {}}, "model_state_dict": state}
    assert torch.equal(load_network(resume, count_network, TINY).state_dict()[ANY], state[ANY])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_tensors_are_taken_over_not_copied(state: dict[str, Tensor], dtype: torch.dtype) -> None:
    given = {name: value.to(dtype) for name, value in state.items()}
    taken = load_network(given, count_network, TINY).state_dict()
    assert set(taken) == set(given)
    assert all(
        taken[name].data_ptr() == value.data_ptr() and taken[name].dtype == dtype for name, value in given.items()
    )


def test_it_counts_as_the_network_that_was_saved(state: dict[str, Tensor]) -> None:
    saved, loaded = tiny_network(), load_network(state, count_network, TINY)
    tokens, mask = torch.tensor([[1, 3, 1, 1, 1, 1]]), torch.tensor([[0.0, 1, 0, 0, 0, 0]])
    pixels = torch.rand(1, 3, TINY.window, TINY.window)
    with torch.no_grad():
        expected, found = (n(pixels, n.embed_text(tokens, mask)).density for n in (saved, loaded))
    assert torch.equal(expected, found) and not loaded.training
    assert not any(weight.requires_grad for weight in loaded.parameters())


def test_the_shapes_counter_is_found_by_its_shapes() -> None:
    with torch.device("meta"):
        network = count_network(SHAPES)
    assert load_network(network.state_dict(), count_network).config is SHAPES
    assert config_named("shapes") is SHAPES and config_named("official") is OFFICIAL


def test_a_plain_backbone_is_found_by_what_it_lacks() -> None:
    plain = plain_backbone(SHAPES)
    with torch.device("meta"):
        network = count_network(plain)
    assert load_network(network.state_dict(), count_network).config == plain == config_named("shapes backbone")


def test_everything_that_is_wrong_is_named(state: dict[str, Tensor]) -> None:
    state["decoder.extra.weight"] = torch.zeros(1)
    state["decoder.regressor.norm1.weight"] = torch.zeros(5)
    gone = [name for name in state if name.startswith("vae.encoder.down.0")]
    for name in gone:
        del state[name]
    with pytest.raises(CountError) as error:
        load_network(state, count_network, TINY)
    text = str(error.value)
    assert text.startswith("this is not a complete T2ICount checkpoint (tiny size)")
    assert f"{len(gone)} missing: {', '.join(gone[:5])}, ..." in text
    assert "1 unknown: decoder.extra.weight;" in text
    assert "1 of another shape: decoder.regressor.norm1.weight (5,) instead of (32,)" in text


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["model.diffusion_model.input_blocks.0.0.weight", "first_stage_model.x"], "but a Stable Diffusion checkpoint"),
        (["lora_unet_down_blocks_0.lora_up.weight"], "but a LoRA"),
        (["diffusion_model.x"], "but a diffusion model"),
        (["some.other.weight"], "this file is not a T2ICount checkpoint: it has no"),
        ([], "this file is not a T2ICount checkpoint: it has no"),
    ],
)
def test_other_models_are_told(names: list[str], kind: str) -> None:
    with pytest.raises(CountError, match=f"{re.escape(kind)}.*best_model_paper.pth"):
        load_network({name: torch.zeros(3) for name in names}, count_network)


def test_an_unknown_size(state: dict[str, Tensor]) -> None:
    known = r"official \(4 into 320\), shapes \(8 into 64\), emoji \(12 into 64\)"
    with pytest.raises(CountError, match=f"turns 4 latent channels into 32; known are {known}"):
        load_network(state, count_network)
    with pytest.raises(
        CountError, match="of the size 'huge'; this version of Headcount knows only official, shapes, emoji"
    ):
        config_named("huge")


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.bool, torch.uint8, torch.complex64])
def test_weights_of_another_type(state: dict[str, Tensor], dtype: torch.dtype) -> None:
    with pytest.raises(
        CountError, match=r"1 of another type \(quantised weights cannot be read\): decoder.*"
    ) as raised:
        load_network({**state, ANY: state[ANY].to(dtype)}, count_network, TINY)
    assert f"{ANY} {str(dtype).removeprefix('torch.')}" in str(raised.value) and str(raised.value).count("\n") == 0


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2]
)
def test_floats_of_any_size_are_read(state: dict[str, Tensor], dtype: torch.dtype) -> None:
    given = {name: value.to(dtype) if value.is_floating_point() else value for name, value in state.items()}
    assert load_network(given, count_network, TINY).to(torch.float32).state_dict()[ANY].equal(given[ANY].float())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float8_e5m2])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_no_numbers(state: dict[str, Tensor], dtype: torch.dtype, value: float) -> None:
    broken = state[ANY].clone()
    broken.view(-1)[-1] = value
    with pytest.raises(CountError, match=rf"^1 tensors hold values that are not numbers \(NaN or infinite\): {ANY}\."):
        load_network({**state, ANY: broken.to(dtype)}, count_network, TINY)
