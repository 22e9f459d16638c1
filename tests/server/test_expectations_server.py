"""In the real executor: what is sampled again, and that a node at strength 0 is no node."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from demo.server import ComfyServer

pytestmark = pytest.mark.server

SAMPLING = {"seed": 41, "steps": 2, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
VIEW = {"show": "words", "words": "", "opacity": 0.7, "scale": "per word"}
MASKS = {"instances": "found", "batch_index": 0, "threshold": 0.5}
CHECK = {"tolerance": 0, "if_none_right": "best picture", "objects": "2 circles"}
SAMPLER, DECODER = "5", "7"


def graph(patch: tuple[str, dict[str, Any]], **settings: dict[str, Any]) -> dict[str, Any]:
    """A picture, viewed, cut into masks and checked; patch: the node between model and sampler and its widgets."""
    conditioned = {"positive": ["2", 0], "negative": ["2", 0], "latent_image": ["3", 0]}
    maps = {"maps": ["4", 1], "samples": [SAMPLER, 0]}
    nodes = {
        "1": ("HeadcountLoadShapesDemoModel", {}),
        "2": ("HeadcountCountPrompt", {"clip": ["1", 1], "text": "two circles and a star", "objects": ""}),
        "3": ("EmptyLatentImage", {"width": 128, "height": 128, "batch_size": 1}),
        "4": (patch[0], {"model": ["1", 0], **patch[1]}),
        SAMPLER: ("KSampler", {"model": ["4", 0], **conditioned, **SAMPLING}),
        "6": ("HeadcountAttentionMapViewer", {**maps, **VIEW, "image": [DECODER, 0], **settings.get("viewer", {})}),
        DECODER: ("VAEDecode", {"samples": [SAMPLER, 0], "vae": ["1", 2]}),
        "8": ("HeadcountInstanceMasks", {**maps, **MASKS, **settings.get("masks", {})}),
        "9": (
            "HeadcountCountCheck",
            {"image": [DECODER, 0], "boxes": ["8", 2], **CHECK, **settings.get("check", {})},
        ),
        "A": ("MaskPreview", {"mask": ["8", 0]}),
    }
    return {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()}


PATCHES: dict[str, tuple[str, dict[str, Any]]] = {
    "recorder": ("HeadcountAttentionMapRecorder", {}),
    "isac": (
        "HeadcountIsacAttentionControl",
        {
            "strength": 1.0,
            "start_percent": 0.0,
            "end_percent": 1.0,
            "step_mode": "relative",
            "step_size": 0.08,
            "objective": "anchored",
            "spacing": 0.2,
        },
    ),
    "numina": (
        "HeadcountNuminaCountGuide",
        {
            "strength": 1.0,
            "reference_percent": 0.4,
            "method": "robust",
            "when": "auto",
            "reference_layer": -1,
            "cache": False,
        },
    ),
}


def ran(server: ComfyServer, prompt: dict[str, Any]) -> set[str]:
    """Ids of the nodes that were executed, not taken from ComfyUI's cache."""
    entry = server.wait(server.queue(prompt))
    cached = {
        node for kind, detail in entry["status"]["messages"] if kind == "execution_cached" for node in detail["nodes"]
    }
    return set(prompt) - cached


@pytest.mark.parametrize("patch", PATCHES)
def test_a_setting_of_a_view_never_samples_again(server: ComfyServer, patch: str) -> None:
    ran(server, graph(PATCHES[patch]))
    assert ran(server, graph(PATCHES[patch])) == set(), "an unchanged graph runs nothing"
    for settings in ({"opacity": 0.3}, {"words": "star"}, {"show": "regions"}, {"show": "steps"}, {"scale": "shared"}):
        assert ran(server, graph(PATCHES[patch], viewer=settings)) == {"6"}
    assert ran(server, graph(PATCHES[patch], masks={"threshold": 0.4})) - {"6"} == {"8", "9", "A"}
    assert ran(server, graph(PATCHES[patch], check={"tolerance": 2})) - {"6", "8", "A"} == {"9"}


def test_the_models_are_loaded_once(server: ComfyServer) -> None:
    """Another seed samples again; the loader and the prompt are not run anew."""
    prompt = graph(PATCHES["recorder"])
    ran(server, prompt)
    prompt[SAMPLER]["inputs"]["seed"] += 1
    assert ran(server, prompt) == {SAMPLER, "6", DECODER, "8", "9", "A"}


def bypassed(prompt: dict[str, Any]) -> dict[str, Any]:
    """What the page sends for a graph whose patch is bypassed: the sampler gets the loader's MODEL."""
    kept: dict[str, Any] = {name: prompt[name] for name in ("1", "2", "3", SAMPLER, DECODER)}
    kept[SAMPLER] = {**kept[SAMPLER], "inputs": {**kept[SAMPLER]["inputs"], "model": ["1", 0]}}
    return kept


def saved(server: ComfyServer, prompt: dict[str, Any]) -> bytes:
    """The pixels; the file also holds the prompt."""
    shown = {"class_type": "PreviewImage", "inputs": {"images": [DECODER, 0]}}
    outputs = server.run({**prompt, "Z": shown})
    return Image.open(BytesIO(server.image(outputs["Z"]["images"][0]))).tobytes()


@pytest.mark.parametrize("patch", PATCHES)
def test_bypass_and_strength_0_are_one_picture(server: ComfyServer, patch: str) -> None:
    kind, widgets = PATCHES[patch]
    off = {**widgets, **({"strength": 0.0} if "strength" in widgets else {})}
    plain = saved(server, bypassed(graph((kind, off))))
    saved(server, graph((kind, widgets)))  # what it left on the loaded model would be seen next
    assert saved(server, graph((kind, off))) == plain
