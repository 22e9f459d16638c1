"""A training run saves, goes on where it stopped, and says how it goes."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from demo import step_training


def run_for(folder: Path, steps: int, until: float = math.inf) -> step_training.StepTraining:
    torch.manual_seed(0)
    run = step_training.StepTraining(
        torch.nn.Linear(3, 1), folder, "line", step_training.Plan(steps, batch=4, rate=0.1, ema_decay=0.5)
    )
    run.train(lambda step: run.model(torch.ones(4, 3)).square().mean(), until)
    return run


def test_rate_weights_averages_and_log(tmp_path: Path) -> None:
    run = run_for(tmp_path, 60)
    assert run.trainer.step == 60 and run.trainer.optimiser.param_groups[0]["lr"] == pytest.approx(
        0.1 * 60 / step_training.WARM_UP
    )
    lines = (tmp_path / "line.log").read_text().splitlines()
    assert lines[0].startswith("step 50 loss ") and lines[-1] == "60 of 60 steps done"
    live, averaged = run.model(torch.ones(1, 3)), run.trainer.averaged(torch.ones(1, 3))
    assert 0 < abs((live - averaged).item()) < 0.1


def test_averages_forget_where_the_run_began(tmp_path: Path, steady: None) -> None:
    """The weights of a short run hardly count what was there at first, however slow their averages are later."""
    torch.manual_seed(0)
    run = step_training.StepTraining(
        torch.nn.Linear(1, 1), tmp_path, "line", step_training.Plan(100, batch=1, rate=0.0, ema_decay=0.999)
    )
    with torch.no_grad():
        run.trainer.averaged.weight.fill_(100.0)
    run.model.weight.data.fill_(1.0)
    for _ in range(100):
        run.trainer.take_step([run.model(torch.ones(1, 1)).sum()])
    assert run.trainer.averaged.weight.item() == pytest.approx(1.0, abs=1e-3)


def same(one: step_training.StepTraining, other: step_training.StepTraining) -> bool:
    pairs = ((one.model, other.model), (one.trainer.averaged, other.trainer.averaged))
    return all(torch.equal(v, b.state_dict()[name]) for a, b in pairs for name, v in a.state_dict().items())


def test_a_run_that_is_out_of_time_says_so_and_goes_on(tmp_path: Path) -> None:
    stopped = run_for(tmp_path, 5, until=0)
    assert stopped.trainer.step == 0 and "the same command goes on" in (tmp_path / "line.log").read_text()
    assert same(run_for(tmp_path / "whole", 5), run_for(tmp_path, 5))


def test_a_stopped_run_goes_on_at_the_rate_that_it_would_have_had(tmp_path: Path) -> None:
    """Weights, averages, AdamW's moments and the place in the schedule come back."""
    whole = run_for(tmp_path / "whole", 9)
    stopped = run_for(tmp_path / "stopped", 9, until=0)
    for _ in range(4):
        stopped.trainer.take_step([stopped.model(torch.ones(4, 3)).square().mean()])
    stopped.save()
    further = run_for(tmp_path / "stopped", 9)
    assert further.trainer.step == 9 and same(whole, further) and not same(whole, stopped)
    assert further.trainer.optimiser.param_groups[0]["lr"] == whole.trainer.optimiser.param_groups[0]["lr"]


def test_only_the_number_of_steps_may_change(tmp_path: Path) -> None:
    run_for(tmp_path, 2)
    assert run_for(tmp_path, 3).trainer.step == 3
    with pytest.raises(ValueError, match=r"was begun with .*'rate': 0.1.*, not .*'rate': 0.2.*take another folder"):
        step_training.StepTraining(
            torch.nn.Linear(3, 1), tmp_path, "line", step_training.Plan(3, batch=4, rate=0.2, ema_decay=0.5)
        )
    torch.save({"step": 3}, tmp_path / "line_training.pt")
    with pytest.raises(ValueError, match="is of an earlier version of this program"):
        run_for(tmp_path, 3)


def test_what_is_exported_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_training, "SECONDS_BETWEEN_SAVES", 0.0)
    run, saved = run_for(tmp_path, 3, until=0), []
    run.train(lambda _: run.model(torch.ones(1, 3)).sum(), on_save=lambda: saved.append(run.trainer.step))
    assert saved == [1, 2, 3, 3]


def test_a_plan_with_what_the_command_line_says() -> None:
    given = step_training.new_parser("").parse_args(["--out", "x", "--batch", "7"])
    plan = step_training.Plan(steps=5, batch=4, rate=0.1, weight_decay=0.5)
    assert step_training.changed(plan, given) == step_training.Plan(steps=5, batch=7, rate=0.1, weight_decay=0.5)


def test_the_rate_warms_up_and_comes_down(tmp_path: Path) -> None:
    plan = step_training.Plan(steps=1000, batch=1, rate=1.0)
    run, rates = step_training.StepTraining(torch.nn.Linear(1, 1), tmp_path, "line", plan), []
    for _ in range(1000):
        rates.append(run.trainer.optimiser.param_groups[0]["lr"])
        run.trainer.take_step([run.model(torch.ones(1, 1)).sum() * 0])
    assert rates.index(max(rates)) == step_training.WARM_UP and max(rates) == 1
    assert rates[0] < rates[100] and rates[300] > rates[600] > rates[999] >= 0
