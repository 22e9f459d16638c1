"""The two command lines from end to end, with the Shapes model as the start and a data set of six pictures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from headcount.core.errors import CountError
from headcount.core.t2icount.config import SHAPES
from headcount.core.t2icount.counting import CountSettings
from safetensors.torch import load_file

from demo.comfy_host import comfyui_folder
from training import convert, evaluate, train
from training.comfyui import network_builder
from training.counted_pictures import CountedPicture
from training.evaluation import evaluate as count_all
from training.options import chosen_device, noun_tokens
from training.stopping import stops_on_interrupt
from training.texts import NounTexts
from training.tokenizer import load_tokenizer

from ..helpers.counting_folders import write_carpk, write_fsc147
from ..helpers.counting_sets import Squares, tiny_network, tiny_tokens

ROOT = Path(__file__).parents[2]
START = str(ROOT / "demo" / "weights" / "shapes.safetensors")
NOUNS = ("circles", "red squares", "stars")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fsc147(tmp_path_factory.mktemp("data") / "FSC147", side=128, nouns=NOUNS)


@pytest.fixture(scope="module")
def out(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of one epoch."""
    folder = tmp_path_factory.mktemp("out")
    train.run(train.parse(options(data, folder)))
    return folder


def options(data: Path, folder: Path, *more: str) -> list[str]:
    named = ["--data", str(data), "--out", str(folder), "--start", START, "--device", "cpu", "--workers", "0"]
    return [*named, "--batch", "2", "--epochs", "1", "--validate-from", "1", "--rate", "1e-4", *more]


def test_training_writes_its_files(out: Path) -> None:
    assert {path.name for path in out.iterdir()} == {"best.safetensors", "last.safetensors", "log.csv", "resume.pt"}
    heading, row = (line.split(",") for line in (out / "log.csv").read_text().splitlines())
    values = dict(zip(heading, map(float, row), strict=True))
    assert values["epoch"] == 1 and values["loss"] > 0
    assert values["validation_mae"] == values["validation_rmse"]  # of one picture


