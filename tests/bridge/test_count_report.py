"""Count Report with the emoji model: pairs from the same seeds, kept rows, what it says, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import comfy.model_management
import folder_paths
import pytest
import torch
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.report import kept, report
from headcount.bridge.report.kept import setup_of
from headcount.bridge.report.report import CountReport, ReportRequest, ReportSettings, count_report
from headcount.core.errors import CountError

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


def test_a_damaged_file_is_made_anew(output: Path) -> None:
    output.mkdir(parents=True)
    (output / "report.json").write_text('{"rows": 3')
    assert made(Scripted(*[RIGHT] * 4)).image.ndim == 4


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


def test_what_decides_the_pictures() -> None:
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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": None}, "Count Report got no model; connect the loader's MODEL output"),
        ({"clip": None}, "Count Report got no clip; connect the loader's CLIP output"),
        ({"model_with": None}, "Count Report compares model with model_with, which is not connected"),
        ({"counter": None}, "Count Report got no counter"),
        ({"prompts": " \n"}, "Count Report has no prompts: write one a line"),
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
