"""The files that the viewer's page reads: right values, bounded sizes."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import folder_paths
import numpy as np
import pytest
import torch
from headcount.bridge.recording.maps import MapsHandle
from headcount.bridge.recording.recorder import with_recorder
from headcount.bridge.views import viewer_files
from headcount.bridge.views.viewer import NOT_OF_THIS_LATENT
from headcount.bridge.views.viewer_atlas import heat_atlas, jpeg, within
from headcount.bridge.views.viewer_data import ViewerData, viewer_data, viewer_output
from headcount.bridge.views.viewer_files import MAX_BYTES, write_view
from headcount.core.attention.call_sums import RecordedMaps
from headcount.core.attention.layer_maps import LayerMaps
from headcount.core.attention.records import RunRecord, RunRecorder
from headcount.core.attention.timeline import layer_heat, mean_heat, step_heat
from headcount.core.errors import CountError
from headcount.nodes.attention_map_viewer import AttentionMapViewer
from headcount.nodes.instance_masks import InstanceMasks
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ..helpers.families import built, small
from ..helpers.models import Run, sample, shapes_setup

LIMIT = 3 * 2**20
GRID = (12, 8)


def record(batch: int = 2, steps: int = 3, words: int = 3, grid: tuple[int, int] = GRID) -> RunRecord:
    """A run of noise: nothing is harder to keep small."""
    generator = torch.Generator().manual_seed(0)
    named = tuple((f"word{index}", (index + 3,)) for index in range(words))
    running = RunRecorder(("circles", "stars"), ((1,), (2,)), (3, 1), named)
    own_grid = (min(grid[0], 32), min(grid[1], 32))
    cells, own = grid[0] * grid[1], own_grid[0] * own_grid[1]
    for step in range(steps):
        cross = torch.rand(batch, cells, words + 3, generator=generator) ** 4
        maps = RecordedMaps(cross, grid, torch.rand(batch, own, own, generator=generator), own_grid)
        running.add(step, 1.0 - step / steps, maps, torch.rand(batch, generator=generator))
    done = running.finish(torch.randn(batch, 4, *grid, generator=generator))
    height, width = done.step_grid
    kept = len(done.kept_words)
    heat = [torch.rand(batch, kept, height * width, generator=generator).half() for _ in range(15)]
    layers = [
        LayerMaps(f"layer {index // 2}", ("mean", "strongest")[index % 2], 1, own) for index, own in enumerate(heat)
    ]
    return dataclasses.replace(done, layers=tuple(layers))


def pictures(batch: int, height: int = 96, width: int = 64) -> torch.Tensor:
    return torch.rand(batch, height, width, 3, generator=torch.Generator().manual_seed(1))


def about(data: ViewerData) -> dict[str, Any]:
    return json.loads(data.files["view.json"])


def grey(data: ViewerData, name: str) -> np.ndarray:
    image = Image.open(io.BytesIO(data.files[name]))
    assert image.mode == "L"
    return np.asarray(image).astype(np.float32)


def tile(data: ViewerData, name: str, item: int, row: int, column: int) -> np.ndarray:
    """What the page makes of the files."""
    atlas = about(data)["maps"][name]
    (height, width), at = atlas["grid"], item * atlas["rows"] + row
    low, high = atlas["ranges"][item][row][column]
    part = grey(data, atlas["file"])[at * height : (at + 1) * height, column * width : (column + 1) * width]
    return low + part / 255 * (high - low)


class TestMaps:
    def test_every_tile_is_its_map(self) -> None:
        run = record()
        data = viewer_data(run, pictures(2))
        expected = {
            "mean": mean_heat(run, 64)[:, None],
            "steps": step_heat(run, [0, 1, 2]).transpose(0, 1),
            "layers": layer_heat(run).transpose(0, 1),
        }
        for name, heat in expected.items():
            atlas = about(data)["maps"][name]
            assert [len(atlas["ranges"]), atlas["rows"], atlas["columns"], *atlas["grid"]] == list(heat.shape)
            for item in range(heat.shape[0]):
                for row in range(heat.shape[1]):
                    for column in range(heat.shape[2]):
                        own = heat[item, row, column].numpy()
                        step = (heat.max() - heat.min()) / 255
                        assert np.abs(tile(data, name, item, row, column) - own).max() <= step

    def test_steps_of_a_word_share_their_range(self) -> None:
        maps = about(viewer_data(record(), pictures(2)))["maps"]
        assert all(item[0] == item[1] == item[2] for item in maps["steps"]["ranges"])
        assert maps["layers"]["ranges"][0][0] != maps["layers"]["ranges"][0][1]

    def test_a_flat_map(self) -> None:
        atlas = heat_atlas(torch.full((1, 1, 1, 4, 4), 0.25), together=False)
        assert atlas.about["ranges"] == [[[[0.25, 0.25]]]]
        assert not np.asarray(Image.open(io.BytesIO(atlas.png))).any()

    def test_names_of_words_steps_and_layers(self) -> None:
        found = about(viewer_data(record(), pictures(2)))
        assert found["words"][:3] == [
            {"text": "circles", "count": 3},
            {"text": "stars", "count": 1},
            {"text": "word0", "count": None},
        ]
        assert [step["step"] for step in found["steps"]] == [1, 2, 3] and found["losses"]["steps"] == [1, 2, 3]
        assert found["layers"][1] == {"layer": "layer 0", "heads": "strongest", "step": 1}

    def test_attention_rows(self) -> None:
        run = record()
        data = viewer_data(run, pictures(2))
        (height, width), rows = about(data)["attention"]["grid"], grey(data, "attention.png")
        cells = height * width
        assert rows.shape == (2 * cells, cells)
        own = run.self_attention[1].float().numpy()
        expected = own / own.max(-1, keepdims=True) * 255
        assert np.abs(rows[cells:] - expected).max() <= 0.6


class TestPictures:
    def test_each_picture_is_there(self) -> None:
        shown = pictures(2) * 0 + torch.tensor([0.9, 0.2])[:, None, None, None]
        data = viewer_data(record(), shown)
        found = about(data)["pictures"]
        assert [(one["width"], one["height"], one["number"]) for one in found] == [(64, 96, 1), (64, 96, 2)]
        for one, value in zip(found, (0.9, 0.2), strict=True):
            image = np.asarray(Image.open(io.BytesIO(data.files[one["file"]]))) / 255
            assert image.shape == (96, 64, 3) and abs(image.mean() - value) < 0.02

    def test_large_ones_are_made_smaller(self) -> None:
        content, size = jpeg(pictures(1, 300, 200)[0], 15_000)
        assert size == (100, 150) and Image.open(io.BytesIO(content)).size == size

    def test_more_pictures_than_a_slider_needs(self) -> None:
        data = viewer_data(record(batch=40, steps=2), pictures(40))
        found = about(data)
        assert len(found["pictures"]) == 32 and found["pictures"][-1]["number"] == 40
        assert (
            len(found["maps"]["mean"]["ranges"])
            == len(found["losses"]["of"])
            == len(found["instances"]["counts"])
            == 32
        )


class TestSizes:
    @pytest.mark.parametrize(
        ("batch", "steps", "words", "grid"),
        [(1, 30, 62, (64, 64)), (4, 30, 30, (64, 64)), (2, 50, 24, (30, 52)), (40, 8, 20, (32, 32))],
    )
    def test_below_the_limit(self, batch: int, steps: int, words: int, grid: tuple[int, int]) -> None:
        data = viewer_data(record(batch, steps, words, grid), pictures(batch, 512, 512))
        assert sum(len(content) for content in data.files.values()) < LIMIT
        assert all(side <= 64 for atlas in about(data)["maps"].values() for side in atlas["grid"])

    def test_one_picture_keeps_all_its_steps(self) -> None:
        found = about(viewer_data(record(1, 30, 30, (64, 64)), pictures(1)))
        assert len(found["steps"]) == 30 and found["maps"]["steps"]["grid"] == [32, 32]
        assert found["maps"]["mean"]["grid"] == [64, 64] and found["attention"]["grid"] == [32, 32]

    @settings(max_examples=30, deadline=None)
    @given(shape=st.tuples(*[st.integers(1, 40)] * 3), most=st.integers(1, 20_000))
    def test_within(self, shape: tuple[int, int, int], most: int) -> None:
        heat = torch.rand(shape)
        small_heat = within(heat, most)
        assert small_heat.shape[0] == shape[0] and small_heat.numel() <= max(most, 16 * shape[0])
        assert small_heat.min() >= heat.min() - 1e-6 and small_heat.max() <= heat.max() + 1e-6
        if heat.numel() <= most:
            assert torch.equal(small_heat, heat)


class TestLayouts:
    def test_none(self) -> None:
        assert about(viewer_data(record(), pictures(2)))["layouts"] is None

    def test_before_and_after(self) -> None:
        before, after = torch.zeros(2, *GRID, dtype=torch.long), torch.zeros(2, *GRID, dtype=torch.long)
        before[:, 2, 3], after[:, 2, 3], after[1, 7, 5] = 4, 4, 100
        before[0, 9, 1], after[0, 9, 1] = 7, -1
        run = dataclasses.replace(record(), layouts={"circles": (before, after)})
        data = viewer_data(run, pictures(2))
        (noun,) = about(data)["layouts"]["nouns"]
        assert (noun["noun"], noun["grid"], noun["counts"]) == ("circles", list(GRID), [[2, 1], [1, 2]])
        sheet = grey(data, noun["file"]).reshape(2, GRID[0], 2, GRID[1])
        assert sheet[0, 2, 0, 3] == sheet[1, 2, 1, 3] == 1 and sheet[1, 7, 1, 5] == 3
        assert sheet[0, 9, 0, 1] == 2 and sheet[0, 9, 1, 1] == 0, "removed"
        assert np.count_nonzero(sheet) == 6


class TestFiles:
    def test_the_same_view_has_the_same_name(self) -> None:
        one, other = viewer_data(record(), pictures(2)), viewer_data(record(), pictures(2))
        assert one.name == other.name and one.files == other.files
        assert viewer_data(record(), pictures(2), "a note").name != one.name

    def test_output(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(folder_paths, "temp_directory", str(tmp_path))
        run, handle = record(), MapsHandle()
        handle.add(run)
        (reference,) = viewer_output(handle, run.samples, None)["headcount_viewer"]
        folder = tmp_path / reference["subfolder"]
        assert reference["type"] == "temp" and (folder / reference["filename"]).is_file()
        found = json.loads((folder / "view.json").read_text())
        named = [found["attention"]["file"], *(one["file"] for one in found["pictures"])]
        assert all((folder / name).is_file() for name in named) and found["note"] == ""
        assert viewer_output(handle, run.samples, None)["headcount_viewer"] == [reference]
        assert not list(folder.glob("*.*.*")), "no unfinished file is left"
        other = viewer_output(handle, torch.randn_like(run.samples.float()), None)["headcount_viewer"][0]
        assert json.loads((tmp_path / other["subfolder"] / "view.json").read_text())["note"] == NOT_OF_THIS_LATENT

    def test_nothing_recorded(self) -> None:
        with pytest.raises(CountError, match="no attention was recorded"):
            viewer_output(MapsHandle(), torch.zeros(1, 4, 8, 8), None)


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Every file that gets longer than `size` bytes meets a real error of the system, with a part of it written."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def views(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(folder_paths, "temp_directory", str(tmp_path))
    return tmp_path / "headcount_viewer"


def recorded() -> tuple[MapsHandle, torch.Tensor]:
    run, handle = record(), MapsHandle()
    handle.add(run)
    return handle, run.samples


class TestFullDisk:
    @pytest.mark.parametrize("size", [0, 700, 3_000])
    def test_the_note_says_it_and_nothing_is_left(
        self, views: Path, size: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        with full_disk(size):
            found = viewer_output(*recorded(), None)
        assert list(found) == ["headcount_viewer_note"] and "could not be written" in found["headcount_viewer_note"][0]
        assert (
            "File too large" in found["headcount_viewer_note"][0] and "outputs of this node are complete" in caplog.text
        )
        assert not views.exists() or list(views.iterdir()) == []
        assert "headcount_viewer" in viewer_output(*recorded(), None), "once there is room again"

    def test_a_view_that_was_there_stays_whole(self, views: Path) -> None:
        (reference,) = viewer_output(*recorded(), None)["headcount_viewer"]
        folder = views.parent / reference["subfolder"]
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        with full_disk(700):
            viewer_output(*recorded(), None)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before

    def test_a_file_in_place_of_the_folder(self, views: Path) -> None:
        views.write_text("in the way")
        found = viewer_output(*recorded(), None)
        assert "could not be written" in found["headcount_viewer_note"][0]
        assert views.read_text() == "in the way"

    def test_the_nodes_outputs_come_out(self, views: Path, caplog: pytest.LogCaptureFixture) -> None:
        handle, samples = recorded()
        with full_disk(100):
            found = AttentionMapViewer.execute(handle, {"samples": samples}, "words", "", 0.7, "per word")
            masks = InstanceMasks.execute(handle, {"samples": samples}, "found", 0, 0.5)
        pictures, drawn, text, *_ = found.args
        assert pictures.shape[0] == drawn.shape[0] == 4 and text.count("\n") == 3
        assert "images" not in found.ui and "headcount_viewer_note" in found.ui
        assert masks.args[0].ndim == 3 and "Object Masks: its preview could not be written" in caplog.text
        assert [path for path in views.parent.rglob("*") if path.is_file()] == []


class TestPruning:
    def write(self, views: Path, number: int, size: int = 10) -> None:
        write_view(views, f"view_{number:08x}", {"a.png": bytes(size), "view.json": b"{}"})
        at = 1_000_000_000 + number
        os.utime(views / f"view_{number:08x}", (at, at))

    def kept(self, views: Path) -> list[int]:
        return sorted(int(path.name.removeprefix("view_"), 16) for path in views.glob("view_*"))

    def test_bytes_in_all(self, tmp_path: Path) -> None:
        for number in range(9):
            self.write(tmp_path, number, MAX_BYTES // 4)
        assert self.kept(tmp_path) == [6, 7, 8]
        self.write(tmp_path, 9, MAX_BYTES * 2)
        assert self.kept(tmp_path) == [9], "what was just written stays"

    def test_views_in_all(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(viewer_files, "MAX_VIEWS", 5)
        (tmp_path / "somebody_elses").mkdir()
        for number in range(12):
            self.write(tmp_path, number)
        self.write(tmp_path, 3)
        assert self.kept(tmp_path) == [3, 8, 9, 10, 11] and (tmp_path / "somebody_elses").is_dir()


class TestRealRuns:
    def test_a_unet(self) -> None:
        setup = shapes_setup()
        model, maps = with_recorder(setup.model)
        samples = sample(model, setup, Run(steps=4, batch=2))
        run, _ = maps.record_for(samples)
        found = about(viewer_data(run, pictures(2)))
        assert [word["text"] for word in found["words"][:2]] == ["red circles", "stars"]
        assert [part["layer"] for part in found["layers"][:3]] == ["first third", "middle third", "last third"]
        assert len(found["layers"]) > 5 and {part["step"] for part in found["layers"][3:]} == {2}
        assert len(found["steps"]) == 4

    @pytest.mark.parametrize("name", ["Stable Diffusion 3.5 Medium", "PixArt Sigma", "Flux 1"])
    def test_a_transformer(self, name: str) -> None:
        setup = built(name)
        model, maps = with_recorder(setup.model)
        run, _ = maps.record_for(sample(model, setup, small(name).run(batch=2)))
        found = about(viewer_data(run, pictures(2)))
        assert "first third" in {part["layer"] for part in found["layers"]}
        heat = layer_heat(run)
        assert torch.isfinite(heat).all() and heat.amax() > 0
