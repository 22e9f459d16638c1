"""Does Headcount make the Shapes model count better, and what does each way cost?

`python -m benchmarks.isac_effect` samples every prompt with every method, through ComfyUI's own sampler, counts the
pictures exactly, and prints accuracies with 95 % bootstrap intervals of the paired difference to plain sampling. "exact",
"without bind" and "fast" start from the same noise as "none"; "selection" chooses among the noises of the same seed. Times are
ratios of pictures made one after the other in the same process. Finished pictures are kept in --out and not made again.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from .effect_cases import Outcome, make_cases, make_coloured_cases
from .effect_runs import CFG, SAMPLER, SCHEDULER, STEPS, IsacSettings, Method, SelectionSettings, run_cases
from .effect_table import counts_table, methods_table


def _selection(**changes: Any) -> SelectionSettings:
    return SelectionSettings(0, STEPS, CFG, SAMPLER, SCHEDULER, **changes)


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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--single", type=int, default=160, help="prompts for 2 to 6 of one kind")
    parser.add_argument("--several", type=int, default=120, help="prompts for 2 or 3 kinds")
    parser.add_argument("--coloured", type=int, default=80, help="prompts for 2 kinds, each with its colour")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--method", action="append", choices=list(METHODS), help="may be given several times")
    parser.add_argument("--out", type=Path, default=Path("output/isac_effect.jsonl"))
    parser.add_argument("--part", help="i/n: run every n-th prompt from the i-th on, and print no table; see --out")
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    cases = make_cases(arguments.single, arguments.several, arguments.seed)
    cases += make_coloured_cases(arguments.coloured, arguments.seed)
    methods = {name: METHODS[name] for name in dict.fromkeys(("none", *(arguments.method or DEFAULT_METHODS)))}
    if arguments.part:
        first, parts = map(int, arguments.part.split("/"))
        run_cases(cases[first::parts], methods, arguments.out, print)
        return
    runs = run_cases(cases, methods, arguments.out, print)
    print("\n" + "\n".join(methods_table(cases, runs)))
    for name in list(methods)[1:]:
        print(f"\n### {name}: {METHODS[name]}\n")
        print("\n".join(counts_table(cases, runs["none"], runs[name])))
        print("\nmean loss by steered step: " + _mean_losses(runs[name]))


if __name__ == "__main__":
    main()
