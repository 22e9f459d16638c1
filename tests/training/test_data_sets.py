"""Reading FSC-147, FSC-147-S and CARPK; what is broken in a data set is named with its file and line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from headcount.core.errors import CountError

from training.carpk import carpk_counted
from training.fsc147 import DENSITIES, NOUNS, PICTURES, POINTS, SPLITS, Fsc147, fsc147_counted, fsc147s_counted

from ..helpers.counting_folders import write_carpk, write_fsc147


@pytest.fixture
def fsc147(tmp_path: Path) -> Path:
    """In a folder whose name holds an extension, as people have them."""
    return write_fsc147(tmp_path / "jpg.jpg data")


def test_training_pictures_come_with_noun_and_density(fsc147: Path) -> None:
    pictures = Fsc147(fsc147)
    assert len(pictures) == 3
    picture, noun, density = pictures.sample(2)
    assert (picture.shape, picture.dtype, noun) == ((60, 76, 3), np.uint8, "lines")
    assert density.shape == (60, 76) and density.sum() == pytest.approx(3)
    bright = picture[density > 0].astype(int)[:, 0]
    assert bright.mean() > 150 > picture[density == 0].astype(int)[:, 0].mean()


def test_counted_pictures_have_as_many_as_points(fsc147: Path) -> None:
    validation, test = fsc147_counted(fsc147, "val"), fsc147_counted(fsc147, "test")
    assert [(one.name, one.noun, one.count) for one in validation] == [("4.jpg", "squares", 4)]
    assert [(one.name, one.noun, one.count) for one in test] == [("5.jpg", "dots", 1), ("6.jpg", "lines", 2)]
    assert test[0].read().shape == (60, 76, 3)


def test_a_noun_is_what_follows_the_tab(fsc147: Path) -> None:
    lines = "1.jpg\tsea shells\r\n\n2.jpg\tdots \n3.jpg\tlines\n"
    (fsc147 / NOUNS).write_bytes(lines.encode())
    assert [Fsc147(fsc147).sample(index)[1] for index in range(3)] == ["sea shells", "dots", "lines"]


def test_reads_both_versions_of_the_subset(fsc147: Path, tmp_path: Path) -> None:
    listed = tmp_path / "FSC-147-S.json"
    listed.write_text(json.dumps({"6.jpg": {"class": "people", "count": 1}, "1.jpg": {"class": "cups", "count": 2}}))
    found = fsc147s_counted(fsc147, listed)
    assert [(one.name, one.noun, one.count) for one in found] == [("6.jpg", "people", 1), ("1.jpg", "cups", 2)]
    assert found[0].read().shape == (60, 76, 3)


def test_reads_carpk(tmp_path: Path) -> None:
    found = carpk_counted(write_carpk(tmp_path / "CARPK"), "test")
    assert [(one.name, one.noun, one.count) for one in found] == [("first.png", "cars", 3), ("second.png", "cars", 0)]
    assert found[0].read().shape == (60, 100, 3)


def _remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _write(name: str, content: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(content) and None


@pytest.mark.parametrize(
    ("breaks", "message"),
    [
        (_remove(NOUNS), "there is no file .*ImageClasses_FSC147.txt"),
        (_write(NOUNS, "1.jpg\tdots\n2.jpg dots\n"), r"ImageClasses_FSC147.txt, line 2: '2.jpg dots'"),
        (_write(NOUNS, "1.jpg\tdots\n\n2.jpg\t \n"), "ImageClasses_FSC147.txt, line 3"),
        (_write(NOUNS, "1.jpg\tdots\n"), "ImageClasses_FSC147.txt has no line for 2.jpg"),
        (_write(SPLITS, '{\n"train": [,]\n}'), "Train_Test_Val_FSC_147.json, line 2: no valid JSON"),
        (_write(SPLITS, "[]"), 'expected a list of picture names under "train"'),
        (_write(SPLITS, '{"train": [7]}'), 'expected a list of picture names under "train"'),
        (_remove(f"{PICTURES}/2.jpg"), "there is no file .*images_384_VarV2/2.jpg"),
        (_remove(f"{DENSITIES}/3.npy"), "there is no file .*3.npy"),
    ],
)
def test_a_broken_data_set_is_told_at_the_start(fsc147: Path, breaks: Callable[[Path], None], message: str) -> None:
    breaks(fsc147)
    with pytest.raises(CountError, match=message):
        Fsc147(fsc147)


@pytest.mark.parametrize(
    ("breaks", "message"),
    [
        (_write(f"{PICTURES}/1.jpg", "no picture"), "1.jpg is not a whole picture"),
        (_write(f"{DENSITIES}/1.npy", "no array"), "1.npy is not a whole .npy file"),
        (lambda folder: np.save(folder / DENSITIES / "1.npy", np.zeros((9, 9))), r"1.npy has the shape \(9, 9\)"),
    ],
)
def test_a_broken_picture_is_named(fsc147: Path, breaks: Callable[[Path], None], message: str) -> None:
    breaks(fsc147)
    with pytest.raises(CountError, match=message):
        Fsc147(fsc147).sample(0)


def test_a_density_file_runs_nothing(fsc147: Path) -> None:
    """Numpy's files may hold pickles."""
    np.save(fsc147 / DENSITIES / "1.npy", np.array([{"an": "object"}]), allow_pickle=True)
    with pytest.raises(CountError, match=r"1.npy is not a whole .npy file"):
        Fsc147(fsc147).sample(0)


@pytest.mark.parametrize("content", ["[]", '{"4.jpg": {}}', '{"4.jpg": {"points": 3}}', "{}"])
def test_missing_points_are_named(fsc147: Path, content: str) -> None:
    (fsc147 / POINTS).write_text(content)
    with pytest.raises(CountError, match=r'annotation_FSC147_384.json: expected an entry "4.jpg" with a list "points"'):
        fsc147_counted(fsc147, "val")


@pytest.mark.parametrize("content", ["[]", '{"7.jpg": 3}', '{"7.jpg": {"class": "people"}}'])
def test_a_broken_subset_is_named(fsc147: Path, content: str) -> None:
    (fsc147 / "S.json").write_text(content)
    with pytest.raises(CountError, match=r'S.json: .*"class": "people", "count": 1'):
        fsc147s_counted(fsc147, fsc147 / "S.json")


def test_a_broken_annotation_of_cars_is_named(tmp_path: Path) -> None:
    folder = write_carpk(tmp_path / "CARPK")
    (folder / "Annotations" / "first.txt").write_text("1 2 3 4 1\n\n5 6\n")
    with pytest.raises(CountError, match=r"first\.txt, line 3: '5 6'"):
        carpk_counted(folder, "test")
