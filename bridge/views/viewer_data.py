"""What the Attention Map Viewer's page shows, as a few small files in ComfyUI's temporary folder.

A page only blends: every map is a tile of a grey picture (`viewer_atlas`), and one JSON file says which tile is what.
Whatever a run was, its files stay below 3 MB: see `viewer_budget`, in bytes, since a value takes one. Of many runs the
newest stay, see `viewer_files`.
"""

from __future__ import annotations

import json
import logging
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import folder_paths
import torch
from einops import rearrange
from torch import Tensor

from ...core.attention import (
    RunRecord,
    attention_rows,
    instance_labels,
    layer_heat,
    losses,
    mean_heat,
    region_labels,
    spread_evenly,
    step_heat,
)
from ..recording.maps import EmptyRun, MapsHandle
from .viewer import NOT_OF_THIS_LATENT, pictures_for
from .viewer_atlas import Atlas, grey_png, heat_atlas, jpeg, within
from .viewer_budget import budget_of, shown_steps
from .viewer_files import write_view

SUBFOLDER = "headcount_viewer"
UI_KEY = "headcount_viewer"
NOTE_KEY = "headcount_viewer_note"
VERSION = 2
"""Of the view's files; web/viewer/data.js reads this one."""
NOT_WRITTEN = (
    "The interactive view could not be written into ComfyUI's temporary folder: {}. The outputs of this node are complete. "
    "Make room there, or remove what is in the way, and run again."
)
_LOG = logging.getLogger(__name__)

_MAX_PICTURES = 32  # of a batch or a video in a view, evenly taken
_PICTURE_PIXELS = 640 * 640  # of all pictures of a view together


@dataclass(frozen=True)
class ViewerData:
    """Files of one view: names to contents, "view.json" among them."""

    files: dict[str, bytes]

    @property
    def name(self) -> str:
        """The same for the same contents."""
        check = 0
        for name, content in sorted(self.files.items()):
            check = zlib.crc32(content, zlib.crc32(name.encode(), check))
        return f"view_{check:08x}"


def viewer_output(handle: MapsHandle, samples: Tensor, image: Tensor | None) -> dict[str, Any]:
    """Write the files of one view and say where they are, in the words of ComfyUI's `ui` results.

    Where the run left no maps, or the files cannot be written, there are none, only why.

    Raises:
        CountError: there was no run, or the pictures do not fit the run.
    """
    record, belongs = handle.record_for(samples)
    if isinstance(record, EmptyRun):
        return {NOTE_KEY: [record.why]}
    data = viewer_data(record, pictures_for(record, image), "" if belongs else NOT_OF_THIS_LATENT)
    try:
        write_view(Path(folder_paths.get_temp_directory()) / SUBFOLDER, data.name, data.files)
    except OSError as error:
        why = NOT_WRITTEN.format(error.strerror or error)
        _LOG.warning("Attention Map Viewer: %s", why)
        return {NOTE_KEY: [why]}
    return {UI_KEY: [{"filename": "view.json", "subfolder": f"{SUBFOLDER}/{data.name}", "type": "temp"}]}


@torch.no_grad()
def viewer_data(record: RunRecord, pictures: Tensor, note: str = "") -> ViewerData:
    """Files that show one run.

    Args:
        pictures: (B, H, W, 3) in 0 to 1.
        note: a line to show above the view.
    """
    items = spread_evenly(len(record.cross_attention), _MAX_PICTURES)
    files: dict[str, bytes] = {}
    about: dict[str, Any] = {"version": VERSION, "note": note, "words": _words(record)}
    about["pictures"] = _pictures(files, pictures, record, items)
    steps = shown_steps(record, len(items))
    about["steps"] = [{"step": record.steps[at].step + 1, "sigma": record.steps[at].sigma} for at in steps]
    about["maps"] = {
        name: _add(files, name, atlas) for name, atlas in _atlases(record, items, steps).items() if atlas is not None
    }
    about["layers"] = [{"layer": part.layer, "heads": part.heads, "step": part.step} for part in record.layers]
    about["attention"] = _attention(files, record, items)
    about["regions"] = _regions(files, record, items)
    about["instances"] = _instances(files, record, items)
    about["layouts"] = _layouts(files, record, items)
    about["losses"] = {"steps": [step.step + 1 for step in record.steps], "of": [losses(record, at) for at in items]}
    files["view.json"] = json.dumps(about, separators=(",", ":")).encode()
    return ViewerData(files)


