"""The picture of what `benchmarks.effect` found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.effect_curve import NAMES, main, picture
from demo.comfy_host import ROOT

REPORT = json.loads((ROOT / "docs" / "measurements" / "effect_emoji.json").read_text())


def test_every_method_stands_where_its_figures_say() -> None:
    over_cost, by_number = picture(REPORT).axes
    dots = {one.get_label(): one.lines[0].get_xydata()[0] for one in over_cost.containers}
    assert set(dots) == {NAMES[name] for name in REPORT["methods"]}
    steered = REPORT["methods"]["isac_fast"]["groups"]["all"]
    assert dots["Count Control"] == pytest.approx([steered["cost"]["mean"], 100 * steered["right"]["mean"]])
    assert dots["plain"] == pytest.approx([1, 100 * REPORT["methods"]["plain"]["groups"]["all"]["right"]["mean"]])
    assert [len(one.lines[0].get_xydata()) for one in by_number.containers] == [3] * 5, "five methods, three groups"
    assert next(text.get_text().splitlines()[0] for text in by_number.get_xticklabels()) == "2 to 4 objects"


def test_a_method_whose_cost_was_not_counted_is_left_out_on_the_left() -> None:
    report = json.loads(json.dumps(REPORT))
    report["methods"]["search"]["groups"]["all"]["cost"] = None
    over_cost, _ = picture(report).axes
    assert "Count Search" not in {one.get_label() for one in over_cost.containers}


def test_the_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, report = tmp_path / "curve.png", tmp_path / "report.json"
    report.write_text(json.dumps(REPORT))
    main([str(report), str(file)])
    assert str(file) in capsys.readouterr().out and Image.open(file).width > 1000
