"""The rows of docs/placement.md, each as a graph in the real server, on the Shapes model.

Workflow "Wan 2.2 - the right number in a video" (test_model_workflows.py) is the row of two-model samplers; counters, Count
Check and Count Repair have files of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import save_file

from demo.comfy_client import Prompt
from demo.server import ComfyServer
from demo.workflow_runs import pictures_of

from ..helpers.controlnets import random_controlnet
from ..helpers.loras import lora_file
from ..helpers.models import shapes_setup
from .test_expectations_server import PATCHES

pytestmark = pytest.mark.server

SAMPLING = {"seed": 41, "steps": 3, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
ISAC, ISAC_WIDGETS = PATCHES["isac"]
LOADER = ["model", 0]
Node = tuple[str, dict[str, Any]]


@pytest.fixture(scope="module")
def furnished(server: ComfyServer) -> ComfyServer:
    """The server with a LoRA and a ControlNet for the Shapes model among its files."""
    network = random_controlnet().control_model.state_dict()
    files = {"loras/test.safetensors": lora_file(shapes_setup()), "controlnet/test.safetensors": network}
    for name, tensors in files.items():
        path: Path = server.base / "models" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({key: value.contiguous() for key, value in tensors.items()}, path)
    return server


def pictures(server: ComfyServer, nodes: dict[str, Node], shown: str = "decoded") -> np.ndarray:
    """(B, H, W, 3) what the node `shown` gives, in a graph of these nodes and what all graphs have."""
    usual = {
        "model": ("HeadcountLoadShapesDemoModel", {}),
        "prompt": ("HeadcountCountPrompt", {"clip": ["model", 1], "text": "two circles and a star", "objects": ""}),
        "empty": ("EmptyLatentImage", {"width": 128, "height": 128, "batch_size": 1}),
        "isac": (ISAC, {"model": LOADER, **ISAC_WIDGETS}),
        "decoded": decoder("sampler"),
        "shown": ("PreviewImage", {"images": [shown, 0]}),
    }
    every: Prompt = {name: {"class_type": kind, "inputs": given} for name, (kind, given) in {**usual, **nodes}.items()}
    return np.stack(pictures_of(server, server.run(every)["shown"]))


def sampler(model: list[Any], latent: str = "empty", positive: str = "prompt", **changes: Any) -> Node:
    conditioned = {"positive": [positive, 0], "negative": ["prompt", 0], "latent_image": [latent, 0]}
    return "KSampler", {"model": model, **conditioned, **SAMPLING, **changes}


def decoder(samples: str) -> Node:
    return "VAEDecode", {"samples": [samples, 0], "vae": ["model", 2]}


def lora(model: list[Any]) -> Node:
    return "LoraLoaderModelOnly", {"model": model, "lora_name": "test.safetensors", "strength_model": 0.3}


def adapter(model: list[Any]) -> Node:
    return "TestPictureAdapter", {"model": model}


@pytest.fixture(scope="module")
def steered_alone(furnished: ComfyServer) -> np.ndarray:
    """What Count Control makes where nothing else is in the graph."""
    return pictures(furnished, {"sampler": sampler(["isac", 0])})


@pytest.mark.parametrize(("patch", "both_orders"), [(lora, True), (adapter, False)])
def test_a_patch_of_the_model(
    patch: Callable[[list[Any]], Node], both_orders: bool, furnished: ComfyServer, steered_alone: np.ndarray
) -> None:
    """Before Count Control; a LoRA also behind it, to the same picture."""
    patched = {"patch": patch(LOADER)}
    plain = pictures(furnished, {**patched, "sampler": sampler(["patch", 0])})
    before = {**patched, "isac": (ISAC, {"model": ["patch", 0], **ISAC_WIDGETS}), "sampler": sampler(["isac", 0])}
    steered = pictures(furnished, before)
    assert not np.array_equal(steered, plain) and not np.array_equal(steered, steered_alone)
    if both_orders:
        behind = pictures(furnished, {"patch": patch(["isac", 0]), "sampler": sampler(["patch", 0])})
        assert np.array_equal(behind, steered)


def test_a_controlnet(furnished: ComfyServer, steered_alone: np.ndarray) -> None:
    """Behind Count Prompt, whose counts it hands on."""
    applied = {"positive": ["prompt", 0], "negative": ["prompt", 0], "control_net": ["net", 0], "image": ["hint", 0]}
    control = {
        "net": ("ControlNetLoader", {"control_net_name": "test.safetensors"}),
        "hint": ("EmptyImage", {"width": 128, "height": 128, "batch_size": 1, "color": 0x80FF40}),
        "control": ("ControlNetApplyAdvanced", {**applied, "strength": 1.0, "start_percent": 0.0, "end_percent": 1.0}),
    }
    plain = pictures(furnished, {**control, "sampler": sampler(LOADER, positive="control")})
    steered = pictures(furnished, {**control, "sampler": sampler(["isac", 0], positive="control")})
    assert not np.array_equal(steered, plain) and not np.array_equal(steered, steered_alone)


def test_a_hires_fix_and_a_detailer(furnished: ComfyServer, steered_alone: np.ndarray) -> None:
    """Both sample again with the MODEL before Count Control; the detailer leaves what is beside its crop alone."""
    larger = {"upscale_method": "bilinear", "width": 192, "height": 192, "crop": "disabled"}
    hires = {
        "sampler": sampler(["isac", 0]),
        "larger": ("LatentUpscale", {"samples": ["sampler", 0], **larger}),
        "second": sampler(LOADER, "larger", denoise=0.5),
        "decoded again": decoder("second"),
    }
    assert pictures(furnished, hires, "decoded again").shape == (1, 192, 192, 3)
    detailer = {
        "sampler": sampler(["isac", 0]),
        "crop": ("ImageCrop", {"image": ["decoded", 0], "x": 32, "y": 16, "width": 64, "height": 64}),
        "scaled": ("ImageScale", {"image": ["crop", 0], **larger, "width": 128, "height": 128}),
        "encoded": ("VAEEncode", {"pixels": ["scaled", 0], "vae": ["model", 2]}),
        "second": sampler(LOADER, "encoded", denoise=0.5),
        "detail": decoder("second"),
        "small": ("ImageScale", {"image": ["detail", 0], **larger, "width": 64, "height": 64}),
        "pasted": (
            "ImageCompositeMasked",
            {"destination": ["decoded", 0], "source": ["small", 0], "x": 32, "y": 16, "resize_source": False},
        ),
    }
    changed = (pictures(furnished, detailer, "pasted") != steered_alone).any(axis=(0, 3))
    assert changed[16:80, 32:96].any() and not changed[:16].any() and not changed[:, :32].any()


def test_two_samplers(furnished: ComfyServer, steered_alone: np.ndarray) -> None:
    """The first step is steered, the second sampler goes on with the MODEL before Count Control."""
    noise = {**{name: value for name, value in SAMPLING.items() if name not in ("seed", "denoise")}, "noise_seed": 41}
    conditioned = {"positive": ["prompt", 0], "negative": ["prompt", 0], **noise}

    def half(model: list[Any], latent: str, first: int, last: int) -> Node:
        whole = {"start_at_step": first, "end_at_step": last, "model": model, "latent_image": [latent, 0]}
        begins = {
            "add_noise": "disable" if first else "enable",
            "return_with_leftover_noise": "disable" if first else "enable",
        }
        return "KSamplerAdvanced", {**conditioned, **whole, **begins}

    def drawn(first: list[Any]) -> np.ndarray:
        return pictures(furnished, {"half": half(first, "empty", 0, 1), "sampler": half(LOADER, "half", 1, 3)})

    plain, steered = drawn(LOADER), drawn(["isac", 0])
    assert not np.array_equal(steered, plain) and not np.array_equal(steered, steered_alone)
