"""Writes what the pack's T2ICount network computes with known weights, under the names of the recorded results.

`python tests/parity/t2icount_candidate.py --size tiny --out candidate.npz` from the pack's folder; with `--recorded` it
also takes the inputs of the recorded losses, training step and transform from there. Tiny is the official network at a
tenth of the width.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from demo.comfy_host import register_pack

register_pack()
from headcount.core.t2icount.config import OFFICIAL, CounterConfig, EncoderConfig, TextConfig, UNetConfig  # noqa: E402
from headcount.core.t2icount.counting import CountSettings, count_picture  # noqa: E402
from headcount.core.t2icount.cross_attention import AttentionMaps  # noqa: E402
from headcount.core.t2icount.losses import (  # noqa: E402
    LossSettings,
    counting_loss,
    gather_evidence,
    regression_loss,
    similarity_loss,
)
from headcount.core.t2icount.network import CountNetwork  # noqa: E402
from headcount.core.t2icount.transform import Choices, Labelled, augmented  # noqa: E402
from headcount.core.t2icount.windows import cut_windows, window_corners  # noqa: E402

from tests.parity.deterministic import CASES, DATA_CHOICES, Case, checksum, picture, tokens, weight  # noqa: E402
from training.comfyui import network_builder  # noqa: E402

TINY = replace(
    OFFICIAL,
    name="tiny",
    text=TextConfig(layers=2, inner=512),
    encoder=EncoderConfig(channels=32),
    unet=UNetConfig(channels=32),
    stages=(64, 32, 32),
)
SIZES = {"tiny": TINY, "full": OFFICIAL}
PROBES = 64


def filled_network(config: CounterConfig) -> CountNetwork:
    """The network with the weights that its keys give, each of them in memory once."""
    build = network_builder()
    with torch.device("meta"):
        network = build(config)
    weights = {key: torch.from_numpy(weight(key, value.shape)) for key, value in network.state_dict().items()}
    network.load_state_dict(weights, assign=True)
    return network.eval()


def as_windows(case: Case, side: int) -> Tensor:
    """(N, 3, side, side) pixels in -1..1."""
    pixels = torch.from_numpy(picture(case)).permute(2, 0, 1) / 255 * 2 - 1
    return cut_windows(pixels, window_corners(case.height, case.width, side), side)


@torch.no_grad()
def case_arrays(network: CountNetwork, case: Case) -> dict[str, Any]:
    """Everything that is recorded of one picture, without the case's name."""
    windows = as_windows(case, network.config.window)
    text = network.embed_text(*(torch.from_numpy(part)[None] for part in tokens(case)))
    repeated, latent, maps = text.each_repeated(len(windows)), network.encode(windows), AttentionMaps()
    counted = network.count_latent(latent, repeated, with_attention=True)
    features = network.diffusion_model(latent, repeated.hidden, maps)
    decoded = network.decoder.decode(features, repeated.vector)
    whole = count_picture(network, torch.from_numpy(picture(case)) / 255, text, CountSettings("native"))
    found: dict[str, Any] = {
        "image": picture(case),
        "latent": latent,
        "text_hidden": text.hidden,
        "density_crops": counted.density,
        "sim_x2": counted.coarse_similarity,
        "sim_x1": counted.fine_similarity,
        "fused_attn": counted.attention,
        "density_full": whole.density[0],
        "count": whole.numbers[0],
        "count_float64_sum": whole.density.double().sum(),
    }
    found |= {f"feat{feature.shape[-1]}": feature for feature in features}
    found |= {f"upsample{index + 1}_feat": feature for index, feature in enumerate(decoded.features)}
    found |= {f"upsample{index + 1}_text": vector for index, vector in enumerate(decoded.texts)}
    for side, attention in maps.per_token().items():
        found[f"attn{side}"] = attention
        found[f"attn{side}_prompt_mean"] = torch.einsum("bthw,bt->bhw", attention, text.mask / text.mask.sum())
    return {name: np.asarray(value) for name, value in found.items()}


