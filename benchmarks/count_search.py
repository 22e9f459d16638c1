"""How often is the picture right when Count Search chooses its seed, and at what cost?

`python -m benchmarks.count_search` asks the Shapes model for pictures and counts them exactly. Plain pictures come from one
seed; "best of B, finished" finishes B and keeps the best; Count Search looks at up to so many seeds and makes the picture of
the one it finds; the same with ISAC (fast) on the model, which steers the tried seeds too. The looks of the longest search
are made once per prompt and shorter searches read the first of them, which gives exactly what they would find by themselves.
Cost is counted, relative to plain pictures of the same prompts: rows that the diffusion model computes (ISAC's extra passes
as forward passes only), and seconds, decoding and counting included. Intervals are 95 % bootstrap intervals over prompts.
Finished prompts are kept in --out and not sampled again. The settings were chosen with prompts of other seeds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from demo.comfy_host import import_comfyui

import_comfyui("--cpu")
from headcount.bridge.seed_search.settings import SearchSettings  # noqa: E402

from .count_search_runs import FINISHED, SEEDS, Run, load_runs  # noqa: E402
from .effect_cases import Case, Outcome, make_cases  # noqa: E402
from .effect_table import groups_of, interval  # noqa: E402


@dataclass(frozen=True)
class Result:
    """What one method gives for a prompt."""

    counted: dict[str, int]
    rows: int
    seconds: float


def searched(case: Case, run: Run, seeds: int) -> Result:
    """What Count Search finds among the first so many seeds, and what it and the picture cost."""
    wanted = np.array(list(case.asked.values()))
    looks = run.looks[:seeds]
    off = [
        (int(np.abs(np.floor(np.array(look.numbers) + 0.5) - wanted).sum()), np.abs(look.numbers - wanted).sum())
        for look in looks
    ]
    picture = run.pictures[str(min(range(len(looks)), key=lambda index: (*off[index], index)))]
    spent = [picture, *looks]
    return Result(picture.counted, sum(one.rows for one in spent), sum(one.seconds for one in spent))


def finished(case: Case, run: Run, many: int) -> Result:
    """The best of the first pictures, all finished."""
    made = [run.pictures[str(place)] for place in range(many)]
    off = [sum(abs(one.counted.get(noun, 0) - number) for noun, number in case.asked.items()) for one in made]
    best = made[off.index(min(off))]
    return Result(best.counted, sum(one.rows for one in made), sum(one.seconds for one in made))


def methods() -> dict[str, Callable[[Case, dict[str, Run]], Result]]:
    """Name -> what it gives for a prompt."""
    found: dict[str, Callable[[Case, dict[str, Run]], Result]] = {
        "plain": lambda case, runs: finished(case, runs["plain"], 1)
    }
    for many in range(2, FINISHED + 1):
        found[f"best of {many}, finished"] = lambda case, runs, many=many: finished(case, runs["plain"], many)
    for seeds in SEEDS["plain"]:
        found[f"Count Search, up to {seeds}"] = lambda case, runs, seeds=seeds: searched(case, runs["plain"], seeds)
    found["ISAC fast"] = lambda case, runs: finished(case, runs["fast"], 1)
    for seeds in SEEDS["fast"]:
        found[f"ISAC fast, Count Search up to {seeds}"] = lambda case, runs, seeds=seeds: searched(
            case, runs["fast"], seeds
        )
    return found


def table(cases: list[Case], runs: list[dict[str, Run]]) -> Iterator[str]:
    """Each method in each group: cost, shares of exact and of right pictures, and the mistakes that are left."""
    results = {
        name: [method(case, own) for case, own in zip(cases, runs, strict=True)] for name, method in methods().items()
    }
    for group, chosen in groups_of(cases, by_count=False).items():
        yield f"\n### {group} ({len(chosen)} prompts)\n"
        yield "| method | rows | time | exact | to plain (95 %) | asked kinds right | mistakes left |"
        yield "|---|---|---|---|---|---|---|"
        plain = results["plain"]
        for name, all_results in results.items():
            own = [all_results[index] for index in chosen]
            cost = [
                sum(getattr(one, what) for one in own) / sum(getattr(plain[index], what) for index in chosen)
                for what in ("rows", "seconds")
            ]
            exact, before = (
                np.array([Outcome(run[i].counted, []).exact(cases[i]) for i in chosen], float)
                for run in (all_results, plain)
            )
            right = np.mean(
                [
                    all(all_results[i].counted.get(noun, 0) == many for noun, many in cases[i].asked.items())
                    for i in chosen
                ]
            )
            low, high = interval(exact - before)
            yield (
                f"| {name} | {cost[0]:.2f}x | {cost[1]:.2f}x | {exact.mean():.1%} | {(exact - before).mean():+.1%} "
                f"({low:+.1%} to {high:+.1%}) | {right:.1%} | {(1 - exact.mean()) / max(1 - before.mean(), 1e-9):.0%} |"
            )


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--single", type=int, default=120, help="prompts for 2 to 6 of one kind")
    parser.add_argument("--several", type=int, default=80, help="prompts for 2 or 3 kinds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, help="only so many of the prompts, both groups in turns")
    parser.add_argument("--decide-at", type=float, default=SearchSettings.decide_at)
    parser.add_argument(
        "--counter", type=Path, help="a T2ICount file that looks at the seeds, in place of the exact one"
    )
    parser.add_argument("--out", type=Path, default=Path("output/count_search.jsonl"))
    parser.add_argument("--part", help="i/n: sample every n-th prompt from the i-th on, and print no table; see --out")
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    cases = make_cases(arguments.single, arguments.several, arguments.seed)
    # In turns, so that the first prompts are of both groups and of all counts.
    numbers = np.random.default_rng(0)
    groups = [numbers.permutation(many) / max(many, 1) for many in (arguments.single, arguments.several)]
    spread = np.concatenate(groups)
    cases = [cases[index] for index in np.argsort(spread, kind="stable")][: arguments.first]
    if arguments.part:
        first, parts = map(int, arguments.part.split("/"))
        cases = cases[first::parts]
    runs = load_runs(cases, arguments.out, arguments.counter, arguments.decide_at, print)
    if arguments.part:
        return
    print("\n".join(table(cases, runs)))


if __name__ == "__main__":
    main()
