"""`make demo`: the runs, the counts and what is written."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from headcount.core.prompts import parse_prompt
from headcount.core.prompts.plurals import same_noun
from PIL import Image

from demo import run, workflow_runs
from demo.asks import ASKS, SHAPES_ASKS
from demo.contact_sheet import contact_sheet
from demo.report import Ask, count_picture, make_row, shapes_seen, table
from demo.scenes import MAX_COUNT, Kind, random_scene
from demo.server import ComfyServer, PromptError
from demo.workflow_runs import run_attention, run_with_and_without, with_widgets, workflow_prompt

pytestmark = pytest.mark.server


@pytest.mark.parametrize("ask", ASKS + SHAPES_ASKS, ids=lambda ask: ask.prompt)
def test_a_prompt_asks_for_what_is_counted(ask: Ask) -> None:
    read = parse_prompt(ask.prompt)
    assert [item.count for item in read] == [kind.count for kind in ask.kinds]
    assert all(same_noun(item.noun, kind.noun) for item, kind in zip(read, ask.kinds, strict=True))
    assert all(kind.colour is None or kind.colour in ask.prompt for kind in ask.kinds)
    assert sum(kind.count for kind in ask.kinds) <= MAX_COUNT


TWO_KINDS = Ask("three red circles and a star", (Kind("circle", 3, "red"), Kind("star", 1)))


@pytest.mark.parametrize(
    ("drawn", "text", "is_right"),
    [
        ((Kind("circle", 3, "red"), Kind("star", 1)), "3+1", True),
        ((Kind("circle", 2, "red"), Kind("star", 1)), "2+1", False),
        ((Kind("circle", 3, "blue"), Kind("star", 1)), "0+1(3)", False),
        ((Kind("circle", 3, "red"), Kind("star", 1), Kind("moon", 1)), "3+1(1)", False),
    ],
)
def test_counts_of_drawn_scenes(drawn: tuple[Kind, ...], text: str, is_right: bool) -> None:
    count = count_picture(TWO_KINDS, shapes_seen(random_scene(random.Random(3), drawn).picture))
    assert (str(count), count.is_right) == (text, is_right)


def test_table_and_sheet() -> None:
    right = random_scene(random.Random(3), TWO_KINDS.kinds).picture
    wrong = random_scene(random.Random(3), (Kind("circle", 4, "red"),)).picture
    row = make_row(TWO_KINDS, {"without": [wrong, wrong], "with": [right, wrong]})
    lines = list(table([row]))
    assert re.split(" {2,}", lines[1]) == [TWO_KINDS.prompt, "3+1", "0 of 2 right: 4+0 4+0", "1 of 2 right: 3+1 4+0"]
    assert "without: 0 of 2 images right" in lines
    assert "with: 1 of 2 images right" in lines
    green = (np.asarray(contact_sheet([row])) == (28, 140, 60)).all(-1)
    assert green.any() and green[:, : green.shape[1] // 2].sum() == 0, "only a picture on the right is right"


ROW = make_row(TWO_KINDS, {"without": [random_scene(random.Random(3), TWO_KINDS.kinds).picture]})


@pytest.fixture
def in_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example workflows with 4 steps: what is tested is what the demo does with their pictures."""

    def few(client: Any, name: str) -> Any:
        return with_widgets(workflow_prompt(client, name), {"KSampler": {"steps": 4}})

    monkeypatch.setattr(workflow_runs, "workflow_prompt", few)


@pytest.mark.usefixtures("in_few_steps")
def test_the_same_noise_with_and_without(server: ComfyServer) -> None:
    without, steered = run_with_and_without(server, "three red circles", 2, 5)
    again, _ = run_with_and_without(server, "three red circles", 2, 5)
    assert [picture.shape for picture in (*without, *steered)] == [(128, 128, 3)] * 4
    assert all(np.array_equal(a, b) for a, b in zip(without, again, strict=True))
    assert not np.array_equal(without, steered)


@pytest.mark.parametrize("name", ["Shapes - keep only right images", "Shapes - everything together"])
def test_nothing_is_saved_when_no_picture_is_right(name: str, server: ComfyServer) -> None:
    """As their notes and the titles of their Save Image promise."""
    settings: dict[str, dict[str, Any]] = {"EmptyLatentImage": {"batch_size": 1}, "KSampler": {"steps": 2}}
    prompt = with_widgets(workflow_prompt(server, name), settings | {"HeadcountCountPrompt": {"text": "eight moons"}})
    outputs = server.run(prompt)
    shown = {prompt[node]["class_type"]: node for node in outputs}
    assert "SaveImage" not in shown
    assert "0 of 1" in outputs[shown["HeadcountCountCheck"]]["headcount_result"][0]["verdict"]


