"""Count Report with the emoji model: pairs from the same seeds, kept rows, what it says, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import comfy.model_management
import folder_paths
import pytest
import tomllib
import torch
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.report import kept, report
from headcount.bridge.report.kept import KeptReport, Made, setup_of
from headcount.bridge.report.report import CountReport, ReportRequest, ReportSettings, count_report
from headcount.core.errors import CountError

from ..helpers.models import shapes
from .test_count_repair import TWO_CATS_AND_A_DOG, Scripted, loaded

RIGHT, WRONG = TWO_CATS_AND_A_DOG, TWO_CATS_AND_A_DOG[:1]
PROMPTS = "two cats and a dog\n\n  a dog and two cats  "


@pytest.fixture(autouse=True)
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(folder_paths, "get_output_directory", lambda: str(tmp_path))
    return tmp_path / "headcount_reports" / "mine"


def made(counter: Any, settings: dict[str, Any] | None = None, **changes: Any) -> CountReport:
    usual = {"seed": 7, "steps": 2, "cfg": 3.0, "sampler": "euler", "scheduler": "simple", "name": "mine"}
    inputs = {
        "model": loaded().model,
        "clip": loaded().clip,
        "vae": loaded().vae,
        "counter": counter,
        "prompts": PROMPTS,
    }
    inputs |= {"latent": {"samples": torch.zeros(3, 4, 16, 16)}, "negative": "", "model_with": loaded().model}
    inputs["settings"] = ReportSettings(**{**usual, **(settings or {})})
    with torch.inference_mode():
        return count_report(ReportRequest(**(inputs | changes)))


def test_pairs_of_the_same_seeds(output: Path) -> None:
    counter = Scripted(WRONG, RIGHT, RIGHT, RIGHT)
    done = made(counter)
    assert torch.equal(counter.shown[0], counter.shown[1]) and not torch.equal(counter.shown[0], counter.shown[2])
    assert done.table.splitlines()[:6] == [
        "prompt: without | with",
        "two cats and a dog: 1 cat, 0 dogs, off by 2 | 2 cats, 1 dog, right",
        "a dog and two cats: 1 dog, 2 cats, right | 1 dog, 2 cats, right",
        "right in 2 of 2 with it, 1 without: no clear difference",
        "without: 1 of 2 right (50%, 95 %: 9% to 91%)",
        "with model_with: 2 of 2 right (100%, 95 %: 34% to 100%)",
    ]
    assert done.image.ndim == 4 and done.folder == str(output) and len(list(output.glob("*.jpg"))) == 4
    assert done.result.marks == (True, True) and "2 prompts say little" in done.result.note


def test_a_stopped_report_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is not kept is made; of another setup or seed everything is."""

    class Cancelling(Scripted):
        def count(self, *args: Any) -> Any:
            comfy.model_management.interrupt_current_processing(len(self.shown) == 2)
            return super().count(*args)

    with pytest.raises(comfy.model_management.InterruptProcessingException):
        made(Cancelling(WRONG, RIGHT, RIGHT))
    notes: list[str] = []
    monkeypatch.setattr(report, "show_note", lambda text, place: notes.append(text))
    counter = Scripted(RIGHT, RIGHT)
    first = made(counter)
    assert len(counter.shown) == 2 and "1 cat, 0 dogs, off by 2 | 2 cats" in first.table
    assert notes == [*[f"prompt {one} of 2, {side}" for one in (1, 2) for side in ("without", "with")], ""]
    assert made(Scripted()).table == first.table
    for changes in ({"settings": {"seed": 8}}, {"settings": {"steps": 3}}, {"negative": "fog"}):
        again = Scripted(*[RIGHT] * 4)
        made(again, **changes)
        assert len(again.shown) == 4
    assert made(Scripted()).table == first.table, "rows and pictures of every setup stay"
    judge = Scripted(RIGHT, RIGHT)
    done = made(Scripted(*[RIGHT] * 2), {"method": "Count Search"}, judge=judge)
    assert len(judge.shown) == 2 and "1 cat, 0 dogs, off by 2 | 2 cats" in done.table, "the half without it stays"


ROW = {"words": "1 cat", "misses": 1, "seconds": 0.5, "file": "001.jpg"}


@pytest.mark.parametrize(
    "content",
    [
        '{"rows": 3',
        "3",
        '{"setups": 3}',
        '{"setups": {"a": [1]}}',
        *[
            json.dumps({"setups": {"a": {"k": row}}})
            for row in (
                3,
                {"words": "1 cat"},
                {**ROW, "other": 1},
                {**ROW, "misses": "1"},
                {**ROW, "file": "../001.jpg"},
            )
        ],
    ],
)
def test_a_damaged_file_is_made_anew(output: Path, content: str) -> None:
    output.mkdir(parents=True)
    (output / "report.json").write_text(content)
    (output / "001.jpg").touch()
    (output.parent / "001.jpg").touch()
    report_kept = KeptReport("mine")
    assert report_kept.get("a", "k") is None
    report_kept.add("a", "k", Made(**ROW), torch.zeros(8, 8, 3))
    assert KeptReport("mine").get("a", "k") == Made(**ROW)


