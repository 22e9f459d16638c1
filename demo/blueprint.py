"""Writes subgraphs/*.json: ready groups of nodes that ComfyUI's page lists in its node library."""

from __future__ import annotations

import json
from typing import Any

from .comfy_host import ROOT
from .node_widgets import SEED_CONTROL
from .subgraph_file import Port, Subgraph, subgraph_file
from .workflow_file import Group, Placed
from .workflow_parts import BLUE, GREEN, PROMPTS
from .workflow_to_prompt import ObjectInfo

FOLDER = ROOT / "subgraphs"
NAME = "Generate N objects"
_DESCRIPTION = (
    "Draws the number of things that the prompt asks for: Count Prompt, ISAC Attention Control, KSampler and VAE Decode. "
    "Connect a model, its text encoder and its VAE, and set size, steps and cfg to what the model likes. "
    "Another seed gives other pictures."
)
_UNWANTED = "blurry, deformed, text, watermark"  # an empty box would show no more than the name "text" in it
_SIZE = (400, 640)
_PROMPT, _NEGATIVE, _LATENT = "HeadcountCountPrompt", "CLIPTextEncode", "EmptyLatentImage"
_ISAC, _SAMPLER, _DECODE = "HeadcountIsacAttentionControl", "KSampler", "VAEDecode"
INPUTS = (
    Port("model", _ISAC, "model"),
    Port("clip", _PROMPT, "clip"),
    Port("clip", _NEGATIVE, "clip"),
    Port("vae", _DECODE, "vae"),
    Port("prompt", _PROMPT, "text"),
    Port("negative prompt", _NEGATIVE, "text"),
    Port("width", _LATENT, "width"),
    Port("height", _LATENT, "height"),
    Port("pictures", _LATENT, "batch_size"),
    Port("strength", _ISAC, "strength"),
    Port("mode", _ISAC, "mode"),
    *(Port(name, _SAMPLER, name) for name in ("seed", "steps", "cfg", "sampler_name", "scheduler")),
)
OUTPUTS = (
    Port("IMAGE", _DECODE, "IMAGE"),
    Port("LATENT", _SAMPLER, "LATENT"),
    Port("MAPS", _ISAC, "MAPS"),
    Port("COUNTS", _PROMPT, "COUNTS"),
    Port("summary", _PROMPT, "summary"),
)


def _inside() -> tuple[Group, ...]:
    """The nodes; what comes from outside is connected afterwards."""
    links = {"model": ("isac", "MODEL"), **PROMPTS, "latent_image": ("latent", "LATENT")}
    return (
        Group(
            *("Prompt and size", BLUE, (0, 0)),
            (
                (
                    380,
                    (
                        Placed("prompt", _PROMPT, {}, {"text": "three cats and two dogs"}),
                        Placed("negative", _NEGATIVE, {}, {"text": _UNWANTED}, "Negative prompt"),
                        Placed("latent", _LATENT),
                    ),
                ),
            ),
        ),
        Group(
            *("Steer and sample", GREEN, (480, 0)),
            (
                (320, (Placed("isac", _ISAC, {}, {"mode": "fast"}),)),
                (
                    300,
                    (
                        # the page shows this control at the subgraph's seed
                        Placed("sampler", _SAMPLER, links, {SEED_CONTROL: "randomize"}),
                        Placed("decode", _DECODE, {"samples": ("sampler", "LATENT")}),
                    ),
                ),
            ),
        ),
    )


def blueprint(schemas: ObjectInfo) -> dict[str, Any]:
    """The content of subgraphs/Generate N objects.json for nodes with these schemas."""
    return subgraph_file(Subgraph(NAME, _DESCRIPTION, _inside(), INPUTS, OUTPUTS, _SIZE), schemas)


def write_blueprint(schemas: ObjectInfo) -> None:
    """Write the file."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{NAME}.json").write_text(json.dumps(blueprint(schemas), indent=1) + "\n")
