"""The network computes what the published code was recorded to compute with the same weights, at a tenth of the width.

`recorded_tiny.npz`: small arrays whole, large ones by 64 probes. Unit of a difference: the recorded array's standard
deviation. The published code itself differs by 1.4e-4 between float32 paths, the slightest wrong step by 1.5e-3.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from headcount.bridge.t2icount.backbone import count_network
from headcount.core.t2icount.config import OFFICIAL, CounterConfig
from headcount.core.t2icount.network import CountNetwork

from .deterministic import CASES, checksum, weight
from .t2icount_candidate import TINY, case_arrays, filled_network, probes, training_arrays

TOLERANCE, GRADIENT_TOLERANCE = 5e-4, 3e-2  # one ReLU that flips moves a gradient by 1 %
UNUSED = re.compile(
    r"unet\.unet\.diffusion_model\.out\.|vae\.post_quant_conv\.|.*\.img2txt\.[qk]_proj\.|.*\.position_ids "
)


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    with np.load(Path(__file__).parent / "recorded_tiny.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def network() -> CountNetwork:
    return filled_network(TINY)


def agree(found: dict[str, Any], recorded: dict[str, Any], group: str) -> int:
    """How many recorded arrays were compared; fails at the first that differs."""
    names = [name.removeprefix(f"{group}/") for name in recorded if name.startswith(f"{group}/")]
    names = [name for name in names if name != "gt_x60"]
    for name in names:
        expected, value = recorded[f"{group}/{name}"].astype(np.float64), np.asarray(found[name], np.float64)
        value = value if value.shape == expected.shape else probes(value)
        if "grad" in name:
            difference = np.linalg.norm(value - expected) / np.linalg.norm(expected)
            assert difference < GRADIENT_TOLERANCE, f"{name}: {difference:.1e}"
        else:
            unit = expected.std() or abs(expected)
            difference = np.abs(value - expected).max() / unit
            assert difference < TOLERANCE, f"{name}: {difference:.1e}"
    return len(names)


@pytest.mark.parametrize(("size", "config", "entries"), [("tiny", TINY, 1001), ("full", OFFICIAL, 1161)])
def test_weights_have_the_names_and_shapes_of_the_checkpoint(
    recorded: dict[str, Any], size: str, config: CounterConfig, entries: int
) -> None:
    listed = recorded[f"keys/{size}"].tobytes().decode().splitlines()
    with torch.device("meta"):
        state = count_network(config).state_dict()
    built = {f"{key} {'x'.join(map(str, value.shape))}" for key, value in state.items()}
    assert len(listed) == entries
    assert built == {line for line in listed if not UNUSED.match(line)}
    assert len(listed) - len(built) == 23  # 16 of them lead to a softmax over one key


def test_weights_are_made_as_they_were() -> None:
    """Wrong inputs would otherwise look like a wrong network."""
    crc = {
        ("vae.encoder.mid.attn_1.q.weight", (128, 128, 1, 1)): 715967106,
        ("unet.unet.diffusion_model.output_blocks.5.2.conv.weight", (128, 128, 3, 3)): 2877939578,
        ("decoder.upsample2.text_conv.bias", (32,)): 443237791,
        ("decoder.regressor.reg_head.4.bias", (1,)): 2367812219,
    }
    assert {key: checksum(weight(*key)) for key in crc} == crc


@pytest.mark.parametrize("case", CASES[:2], ids=lambda case: case.noun)
def test_a_count_and_all_that_leads_to_it(network: CountNetwork, recorded: dict[str, Any], case: Any) -> None:
    found = case_arrays(network, case)
    assert agree(found, recorded, case.name) == (19 if case.name == "c0" else 10)


def test_a_training_step(network: CountNetwork, recorded: dict[str, Any]) -> None:
    """Losses and gradients, with the U-Net's blocks computed twice."""
    assert agree(training_arrays(network, recorded), recorded, "train") == 6 + 2 * 17