@pytest.mark.usefixtures("in_few_steps")
def test_attention_views(server: ComfyServer) -> None:
    overview, *steps = run_attention(server, 1)
    captions = [caption for caption, _ in overview]
    assert captions == ["picture", "words: circles", "words: stars", "regions", "objects found"]
    assert [line[0][0] for line in steps] == ["circles, step 1", "stars, step 1"]
    *maps, (_, outlined) = overview
    assert all(picture.shape[:2] == (128, 128) for line in (maps, *steps) for _, picture in line)
    assert outlined.shape[:2] == (512, 512), "outlines and numbers have to be readable"


@pytest.mark.usefixtures("in_few_steps")
def test_demo_writes_its_files(
    server: ComfyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "ASKS", ASKS[:2])
    monkeypatch.setattr(run, "run_until_right", lambda client, text, seed: random_scene(random.Random(seed)).picture)
    run.demo(server, 1, 1, run.Output(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"index.html", "contact_sheet.png", "attention.png"}
    first, second = re.findall(r"(\d) of 2 after \d+ s, about \d+ s left: (.*)", capsys.readouterr().out)
    assert (first, second) == (("1", ASKS[0].prompt), ("2", ASKS[1].prompt))
    report = (tmp_path / "index.html").read_text()
    assert "has not finished" not in report
    assert report.count("<tr>") == 3 and "<pre" not in report, "a table whose cells wrap, not lines that are cut"
    assert all(ask.prompt in report for ask in ASKS[:2])
    assert all(Image.open(tmp_path / name).width > 256 for name in ("contact_sheet.png", "attention.png"))


def _drawn(
    client: Any, text: str, pictures: int, seed: int, compared: Any
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """In place of a run: two drawn scenes; the third prompt takes too long."""
    if text == ASKS[2].prompt:
        raise TimeoutError(f"workflows/{compared.workflow}.json with {text!r}: the prompt was still running")
    scene = random_scene(random.Random(seed), TWO_KINDS.kinds).picture
    return [scene], [scene]


class WithoutProcess(ComfyServer):
    """What is tested is the demo's own end."""

    def start(self) -> None: ...


def test_what_is_finished_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in ("index.html", "attention.png"):
        (out / name).write_text("of an earlier run")
    monkeypatch.setattr(run, "ComfyServer", WithoutProcess)
    monkeypatch.setattr(run, "run_with_and_without", _drawn)
    monkeypatch.setattr(run, "run_until_right", lambda client, text, seed: random_scene(random.Random(seed)).picture)
    monkeypatch.setattr("sys.argv", ["run", "--out", str(out)])
    assert run.main() == 1
    told = capsys.readouterr().err
    assert (
        f"the demo failed: workflows/Emoji - the right number.json with {ASKS[2].prompt!r}: the prompt was still running"
        in told
    )
    files = {out / "index.html", out / "contact_sheet.png"}
    assert all(str(path) in told for path in files) and "attention.png" not in told
    assert "2 of 8 prompts are in index.html and contact_sheet.png" in told
    assert set(out.iterdir()) == files
    report = (out / "index.html").read_text()
    assert "Only 2 of 8 prompts are in" in report and ASKS[1].prompt in report and ASKS[2].prompt not in report
    assert Image.open(out / "contact_sheet.png").height == contact_sheet([ROW, ROW]).height


def test_an_early_failure_leaves_the_files_of_an_earlier_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "index.html").write_text("of an earlier run")
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["run", "--out", str(tmp_path)])
    assert run.main() == 1
    told = capsys.readouterr().err
    assert "nothing was drawn, so no file was written" in told and "index.html" not in told
    assert (tmp_path / "index.html").read_text() == "of an earlier run"


def test_without_comfyui_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["run", "--out", str(tmp_path / "out")])
    assert run.main() == 1
    assert "make setup" in capsys.readouterr().err


def test_a_failing_node_ends_the_demo_and_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    servers = []

    class Kept(WithoutProcess):
        def start(self) -> None:
            servers.append(self)

    def fail(*_: Any) -> None:
        raise PromptError("7", "KSampler", "ValueError", "no such thing")

    monkeypatch.setattr(run, "ComfyServer", Kept)
    monkeypatch.setattr(run, "demo", fail)
    monkeypatch.setattr("sys.argv", ["run", "--out", str(tmp_path / "out")])
    assert run.main() == 1
    assert "node 7 (KSampler): ValueError: no such thing" in capsys.readouterr().err
    assert not servers[0].base.exists(), "the server's temporary folder is gone"