def loss_arrays(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Losses and their gradients on the recorded inputs."""
    truth, density, similarity, attention, region = (
        torch.from_numpy(recorded[f"loss/{name}"]) for name in ("gt_x60", "pred", "sim", "attn", "img_mask")
    )
    density.requires_grad_()
    similarity.requires_grad_()
    settings, scale = LossSettings(), OFFICIAL.density_scale
    evidence = gather_evidence(truth, region, attention, settings, scale)
    regression = regression_loss(density, truth, settings, scale)
    tied = similarity_loss(similarity, evidence)
    (regression + tied).backward()
    return {"reg": regression.item(), "rrc": tied.item(), "grad_pred": density.grad, "grad_sim": similarity.grad}


def training_arrays(network: CountNetwork, recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Losses and gradients of one training step on the first case; the network's blocks are checkpointed."""
    case, truth, settings = CASES[0], torch.from_numpy(recorded["train/gt_x60"]), LossSettings()
    region = torch.ones_like(truth)
    network.checkpoint_blocks(True)
    network.requires_grad_(True)
    text = network.embed_text(*(torch.from_numpy(part)[None] for part in tokens(case)))
    maps = network(as_windows(case, network.config.window), text, with_attention=True)
    losses = counting_loss(maps, truth, region, network.config, settings)
    losses.total.backward()
    evidence = gather_evidence(truth, region, maps.attention, settings, network.config.density_scale)
    found: dict[str, Any] = {
        "reg": losses.regression.item(),
        "rrc_stage1": losses.coarse_similarity.item(),
        "rrc_stage2": losses.fine_similarity.item(),
        "loss": losses.total.item(),
        "an_fraction": (maps.attention >= settings.attention).double().mean().item(),
        "p_fraction": evidence.positive.double().mean().item(),
    }
    for name in recorded:
        kind, _, key = name.removeprefix("train/").partition("/")
        if kind == "grad_norm":
            gradient = network.get_parameter(key).grad.flatten()
            found[f"grad_norm/{key}"] = gradient.double().norm().item()
            found[f"grad_probe/{key}"] = probes(gradient)
    return found


def data_arrays(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Training windows out of the second case's picture."""
    density, region = (torch.from_numpy(recorded[f"data/{name}"]).float() for name in ("den_in", "mask_in"))
    labelled = Labelled(torch.from_numpy(picture(CASES[1])), density, region, CASES[1].noun)
    found: dict[str, Any] = {}
    for name, *choices in DATA_CHOICES:
        example = augmented(labelled, Choices(*choices), OFFICIAL)
        found[f"{name}/image_u8"] = ((example.pixels + 1) * 127.5).round().to(torch.uint8)
        found[f"{name}/density48"] = example.density / OFFICIAL.density_scale
        found[f"{name}/mask48"] = example.region
    return found


def probes(values: Any) -> Any:
    """At most 64 numbers of many, evenly spread."""
    flat = values.reshape(-1)
    return flat[:: max(1, len(flat) // PROBES)][:PROBES]


def wrong_fills(path: Path, network: CountNetwork) -> list[str]:
    """Keys whose shape or weights differ from a recorded list of them, and those that are not in it."""
    listed = {row["key"]: row for row in json.loads(path.read_text())["keys"]}
    return [
        key
        for key, value in network.state_dict().items()
        if key not in listed
        or list(value.shape) != listed[key]["shape"]
        or checksum(value.numpy()) != listed[key]["fill_crc32"]
    ]


def main() -> None:
    """Compute and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=tuple(SIZES), default="tiny")
    parser.add_argument("--cases", nargs="*", default=[case.name for case in CASES])
    parser.add_argument(
        "--recorded", type=Path, help="recorded .npz: also losses, training windows and, at the same size, a step"
    )
    parser.add_argument("--keys", type=Path, help="recorded list of keys: compare names, shapes and weights with it")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    network = filled_network(SIZES[given.size])
    if given.keys and (wrong := wrong_fills(given.keys, network)):
        sys.exit(f"{len(wrong)} keys differ from {given.keys}: {', '.join(wrong[:5])}")
    arrays: dict[str, Any] = {}
    for case in CASES:
        if case.name in given.cases:
            arrays |= {f"{case.name}/{name}": value for name, value in case_arrays(network, case).items()}
    if given.recorded:
        recorded = np.load(given.recorded)
        arrays |= {f"loss/{name}": value for name, value in loss_arrays(recorded).items()}
        arrays |= {f"data/{name}": value for name, value in data_arrays(recorded).items()}
        if f'"size": "{given.size}"' in str(recorded["meta"]):
            arrays |= {f"train/{name}": value for name, value in training_arrays(network, recorded).items()}
    np.savez(given.out, **arrays)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{len(arrays)} arrays in {given.out}, {peak:.1f} GiB at the most")


if __name__ == "__main__":
    main()