def _words(record: RunRecord) -> list[dict[str, Any]]:
    counts = (*record.counts, *(None for _ in record.all_words))
    return [
        {"text": word, "count": count}
        for (word, _), count in zip(record.all_words[: budget_of(record).mean_words], counts, strict=False)
    ]


def _pictures(files: dict[str, bytes], pictures: Tensor, record: RunRecord, items: list[int]) -> list[dict[str, Any]]:
    about = []
    for at in items:
        name = f"picture_{at + 1}.jpg"
        files[name], (width, height) = jpeg(pictures[at], _PICTURE_PIXELS // len(items))
        about.append({"file": name, "number": at + 1, "width": width, "height": height})
        if record.frames > 1:
            about[-1]["name"] = record.name_of(at)
    return about


def _atlases(record: RunRecord, items: list[int], steps: list[int]) -> dict[str, Atlas | None]:
    budget = budget_of(record)
    mean = rearrange(mean_heat(record, budget.mean_words)[items], "b k h w -> b 1 k h w")
    by_step = rearrange(step_heat(record, steps)[:, items, : budget.step_words], "s b k h w -> b s k h w")
    by_layer = rearrange(layer_heat(record)[:, items, : budget.layer_words], "l b k h w -> b l k h w")
    return {
        "mean": heat_atlas(within(mean, budget.mean), together=False),
        "steps": heat_atlas(within(by_step, budget.steps), together=True),
        "layers": heat_atlas(within(by_layer, budget.layers), together=False) if record.layers else None,
    }


def _add(files: dict[str, bytes], name: str, atlas: Atlas) -> dict[str, Any]:
    files[f"{name}.png"] = atlas.png
    return {"file": f"{name}.png", **atlas.about}


def _attention(files: dict[str, bytes], record: RunRecord, items: list[int]) -> dict[str, Any]:
    """Rows of self-attention, one below the other, each from 0 to its own most."""
    rows, grid = attention_rows(record, int((budget_of(record).attention // len(items)) ** 0.5))
    rows = rows[items]
    grey = (rows / rows.amax(-1, keepdim=True).clamp_min(1e-12) * 255).round()
    files["attention.png"] = grey_png(rearrange(grey, "b q k -> (b q) k"))
    return {"file": "attention.png", "grid": list(grid)}


def _instances(files: dict[str, bytes], record: RunRecord, items: list[int]) -> dict[str, Any]:
    labels, found = zip(*(instance_labels(record, at) for at in items), strict=True)
    grids = torch.stack(labels).clamp_max(255)
    files["instances.png"] = grey_png(rearrange(grids, "b h w -> (b h) w"))
    return {"file": "instances.png", "grid": list(grids.shape[1:]), "counts": [list(own) for own in found]}


def _regions(files: dict[str, bytes], record: RunRecord, items: list[int]) -> dict[str, Any]:
    labels = [region_labels(record, at) for at in items]
    grids = torch.stack(labels).clamp_max(255)
    files["regions.png"] = grey_png(rearrange(grids, "b h w -> (b h) w"))
    return {"file": "regions.png", "grid": list(grids.shape[1:]), "counts": [int(own.max()) for own in labels]}


def _layouts(files: dict[str, bytes], record: RunRecord, items: list[int]) -> dict[str, Any] | None:
    """Per noun a sheet of tiles: before and after beside each other, picture below picture; removed cells are 0."""
    if not record.layouts:
        return None
    nouns = []
    for place, (noun, sides) in enumerate(record.layouts.items()):
        both = torch.stack([side[items] for side in sides], dim=1).clamp_min(0)
        numbers = torch.zeros_like(both)
        for index, value in enumerate(both[both > 0].unique().tolist(), start=1):
            numbers[both == value] = min(index, 255)
        name = f"layout_{place + 1}.png"
        files[name] = grey_png(rearrange(numbers, "b s h w -> (b h) (s w)"))
        counts = [[len(side[side > 0].unique()) for side in item] for item in both]
        nouns.append({"noun": noun, "file": name, "grid": list(both.shape[-2:]), "counts": counts})
    return {"nouns": nouns}
