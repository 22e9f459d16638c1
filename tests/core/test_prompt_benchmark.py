"""The benchmark's own arithmetic and its messages."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parent.parent.parent / "benchmarks" / "count_prompt.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("count_prompt_benchmark", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def write(folder: Path, *rows: object) -> Path:
    file = folder / "rows.jsonl"
    file.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return file


def test_share_misses_and_extras(benchmark: ModuleType, tmp_path: Path) -> None:
    rows = [
        {"id": 1, "prompt": "Two camera bags and one lamp", "counts": {"bag": 2, "cat": 1}},
        {"id": 2, "prompt": "three cats", "counts": {"cats": 2}},
    ]
    results = [benchmark.compare(row) for row in benchmark.read_rows(write(tmp_path, *rows))]
    assert [result.missed for result in results] == [("cat",), ("cats",)]
    *_, total = benchmark.report(results)
    assert total == "1 of 3 targets found with the exact count: 33.3%; 2 extras in 2 prompts"


def test_rows_with_a_line_are_read_with_it_and_stand_apart(benchmark: ModuleType, tmp_path: Path) -> None:
    rows = [
        {"id": 1, "prompt": "three cats", "counts": {"cats": 3}},
        {"id": 2, "prompt": "octopuses and kiwis", "line": "3 octopus, 2 kiwi", "counts": {"octopus": 3, "kiwis": 2}},
        {"id": 3, "prompt": "two cats", "line": "", "counts": {"cat": 2}},
        {"id": 4, "prompt": "cats", "line": "4 dogs", "counts": {"cats": 4}},
        {"id": 5, "prompt": "cats", "line": "4 dogs", "counts": None},
        {"id": 6, "prompt": "cats", "line": "4 cats", "counts": None},
    ]
    results = [benchmark.compare(row) for row in benchmark.read_rows(write(tmp_path, *rows))]
    assert [result.missed for result in results] == [(), (), (), ("cats",), (), ("refusal",)]
    prompts, refused, kept, _, lines = benchmark.report(results)
    assert prompts == "1 of 1 targets found with the exact count: 100.0%; 0 extras in 1 prompts"
    assert refused.startswith("miss  4: cats in 'cats' with line '4 dogs' (read: refused: 'dogs' is not in the prompt")
    assert kept == "miss  6: refusal in 'cats' with line '4 cats' (read: 4 cats)"
    assert lines == "4 of 6 targets found with the exact count: 66.7%; 1 extras in 5 objects lines"


@pytest.mark.parametrize(
    "bad",
    [
        "{",
        {"id": 1, "prompt": "x"},
        {"id": 1, "prompt": 3, "counts": {}},
        {"id": 1, "prompt": "x", "counts": {"cat": 0}},
        {"id": 1, "prompt": "x", "counts": None},
        {"id": 1, "prompt": "x", "line": 3, "counts": {}},
        [1],
    ],
)
def test_bad_rows_are_named_with_file_and_line(benchmark: ModuleType, tmp_path: Path, bad: object) -> None:
    file = write(tmp_path, {"id": 1, "prompt": "a cat", "counts": {"cat": 1}}, bad)
    with pytest.raises(ValueError, match=r"rows\.jsonl:2: "):
        list(benchmark.read_rows(file))


def test_command_line(tmp_path: Path) -> None:
    file = write(tmp_path, {"id": 7, "prompt": "two cats", "counts": {"dog": 1}})
    run = subprocess.run([sys.executable, str(SCRIPT), str(file)], capture_output=True, text=True)
    assert run.returncode == 0
    assert "miss  7: dog in 'two cats' (read: 2 cats)" in run.stdout
