"""The cost benchmark: what it counts is right, and a steered step costs no more operations than it must."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from headcount.bridge.isac.control import FAST_SHARE, WAIT_SHARE
from headcount.bridge.repair.budget import STEERING_COST

from benchmarks.isac_cost import MODES, counted, main
from benchmarks.lab.measures import LivePeak, operations, times
from benchmarks.lab.steps import PAPER_FLOORS

MIB = 1024**2


def test_live_memory() -> None:
    weight = torch.zeros(MIB)
    with LivePeak([weight]) as live:
        first = torch.ones(MIB)
        del first
        second = torch.ones(2 * MIB)
        view = second[: MIB // 2].view(-1, 2)
        alias = torch.empty(0).set_(weight.untyped_storage())
        view.add_(1.0)
        third = second + 1
    assert live.peak == 16 * MIB and alias.data_ptr() == weight.data_ptr() and len(third) == 2 * MIB


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_operations_of_a_product_and_its_gradient(device: str) -> None:
    x = torch.zeros(3, 4, device=device, requires_grad=True)
    weight = torch.zeros(4, 5, device=device)
    assert operations(lambda: torch.autograd.grad((x @ weight).sum(), x)) == 2 * (2 * 3 * 4 * 5)


def test_steps_are_taken_in_turns() -> None:
    order: list[str] = []
    found = times({name: lambda name=name: order.append(name) for name in "ab"}, 2, lambda: None)
    assert order == list("ababab") and all(seconds >= 0 for seconds in found.values())


def test_a_step_is_at_the_floor() -> None:
    """Stable Diffusion 1.5 at 512 x 512: the paper's objective reads every layer, and costs what the model itself does."""
    modes = {name: mode for name, mode in MODES.items() if name in ("exact (paper)", "blocks recomputed (paper)")}
    forward, (exact, recomputed) = counted("sd15", None, modes)
    assert forward == pytest.approx(0.803e12, rel=1e-3)
    assert exact.ratio == pytest.approx(PAPER_FLOORS["sd15"], rel=0.01)
    assert exact.ratio < recomputed.ratio < 2.4 and recomputed.peak < 0.65 * exact.peak
    assert exact.peak < 0.85e9


def test_what_steering_costs_at_cfg_1() -> None:
    """Flux 2 Klein 4B at 1024 x 1024, whose plain step is one model call."""
    modes = {name: mode for name, mode in MODES.items() if "(anchored)" in name}
    _, (exact, recomputed) = counted("klein4b", None, modes)
    assert exact.ratio <= 2.0 and (FAST_SHARE - WAIT_SHARE) * (exact.ratio - 1) <= STEERING_COST
    assert exact.first == pytest.approx(exact.ratio + 1, rel=0.01), "the first run learns which calls are read"
    assert recomputed.peak < 0.25 * exact.peak and recomputed.peak < 4e9


def test_the_objective_decides_how_far_the_model_runs() -> None:
    modes = {name: mode for name, mode in MODES.items() if name in ("exact (anchored)", "exact (paper)")}
    _, (anchored, paper) = counted("tiny", 512, modes)
    assert anchored.ratio < paper.ratio


def test_the_whole_table(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "cost.json"
    arguments = ["isac_cost", "--model", "tiny", "--size", "64", "--steps", "1", "--json", str(out)]
    monkeypatch.setattr("sys.argv", arguments)
    main()
    printed = capsys.readouterr().out
    figures = json.loads(out.read_text())
    rows = {row["mode"]: row for row in figures["measured"]}
    assert set(rows) == {"plain", *MODES}
    assert rows["plain"]["ratio"] == 1 and all(row["seconds"] > 0 and row["peak"] > 0 for row in rows.values())
    assert rows["blocks recomputed (paper)"]["peak"] < rows["exact (paper)"]["peak"]
    assert rows["full graph (paper), for reference"]["peak"] > rows["exact (paper)"]["peak"]
    assert 0 < rows["exact (paper)"]["clustering"] < 1 and rows["recording only"]["clustering"] is None
    assert all(f"| {name} |" in printed for name in rows)
