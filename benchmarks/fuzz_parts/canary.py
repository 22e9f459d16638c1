"""Two fixed graphs, one plain and one with the pack's nodes, whose results must stay the same bit for bit all the while."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from demo.comfy_client import Prompt
from demo.server import ComfyServer

Results = dict[str, Any]
_SAMPLING = {"seed": 7, "steps": 3, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
_ISAC = {"strength": 1.0, "start_percent": 0.0, "end_percent": 1.0, "step_mode": "relative", "step_size": 0.08}
_NUMINA = {"strength": 1.0, "reference_percent": 0.4, "method": "robust", "when": "steps", "reference_layer": -1}


def _graph(sampled: str) -> dict[str, tuple[str, dict[str, Any]]]:
    conditioned = {"positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0]}
    return {
        "1": ("HeadcountLoadShapesDemoModel", {}),
        "3": ("CLIPTextEncode", {"clip": ["1", 1], "text": ""}),
        "4": ("EmptyLatentImage", {"width": 64, "height": 64, "batch_size": 2}),
        "5": ("KSampler", {"model": [sampled, 0], **conditioned, **_SAMPLING}),
        "6": ("VAEDecode", {"samples": ["5", 0], "vae": ["1", 2]}),
        "7": ("PreviewImage", {"images": ["6", 0]}),
    }


def canaries() -> dict[str, Prompt]:
    """Name -> graph: without any node of the pack but the loader, and with ISAC, NUMINA, viewer and counter."""
    text = "three circles and a star"
    plain = {**_graph("1"), "2": ("CLIPTextEncode", {"clip": ["1", 1], "text": text})}
    packed = {
        **_graph("9"),
        "2": ("HeadcountCountPrompt", {"clip": ["1", 1], "text": text}),
        "8": ("HeadcountIsacAttentionControl", {"model": ["1", 0], **_ISAC, "objective": "anchored", "spacing": 0.2}),
        "9": ("HeadcountNuminaCountGuide", {"model": ["8", 0], **_NUMINA, "cache": False}),
        "A": (
            "HeadcountAttentionMapViewer",
            {"maps": ["8", 1], "samples": ["5", 0], "show": "words", "words": "", "opacity": 0.7, "scale": "shared"},
        ),
        "B": ("HeadcountLoadT2ICountModel", {"model_name": "shapes_counter.safetensors", "precision": "fp32"}),
        "C": (
            "HeadcountT2ICountCounter",
            {"t2icount": ["B", 0], "image": ["6", 0], "text": "circles, stars", "scale": "short side"},
        ),
        "D": ("PreviewAny", {"source": ["C", 7]}),
    }
    return {name: _prompt(graph) for name, graph in (("plain", plain), ("with the pack", packed))}


def _prompt(graph: dict[str, tuple[str, dict[str, Any]]]) -> Prompt:
    return {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in graph.items()}


def results(server: ComfyServer, prompt: Prompt, turn: int, limit_s: float) -> Results:
    """Every picture and text that the graph shows, computed anew by the models that are loaded.

    Args:
        turn: another number each time: an input that no node knows, which keeps ComfyUI from handing out what it has.
    """
    fresh = {
        name: {**node, "inputs": {**node["inputs"], "turn": turn}} if node["class_type"] == "KSampler" else node
        for name, node in prompt.items()
    }
    shown = server.wait(server.queue(fresh), limit_s, limit_s)["outputs"]
    found: Results = {}
    for node, outputs in shown.items():
        for index, reference in enumerate(outputs.get("images", [])):
            picture = np.asarray(Image.open(BytesIO(server.image(reference))))
            found[f"{node}.{index}"] = (picture.shape, picture.tobytes())
        found[node] = outputs.get("text")
    return found
