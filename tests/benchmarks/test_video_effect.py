"""Clips of the Emoji video model, with a guide and without, counted frame by frame."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks import video_effect
from benchmarks.lab.prompt_files import PromptRow
from benchmarks.lab.sampling import SHAPES_SAMPLING, Generator

PICTURES = np.zeros((3, 4, 4, 3), np.uint8)


def _row(**counts: int) -> PromptRow:
    return PromptRow("", counts, 0, [])


def test_prompts_that_the_model_was_trained_on() -> None:
    fitting = [_row(apple=6), _row(apple=1, cup=3)]
    others = [_row(apple=7), _row(apple=4, cup=1), _row(cat=1), _row(apple=1, cup=1, book=1)]
    assert all(map(video_effect.fits, fitting)) and not any(map(video_effect.fits, others))


def test_measures_of_a_clip() -> None:
    counts, plain = np.array([[2, 1], [2, 3], [2, 1]]), np.array([[2, 0], [2, 0], [1, 0]])
    found = video_effect.Outcome(PICTURES, counts, plain + np.array([[0, 1]]), True, 2.5).measures([2, 1], plain)
    assert found["CountAcc"] == pytest.approx(5 / 6) and found["TC"] == pytest.approx(0.5)
    assert found["right clips"] == 0 and found["changed clips"] == 1 and found["seconds"] == 2.5
    assert found["read as in plain"] == pytest.approx(0.5)
    right = video_effect.Outcome(PICTURES, np.full((3, 2), 1), None, False, 1.0).measures([1, 1], plain)
    assert right["right clips"] == right["TC"] == 1 and np.isnan(right["read as in plain"])


def test_what_a_guide_read() -> None:
    before = torch.tensor([[[0, 1], [2, 2]], [[0, 0], [1, 1]]])
    after = torch.where(before == 2, -1, before)
    record = SimpleNamespace(layouts={"apple": (before, after), "cup": (before * 0, before * 0)})
    maps = SimpleNamespace(record_for=lambda samples: (record, True))
    read, changed = video_effect._read(maps, torch.zeros(1), 2)
    assert read.tolist() == [[2, 0], [1, 0]] and changed
    record.layouts = {"apple": (before, before), "cup": (before, before)}
    assert not video_effect._read(maps, torch.zeros(1), 2)[1]
    nothing = SimpleNamespace(record_for=lambda samples: (SimpleNamespace(why=""), True))
    assert (
        video_effect._read(nothing, torch.zeros(1), 2) == video_effect._read(None, torch.zeros(1), 2) == (None, False)
    )


def test_the_command_prints_each_method_and_draws_a_sheet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_effect, "Generator", partial(Generator, settings=replace(SHAPES_SAMPLING, steps=3)))
    monkeypatch.setattr(video_effect, "FRAMES", 2)
    sheet = tmp_path / "sheet.png"
    video_effect.main(["--prompts", "2", "--methods", "numina", "--sheet", str(sheet)])
    lines = capsys.readouterr().out.splitlines()
    assert "2 prompts of the tuning set, clips of 2 frames" in lines
    assert [line.split(" | ")[0] for line in lines if line.startswith("| ")][1:] == ["| plain", "| numina"]
    assert sheet.is_file()


def test_methods_that_guide_no_video_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        video_effect.main(["--methods", "isac_fast", "--prompts", "1"])
    assert "isac_fast guides no video" in capsys.readouterr().err
