"""NUMINA with a detector's layout: boxes of each frame become instances, which are corrected as the paper corrects its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from headcount.core.counting import Counted
from headcount.core.errors import CountError
from headcount.core.numina.published.refinement import refine
from headcount.core.numina.settings import PAPER
from headcount.core.prompts import CountedObject, singular
from torch import Tensor

from benchmarks.ablation_nodes.detected import NODE_ID, NuminaDetected, detected_layouts
from benchmarks.lab.node_methods import KINDS, read_method
from demo.comfy_client import ComfyClient
from demo.server import ComfyServer

from ..helpers.models import Setup, sample
from ..parity.test_numina_published import FRAMES, GRID, setup
from .test_countbench_making import shapes_workflow
from .test_numina_ablation import SHORT

__all__ = ["setup"]  # a fixture
SIDE = 8  # pixels of a cell


@dataclass
class Boxes:
    """A counter that sees the same in every batch: per frame and noun its boxes in cells, (column, row, width, height)."""

    frames: Sequence[Sequence[Sequence[tuple[int, int, int, int]]]] | None
    asked: list[tuple[int, ...]] = field(default_factory=list)

    def count(self, images: Tensor, nouns: Sequence[str], on_progress: Any = None) -> Counted:
        self.asked.append(tuple(images.shape))
        empty = tuple(() for _ in nouns)
        numbers = torch.zeros(len(images), len(nouns))
        if self.frames is None:
            return Counted(tuple(nouns), numbers, (empty,) * len(images))
        boxes = tuple(
            [
                {**dict(zip(("x", "y", "width", "height"), (SIDE * side for side in box), strict=True)),
                 "label": singular(noun), "score": 0.5}
                for noun, own in zip(nouns, frame, strict=True) for box in own
            ]
            for frame in self.frames
        )  # fmt: skip
        return Counted(tuple(nouns), numbers, (empty,) * len(images), boxes)


class Decoder:
    """A VAE that makes four images of each frame but the first."""

    def decode(self, samples: Tensor) -> Tensor:
        *_, frames, height, width = samples.shape
        return torch.zeros(len(samples), 4 * (frames - 1) + 1, height * SIDE // 2, width * SIDE // 2, 3)


THREE = ((0, 0, 2, 2), (4, 0, 3, 3), (9, 6, 4, 4))
TWO_BESIDE = ((1, 1, 3, 3), (3, 3, 3, 3))  # and one cell of both
FOUND = ((THREE, ()), (THREE[:1], ()), (TWO_BESIDE, THREE))


def test_boxes_become_instances_that_are_corrected() -> None:
    objects, counter = (CountedObject("cats", 2), CountedObject("dog", 1)), Boxes(FOUND)
    images = torch.zeros(3, SIDE * GRID[0], SIDE * GRID[1], 3)
    layouts = detected_layouts(images, objects, counter, GRID, PAPER)
    assert layouts.counts.tolist() == [[3, 1, 2], [0, 0, 3]] and layouts.asked == (2, 1) and layouts.grid == GRID
    areas = [[(before == number).sum().item() for number in (1, 2, 3)] for before in layouts.before[0]]
    assert areas == [[4, 9, 16], [4, 0, 0], [9, 8, 0]], "a cell of two boxes is that of the first"
    assert layouts.before[0, 0, 0:3, 4:7].eq(2).all() and layouts.before[0, 0, 6:10, 9:13].eq(3).all()
    for noun, item in enumerate(objects):
        earlier: list[Any] = []
        for before, after in zip(layouts.before[noun], layouts.after[noun], strict=True):
            expected, centres = refine(before, int(before.max()), item.count, earlier, PAPER.layout.published)
            earlier = centres + earlier[len(centres) :]
            assert torch.equal(after, expected)
    assert layouts.after[0, 0, :2, :2].eq(-1).all() and layouts.after[0, 1].max() == 100


def test_a_second_video_follows_what_the_counter_saw_in_the_first(setup: Setup) -> None:
    plain = sample(setup.model, setup, SHORT)
    right = ((THREE[:2], (*THREE, *TWO_BESIDE)),) * FRAMES
    for frames, is_plain in ((right, True), (FOUND, False)):
        counter, asked = Boxes(frames), []
        model = NuminaDetected.execute(setup.model, Decoder(), counter).args[0]
        hook = setup.model.model.diffusion_model.register_forward_pre_hook(lambda *_, asked=asked: asked.append(1))
        video = sample(model, setup, SHORT)
        hook.remove()
        assert counter.asked == [(FRAMES, SIDE * GRID[0], SIDE * GRID[1], 3)], "an image for each frame of the latent"
        assert len(asked) == 2 * SHORT.steps and video.isfinite().all()
        assert torch.equal(video, plain) is is_plain


def test_a_counter_without_boxes(setup: Setup) -> None:
    model = NuminaDetected.execute(setup.model, Decoder(), Boxes(None)).args[0]
    with pytest.raises(CountError, match="NUMINA with a detector's layout needs boxes, and this counter gives none"):
        sample(model, setup, SHORT)


@pytest.mark.server
def test_a_server_runs_its_node(server: ComfyServer) -> None:
    workflow = shapes_workflow("SaveImage")
    workflow["1"] = {"class_type": "HeadcountLoadDemoModel", "inputs": {"model": "emoji", "batch_size": 1}}
    links = {"model": ["1", 0], "vae": ["1", 2], "counter": ["1", 4]}
    workflow["10"] = {"class_type": NODE_ID, "inputs": links}
    workflow["5"]["inputs"].update(model=["10", 0], latent_image=["1", 3])
    workflow["2"]["inputs"]["text"] = "two cats"
    outputs = ComfyClient(server.address).run(workflow)
    assert len(outputs["9"]["images"]) == 1


def test_is_a_method_that_counts() -> None:
    assert KINDS["numina_detected"].node_id == NODE_ID and read_method("numina_detected").counts