def test_seconds_are_those_of_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prompts are encoded and the model is loaded before the clock starts; what is asked is read from tokens alone."""
    events: list[str] = []

    def note(place: Any, name: str, event: str) -> None:
        original = getattr(place, name)
        monkeypatch.setattr(place, name, lambda *given, **named: (events.append(event), original(*given, **named))[1])

    note(loaded().clip, "encode_from_tokens_scheduled", "encode")
    note(comfy.model_management, "load_model_gpu", "load")
    note(report, "sampled_image", "sample")
    monkeypatch.setattr(report, "time", SimpleNamespace(monotonic=lambda: events.append("clock") or 0.0))
    made(Scripted(RIGHT, RIGHT), prompts="two cats and a dog")
    first, second = ["encode", "encode", "load"], ["encode", "load"]
    shown = [event for number, event in enumerate(events) if event != "load" or events[number - 1] == "encode"]
    assert shown == [*first, "clock", "sample", "clock", *second, "clock", "sample", "clock"]


def test_steered_and_searched_and_until_right() -> None:
    steered, _ = with_isac(loaded().model, IsacSettings(mode="fast"))
    counter = Scripted(*[RIGHT] * 4)
    made(counter, model_with=steered)
    assert not torch.equal(counter.shown[0], counter.shown[1])
    for method, looks in (("Count Search", 2), ("Generate Until Right", 3)):
        counter, judge = Scripted(*[RIGHT] * 6), Scripted(*[RIGHT] * 4)
        done = made(counter, {"method": method, "name": method, "steps": 8}, model_with=None, judge=judge)
        assert (
            len(judge.shown) == 4 and len(counter.shown) == 2 * (looks - 1) and "same counter" not in done.result.note
        )
    assert "same counter" in made(Scripted(*[RIGHT] * 9), {"method": "Count Search", "name": "own"}).result.note


def test_what_decides_the_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = {
        "1": {"class_type": "LoadCheckpoint", "inputs": {"name": "a"}},
        "2": {"class_type": "HeadcountCountReport", "inputs": {"model": ["1", 0], "seed": 1}},
        "3": {"class_type": "Other", "inputs": {"x": 1}},
    }
    before = setup_of({"steps": 4}, graph, "2")
    graph["3"]["inputs"]["x"], graph["2"]["inputs"]["seed"] = 2, 5
    assert setup_of({"steps": 4}, graph, "2") == before != setup_of({"steps": 5}, graph, "2")
    graph["1"]["inputs"]["name"] = "b"
    assert setup_of({"steps": 4}, graph, "2") != before and kept.setup_of({}, None, None)
    without = setup_of({"method": "a"}, graph, "2", ("method", "model_with"))
    graph["2"]["inputs"]["model_with"] = ["3", 0]
    assert setup_of({"method": "b"}, graph, "2", ("method", "model_with")) == without
    assert setup_of({"method": "a"}, graph, "2") != without
    monkeypatch.setattr(kept, "_version", lambda: "another")
    assert setup_of({"method": "b"}, graph, "2", ("method", "model_with")) != without


def test_the_version_is_the_packs() -> None:
    assert (
        kept._version()
        == tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["version"]
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": None}, "Count Report got no model; connect the loader's MODEL output"),
        ({"clip": None}, "Count Report got no clip; connect the loader's CLIP output"),
        ({"model_with": None}, "Count Report compares model with model_with, which is not connected"),
        ({"counter": None}, "Count Report got no counter"),
        ({"prompts": " \n"}, "Count Report has no prompts: write one per line"),
        (
            {"prompts": "two cats\nfog"},
            "Count Report, line 2 ('fog'): it has nothing to judge by: the prompt counts nothing. Write a number, such as "
            "'three cats'$",
        ),
        ({"settings": {"name": "../x"}}, "name is '../x'; it is the name of a folder"),
    ],
)
def test_refusals(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CountError) as caught:
        made(changes.pop("counter", Scripted()), changes.pop("settings", None), **changes)
    assert message in f"{caught.value}$"  # "$": it ends there


@pytest.mark.parametrize("changes", [{}, {"settings": {"method": "Count Search"}}])
def test_the_vae_of_another_model_is_said(changes: dict[str, Any]) -> None:
    with pytest.raises(
        CountError, match="its latents have 8 channels, the model's have 12; connect the VAE of the loader that"
    ):
        made(Scripted(RIGHT), vae=shapes().vae, **changes)


def test_a_folder_that_cannot_be_written_to_is_said(output: Path) -> None:
    output.parent.touch()
    with pytest.raises(CountError) as caught:
        made(Scripted(RIGHT))
    assert str(caught.value) == (
        f"Count Report cannot keep an image in {output} (Not a directory). Free space on that disk, or allow writing there, "
        "and press Run again: images made so far are kept"
    )
