"""What the benchmarks share: tables, intervals, command lines, and results that are kept."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest

from benchmarks.lab.command import part_of, positive
from benchmarks.lab.statistics import interval, mean_of, root_mean_square
from benchmarks.lab.store import KeptFiles, KeptRows
from benchmarks.lab.tables import table, with_interval


def test_table() -> None:
    lines = table(["method", "time"], [["none | plain", 1], ["", "2.00x"]])
    assert lines == ["| method | time |", "|---|---|", "| none / plain | 1 |", "|  | 2.00x |"]


def test_figures_with_intervals() -> None:
    assert with_interval("+.1%", 0.5, (0.25, 0.75)) == "+50.0% (+25.0% to +75.0%)"
    assert with_interval(".2f", 1.0, None) == "1.00"


@pytest.mark.parametrize("statistic", [np.mean, root_mean_square])
def test_intervals_are_percentiles_of_resampled_values(statistic: object) -> None:
    values = np.random.default_rng(3).normal(1.0, 2.0, 37)
    drawn = np.random.default_rng(0).integers(0, 37, (10_000, 37))
    resampled = [float(statistic(values[row], axis=-1)) for row in drawn]
    assert interval(values, statistic) == pytest.approx(tuple(np.percentile(resampled, (2.5, 97.5))), rel=1e-12)


def test_few_values() -> None:
    assert mean_of([]) is None and interval([2.0]) == (2.0, 2.0)
    one, two = mean_of([2.0]), mean_of(np.array([2.0, 4.0]))
    assert (one.mean, one.interval, one.count) == (2.0, None, 1)
    assert (two.mean, two.interval, two.count) == (3.0, (2.0, 4.0), 2)


@pytest.mark.parametrize(("read", "text"), [(part_of, "2/2"), (part_of, "1"), (part_of, "-1/2"), (positive, "0")])
def test_faulty_options_are_told(read: object, text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=text):
        read(text)
    assert part_of("1/3") == (1, 3) and positive("7") == 7


def test_results_are_kept(tmp_path: Path) -> None:
    computed: list[str] = []
    for name in ("one", "two", "one"):
        kept = KeptFiles(tmp_path).get({"name": name}, lambda name=name: computed.append(name) or [name, 1.5])
        assert kept == [name, 1.5]
    assert computed == ["one", "two"]


def test_arrays_are_kept(tmp_path: Path) -> None:
    computed: list[int] = []
    for _ in range(2):
        kept = KeptFiles(tmp_path).arrays({"name": "one"}, lambda: {"error": np.array([len(computed), 7])})
        computed.append(1)
        assert kept["error"].tolist() == [0, 7] and len(list(tmp_path.iterdir())) == 1


def test_rows_are_kept(tmp_path: Path) -> None:
    """A line that a killed run left unfinished is computed again, behind it."""
    file, computed = tmp_path / "new" / "rows.jsonl", []
    for key in ("one", "two", "one"):
        kept = KeptRows(file, "outcome").get(key, lambda key=key: computed.append(key) or {"of": key})
        assert kept == {"of": key}
    assert computed == ["one", "two"]
    file.write_text(file.read_text()[:-5])
    assert KeptRows(file, "outcome").get("two", lambda: {"of": "again"}) == {"of": "again"}
    assert KeptRows(file, "outcome").get("two", computed.clear) == {"of": "again"} and computed
