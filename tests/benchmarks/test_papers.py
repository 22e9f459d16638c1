"""The papers' tables: every command is one that the pack has, and each table's own are run to their report, in small."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks import countbench, fsc147, intracomp, papers
from benchmarks.intracomp_parts.drawing import method_of
from benchmarks.lab.node_methods import read_method
from benchmarks.lab.workflow_methods import with_method
from benchmarks.papers import ISAC, NUMINA, PAPERS, Row, paper_rows
from demo.server import ComfyServer
from training import evaluate, train

from ..helpers.counting_folders import write_fsc147
from .test_countbench import results, shapes_line
from .test_countbench_making import shapes_workflow

ROOT = Path(__file__).resolve().parents[2]
ROWS = paper_rows()
PARSERS: Mapping[str, Callable[[list[str]], Any]] = {
    "benchmarks.intracomp": lambda line: intracomp._parser().parse_args(line),
    "benchmarks.countbench": lambda line: countbench._parser().parse_args(line),
    "training.evaluate": evaluate.parse,
    "training.train": train.parse,
}


def given(row: Row) -> list[tuple[str, Any]]:
    """Module and parsed options of each of a row's commands."""
    found = []
    for part in (row.command or "").split(" && "):
        python, _, module, *line = shlex.split(part.replace("SEED", "3"))
        assert python == "python"
        found.append((module, PARSERS[module](line)))
    return found


def test_every_row_has_a_command_or_says_why() -> None:
    assert all((row.command is None) == bool(row.why) for row in ROWS)
    names = [(row.paper, row.table, row.name) for row in ROWS]
    assert len(names) == len(set(names)) and {row.paper for row in ROWS} == set(PAPERS)
    for row in (row for row in ROWS if row.command):
        for module, options in given(row):
            if module == "benchmarks.intracomp":
                methods = [method_of(name) for name in options.method]
            elif module == "benchmarks.countbench":
                methods = [read_method(options.method)]
            else:
                continue
            if options.workflow or module == "benchmarks.intracomp":  # with --workflow in place of --checkpoint
                assert all(with_method(shapes_workflow("SaveImage"), ("2", "text"), method) for method in methods)


def test_the_command_prints_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    papers.main([])
    assert (ROOT / "docs" / "papers.md").read_text() == capsys.readouterr().out
    papers.main(["--paper", NUMINA, "--commands"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(set(lines)) > 8 and all(
        line.startswith("python -m benchmarks.countbench") for line in lines
    )
    papers.main(["--paper", NUMINA])
    tables = [line for line in capsys.readouterr().out.splitlines() if line.startswith("## ")]
    assert tables and all(line.startswith(f"## {NUMINA}: ") for line in tables)


def tables_of_isac() -> dict[str, list[str]]:
    """Table -> the methods of its rows."""
    found: dict[str, dict[str, None]] = {}
    for row in ROWS:
        if row.paper == ISAC and row.command:
            (_, options), *_ = given(row)
            found.setdefault(row.table, {}).update(dict.fromkeys(options.method))
    return {table: list(methods) for table, methods in found.items()}


# Tables with the same methods differ in the model's file only.
SMALL = {tuple(methods): table for table, methods in reversed(tables_of_isac().items())}


@pytest.mark.parametrize("methods", SMALL, ids=SMALL.get)
def test_isac(methods: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = [
        "--cpu",
        "--shapes",
        "--out",
        str(tmp_path),
        "--limit",
        "1",
        "--images",
        "1",
        "--steps",
        "2",
        "--size",
        "64",
    ]
    intracomp.main([*line, *(part for method in methods for part in ("--method", method))])
    printed = capsys.readouterr()
    assert all(f"| ratio | {method} |" in printed.out for method in methods), printed.out
    assert printed.err.count("drawn ") == len(methods)


@pytest.mark.server
@pytest.mark.parametrize("method", ["none", "isac-paper", "isac-ls", "isac_ablation:metric=kl"])
def test_isac_by_a_workflow(
    method: str, tmp_path: Path, server: ComfyServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is in separate files is loaded by the workflow; a prompt that a node refuses is left out."""
    workflow = shapes_workflow("SaveImage")
    workflow["4"]["inputs"].update(batch_size=1, width=64, height=64)
    (tmp_path / "workflow.json").write_text(json.dumps(workflow))
    line = ["--cpu", "--workflow", str(tmp_path / "workflow.json"), "--servers", server.address, "--out", str(tmp_path)]
    (tmp_path / "numeracy_val.txt").write_text("two circles and a star\nthree stars\n")
    line += [
        "--prompts",
        str(tmp_path / "numeracy_val.txt"),
        "--images",
        "1",
        "--method",
        method,
        "--detector",
        "shapes",
    ]
    intracomp.main([*line, "--steps", "2", "--output-node", "9"])
    printed = capsys.readouterr()
    assert "drawn 2 of 2" in printed.err and f"| ratio | {method} |" in printed.out
    intracomp.main([*line, "--steps", "2", "--output-node", "9"])
    assert "drawn" not in capsys.readouterr().err


def methods_of_numina() -> dict[str, str]:
    """Method -> the first table that it is a row of; one for each table with rows of its own."""
    found: dict[str, str] = {}
    for row in ROWS:
        if row.paper == NUMINA and row.command and row.table not in found.values():
            ((_, options),) = given(row)
            if options.method != "plain":
                found.setdefault(options.method, row.table)
    return found


@pytest.mark.server
@pytest.mark.parametrize("method", methods_of_numina(), ids=methods_of_numina().get)
def test_numina(method: str, tmp_path: Path, server: ComfyServer, capsys: pytest.CaptureFixture[str]) -> None:
    """A video with a row's method; a prompt that a node refuses ends nothing, is told, and is not tried again."""
    workflow = shapes_workflow("SaveVideo")
    workflow["4"]["inputs"].update(batch_size=1)
    (tmp_path / "workflow.json").write_text(json.dumps(workflow))
    line = [*shapes_line(tmp_path), "--detector", "shapes", "--workflow", str(tmp_path / "workflow.json")]
    line += ["--servers", server.address, "--limit", "2", "--method", method]
    counts = Path(line[line.index("--counts") + 1])
    counts.write_text(counts.read_text().replace('{"circle": 3}', '{"circle": 3, "debris": 2}'))
    countbench.main(line)
    printed = capsys.readouterr()
    assert "prompt 1 is left out, HeadcountCountPrompt: " in printed.err and "made 1 of 2" in printed.err
    assert "- prompt 1 was refused by HeadcountCountPrompt: " in printed.out and "CountAcc" in printed.out
    assert [row["index"] for row in results(tmp_path)["videos"]] == [2]
    countbench.main(line)
    assert not {"made", "left"} & set(capsys.readouterr().err.split())


def test_t2icount_by_any_counter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its own tables are run by tests/training/test_commands.py; here the same folder, counted by another counter."""
    data = write_fsc147(tmp_path / "FSC147", side=128, nouns=("circles", "red squares", "stars"))
    line = ["--set", "fsc147", "--data", str(data), "--split", "val", "--detector", "shapes", "--out", str(tmp_path)]
    fsc147.main(line)
    printed = capsys.readouterr()
    assert "| exact counter of the Shapes scenes | 1 | " in printed.out and "counted 1 of 1" in printed.err
    (tmp_path / "counts.jsonl").write_text((tmp_path / "counts.jsonl").read_text().replace('"count": ', '"count": 9'))
    fsc147.main(line)
    assert capsys.readouterr().out != printed.out, "what was counted is kept"
