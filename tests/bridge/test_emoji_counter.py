"""The decider and the judge as counters: right on drawn scenes of every size, in words about what they cannot count."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from headcount.bridge.demo_models.emoji import AUTOENCODER_WEIGHTS
from headcount.bridge.demo_models.emoji_counter import EmojiCounter, load_emoji_counter
from headcount.core.errors import CountError
from safetensors.torch import load_file, save_file

from demo.emoji.judge import load_judge
from demo.emoji.scenes import scene
from demo.emoji.vocabulary import NOUNS, PLURALS

SCENES = 24


@pytest.fixture(scope="module")
def decider() -> EmojiCounter:
    return load_emoji_counter()


def share_right(counter: EmojiCounter) -> float:
    """Of drawn scenes that no detector was trained on."""
    drawn = [scene("test", number) for number in range(SCENES)]
    images = torch.stack([torch.tensor(one.picture) for one in drawn]).float() / 255
    counted = counter.count(images, [PLURALS[noun] for noun in NOUNS])
    wanted = torch.tensor([[one.counts().get(noun, 0) for noun in NOUNS] for one in drawn])
    return float((counted.rounded == wanted).all(1).float().mean())


def test_the_decider_counts_drawn_scenes(decider: EmojiCounter) -> None:
    assert share_right(decider) >= (SCENES - 1) / SCENES


def test_the_judge_counts_drawn_scenes() -> None:
    assert share_right(load_judge()) >= 0.8


@pytest.mark.parametrize("size", [128, 300])
def test_boxes_are_around_the_objects(decider: EmojiCounter, size: int) -> None:
    """In pixels of the image, whatever its size; all of them, also of nouns that nobody asked for."""
    drawn = scene("test", 3)
    image = torch.tensor(drawn.picture).float().div(255).movedim(-1, 0)[None]
    scaled = torch.nn.functional.interpolate(image, (size, size), mode="bilinear").movedim(1, -1)
    (boxes,) = decider.count(scaled, ["cats"]).boxes
    assert len(boxes) == len(drawn.objects)
    for one in drawn.objects:
        left, top, width, height = (size / 128 * side for side in one.box)
        nearest = min(boxes, key=lambda box: abs(box["x"] - left) + abs(box["y"] - top))
        assert nearest["label"] == one.noun and 0.4 <= nearest["score"] <= 1
        for side, right in (("x", left), ("y", top), ("width", width), ("height", height)):
            assert abs(nearest[side] - right) < 0.06 * size


def test_what_it_sees_can_be_checked(decider: EmojiCounter) -> None:
    drawn = scene("test", 3)
    steps: list[tuple[int, int]] = []
    nouns = list(drawn.counts())
    counted = decider.count(
        torch.tensor(drawn.picture)[None] / 255, nouns, on_progress=lambda *done: steps.append(done)
    )
    assert steps == [(1, 1)] and counted.rounded.tolist() == [list(drawn.counts().values())]


def test_a_noun_that_it_does_not_know(decider: EmojiCounter) -> None:
    with pytest.raises(CountError, match=r"cannot count 'wolves': it knows cat, dog, .*connect another counter"):
        decider.count(torch.zeros(1, 64, 64, 3), ["cats", "wolves"])


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(CountError, match=r"none\.safetensors is not in the pack's demo/weights folder"):
        load_emoji_counter(tmp_path / "none.safetensors")
    with pytest.raises(CountError, match=r"emoji_autoencoder\.safetensors does not say which nouns it counts"):
        load_emoji_counter(AUTOENCODER_WEIGHTS)
    other = tmp_path / "other.safetensors"
    save_file(dict(list(load_file(AUTOENCODER_WEIGHTS).items())[:2]), other, {"nouns": '["cat"]'})
    with pytest.raises(
        CountError, match="this is not a detector of the Emoji models that this version of the pack can read"
    ):
        load_emoji_counter(other)
