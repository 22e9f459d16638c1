"""What is looked at between random graphs: results that must stay the same bit for bit, and what the server holds.

The results are those of two fixed graphs, the canaries: one plain, one with the pack's nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import psutil
from PIL import Image

from demo.comfy_client import Prompt
from demo.server import ComfyServer, PromptError

Results = dict[str, Any]
CANARY_SECONDS = 180.0
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


def results(server: ComfyServer, prompt: Prompt, turn: int, limit_s: float = CANARY_SECONDS) -> Results:
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


def differences(
    server: ComfyServer, prompts: Mapping[str, Prompt], first: Mapping[str, Results], done: int
) -> list[str]:
    """What the canaries give otherwise than at first, after so many graphs."""
    different = []
    for name, prompt in prompts.items():
        try:
            now = results(server, prompt, done)
        except (PromptError, TimeoutError) as error:
            different.append(f"graph {done}: {name}: {error}")
            continue
        keys = first[name].keys() | now.keys()
        different += [f"graph {done}: {name}: {key}" for key in sorted(keys) if first[name].get(key) != now.get(key)]
    return different


@dataclass(frozen=True)
class State:
    """The server after so many graphs.

    Attributes:
        memory_mb: resident memory; files: open file descriptors; threads: of the process.
        temp_files, temp_mb: what lies in ComfyUI's folder for previews.
        emptied: ComfyUI's store of results was emptied before.
    """

    graphs: int
    memory_mb: float
    files: int
    threads: int
    temp_files: int
    temp_mb: float
    emptied: bool


def state_of(server: ComfyServer, graphs: int, emptied: bool) -> State:
    """Look at the server's process and its folder."""
    process = psutil.Process(server.process.pid)
    kept = [path for path in (server.base / "temp").rglob("*") if path.is_file()]
    return State(
        graphs=graphs,
        memory_mb=round(process.memory_info().rss / 1e6, 1),
        files=process.num_fds(),
        threads=process.num_threads(),
        temp_files=len(kept),
        temp_mb=round(sum(path.stat().st_size for path in kept) / 1e6, 2),
        emptied=emptied,
    )
