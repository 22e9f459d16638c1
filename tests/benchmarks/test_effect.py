"""The benchmark of effects, on few prompts and steps of real models: what is drawn, kept, judged and printed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from comfy.ldm.modules.attention import attention_pytorch, optimized_attention
from headcount.bridge.demo_models.emoji import load_emoji_unet
from headcount.bridge.isac.presets import PRESETS, preset_values
from headcount.core.counting import Counted
from headcount.core.errors import CountError
from headcount.nodes.isac_attention_control import IsacAttentionControl

from benchmarks import effect
from benchmarks.lab import effects
from benchmarks.lab.judged_pictures import Bench, wanted_counts
from benchmarks.lab.node_methods import KINDS, read_method, read_methods
from benchmarks.lab.operations import operations_of
from benchmarks.lab.prompt_files import read_prompts
from benchmarks.lab.sampling import SHAPES_SAMPLING, Generator
from benchmarks.lab.worlds import WORLDS, Source, World, require_files
from demo.exact_counter import ExactCounter
from demo.scenes import PlacedShape, draw

from ..helpers.models import shapes

FEW = replace(SHAPES_SAMPLING, steps=6)
SHAPES = replace(WORLDS["shapes"], model=Source(shapes), decider=Source(ExactCounter), sampling=FEW)
ROWS = read_prompts("shapes", "tuning")


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench(SHAPES)


# What changes nothing: the noise is the same for all methods.
@pytest.mark.parametrize(
    "method",
    ["isac_fast:strength=0", "numina:strength=0", "selection:candidates=1", "search:seeds=1", "best_of:pictures=1"],
)
def test_every_method_starts_from_the_same_noise(bench: Bench, method: str) -> None:
    plain, _ = bench.draw(ROWS[0], read_method("plain"))
    changed, _ = bench.draw(ROWS[0], read_method(method))
    assert np.array_equal(plain, changed)


def test_plain_is_what_ksampler_draws(bench: Bench) -> None:
    pixels, losses = bench.draw(ROWS[0], read_method("plain"))
    drawn = Generator(shapes(), FEW).draw(ROWS[0].prompt, ROWS[0].seed)
    assert np.array_equal(pixels, drawn) and losses == []


def test_parts_work_together(bench: Bench) -> None:
    plain, _ = bench.draw(ROWS[0], read_method("plain"))
    steered, losses = bench.draw(ROWS[0], read_method("search:seeds=2+isac_fast+numina"))
    assert len(losses) == 3 and not np.array_equal(plain, steered), "40 % of 6 steps are steered"


def test_cost_grows_with_what_is_done(bench: Bench) -> None:
    cost = {name: bench.operations(ROWS[0], read_method(name)) for name in ("plain", "isac_fast", "best_of:pictures=2")}
    assert cost["isac_fast"] > 1.1 * cost["plain"]
    assert cost["best_of:pictures=2"] == pytest.approx(2 * cost["plain"], rel=0.05)


def test_defaults_are_the_schemas() -> None:
    defaults = {one.id: one.default for one in IsacAttentionControl.define_schema().inputs if hasattr(one, "default")}
    assert read_method("isac_fast").parts["isac_fast"] == {
        **{name: value for name, value in defaults.items() if value is not None},
        "mode": "fast",
        "preset": "custom",
    }
    for name in ("isac_fast", "isac_exact", "isac_paper"):
        settings = read_method(f"{name}:bind=false").parts[name]
        assert preset_values(settings["preset"], settings) == settings, "a preset would change what is measured"
    assert read_method("isac_paper").parts["isac_paper"].items() >= PRESETS["paper"].items()
    assert {"seeds", "decide_at"} <= set(KINDS["search"].settings()) and "seed" not in KINDS["search"].settings()


def test_methods_as_written() -> None:
    method = read_method("search:seeds=4+isac_exact:bind=false:step_size=0.05")
    assert list(method.parts) == ["isac_exact", "search"], "the model is steered before seeds are tried with it"
    assert method.parts["search"]["seeds"] == 4
    assert method.parts["isac_exact"]["bind"] is False and method.parts["isac_exact"]["step_size"] == 0.05
    assert method.counts and not read_method("selection").counts
    assert list(read_method("repair:rounds=2+search").parts) == ["search", "repair"], "what is sampled is mended"
    assert [one.name for one in read_methods(["numina", "plain", "numina"])] == ["plain", "numina"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("isac", "no 'isac'; there are plain, isac_fast"),
        ("isac_fast+isac_exact", "only one part may steer"),
        ("search+selection", "one choose the noise"),
        ("search+search", "one choose the noise"),
        ("search:seed=4", "no setting 'seed'; it has seeds"),
        ("search:seeds=few", "search:seeds=few has to be a value of type int"),
        ("best_of:pictures=0", "makes no picture"),
        ("isac_fast:bind=no", "has to be a value of type bool"),
    ],
)
def test_what_is_no_method_is_refused(text: str, told: str) -> None:
    with pytest.raises(CountError, match=told):
        read_method(text)


@pytest.mark.parametrize("attention", [optimized_attention, attention_pytorch])
@torch.inference_mode()
def test_attention_is_counted(attention: Any) -> None:
    """Two products of 16 x 16 tokens in 2 heads of 32, whatever ComfyUI computes them with, also in inference mode."""
    q = torch.randn(1, 16, 64)
    assert operations_of(lambda: attention(q, q, q, 2)) == 2 * 2 * (2 * 16 * 16 * 32)


@torch.inference_mode()
def test_gradients_are_counted() -> None:
    """Backward: two products for each forward one, and for fused attention that of its matrix once more."""

    def step() -> None:
        with torch.inference_mode(False), torch.enable_grad():
            weight, q = torch.randn(64, 64, requires_grad=True), torch.randn(1, 16, 64, requires_grad=True)
            attention_pytorch(q @ weight, q, q, 2).sum().backward()

    product, attention = 2 * 16 * 64 * 64, 2 * 2 * (2 * 16 * 16 * 32)
    assert operations_of(step) == 3 * product + 3.5 * attention


def test_the_judge_of_shapes_tells_colours() -> None:
    placed = (PlacedShape("star", "red", (36, 40), 14), PlacedShape("star", "blue", (92, 40), 14))
    picture = torch.tensor(draw(placed, (230, 230, 230)))[None] / 255
    found = ExactCounter().count(picture, ("stars", "red stars", "moons"))
    assert found.numbers.tolist() == [[2, 1, 0]] and len(found.boxes[0]) == 2
    assert all(0.8 < box["score"] <= 1 and 25 < box["width"] < 34 for box in found.boxes[0])
    coloured = next(row for row in ROWS if row.colours)
    wanted = wanted_counts(SHAPES, coloured)
    assert len(wanted) == 10 and all(
        wanted[f"{coloured.colours[noun]} {noun}"] == n for noun, n in coloured.counts.items()
    )
    without = wanted_counts(replace(SHAPES, tells_colours=False), coloured)
    assert sum(without.values()) == sum(coloured.counts.values())


class TwoCats:
    """Sees two cats in every picture."""

    def count(self, images: torch.Tensor, nouns: tuple[str, ...], on_progress: Any = None) -> Counted:
        numbers = [[2.0 * (noun == "cats") for noun in nouns]] * len(images)
        box = {"x": 0, "y": 0, "width": 32, "height": 48, "label": "cat", "score": 0.75}
        boxes = tuple([box, box] for _ in images)
        return Counted(tuple(nouns), torch.tensor(numbers), tuple(((),) * len(nouns) for _ in images), boxes)


def emoji_world() -> World:
    stand_in = Source(TwoCats)
    return replace(WORLDS["emoji"], model=Source(load_emoji_unet), decider=stand_in, judge=stand_in, sampling=FEW)


def test_the_emoji_world() -> None:
    row = next(row for row in read_prompts("emoji", "tuning") if row.counts == {"cat": 2})
    outcome = Bench(emoji_world()).outcome(row, read_method("isac_fast+search:seeds=2"))
    assert (outcome.counted, outcome.score, outcome.size) == ({"cat": 2}, 0.75, 0.375)
    assert len(outcome.features) == 24 and np.isfinite(outcome.features).all()
    assert outcome.losses == []  # the sampler repeats the steps of the look, which is where they were steered


def test_a_world_without_its_files_is_refused(tmp_path: Path) -> None:
    missing = replace(emoji_world(), judge=Source(TwoCats, (tmp_path / "emoji_judge.safetensors",)))
    with pytest.raises(CountError, match=r"--world emoji needs files that are not there: emoji_judge.safetensors"):
        require_files("emoji", missing)
    require_files("emoji", emoji_world())


def test_the_whole_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """In two parts, then together, where nothing is drawn again."""
    monkeypatch.setitem(WORLDS, "shapes", SHAPES)
    out, file = tmp_path / "kept.jsonl", tmp_path / "figures.json"
    given = ["--methods", "isac_fast,search:seeds=2", "--prompts", "2", "--first", "1", "--out", str(out)]
    for part in ("0/2", "1/2"):
        effect.main([*given, "--part", part])
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(effects, "Bench", None)
    effect.main([*given, "--json", str(file)])
    printed = capsys.readouterr().out
    for line in (
        "### All 2 prompts",
        "| drawn scenes |",
        "### isac_fast, by group",
        "(1 of 2)",
        "mean loss by steered step: ",
    ):
        assert line in printed
    content = json.loads(file.read_text())
    assert content["world"] == "shapes" and content["prompts"] == "tuning, 2 from 1 on"
    assert list(content["methods"]) == ["plain", "isac_fast", "search:seeds=2"]
    found = content["methods"]["isac_fast"]
    assert [one["seed"] for one in found["pictures"]] == [row.seed for row in ROWS[1:3]]
    assert found["groups"]["all"]["prompts"] == 2 and found["groups"]["all"]["cost"]["mean"] > 1
    assert content["methods"]["plain"]["groups"]["all"]["cost"]["mean"] == 1
    shares = [np.mean([one["right"] for one in method["pictures"]]) for method in content["methods"].values()]
    assert shares == [method["groups"]["all"]["right"]["mean"] for method in content["methods"].values()]
    effect.main([*given, "--no-costs"])
    assert "(0 of 2)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "told"),
    [(["--first", "300"], "fewer prompts"), (["--methods", "magic"], "no 'magic'")],
)
def test_what_the_command_refuses(given: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        effect.main(given)
    assert told in capsys.readouterr().err
