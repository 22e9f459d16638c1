"""Does Headcount make the Shapes model count better, and what does each way cost?

`python -m benchmarks.isac_effect` samples every prompt with every method, through ComfyUI's own sampler, counts the
pictures exactly, and prints accuracies with 95 % bootstrap intervals of the paired difference to plain sampling. "exact",
"without bind" and "fast" start from the same noise as "none"; "selection" chooses among the noises of the same seed. Times are
ratios of pictures made one after the other in the same process. Finished pictures are kept in --out and not made again.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .lab.effects import Outcome, Prompts, run_command
from .lab.sampling import SHAPES_SAMPLING, IsacSettings, Method, SelectionSettings


def _selection(candidates: int) -> SelectionSettings:
    own = SHAPES_SAMPLING
    return SelectionSettings(
        seed=0, steps=own.steps, cfg=own.cfg, sampler=own.sampler, scheduler=own.scheduler, candidates=candidates
    )


METHODS = {
    "none": Method(),
    "exact": Method(IsacSettings()),
    "fast": Method(IsacSettings(mode="fast")),
    "without bind": Method(IsacSettings(bind=False)),
    "selection": Method(selection=_selection(candidates=4)),
    "selection of 8": Method(selection=_selection(candidates=8)),
    "selection, then exact": Method(IsacSettings(), _selection(candidates=4)),
    "paper": Method(IsacSettings(objective="paper", step_mode="paper", step_size=0.01)),
    "paper without bind": Method(IsacSettings(objective="paper", step_mode="paper", step_size=0.01, bind=False)),
    "paper eta 0.001": Method(IsacSettings(objective="paper", step_mode="paper", step_size=0.001)),
    "paper relative 0.02": Method(IsacSettings(objective="paper", step_mode="relative", step_size=0.02)),
}
DEFAULT_METHODS = ("exact", "without bind", "fast", "selection")


def _mean_losses(run: list[Outcome]) -> str:
    losses = [outcome.losses for outcome in run if outcome.losses]
    length = min(map(len, losses), default=0)
    means = np.array([row[:length] for row in losses]).mean(0) if length else []
    return " ".join(f"{value:.3g}" for value in means)


def main() -> None:
    """Run and print."""
    run_command(
        __doc__,
        METHODS,
        DEFAULT_METHODS,
        Prompts(single=160, several=120, coloured=80, seed=1),
        Path("output/isac_effect.jsonl"),
        lambda name: f"{name}: {METHODS[name]}",
        lambda run: iter(("", "mean loss by steered step: " + _mean_losses(run))),
    )


if __name__ == "__main__":
    main()
