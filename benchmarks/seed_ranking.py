"""Which score of a seed's attention tells early whether its picture will count right?

`python -m benchmarks.seed_ranking` samples every prompt from 8 seeds with the Shapes model, records the attention of the
sampler's own calls, counts the pictures exactly, and prints how well each score ranks the seeds of a prompt, and how
often the picture of the best one is exact. Scores and their constants were chosen on one half of the prompts (--half
choose); what is printed by default is the other half. Finished prompts are kept in --out and not sampled again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import comb
from pathlib import Path

import numpy as np
import torch
from scipy.stats import rankdata

from demo.comfy_host import import_comfyui

import_comfyui("--cpu")
from headcount.core.isac import Stage, successive_halving, top_k  # noqa: E402

from .lab.command import new_parser  # noqa: E402
from .lab.prompts import make_cases  # noqa: E402
from .lab.seeds import LAYERS, NAMES, ON_HEAT, SEEDS, STEPS, Record, load_runs, score_at  # noqa: E402
from .lab.statistics import interval  # noqa: E402
from .lab.tables import table  # noqa: E402

AFTER = (3, 5, 6, 7, 8, 10, 20)  # model calls
AFTER_HEADS = [f"after {after}" for after in AFTER]


def right_before_wrong(scores: np.ndarray, error: np.ndarray) -> float:
    """P(an exact seed scores better than another one); NaN where all or none are exact."""
    exact, wrong = scores[error == 0][:, None], scores[error > 0]
    return float(((exact < wrong) + 0.5 * (exact == wrong)).mean()) if exact.size and wrong.size else np.nan


def rank_correlation(scores: np.ndarray, error: np.ndarray) -> float:
    """Spearman's; 0 where the score ties all, NaN where the errors do."""
    if np.ptp(error) == 0:
        return np.nan
    return float(np.corrcoef(rankdata(scores), rankdata(error))[0, 1]) if np.ptp(scores) else 0.0


def best_of(scores: np.ndarray, exact: np.ndarray, many: int) -> float:
    """Chance that the best of `many` of the seeds is exact, over all choices of them; ties are drawn by lot."""
    drawn = np.array([exact[scores == score].mean() for score in np.sort(scores)])
    rest = np.arange(len(scores))[::-1]
    ways = np.array([comb(left, many - 1) for left in rest])
    return float((drawn * ways).sum() / ways.sum())


def rank_table(runs: list[Record], rows: list[tuple[str, str]]) -> list[str]:
    """Per score and layers: P(right before wrong) and Spearman's correlation with the count error, by model calls."""
    lines = []
    for name, layers in rows:
        cells = [name, layers]
        for after in AFTER:
            pairs = [(score_at(run, name, layers, after), run["error"]) for run in runs]
            right, correlation = (
                np.nanmean([measure(*pair) for pair in pairs]) for measure in (right_before_wrong, rank_correlation)
            )
            cells.append(f"{right:.2f} / {correlation:+.2f}")
        lines.append(cells)
    return table(["score", "layers", *AFTER_HEADS], lines)


def best_table(runs: list[Record], rows: list[tuple[str, str]], many: int) -> Iterator[str]:
    """Exact pictures when the best of so many seeds is taken after so many calls, and its 95 % gain over a random one."""
    exact = [run["error"] == 0 for run in runs]
    chance = np.array([each.mean() for each in exact])
    ideal = np.mean([best_of(run["error"], run["error"] == 0, many) for run in runs])
    yield f"Best of {many}: a random seed is exact in {chance.mean():.1%}, the best one in {ideal:.1%}.\n"
    lines = []
    for name, layers in rows:
        cells = [name]
        for after in AFTER:
            scores = [score_at(run, name, layers, after) for run in runs]
            found = np.array([best_of(*pair, many) for pair in zip(scores, exact, strict=True)])
            low, high = interval(found - chance)
            cells.append(f"{found.mean():.1%} ({low:+.1%} to {high:+.1%})")
        lines.append(cells)
    yield from table(["score", *AFTER_HEADS], lines)


def chosen_seed(run: Record, seeds: list[int], stages: Sequence[Stage]) -> int:
    """The seed that is left of `seeds` after the stages."""
    for stage in stages:
        scores = torch.from_numpy(score_at(run, "places", "16x16", stage.last))
        seeds = [seeds[index] for index in top_k(scores[seeds], stage.keep)]
    return seeds[0]


def stages_table(runs: list[Record]) -> list[str]:
    """What deciding later, and dropping half on the way, cost and bring.

    The cost is in plain pictures, the picture of the chosen seed included.
    """
    rows = []
    for many, decide_at, drop in product((4, 8), (0.3, 0.4, 0.5, 0.6, 1.0), (True, False)):
        stages = successive_halving(many, 1, STEPS, decide_at)[0 if drop else -1 :]
        groups = [list(range(first, first + many)) for first in range(0, SEEDS, many)]
        error = np.array([[run["error"][chosen_seed(run, group, stages)] for group in groups] for run in runs])
        half = stages[0].keep if drop else many
        cost = 1 + (many * stages[0].last + half * (stages[-1].last - stages[0].last)) / STEPS
        row = [many, f"{decide_at:.0%}", "half" if drop else "none", f"{cost:.2f}"]
        rows.append([*row, f"{(error == 0).mean():.1%}", f"{error.mean():.2f}"])
    return table(["seeds", "decide at", "dropped on the way", "cost", "exact", "error"], rows)


def main() -> None:
    """Run and print."""
    parser = new_parser(__doc__)
    parser.add_argument("--single", type=int, default=120, help="prompts for 2 to 6 of one kind")
    parser.add_argument("--several", type=int, default=107, help="prompts for 2 or 3 kinds")
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--half", choices=("confirm", "choose", "both"), default="confirm")
    parser.add_argument("--out", type=Path, default=Path("output/seed_ranking"))
    arguments = parser.parse_args()
    cases = make_cases(arguments.single, arguments.several, arguments.seed)
    if arguments.half != "both":
        wanted = int(arguments.half == "confirm")
        places = (
            *range(arguments.single),
            *range(arguments.several),
        )  # nouns take turns, 8 by 8: each is in both halves
        cases = [case for case, place in zip(cases, places, strict=True) if (place + place // 8) % 2 == wanted]
    runs = load_runs(cases, arguments.out, print)
    rows = [(name, "16x16" if name in ON_HEAT else "all") for name in NAMES]
    for title, several in (("2 to 6 of one kind", False), ("2 to 3 kinds", True)):
        chosen = [run for run in runs if (len(run["counts"]) > 1) == several]
        print(f"\n## {title} ({len(chosen)} prompts): P(right before wrong) / correlation with the count error\n")
        print("\n".join(rank_table(chosen, rows)))
        print(f"\n## {title}: by layers\n")
        print("\n".join(rank_table(chosen, [(name, layers) for name in ("places", "paper") for layers in LAYERS])))
        for many in (4, 8):
            print(f"\n## {title}: exact pictures\n")
            print("\n".join(best_table(chosen, rows, many)))
    print(f"\n## All {len(runs)} prompts: dropping on the way\n")
    print("\n".join(stages_table(runs)))


if __name__ == "__main__":
    main()
