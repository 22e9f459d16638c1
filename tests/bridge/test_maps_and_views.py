"""MAPS after a run: the right record, its pictures, its instances."""

from __future__ import annotations

import dataclasses
import re
import threading
from dataclasses import replace
from typing import Any

import pytest
import torch
from comfy.patcher_extension import WrappersMP
from headcount.bridge.recording.maps import MapsHandle
from headcount.bridge.recording.recorder import with_recorder
from headcount.bridge.views import instances
from headcount.bridge.views.instances import MAX_INSTANCES, Which, find_instances
from headcount.bridge.views.viewer import ViewSettings, selected_objects, view_maps
from headcount.core.attention.call_sums import RecordedMaps
from headcount.core.attention.records import RunRecord, RunRecorder
from headcount.core.counting import read_boxes
from headcount.core.drawing.overlay import resize_maps
from headcount.core.errors import CountError
from headcount.core.prompts import CONDITIONING_KEY, Counts

from ..helpers.families import built, small
from ..helpers.maps import blob_heat
from ..helpers.models import Run, sample, shapes_setup

GRID = (16, 12)
PIXELS_PER_CELL = 8
CIRCLES, STARS = [(3, 3), (3, 8), (12, 3)], [(12, 9)]
WORDS = (("red", (1,)), ("circles", (2,)), ("stars", (4,)))


def drawn_record(samples: torch.Tensor, circles=CIRCLES, stars=STARS, steps: int = 4) -> RunRecord:
    """A run whose maps show blobs at known places; the first half of its steps shows nothing."""
    recorder = RunRecorder(("circles", "stars"), ((2,), (4,)), (3, 1), WORDS)
    pixels = GRID[0] * GRID[1]
    own = torch.eye(pixels).expand(len(samples), -1, -1)
    for step in range(steps):
        cross = torch.zeros(len(samples), pixels, 6)
        cross[..., 0] = 0.1
        if step >= steps // 2:
            cross[..., 2] = 0.3 * blob_heat(GRID, circles).flatten()
            cross[..., 4] = 0.2 * blob_heat(GRID, stars).flatten()
        recorder.add(step, 1.0, RecordedMaps(cross, GRID, own, GRID))
    return recorder.finish(samples)


def latent(seed: int, batch: int = 1) -> torch.Tensor:
    return torch.randn(batch, 4, *GRID, generator=torch.Generator().manual_seed(seed))


def filled(samples: torch.Tensor, **options) -> MapsHandle:
    handle = MapsHandle()
    handle.add(drawn_record(samples, **options))
    return handle


def test_boxes_of_picked_objects_are_of_the_whole_batch() -> None:
    """In the order of the images, whatever was clicked first: nodes that take boxes want a list for each image."""
    samples = latent(0, batch=3)
    picked = selected_objects(filled(samples), samples, None, "3:4, 3:1, 1:2, 7:1, 3:99")
    assert [[box["label"] for box in boxes] for boxes in picked.boxes] == [["circles"], [], ["stars", "circles"]]
    assert [len(one) for one in read_boxes(picked.boxes, 3)] == [1, 0, 2]
    for mask, box in zip(picked.masks, [box for boxes in picked.boxes for box in boxes], strict=True):
        rows, columns = mask.nonzero(as_tuple=True)
        assert (box["x"], box["y"]) == (int(columns.min()), int(rows.min()))
    assert selected_objects(filled(samples), samples, None, "").boxes == [[], [], []]


