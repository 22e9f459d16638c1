"""What a look of Count Search costs, as the help page says it."""

from __future__ import annotations

import sys

import pytest

from benchmarks import look_cost
from benchmarks.lab.real_models import KINDS


def test_a_look_costs_what_the_help_page_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stable Diffusion 1.5 at 512 x 512, whose plain step was counted as 2 x 0.803 TFLOP."""
    assert KINDS["sd15"].size == 512
    monkeypatch.setattr(look_cost, "step_operations", lambda _: 2 * 0.8033e12)
    monkeypatch.setattr(sys, "argv", ["look_cost", "--model", "sd15"])
    look_cost.main()
    own, small = capsys.readouterr().out.splitlines()[-2:]
    assert own == "| VAE | 0.278 | 0.073 | 0.046 | 0.40 |" and small.endswith(" 0.33 |")
