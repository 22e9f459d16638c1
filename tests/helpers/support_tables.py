"""The README's table of models: every row is a run of that architecture, not a promise."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

import torch
from headcount.bridge.families.table import RECORDED_FAMILIES, family_of
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.prompts.conditionings import counted_conditionings
from headcount.bridge.recording.recorder import with_recorder
from headcount.bridge.views.instances import find_instances
from headcount.bridge.views.viewer import ViewSettings, view_maps
from headcount.core.errors import CountError

from .every_model import CONFIGS, classes_of, skeleton
from .families import NEWER, SMALL, Small, built
from .models import Run, Setup, sample, shapes_setup
from .video_models import VIDEOS, built_video

_HEAD = ("model", "what was run", "Recorder, Viewer, Masks", "ISAC", "Count Prompt finds the words of")
_OBJECTIVES: dict[str, dict[str, Any]] = {"anchored": {}, "paper": {"step_mode": "paper", "step_size": 0.01}}
_ENCODERS = {
    "l": "CLIP-L",
    "g": "CLIP-G",
    "h": "CLIP-H",
    "t5xxl": "T5",
    "umt5xxl": "UMT5",
    "qwen25_7b": "Qwen 2.5",
    "gemma2_2b": "Gemma 2",
    "gemma": "Gemma 3",
    "qwen3_4b": "Qwen 3",
    "qwen3_8b": "Qwen 3",
    "qwen3vl_4b": "Qwen 3 VL",
    "qwen3vl_8b": "Qwen 3 VL",
    "qwen3vl_32b": "Qwen 3 VL",
    "gemma3_12b": "Gemma 3",
    "llama": "Llama 3",
    "mistral3_24b": "Mistral 3; its tokenizer could not be tried here",
}


def family_table() -> list[str]:
    """Markdown lines: what works on which architecture, tried in this process."""
    rows = [_row("Shapes demo model", "itself, trained", shapes_setup(), Run(steps=3), "its own encoder")]
    small = [(one, built(one.name)) for one in SMALL] + [(one, built_video(one.name)) for one in VIDEOS]
    rows += [_row(one.name, _what(setup), setup, one.run(), _words(one, setup)) for one, setup in small]
    lines = [_HEAD, ("---",) * len(_HEAD), *rows]
    unread = [name for family in RECORDED_FAMILIES for name in family.unread]
    return [
        *(f"| {' | '.join(cells)} |" for cells in lines),
        "",
        "*Random* means a small model of ComfyUI's own classes with random weights: it shows that words, image and steering",
        "reach the right places of the architecture, not how well a trained model counts. Videos are recorded frame by frame",
        "of their latent. Count Prompt, Count Search and Count Check work with every model; the other nodes refuse by name,",
        "before the first step, any that is not in the table. Of ComfyUI's own list these are:",
        *wrap(", ".join(refused_models()), 120),
        "and, of classes that are read, " + ", ".join(unread) + ".",
        f"Where ComfyUI is new enough to have them, {', '.join(NEWER)} is read and steered, too.",
    ]


def refused_models() -> list[str]:
    """Names of ComfyUI's classes of models that no family reads, in alphabetical order."""
    models = {classes_of(config) for config in CONFIGS}
    return sorted(
        {
            model.__name__
            for model, diffusion in models
            if not any(family.has(skeleton(model, diffusion).model) for family in RECORDED_FAMILIES)
        }
    )


def _row(name: str, what: str, setup: Setup, run: Run, words: str) -> tuple[str, ...]:
    plain = sample(setup.model, setup, run)
    return name, what, _yes(_records(setup, run, plain)), _isac(setup, run, plain), words


def _what(setup: Setup) -> str:
    weights = sum(weight.numel() for weight in setup.model.model.diffusion_model.parameters())
    return f"random, {weights / 1e6:.1f} M weights"


def _records(setup: Setup, run: Run, plain: torch.Tensor) -> bool:
    """The picture is the same to the bit, and its maps give views and masks."""
    try:
        model, maps = with_recorder(setup.model)
        recorded = sample(model, setup, run)
        views = [view_maps(maps, recorded, None, ViewSettings(show)) for show in ("words", "regions", "steps")]
        masks = find_instances(maps, recorded, 0, "asked", 0.5).masks
    except CountError:
        return False
    drawn = all(bool(torch.isfinite(view.pictures).all()) and len(view.pictures) for view in views)
    return torch.equal(plain, recorded) and drawn and len(masks) == setup.counts.total


def _isac(setup: Setup, run: Run, plain: torch.Tensor) -> str:
    """The objectives that change the picture and leave it finite."""
    works = []
    for objective, options in _OBJECTIVES.items():
        try:
            model, _ = with_isac(setup.model, IsacSettings(objective=objective, **options))
            steered = sample(model, setup, run)
        except CountError:
            continue
        if bool(torch.isfinite(steered).all()) and not torch.equal(plain, steered):
            works.append(f"*{objective}*")
    return ", ".join(works) or "no"


def _words(one: Small, setup: Setup) -> str:
    """The encoders at whose places the nouns were found, where they are where they should be."""
    text, options = setup.positive[0]
    try:
        counted = counted_conditionings(
            [{"cross_attn": text, **options}], "this table", family_of(setup.model, "this table", RECORDED_FAMILIES)
        )
    except CountError:
        return "no"
    if counted[0].target.tokens != one.nouns:
        return "no"
    keys = list(dict.fromkeys(stretch.encoder for stretch in counted[0].text_layout.stretches))
    shared = ["l", "g"] if {"l", "g"} <= set(one.lengths) and keys[0] in ("l", "g") else keys[:1]
    return ", ".join(_ENCODERS[key] for key in dict.fromkeys([*shared, *keys[1:]]))


def _yes(works: bool) -> str:
    return "yes" if works else "no"