def test_evaluation_counts_as_the_validation_did(
    data: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    table = tmp_path / "counts.csv"
    given = ["--model", str(out / "best.safetensors"), "--data", str(data), "--device", "cpu"]
    evaluate.run(evaluate.parse([*given, "--set", "fsc147", "--split", "val", "--csv", str(table)]))
    heading, row = (line.split(",") for line in table.read_text().splitlines())
    values = dict(zip(heading, row, strict=True))
    assert (values["picture"], values["noun"], values["truth"]) == ("4.jpg", "circles", "4")
    mae = abs(float(values["error"]))
    assert mae == pytest.approx(float((out / "log.csv").read_text().splitlines()[1].split(",")[6]), abs=1e-3)
    assert f"fsc147, 1 pictures: MAE {mae:.3f}" in capsys.readouterr().out

    listed = tmp_path / "S.json"
    listed.write_text(json.dumps({"4.jpg": {"class": "circles", "count": 4}}))
    evaluate.run(evaluate.parse([*given, "--set", "fsc147-s", "--list", str(listed)]))
    assert f"fsc147-s, 1 pictures: MAE {mae:.3f}" in capsys.readouterr().out


def test_a_stride_and_the_maps(data: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    given = ["--model", str(out / "best.safetensors"), "--data", str(data), "--device", "cpu", "--set", "fsc147"]
    maps = tmp_path / "maps"
    evaluate.run(evaluate.parse([*given, "--split", "val", "--stride", "64", "--maps", str(maps)]))
    assert "fsc147, 1 pictures" in capsys.readouterr().out
    with np.load(maps / "4.npz") as arrays:
        shapes = {name: arrays[name].shape for name in arrays}
    assert shapes == dict.fromkeys(("density", "similarity", "attention"), (128, 144)), "of the picture"
    assert not torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize("switch", ["--no-semantic", "--no-coherence"])
def test_ablations_from_training_to_a_report(
    data: Path, tmp_path: Path, switch: str, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun, stopped after a batch, gone on with by the same command, converted, and counted with."""
    stops = iter([False, True])
    monkeypatch.setattr(train, "stops_on_interrupt", lambda: nullcontext(lambda: next(stops, False)))
    run, line = tmp_path / "run", options(data, tmp_path / "run", switch, "--batch", "1")
    train.run(train.parse(line))
    assert "stopped in epoch 1" in capsys.readouterr().out and not (run / "best.safetensors").exists()
    other = [part for part in line if part != switch]
    with pytest.raises(
        CountError, match="run without HSCM" if switch == "--no-semantic" else "similarity weight 0.0 then"
    ):
        train.run(train.parse(other))
    train.run(train.parse(line))
    assert "done after 1 epochs, best in epoch 1" in capsys.readouterr().out
    convert.convert(run / "best.safetensors", tmp_path / "half.safetensors", torch.bfloat16)
    has_fusion = any(".img_txt_fusion" in name for name in load_file(run / "best.safetensors"))
    assert has_fusion is (switch == "--no-coherence")
    given = ["--model", str(tmp_path / "half.safetensors"), "--data", str(data), "--device", "cpu"]
    evaluate.run(evaluate.parse([*given, "--set", "fsc147", "--split", "val"]))
    assert "fsc147, 1 pictures: MAE" in capsys.readouterr().out


def test_cars_are_asked_for_as_cars(tmp_path: Path) -> None:
    given = ["--model", "m", "--set", "carpk", "--data", str(write_carpk(tmp_path / "CARPK"))]
    assert [one.noun for one in evaluate.pictures_of(evaluate.parse(given))] == ["cars", "cars"]


def test_the_same_command_goes_on(data: Path, out: Path, capsys: pytest.CaptureFixture) -> None:
    """Nothing is left to do here; --start is not needed, and not read."""
    before = [(path.name, path.stat().st_mtime_ns) for path in sorted(out.iterdir())]
    without_start = [part for part in options(data, out) if part not in ("--start", START)]
    train.run(train.parse(without_start))
    assert "done after 1 epochs, best in epoch 1" in capsys.readouterr().out
    assert [(path.name, path.stat().st_mtime_ns) for path in sorted(out.iterdir())] == before


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Ctrl-C as in the foreground: a shell starts its background jobs with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_is_a_wish(interrupts: None) -> None:
    with stops_on_interrupt() as should_stop:
        assert not should_stop()
        os.kill(os.getpid(), signal.SIGINT)
        assert should_stop()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_counts_of_many_pictures_are_the_counts_of_each() -> None:
    network, drawn = tiny_network(), Squares(3)
    texts = NounTexts(network, tiny_tokens)

    def pictures(*indices: int) -> list[CountedPicture]:
        samples = [drawn.sample(index) for index in indices]
        return [
            CountedPicture(str(index), noun, float(density.sum()), lambda picture=picture: picture)
            for index, (picture, noun, density) in zip(indices, samples, strict=True)
        ]

    settings, seen = CountSettings("native"), []
    whole = count_all(network, texts, pictures(0, 1, 2), settings, lambda *done: seen.append(done))
    alone = [count_all(network, texts, pictures(index), settings).numbers for index in range(3)]
    assert torch.equal(whole.numbers, torch.cat(alone))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    mae = (whole.numbers - torch.tensor([1.0, 2.0, 3.0])).abs().mean()
    assert whole.errors.mae == pytest.approx(mae.item(), abs=1e-4)
    assert count_all(network, texts, pictures(0), settings, should_stop=lambda: True) is None


def test_tokens_are_those_of_clip() -> None:
    ids = load_tokenizer(None)
    assert ids("apples") == ids("APPLES") == [14032]
    assert ids("sea shells") == [2102, 19265]
    tokens, mask = noun_tokens(None, SHAPES)("sea shells")
    assert tokens[:5].tolist() == [49406, 2102, 19265, 49407, 49407]
    assert mask.tolist() == [0, 1, 1] + [0] * 29


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda path: load_tokenizer(path), "no vocab.json and merges.txt in .* by --tokenizer"),
        (lambda path: train.run(train.parse(["--data", str(path), "--out", str(path)])), "there is no file .*FSC_147"),
        (
            lambda path: evaluate.run(evaluate.parse(["--model", "m", "--set", "fsc147-s", "--data", str(path)])),
            "needs --list",
        ),
        (lambda path: chosen_device("cuda" if not torch.cuda.is_available() else "mps"), "finds no such device"),
    ],
)
def test_says_what_is_missing(tmp_path: Path, call: object, message: str) -> None:
    with pytest.raises(CountError, match=message):
        call(tmp_path)


def test_a_run_needs_a_start(data: Path, tmp_path: Path) -> None:
    with pytest.raises(CountError, match="no run to go on with: name a model to begin with by --start"):
        train.run(train.parse(["--data", str(data), "--out", str(tmp_path), "--device", "cpu"]))


@pytest.mark.parametrize("command", [train, evaluate])
def test_help_is_complete(command: ModuleType, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        command.parse(["--help"])
    shown = capsys.readouterr().out
    assert "python -m training" in shown and "--tokenizer FOLDER" in shown and "images_384_VarV2" in shown


def test_a_process_of_its_own_takes_comfyuis_classes_and_nothing_else(data: Path, out: Path) -> None:
    """The counts are those of this process, where ComfyUI had been loaded before."""
    given = ["evaluate", "--model", str(out / "best.safetensors"), "--data", str(data), "--device", "cpu"]
    code = (
        f"import sys; sys.argv = {[*given, '--set', 'fsc147', '--split', 'val']!r}; "
        "from training import evaluate; evaluate.main(); "
        "print(sorted({'comfy', 'execution', 'folder_paths', 'nodes', 'server', 'headcount.nodes'} & set(sys.modules)))"
    )
    environment = {**os.environ, "COMFYUI_PATH": str(comfyui_folder())}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    mae = float((out / "log.csv").read_text().splitlines()[1].split(",")[6])
    assert done.stderr == "" and f"fsc147, 1 pictures: MAE {mae:.3f}" in done.stdout
    assert done.stdout.endswith("['comfy']\n")


def test_without_a_comfyui(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "comfy")
    monkeypatch.setattr("training.comfyui.comfyui_folders", lambda: [tmp_path, tmp_path / "other"])
    with pytest.raises(CountError, match=r"there is no ComfyUI in .* or .*other, .*; name its folder by COMFYUI_PATH"):
        network_builder()


def test_fails_in_one_line_before_comfyui_is_loaded(tmp_path: Path) -> None:
    """In a process of its own."""
    code = (
        "import sys; from training import evaluate, train; "
        "assert not any(name.split('.')[0] == 'comfy' for name in sys.modules); "
        f"sys.argv = ['train', '--data', {str(tmp_path)!r}, '--out', {str(tmp_path)!r}]; train.main()"
    )
    failed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert failed.returncode == 1
    assert failed.stderr.startswith("training: there is no file") and failed.stderr.count("\n") == 1
