"""MAE and RMSE against numbers worked out by hand."""

from __future__ import annotations

import torch
from headcount.core.t2icount.metrics import count_errors


def test_errors_of_three_pictures() -> None:
    errors = count_errors(torch.tensor([2.0, 5.5, 10.0]), torch.tensor([3.0, 5.5, 7.0]))
    assert errors.mae == 4 / 3
    assert errors.rmse == (10 / 3) ** 0.5
    assert errors.pictures == 3
    assert errors.score == 4 / 3 + (10 / 3) ** 0.5


def test_counts_of_thousands_are_not_rounded_away() -> None:
    truth = torch.full((1000,), 4000.0)
    assert abs(count_errors(truth + 0.01, truth).mae - 0.01) < 1e-4
