"""Boxes of an artist's own, and whether objects form in them."""

from __future__ import annotations

import pytest

from benchmarks import own_layout
from benchmarks.lab.prompt_files import PromptRow

ROW = PromptRow("two apples and a cat", {"apple": 2, "cat": 1}, 7, [])


def _found(noun: str, x: float, y: float) -> dict[str, object]:
    return {"x": x - 10, "y": y - 5, "width": 20, "height": 10, "label": noun}


def test_every_object_has_a_box_of_its_own() -> None:
    boxes = own_layout.layout_of(ROW, 128)
    assert [box["label"] for box in boxes] == ["apple", "apple", "cat"]
    assert len({(box["x"], box["y"]) for box in boxes}) == 3
    assert all(box[side] >= 0 and box[side] + box["width"] <= 128 for box in boxes for side in ("x", "y"))
    assert own_layout.layout_of(ROW, 128) == boxes
    assert own_layout.layout_of(PromptRow(ROW.prompt, ROW.counts, 8, []), 128) != boxes


def test_an_object_counts_for_the_box_of_its_noun_that_its_middle_is_in() -> None:
    boxes = [
        {"x": 0, "y": 0, "width": 40, "height": 40, "label": "apple"},
        {"x": 80, "y": 0, "width": 40, "height": 40, "label": "apple"},
        {"x": 0, "y": 80, "width": 40, "height": 40, "label": "cat"},
    ]
    found = [_found("apple", 20, 20), _found("apple", 30, 30), _found("cat", 90, 10), _found("apple", 20, 90)]
    assert own_layout.share_in_place(boxes, found) == pytest.approx(1 / 3)
    assert own_layout.share_in_place(boxes, [*found, _found("cat", 39, 119)]) == pytest.approx(2 / 3)
    assert own_layout.share_in_place(boxes, [_found("apple", 40, 20)]) == 0, "at its right edge it is outside"


def test_the_command_prints_each_method_beside_plain(capsys: pytest.CaptureFixture[str]) -> None:
    own_layout.main(["--world", "shapes", "--methods", "isac_fast", "--prompts", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines if line.startswith("| ")][1:] == ["| plain", "| isac_fast"]


def test_methods_without_a_layout_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        own_layout.main(["--world", "shapes", "--methods", "search", "--prompts", "1"])
    assert "search takes no layout" in capsys.readouterr().err
