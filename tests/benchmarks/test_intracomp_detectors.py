"""Counting with the pack's own counters: a detector's folder by itself, and several detectors of which any two agree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from headcount.bridge.counters.detector import DetectorCounter
from headcount.bridge.counters.detector_files import read_detector
from headcount.core.counting import Counted, DetectionSettings
from headcount.core.drawing import image_of
from headcount.core.errors import CountError

from benchmarks.intracomp import main
from benchmarks.intracomp_parts.pictures import Store
from benchmarks.lab.counters import ExactShapes
from benchmarks.lab.named_counters import Agreement, counter_of, counters_of

from ..helpers.detectors import save_detector
from .test_intracomp import picture_row

NOUNS = ("cat", "hot dog", "baseball bat")
PICTURE = np.random.default_rng(0).integers(0, 255, (80, 128, 3), dtype=np.uint8)
IMAGES = image_of(PICTURE[None])
KINDS = ("owlv2", "grounding-dino")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Kind of detector -> folder as `save_pretrained` writes it."""
    root = tmp_path_factory.mktemp("detectors")
    return {kind: save_detector(root / kind, kind) for kind in KINDS}


def test_a_folder_is_the_nodes_counter(folders: dict[str, Path]) -> None:
    counter = counter_of(str(folders["owlv2"]), 0.1, 0.4)
    expected = DetectorCounter(read_detector(folders["owlv2"]), DetectionSettings(0.1, 0.4)).count(IMAGES, NOUNS)
    found = counter.count(IMAGES, NOUNS)
    assert found.numbers.equal(expected.numbers) and found.boxes == expected.boxes and found.numbers.sum() > 0
    names = {counter_of(str(folders[kind]), threshold).name for kind in KINDS for threshold in (0.1, 0.2)}
    assert len(names) == 4 and all(str(folders["owlv2"]) not in name for name in names)


def test_any_two_agree(folders: dict[str, Path]) -> None:
    one, other = (counter_of(str(folders[kind]), 0.1) for kind in KINDS)
    alone = one.count(IMAGES, NOUNS)
    itself = Agreement([one, one]).count(IMAGES, NOUNS)
    assert itself.numbers.equal(alone.numbers), "a detector agrees with itself"
    assert sorted(map(str, itself.boxes[0])) == sorted(map(str, alone.boxes[0]))
    strict = counters_of([str(folders[kind]) for kind in KINDS], [0.1], 0.5, 0.999)
    assert strict.count(IMAGES, NOUNS).numbers.sum() < alone.numbers.sum()
    assert strict.name == f"any two of: {one.name} | {other.name}; agreement 0.999"


@pytest.mark.parametrize("text", ["nowhere", "sam3:nowhere.safetensors", "t2icount:nowhere.safetensors"])
def test_what_is_not_there(text: str) -> None:
    with pytest.raises(CountError, match="nowhere"):
        counter_of(text)


class CountsOnly(ExactShapes):
    """Gives no boxes."""

    def count(self, *arguments: Any) -> Counted:
        return replace(super().count(*arguments), boxes=None)


def test_a_counter_without_boxes_agrees_with_nobody() -> None:
    with pytest.raises(CountError, match="exact counter of the Shapes scenes gives no boxes"):
        Agreement([CountsOnly()] * 2).count(IMAGES, ("circle",))


def test_command_line(folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Pictures of any origin are counted, and counted again by other detectors, without a model."""
    store = Store(tmp_path)
    for index in range(3):
        row = picture_row(f"{index:02x}", prompt=f"a cat and a hot dog {index}", asked={"cat": 1, "hot dog": 1})
        store.add_picture(row, np.roll(PICTURE, 20 * index, axis=1))
    detector = ["--detector", str(folders["owlv2"])]
    line = ["--cpu", "--skip-generate", "--out", str(tmp_path), "--threshold", "0.2", *detector]
    main(line)
    assert "counted 3 of 3 pictures" in capsys.readouterr().err
    main(line)
    assert "counted" not in capsys.readouterr().err
    main([*line, "--detector", str(folders["grounding-dino"])])
    printed = capsys.readouterr()
    assert "counted 3 of 3 pictures" in printed.err
    assert printed.out.count("\n### multi-class") == 2 and "any two of: owlv2" in printed.out
    assert len({counter for _, counter in store.counts()}) == 2
    with pytest.raises(SystemExit):
        main([*line[:4], "--detector", str(tmp_path / "none")])
