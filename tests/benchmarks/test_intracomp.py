"""IntraCompBench: its folder can be resumed, and a whole run works with the demo model."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from headcount.bridge.demo_models.files import WEIGHTS
from headcount.bridge.prompts.token_positions import encode_count_prompt
from headcount.core.errors import CountError

from benchmarks.intracomp import main
from benchmarks.intracomp_parts.drawing import METHODS, Plan, checkpoint_source, method_of, shapes_source
from benchmarks.intracomp_parts.pictures import CountRow, PictureRow, Store
from benchmarks.intracomp_parts.prompts import FAMILIES, MULTI_CLASS, SHAPES, make_asks
from benchmarks.lab.sampling import SHAPES_SAMPLING

from ..helpers.models import shapes


def plan(images: int = 2, part: tuple[int, int] = (0, 1)) -> Plan:
    asks, sampling = make_asks(SHAPES, limit=10), asdict(SHAPES_SAMPLING)
    return Plan("Shapes", asks, images, ["none", "isac"], shapes_source(), sampling, part)


def test_parts_are_the_whole() -> None:
    whole = [row.key for row in plan().rows()]
    parts = [row.key for index in range(3) for row in plan(part=(index, 3)).rows()]
    assert len(whole) == len(set(whole)) == 10 * 2 * 2
    assert sorted(parts) == sorted(whole)


def test_a_changed_setting_is_another_picture() -> None:
    rows = plan().rows()
    keys = {row.key for row in rows}
    assert {row.key for row in replace(plan(), sampling=asdict(replace(SHAPES_SAMPLING, cfg=4.0))).rows()}.isdisjoint(
        keys
    )
    assert {row.key for row in replace(plan(), source=replace(shapes_source(), name="x")).rows()}.isdisjoint(keys)
    by_seed: dict[int, set[str]] = {}
    for row in rows:
        by_seed.setdefault(row.seed, set()).add(row.method)
    assert set(map(frozenset, by_seed.values())) == {frozenset({"none", "isac"})}, "methods share their noise"


def picture_row(key: str = "0a", **changes: object) -> PictureRow:
    row = PictureRow(
        key, f"pictures/{key}.png", MULTI_CLASS, 2, "a cat and a dog", {"cat": 1, "dog": 1}, 0, 1, "IntraCompBench",
        {"name": "m"}, "none", {}, "code", 1.5,
    )  # fmt: skip
    return replace(row, **changes)


def test_store_keeps_what_was_finished(tmp_path: Path) -> None:
    store, pixels = Store(tmp_path), np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    store.add_picture(picture_row("0a"), pixels)
    with (tmp_path / "pictures.jsonl").open("a") as file:
        file.write('{"key": "half a line of a killed run')
    store.add_picture(picture_row("0b"), pixels)
    store.add_counts(CountRow("0a", "eyes", {"cat": 2}))
    again = Store(tmp_path)
    assert again.pictures() == {"0a": picture_row("0a"), "0b": picture_row("0b")}
    assert again.counts() == {("0a", "eyes"): {"cat": 2}}
    assert np.array_equal(again.pixels(picture_row("0a")), pixels)
    (tmp_path / "pictures/0a.png").unlink()
    assert list(again.pictures()) == ["0b"], "a picture whose file is gone is to be made again"


def run(*line: str) -> None:
    main(["--cpu", *line])


def test_a_whole_run_with_the_demo_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, figures = tmp_path / "out", tmp_path / "figures.json"
    line = ["--shapes", "--out", str(out), "--limit", "2", "--images", "1", "--steps", "3", "--json", str(figures)]
    methods = ["--method", "none", "--method", "isac"]
    run(*line, *methods)
    printed = capsys.readouterr()
    assert printed.err.count("drawn ") == 4 and "counted 4 of 4 pictures" in printed.err
    for text in (
        "### multi-class",
        "### multi-instance",
        "| exact | isac - none |",
        "### Image quality",
        "| isac | 2 |",
    ):
        assert text in printed.out
    files = sorted(out.rglob("*.png"))
    assert len(files) == 4
    (section,) = json.loads(figures.read_text())
    for family in FAMILIES:
        pictures = {method: data["pictures"] for method, data in section["families"][family].items()}
        assert pictures == {"none": {"2": 1, "all": 1}, "isac": {"2": 1, "all": 1}}
        both = [section["families"][family][method]["means"]["2"]["error"] for method in ("none", "isac")]
        difference = section["families"][family]["isac"]["differences"]["2"]["error"]["mean"]
        assert difference == pytest.approx(both[1] - both[0])
    assert section["settings"]["isac"] == method_of("isac").parts
    assert 0 <= section["quality"]["none"]["clear"] <= 1

    before = files[0].read_bytes()
    files[0].unlink()
    run(*line, *methods)
    printed = capsys.readouterr()
    assert printed.err.count("drawn ") == 1, "only what is missing is drawn"
    assert "counted" not in printed.err
    assert files[0].read_bytes() == before, "and it is the same picture"

    run(*line, "--skip-count", "--cfg", "2")
    assert capsys.readouterr().err.count("drawn ") == 2, "a changed setting draws anew"
    run("--skip-generate", "--shapes", "--out", str(out), "--part", "0/1")
    printed = capsys.readouterr()
    assert "counted 2 of 2 pictures" in printed.err
    assert printed.out.count("\n## Shapes on shapes.safetensors") == 2, "each model and setting has its own tables"


def test_pictures_are_those_of_the_sampler(tmp_path: Path) -> None:
    """The conditioning carries what the prompt asks for, and steering changes the picture."""
    out = tmp_path / "out"
    run(
        "--shapes",
        "--out",
        str(out),
        "--limit",
        "1",
        "--images",
        "1",
        "--steps",
        "3",
        "--method",
        "none",
        "--method",
        "isac",
    )
    store = Store(out)
    rows = {row.method: row for row in store.pictures().values()}
    _, counts = encode_count_prompt(shapes().clip, rows["none"].prompt)
    assert {item.noun: item.count for item in counts.objects} == rows["none"].asked
    plain, steered = (store.pixels(rows[name]).astype(int) for name in ("none", "isac"))
    assert plain.shape == (128, 128, 3) and plain.std() > 1
    assert np.abs(plain - steered).max() > 20
    assert rows["none"].seed == rows["isac"].seed


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ([], "nothing to draw with"),
        (["--skip-generate"], "nothing to count with"),
        (["--shapes", "--part", "2/2"], "'2/2' is no part"),
        (["--skip-generate", "--detector", "x", "--threshold", "0.1", "0.2"], "2 thresholds for 1 detectors"),
        (["--shapes", "--method", "magic"], f"there is no method magic; there are {', '.join(METHODS)}"),
        (["--shapes", "--method", "search"], "--method search asks a counter"),
        (["--checkpoint", "missing.safetensors", "--skip-count"], "missing.safetensors"),
    ],
)
def test_messages(line: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(*line, "--out", str(tmp_path))
    assert stopped.value.code
    assert message in capsys.readouterr().err


def test_a_file_that_is_no_checkpoint() -> None:
    with pytest.raises(CountError, match=r"shapes\.safetensors is no checkpoint that ComfyUI can load"):
        checkpoint_source(WEIGHTS).load()
