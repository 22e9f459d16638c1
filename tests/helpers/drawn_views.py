"""Views with heat at known places, written where a server has its views, and how to find that heat in pixels."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from headcount.bridge.views.viewer_data import viewer_data
from headcount.core.attention.call_sums import RecordedMaps
from headcount.core.attention.layer_maps import LayerMaps
from headcount.core.attention.records import RunRecord, RunRecorder

from demo.server import ComfyServer

from .maps import blob_heat
from .viewer_page import example, first_viewer

GRID = (16, 16)
CIRCLES, STARS = [(3, 3), (12, 4)], [(8, 12)]
STEPS = 4


def at(place: tuple[int, int]) -> tuple[float, float]:
    """A cell's middle, from the left and from the top, 0 to 1."""
    return (place[1] + 0.5) / GRID[1], (place[0] + 0.5) / GRID[0]


def drawn_record() -> RunRecord:
    """Two pictures with blobs at known places, which grow from step to step; the second one shows only stars.

    Every pixel looks at its own quarter of the picture.
    """
    words = (("three", (1,)), ("circles", (2,)), ("<b>stars</b>", (4,)))
    recorder = RunRecorder(("circles", "<b>stars</b>"), ((2,), (4,)), (2, 1), words)
    rows, columns = (torch.arange(GRID[0]) // 8), (torch.arange(GRID[1]) // 8)
    quarter = (rows[:, None] * 2 + columns[None]).flatten()
    own = (quarter[:, None] == quarter[None]).float() / 64
    for step in range(STEPS):
        cross = torch.full((2, 256, 6), 0.01)
        cross[0, :, 2] += 0.1 * (step + 1) * blob_heat(GRID, CIRCLES).flatten()
        cross[:, :, 4] += 0.05 * (step + 1) * blob_heat(GRID, STARS).flatten()
        losses = torch.tensor([4.0 - step] * 2), torch.tensor([1.0] * 2)
        recorder.add(step, 1.0 - step / STEPS, RecordedMaps(cross, GRID, own.expand(2, -1, -1), GRID), *losses)
    record = recorder.finish(torch.zeros(2, 4, *GRID))
    assert record is not None
    flat = blob_heat(GRID, STARS).flatten() * torch.tensor([0.0, 1.0, 0.0])[:, None].expand(2, 3, 1)
    layers = (LayerMaps("first third", "mean", None, 0.1 * flat), LayerMaps("output.3.0", "mean", 2, 0.2 * flat))
    layers += (LayerMaps("output.3.0", "strongest", 2, 0.4 * flat),)
    before, after = (torch.zeros(2, *GRID, dtype=torch.long) for _ in range(2))
    before[0, 2:5, 2:5] = after[0, 2:5, 2:5] = 1
    after[0, 11:14, 3:6] = 100
    return dataclasses.replace(record, layers=layers, layouts={"circles": (before, after)})


def video_places(frame: int) -> tuple[int, int]:
    """Where the circle of `drawn_video` is: it goes to the right."""
    return 8, 2 + 4 * frame


def drawn_video(frames: int = 3) -> RunRecord:
    """A video of one circle that goes to the right, and a second one that the layout adds below it."""
    recorder = RunRecorder(("circles",), ((1,),), (2,), (("circles", (1,)),))
    cross = torch.full((frames, 256, 3), 0.01)
    before, after = (torch.zeros(frames, *GRID, dtype=torch.long) for _ in range(2))
    for frame in range(frames):
        row, column = video_places(frame)
        cross[frame, :, 1] += 0.2 * blob_heat(GRID, [(row, column)]).flatten()
        before[frame, row - 1 : row + 2, column - 1 : column + 2] = 1
        after[frame, row - 1 : row + 2, column - 1 : column + 2] = 1
        after[frame, row + 4 : row + 7, column - 1 : column + 2] = 100
    own = torch.full((frames, 256, 256), 1 / 256)
    recorder.add(0, 1.0, RecordedMaps(cross, GRID, own, GRID))
    record = recorder.finish(torch.zeros(1, 16, frames, *GRID))
    assert record is not None
    return dataclasses.replace(record, layouts={"circles": (before, after)})


def write_view(server: ComfyServer, record: RunRecord, note: str) -> str:
    """Write a record's files over grey pictures, so that colour is heat. Returns their folder."""
    pictures = torch.full((len(record.cross_attention), 128, 128, 3), 0.5)
    data = viewer_data(record, pictures, note)
    folder = server.base / "temp" / "headcount_viewer" / data.name
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in data.files.items():
        (folder / name).write_bytes(content)
    return f"headcount_viewer/{data.name}"


def drawn(*folders: Any, **state: Any) -> dict[str, Any]:
    """A workflow of viewers that remember a view each, beside each other; nothing is linked to them."""
    nodes = []
    for number, folder in enumerate(folders, start=1):
        node = first_viewer(example("Shapes - look inside the model"))
        node |= {"id": number, "pos": [500 * (number - 1), 0], "size": [460, 700]}
        for slot in node["inputs"]:
            slot["link"] = None
        for slot in node["outputs"]:
            slot["links"] = None
        node["widgets_values"] = ["words", "", 0.7, "per word"]
        node["properties"] = {**node.get("properties", {}), "headcount_viewer": {"folder": folder, **state}}
        nodes.append(node)
    return {"last_node_id": len(nodes), "last_link_id": 0, "nodes": nodes, "links": [], "groups": [], "version": 0.4}


def coloured(pixels: np.ndarray) -> np.ndarray:
    """How far each pixel is from grey."""
    return pixels.max(-1) - pixels.min(-1)


def around(values: np.ndarray, place: tuple[int, int]) -> float:
    """Mean of a canvas around the middle of a cell."""
    (u, v), (height, width) = at(place), values.shape[:2]
    y, x, radius = int(v * height), int(u * width), height // 64
    return float(values[y - radius : y + radius, x - radius : x + radius].mean())
