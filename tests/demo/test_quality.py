"""The image quality figures fall with what is done to drawn scenes, and do not depend on what the scenes show."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from demo import quality
from demo.quality import Features, drawn_features, features, frechet_distance, quality_table, summary
from demo.scenes import Kind, PlacedShape, draw, random_scene
from demo.shapes import COLOURS, NOUNS

Picture = np.ndarray


def scenes(number: int, seed: int = 5) -> list[Picture]:
    rng = random.Random(seed)
    return [random_scene(rng).picture for _ in range(number)]


def measured(pictures: list[Picture]) -> list[Features]:
    return [features(picture) for picture in pictures]


def blurred(picture: Picture, radius: float = 1.5) -> Picture:
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius)))


def noisy(picture: Picture, strength: float = 6) -> Picture:
    noise = np.random.default_rng(int(picture.sum())).normal(0, strength, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def recoloured(picture: Picture, towards: float = 0.15) -> Picture:
    return np.clip(picture * (1 - towards) + 200 * towards, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def drawn() -> list[Features]:
    return drawn_features(40, seed=1)


def test_drawn_scenes_are_flawless(drawn: list[Features]) -> None:
    figures = summary(drawn)
    assert figures["clear"] > 0.99
    assert figures["colour distance"] < 1 and figures["background spread"] < 0.01
    assert figures["stray"] < 0.04
    assert frechet_distance(measured(scenes(40)), drawn) < 1


@pytest.mark.parametrize(
    ("change", "worse"),
    [
        (blurred, ("stray", "colour spread", "colour distance")),
        (noisy, ("background spread", "colour spread")),
        (recoloured, ("colour distance", "stray")),
    ],
)
def test_quality_falls(drawn: list[Features], change: Callable[..., Picture], worse: tuple[str, ...]) -> None:
    before, after = scenes(40), [change(picture) for picture in scenes(40)]
    figures, changed = summary(measured(before)), summary(measured(after))
    for name in worse:
        assert changed[name] > 1.3 * figures[name] + 0.01, name
    assert frechet_distance(measured(after), drawn) > 10 * frechet_distance(measured(before), drawn)


def test_more_of_it_is_farther_away(drawn: list[Features]) -> None:
    for change, steps in ((blurred, (0.7, 1.2, 2.0)), (noisy, (2, 5, 10)), (recoloured, (0.05, 0.15, 0.3))):
        distances = [frechet_distance(measured([change(p, step) for p in scenes(30)]), drawn) for step in steps]
        assert distances == sorted(distances) and distances[0] < distances[-1], change


def test_shapes_that_grow_together_are_not_clear() -> None:
    """A circle and a star, then the same two with a bar between them."""
    shapes = (PlacedShape("circle", "red", (36, 64), 14), PlacedShape("star", "red", (92, 64), 14))
    apart = draw(shapes, (230, 230, 230))
    joined = apart.copy()
    joined[60:68, 36:92] = COLOURS["red"]
    assert [region.is_clear for region in features(apart).regions] == [True, True]
    assert [region.is_clear for region in features(joined).regions] == [False]


def test_content_does_not_matter(drawn: list[Features]) -> None:
    """Neither the number of shapes nor their noun makes scenes look worse."""
    for kinds in [*((Kind(noun, 2),) for noun in NOUNS), (Kind("circle", 1),), (Kind("heart", 8),)]:
        rng = random.Random(7)
        figures = summary([features(random_scene(rng, kinds).picture) for _ in range(6)])
        assert figures["clear"] == 1 and figures["colour distance"] < 2, kinds


def test_an_empty_picture_and_none() -> None:
    empty = features(np.full((128, 128, 3), 230, np.uint8))
    assert empty.regions == () and np.isfinite(empty.vector).all()
    assert summary([empty])["clear"] == 0, "where nothing was drawn, nothing is clear"
    with pytest.raises(ValueError, match="no pictures"):
        summary([])
    with pytest.raises(ValueError, match="two pictures on each side, not 1 and 1"):
        frechet_distance([empty], [empty])


def test_frechet_distance_of_known_sets() -> None:
    """Sets along one axis: the distance of two normal distributions is (m1 - m2)^2 + (s1 - s2)^2."""

    def along(levels: list[float]) -> list[Features]:
        return [Features((), level, 0.0, 0.0) for level in levels]

    one, other = [0.0, 20.0], [30.0, 70.0]  # in units of 10: means 1 and 5, deviations sqrt(2) and 2 sqrt(2)
    assert frechet_distance(along(one), along(other)) == pytest.approx(4**2 + 2)
    assert frechet_distance(along(one), along(one)) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(along(one), along(other)) == pytest.approx(frechet_distance(along(other), along(one)))


def test_table(drawn: list[Features]) -> None:
    lines = quality_table({"a": drawn[:3], "b": drawn[:1]}, drawn)
    assert [line.count("|") for line in lines] == [10] * 4
    assert lines[2].startswith("| a | 3 | 100.0% |") and lines[3].endswith("| - |")


def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "deeper").mkdir()
    for index, picture in enumerate(scenes(4)):
        Image.fromarray(blurred(picture)).save(tmp_path / "deeper" / f"{index}.png")
    monkeypatch.setattr(sys, "argv", ["quality", "--pictures", str(tmp_path)])
    quality.main()
    given, drawn = capsys.readouterr().out.splitlines()[2:4]
    assert given.startswith("| given | 4 |") and drawn.startswith("| drawn | 4 |")
    assert float(given.split("|")[-2]) > float(drawn.split("|")[-2])
    monkeypatch.setattr(sys, "argv", ["quality", "--pictures", str(tmp_path / "empty")])
    with pytest.raises(SystemExit):
        quality.main()
