"""What tests of training runs share."""

from __future__ import annotations

import pytest
from torch.optim.lr_scheduler import LambdaLR

from demo import step_training


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rate that does not hang on the number of steps: a stopped run is then one with a smaller number to go."""
    monkeypatch.setattr(
        step_training, "get_cosine_schedule_with_warmup", lambda optimiser, **_: LambdaLR(optimiser, lambda _: 1.0)
    )
