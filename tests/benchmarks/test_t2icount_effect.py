"""The ablation's figures are right, and a finished run is not made again."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from headcount.core.errors import CountError

from benchmarks.lab.statistics import interval, root_mean_square
from benchmarks.t2icount_effect import (
    VARIANTS,
    Plan,
    errors_table,
    main,
    train,
)
from demo.train_counter import begun_network


def test_intervals() -> None:
    values = np.random.default_rng(0).normal(2.0, 1.0, 400)
    low, high = interval(values)
    assert low < values.mean() < high and high - low == pytest.approx(2 * 1.96 / 20, rel=0.15)
    low, high = interval(values, root_mean_square)
    assert low < np.sqrt(5) < high
    assert interval(np.ones(5)) == (1.0, 1.0)


def test_table() -> None:
    errors = {
        "backbone": {"ordinary": np.array([3.0, -3.0]), "minority": np.array([4.0, 4.0])},
        "full": {"ordinary": np.array([1.0, -1.0]), "minority": np.array([-0.5, 0.5])},
    }
    lines = errors_table(errors)
    assert lines[2] == (
        "| backbone | 3.00 (3.00 to 3.00) | 3.00 (3.00 to 3.00) | +2.00 (+2.00 to +2.00) "
        "| 4.00 (4.00 to 4.00) | 4.00 (4.00 to 4.00) | +3.50 (+3.50 to +3.50) |"
    )
    assert lines[3].startswith("| full | 1.00") and lines[3].count("|") == lines[0].count("|") == lines[1].count("|")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], str]:
    """The command's arguments, and what it printed."""
    line = ["--scenes", "2", "--epochs", "1", "--judged", "2", "--out", str(tmp_path_factory.mktemp("effect"))]
    return line, printed(line)


def printed(line: list[str]) -> str:
    """What the command prints."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as out:
        patch.setattr(sys, "argv", ["x", *line])
        main()
    return out.getvalue()


def test_variants_differ_as_they_say(ran: tuple[list[str], str]) -> None:
    """Those that the command has trained."""
    plan, told = Plan(scenes=2, epochs=1), list[str]()
    parts = {name: train(name, plan, Path(ran[0][-1]), told.append) for name in VARIANTS}
    assert told == []
    has_fusion = {name: any("txt_fusion" in key for key in network.state_dict()) for name, network in parts.items()}
    assert has_fusion == {"backbone": False, "with L_RRC": False, "with HSCM": True, "full": True}
    key = "decoder.upsample1.text_conv.weight"  # without HSCM, only L_RRC reaches it
    moved = {name: (parts[name].state_dict()[key] - _untrained(name, key)).abs().max() > 1e-6 for name in parts}
    assert moved == {"backbone": False, "with L_RRC": True, "with HSCM": True, "full": True}


def _untrained(name: str, key: str) -> torch.Tensor:
    return begun_network(0, VARIANTS[name].semantic).state_dict()[key]


def test_a_run_prints_its_table_and_is_not_made_again(ran: tuple[list[str], str]) -> None:
    line, first = ran
    second = printed(line)
    assert [row for row in first.splitlines() if row.startswith("|")] == second.splitlines()[1:]
    assert all(f"{name}: epoch 1" in first for name in VARIANTS) and "epoch" not in second
    assert all(f"| {name} |" in first for name in VARIANTS)


def test_learning_from_richer_scenes(tmp_path: Path) -> None:
    """As the shipped counter: any noun may be asked for, and such scenes are judged too."""
    line = ["--scenes", "2", "--epochs", "1", "--judged", "2", "--variant", "full", "--out", str(tmp_path)]
    (head, *_) = [
        row for row in printed([*line, "--learn", "rich", "--batch", "1"]).splitlines() if row.startswith("|")
    ]
    assert [part for part in ("ordinary", "minority", "rich") if f"{part}: MAE" in head] == [
        "ordinary",
        "minority",
        "rich",
    ]
    assert len((tmp_path / "rich" / "full" / "log.csv").read_text().splitlines()) == 2
    with pytest.raises(CountError, match="batch 1 then, 16 now"):
        printed([*line, "--learn", "rich"])
