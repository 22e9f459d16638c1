"""The demo worlds' T2ICount networks count drawn scenes; the script that trained them learns."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from headcount.core.t2icount.counting import CountSettings, count_picture
from headcount.core.t2icount.network import CountNetwork
from headcount.core.t2icount.text import ClassText
from safetensors import safe_open
from safetensors.torch import load_file
from torch.optim.lr_scheduler import LambdaLR

from demo.count_scenes import CountScenes, Recipe, emoji_scene, make_scenes, minority_scene, rich_scene
from demo.shapes import PLURALS
from demo.train_counter import WORLDS, KnownExamples, World, begun_network, counted_pictures, schedule, settings_of
from training.batches import gathered
from training.counter_training import CounterTraining
from training.options import noun_tokens
from training.run_folder import CONFIG_ENTRY, RunFolder
from training.start import start_network
from training.texts import NounTexts

WEIGHTS = Path(__file__).resolve().parents[2] / "demo" / "weights"
FILES = {"shapes": WEIGHTS / "t2icount" / "shapes_counter.safetensors", "emoji": WEIGHTS / "emoji_t2icount.safetensors"}


@cache
def trained(world: str) -> CountNetwork:
    return start_network(FILES[world], 0).eval()


def texts(network: CountNetwork, nouns: Iterable[str]) -> ClassText:
    return NounTexts(network, noun_tokens(None, network.config)).rows(list(nouns))


def errors(network: CountNetwork, scenes: CountScenes) -> np.ndarray:
    """(N, K) counted minus true for every noun."""
    text, rows = texts(network, scenes.plurals.values()), []
    for scene in scenes.scenes:
        pixels = torch.from_numpy(scene.picture).float() / 255
        found = count_picture(network, pixels, text, CountSettings("native"))
        rows.append(found.numbers.numpy() - [scene.count(noun) for noun in scenes.plurals])
    return np.array(rows)


@pytest.mark.parametrize("world", WORLDS)
def test_the_file_is_small_and_names_its_configuration(world: str) -> None:
    assert FILES[world].stat().st_size <= 15e6
    with safe_open(FILES[world], "pt") as file:
        assert file.metadata()[CONFIG_ENTRY] == world
    assert {value.dtype for value in load_file(FILES[world]).values()} == {
        torch.float8_e4m3fn,
        torch.float16,
        torch.int64,
    }


@pytest.mark.parametrize(
    ("world", "recipe", "there", "absent"),
    [
        ("shapes", rich_scene, 1.0, 0.4),
        ("shapes", minority_scene, 1.0, 0.4),
        ("emoji", emoji_scene, 0.25, 0.45),  # of 21 nouns some are taken for similar ones
    ],
)
def test_it_counts_every_noun_present_or_not(world: str, recipe: Recipe, there: float, absent: float) -> None:
    scenes = replace(WORLDS[world], recipe=recipe).scenes(12, 99)
    wrong = np.abs(errors(trained(world), scenes))
    is_there = np.array([[scene.count(noun) > 0 for noun in scenes.plurals] for scene in scenes.scenes])
    assert wrong[is_there].mean() < there and wrong[~is_there].mean() < absent


@pytest.mark.parametrize("world", WORLDS.values(), ids=list(WORLDS))
def test_known_examples_say_what_is_there(world: World) -> None:
    scenes = world.scenes(12, 6)
    examples = KnownExamples(scenes, world.source.config, 0)
    singulars = {plural: noun for noun, plural in scenes.plurals.items()}
    sums = []
    for epoch in range(12):
        for index in range(len(scenes)):
            labelled = examples._labelled(index, random.Random(f"{epoch} {index}"))
            scene, noun = scenes.scenes[index], singulars[labelled.noun]
            if len(labelled.picture) == len(scene.picture) and np.array_equal(labelled.picture, scene.picture):
                sums.append((float(labelled.density.sum()), scene.count(noun), bool(labelled.region.any())))
    assert len(sums) > 80 and all(is_open == (truth > 0) for _, truth, is_open in sums)
    assert all(total == pytest.approx(truth, rel=1e-4) for total, truth, _ in sums)
    assert 0 < sum(truth == 0 for _, truth, _ in sums) < len(sums) / 2


@pytest.mark.parametrize("world", WORLDS.values(), ids=list(WORLDS))
def test_training_learns(world: World, tmp_path: Path) -> None:
    scenes = world.scenes(4, 2)
    settings = replace(settings_of(1), schedule=lambda optimiser, steps: LambdaLR(optimiser, lambda _: 0.5))
    network = begun_network(0, world=world)
    training = CounterTraining(network, noun_tokens(None, network.config), scenes, settings, RunFolder(tmp_path))
    batch = gathered([KnownExamples(scenes, network.config, 0).example(0, index) for index in range(4)])
    losses = [training.step(batch)["loss"] for _ in range(8)]
    assert losses[-1] < 0.9 * losses[0]


def test_the_rate_warms_up_and_comes_down() -> None:
    optimiser = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    (factor,) = schedule(optimiser, 1000).lr_lambdas
    rates = [factor(step) for step in range(1000)]
    assert rates[0] < 0.1 and max(rates) > 0.98 and rates[999] < 0.03 and rates.index(max(rates)) < 40


def test_pictures_to_count_name_their_truth() -> None:
    scenes = make_scenes(minority_scene, 3, 1)
    for picture, scene in zip(counted_pictures(scenes), scenes.scenes, strict=True):
        assert picture.count == scene.count(scene.noun) and picture.noun == PLURALS[scene.noun]
        assert np.array_equal(picture.read(), scene.picture)