class TestRecords:
    def test_the_record_of_a_latent(self) -> None:
        handle = MapsHandle()
        records = [drawn_record(latent(seed)) for seed in range(4)]
        for record in records:
            handle.add(record)
        for seed, record in enumerate(records):
            for dtype in (torch.float32, torch.float16, torch.bfloat16):
                assert handle.record_for(latent(seed).to(dtype)) == (record, True)

    def test_the_newest_for_any_other(self) -> None:
        handle = filled(latent(0))
        newest = drawn_record(latent(1))
        handle.add(newest)
        for other in (latent(9), latent(1) * 1.2, torch.randn(1, 4, 8, 8), latent(1, batch=2)):
            found, belongs = handle.record_for(other)
            assert found is newest and not belongs

    def test_only_the_newest_few_are_kept(self) -> None:
        handle = MapsHandle()
        for seed in range(9):
            handle.add(drawn_record(latent(seed), steps=1))
        assert not handle.record_for(latent(0))[1]
        assert handle.record_for(latent(8))[1]

    def test_empty(self) -> None:
        with pytest.raises(
            CountError, match=r"no attention was recorded\. Connect the MODEL output .* then queue again"
        ):
            MapsHandle().record_for(latent(0))

    def test_many_threads(self) -> None:
        handle, record = MapsHandle(), drawn_record(latent(0), steps=1)
        handle.add(record)
        threads = [threading.Thread(target=lambda: [handle.add(record) for _ in range(50)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(50):
            assert handle.record_for(latent(0))[1]
        for thread in threads:
            thread.join()

    def test_two_runs_of_one_model(self) -> None:
        setup = shapes_setup()
        model, maps = with_recorder(setup.model)
        runs = [sample(model, setup, Run(steps=1, seed=seed)) for seed in (1, 2)]
        records = [maps.record_for(samples)[0] for samples in runs]
        assert records[0] is not records[1]
        assert maps.record_for(runs[0])[1] and maps.record_for(runs[1])[1]


class TestViews:
    @pytest.mark.parametrize(
        ("words", "names"),
        [
            ("", ["circles", "stars"]),
            ("all", ["red", "circles", "stars"]),
            ("stars", ["stars"]),
            ("Red, stars", ["red", "stars"]),
        ],
    )
    def test_words(self, words: str, names: list[str]) -> None:
        samples = latent(0, batch=2)
        view = view_maps(filled(samples), samples, None, ViewSettings("words", words))
        size = (GRID[0] * PIXELS_PER_CELL, GRID[1] * PIXELS_PER_CELL)
        assert view.pictures.shape == (2 * len(names), *size, 3) and view.masks.shape == (2 * len(names), *size)
        assert view.text.splitlines() == [f"image {item}: {name}" for item in (1, 2) for name in names]
        assert view.pictures.min() >= 0 and view.pictures.max() <= 1
        assert view.masks.min() >= 0 and view.masks.max() <= 1

    def test_the_map_lies_where_the_word_is(self) -> None:
        samples = latent(0)
        view = view_maps(filled(samples), samples, None, ViewSettings("words", "stars"))
        place = divmod(int(view.masks[0].argmax()), GRID[1] * PIXELS_PER_CELL)
        assert abs(place[0] / PIXELS_PER_CELL - STARS[0][0] - 0.5) < 1
        assert abs(place[1] / PIXELS_PER_CELL - STARS[0][1] - 0.5) < 1

    def test_a_layout_that_is_not_there(self) -> None:
        with pytest.raises(CountError) as raised:
            view_maps(filled(latent(0)), latent(0), None, ViewSettings("layout", ""))
        assert str(raised.value) == (
            "these maps have no layout. Connect MAPS of Count Guide, or choose words, regions or steps in show"
        )

    def test_unknown_word(self) -> None:
        view = view_maps(filled(latent(0)), latent(0), None, ViewSettings("words", "cats"))
        assert view.text.splitlines() == [
            "'cats' is not in the prompt; the prompt has: red, circles, stars. These are the counted words.",
            "image 1: circles",
            "image 1: stars",
        ]

    def test_regions(self) -> None:
        samples = latent(0, batch=2)
        view = view_maps(filled(samples), samples, None, ViewSettings("regions"))
        assert len(view.pictures) == len(view.masks) == 2
        assert view.text.splitlines() == [f"image {item}: 4 regions of circles, stars" for item in (1, 2)]
        assert view.masks.max() == 1

    @pytest.mark.parametrize(("steps", "shown"), [(1, 1), (4, 4), (20, 8)])
    def test_steps(self, steps: int, shown: int) -> None:
        samples = latent(0)
        view = view_maps(filled(samples, steps=steps), samples, None, ViewSettings("steps"))
        assert len(view.pictures) == 2 * shown
        lines = view.text.splitlines()
        assert lines[0] == "image 1: circles, step 1" and lines[-1] == f"image 1: stars, step {steps}"

    def test_one_is_in_the_singular(self) -> None:
        samples, layout = latent(0), torch.zeros(1, *GRID, dtype=torch.int64)
        layout[0, 3, 3] = 1
        two = layout.clone()
        two[0, 9, 9] = 2
        record = dataclasses.replace(drawn_record(samples, circles=CIRCLES[:1], stars=[]), counts=(1, 0))
        handle = MapsHandle()
        handle.add(dataclasses.replace(record, layouts={"red circles": (layout, two), "star": (two, layout)}))
        assert view_maps(handle, samples, None, ViewSettings("layout")).text.splitlines() == [
            "image 1, detected: 1 red circle, 2 stars",
            "image 1, target: 2 red circles, 1 star",
        ]
        assert view_maps(handle, samples, None, ViewSettings("regions")).text == "image 1: 1 region of circles, stars"
        with pytest.raises(CountError, match="batch_index is 1, but the run made 1 image; the last one is 0"):
            find_instances(handle, samples, 1, "found", 0.5)

    def test_opacity_0_is_the_picture(self) -> None:
        samples, image = latent(0), torch.rand(1, 40, 30, 3)
        for show in ("words", "regions", "steps"):
            view = view_maps(filled(samples), samples, image, ViewSettings(show, opacity=0.0))
            assert all(torch.equal(picture, image[0]) for picture in view.pictures)

    def test_a_picture_with_transparency(self) -> None:
        view = view_maps(filled(latent(0)), latent(0), torch.rand(1, 40, 30, 4), ViewSettings())
        assert view.pictures.shape == (2, 40, 30, 3)

    @pytest.mark.parametrize("many", [1, 3])
    def test_wrong_number_of_pictures(self, many: int) -> None:
        samples = latent(0, batch=2)
        with pytest.raises(CountError, match=f"the run made 2 images, image has {many}. Connect the image decoded"):
            view_maps(filled(samples), samples, torch.rand(many, 8, 8, 3), ViewSettings())

    def test_another_latent_is_said(self) -> None:
        view = view_maps(filled(latent(0)), latent(5), None, ViewSettings())
        assert view.text.splitlines()[0] == (
            "No maps for this latent: connect the LATENT of the sampler. Showing those of the newest run."
        )

    def test_of_a_real_run(self) -> None:
        setup = shapes_setup()
        model, maps = with_recorder(setup.model)
        samples = sample(model, setup, Run(steps=2, batch=2, size=(16, 12)))
        image = torch.rand(2, 128, 96, 3)
        for show in ("words", "regions", "steps"):
            view = view_maps(maps, samples, image, ViewSettings(show))
            assert view.pictures.shape[1:] == (128, 96, 3) and torch.isfinite(view.pictures).all()


class TestInstances:
    def test_found(self) -> None:
        found = find_instances(filled(latent(0)), latent(0), 0, "found", 0.5)
        assert found.masks.shape == (4, 128, 96) and set(found.masks.unique().tolist()) == {False, True}
        assert [line.split(":")[0] for line in found.text.splitlines()] == ["circles"] * 3 + ["stars"]
        places = {(box.y + box.height / 2, box.x + box.width / 2) for box in found.boxes}
        for y, x in CIRCLES + STARS:
            assert any(abs(a / 8 - y - 0.5) < 1 and abs(b / 8 - x - 0.5) < 1 for a, b in places)
        for mask, box in zip(found.masks, found.boxes, strict=True):
            outside = mask.clone()
            outside[box.y : box.y + box.height, box.x : box.x + box.width] = 0
            assert not outside.any()

    def test_boxes_for_other_nodes(self) -> None:
        """The strongest thing of each noun has the score 1, and every box is of the noun that its line names."""
        found = find_instances(filled(latent(0)), latent(0), 0, "found", 0.5)
        (boxes,) = found.as_boxes
        assert [box["label"] for box in boxes] == ["circles"] * 3 + ["stars"]
        assert boxes[0]["score"] == boxes[3]["score"] == 1 and all(0.5 <= box["score"] <= 1 for box in boxes)
        assert [box["width"] for box in boxes] == [box.width for box in found.boxes]

    def test_asked(self) -> None:
        found = find_instances(filled(latent(0), circles=CIRCLES[:2]), latent(0), 0, "asked", 0.5)
        assert [line.split(":")[0] for line in found.text.splitlines()] == ["circles"] * 3 + ["stars"]

    @pytest.mark.parametrize("which", ["found", "asked", "layout"])
    def test_of_very_many_the_strongest_are_given(self, which: Which, monkeypatch: pytest.MonkeyPatch) -> None:
        """A noisy map has a peak in every corner, and a prompt may ask for thousands."""
        generator, samples, grid = torch.Generator().manual_seed(3), latent(0), (48, 40)
        recorder = RunRecorder(("circles", "stars"), ((2,), (4,)), (2_000, 5), WORDS)
        cross = torch.rand(1, grid[0] * grid[1], 6, generator=generator)
        recorder.add(0, 1.0, RecordedMaps(cross, grid, torch.eye(grid[0] * grid[1])[None], grid))
        numbers = torch.arange(grid[0] * grid[1]).reshape(1, *grid) // 5
        handle = MapsHandle()
        handle.add(replace(recorder.finish(samples), layouts={"stars": (numbers, numbers)}))
        resized = []

        def one_at_a_time(maps: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
            resized.append(len(maps))
            return resize_maps(maps, size)

        monkeypatch.setattr(instances, "resize_maps", one_at_a_time)
        found = find_instances(handle, samples, 0, which, 0.05)
        assert found.masks.dtype == torch.bool and len(found.masks) == len(found.boxes) <= MAX_INSTANCES == 64
        assert set(resized) == {1} and len(resized) == 64
        first, *lines = found.text.splitlines()
        assert re.fullmatch(r"\d+ instances were found; these are the 64 strongest\. Raise threshold for fewer", first)
        assert len(lines) == len(found.boxes)

    def test_the_strongest_are_those_with_the_hottest_peaks(self) -> None:
        circles = [(row, column) for row in range(2, GRID[0], 4) for column in range(2, GRID[1], 4)]
        small = instances._instances(drawn_record(latent(0), circles=circles), 0, "found", 0.5)
        assert len(small) > 6
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(instances, "MAX_INSTANCES", 3)
            kept = instances._strongest(small)
        assert len(kept) == 3 and min(one.strength for one in kept) >= sorted(one.strength for one in small)[-3]
        assert [one for one in small if any(one is other for other in kept)] == kept, "in their order"

    def test_a_layout_that_is_not_there(self) -> None:
        with pytest.raises(CountError) as raised:
            find_instances(filled(latent(0)), latent(0), 0, "layout", 0.5)
        assert str(raised.value) == (
            "these maps have no layout. Connect MAPS of Count Guide, or choose found or asked in instances"
        )

    @pytest.mark.parametrize("item", [2, 99])
    def test_no_such_picture(self, item: int) -> None:
        samples = latent(0, batch=2)
        with pytest.raises(CountError, match=f"batch_index is {item}, but the run made 2 images; the last one is 1"):
            find_instances(filled(samples), samples, item, "found", 0.5)

    def test_every_picture_of_a_batch(self) -> None:
        samples = latent(0, batch=2)
        assert all(len(find_instances(filled(samples), samples, item, "found", 0.5).boxes) == 4 for item in (0, 1))

    def test_nothing_found(self) -> None:
        found = find_instances(filled(latent(0), circles=[], stars=[]), latent(0), 0, "found", 0.5)
        assert found.masks.shape == (1, 128, 96) and not found.masks.any()
        assert found.boxes == () and found.text == "none of circles, stars" and found.as_boxes == [[]]

    def test_one_noun_found(self) -> None:
        found = find_instances(filled(latent(0), circles=[]), latent(0), 0, "found", 0.5)
        assert [line.split(":")[0] for line in found.text.splitlines()] == ["stars"]


class TestRunsThatLeaveNothing:
    """The log says so, and why, and so does what is shown of the run."""

    def recorded(self, model: Any, caplog: pytest.LogCaptureFixture) -> str:
        patched, maps = with_recorder(model, node="Some Node")
        samples = sample(patched, built("Flux 1"), small("Flux 1").run())
        (said,) = [record.getMessage() for record in caplog.records if "recorded nothing" in record.getMessage()]
        shown = view_maps(maps, samples, None, ViewSettings()).text
        assert said.replace(": ", " ", 1) == shown == find_instances(maps, samples, 0, "found", 0.5).text
        return shown

    def test_hidden_attention(self, caplog: pytest.LogCaptureFixture) -> None:
        model = built("Flux 1").model.clone()

        def hide(executor: Any, *args: Any, **options: Any) -> Any:
            for value in args:
                if isinstance(value, dict):
                    value.pop("optimized_attention_override", None)
            return executor(*args, **options)

        model.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "a test", hide)
        assert "Some Node recorded nothing in this run: the model showed no attention call" in self.recorded(
            model, caplog
        )

    def test_changed_tokens(self, caplog: pytest.LogCaptureFixture) -> None:
        model = built("Flux 1").model.clone()

        def more(inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            return {**inputs, **{name: torch.cat([inputs[name]] * 2, 1) for name in ("txt", "txt_ids")}}

        model.set_model_patch(more, "post_input")
        assert "too few of its 9 attention calls could be read" in self.recorded(model, caplog)

    def test_nothing_is_said_of_a_run_that_counts_nothing(self, caplog: pytest.LogCaptureFixture) -> None:
        setup = built("Flux 1")
        text, options = setup.positive[0]
        nothing = [[text, {**options, CONDITIONING_KEY: Counts("", ())}]]
        patched, _ = with_recorder(setup.model)
        sample(patched, setup, small("Flux 1").run(), positive=nothing)
        assert not [record for record in caplog.records if "recorded nothing" in record.getMessage()]


@pytest.mark.parametrize("name", ["Stable Diffusion 3.5 Medium", "PixArt Sigma", "Flux 1", "Qwen-Image", "HiDream I1"])
def test_views_and_masks_of_a_transformer(name: str) -> None:
    one, setup = small(name), built(name)
    model, maps = with_recorder(setup.model)
    samples = sample(model, setup, one.run(batch=2))
    size = tuple(cells * PIXELS_PER_CELL for cells in one.shape[-2:])
    for show in ("words", "regions", "steps"):
        view = view_maps(maps, samples, None, ViewSettings(show, "all"))
        assert torch.isfinite(view.pictures).all() and view.pictures.shape[-1] == 3
    assert view_maps(maps, samples, None, ViewSettings("words", "dog")).pictures.shape[0] == 2
    assert find_instances(maps, samples, 1, "asked", 0.5).masks.shape == (3, *size)


def test_the_empty_record_of_old_words() -> None:
    """Runs recorded without words still show their nouns."""
    samples = latent(0)
    handle = MapsHandle()
    handle.add(dataclasses.replace(drawn_record(samples), words=()))
    assert len(view_maps(handle, samples, None, ViewSettings("words", "all")).pictures) == 2
