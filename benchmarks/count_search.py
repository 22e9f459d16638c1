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

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from demo.comfy_host import import_comfyui

import_comfyui("--cpu")
from headcount.bridge.seed_search.settings import SearchSettings  # noqa: E402

from .lab.command import new_parser, part_of  # noqa: E402
from .lab.prompts import Case, groups_of, make_cases  # noqa: E402
from .lab.searches import Plan, Run, load_runs  # noqa: E402
from .lab.statistics import interval  # noqa: E402
from .lab.tables import table, with_interval  # noqa: E402


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


def methods(plan: Plan) -> dict[str, Callable[[Case, dict[str, Run]], Result]]:
    """Name -> what it gives for a prompt."""
    found: dict[str, Callable[[Case, dict[str, Run]], Result]] = {
        "plain": lambda case, runs: finished(case, runs["plain"], 1)
    }
    for many in range(2, plan.finished + 1):
        found[f"best of {many}, finished"] = lambda case, runs, many=many: finished(case, runs["plain"], many)
    for seeds in plan.seeds["plain"]:
        found[f"Count Search, up to {seeds}"] = lambda case, runs, seeds=seeds: searched(case, runs["plain"], seeds)
    found["ISAC fast"] = lambda case, runs: finished(case, runs["fast"], 1)
    for seeds in plan.seeds["fast"]:
        found[f"ISAC fast, Count Search up to {seeds}"] = lambda case, runs, seeds=seeds: searched(
            case, runs["fast"], seeds
        )
    return found


def tables(cases: list[Case], runs: list[dict[str, Run]], plan: Plan) -> Iterator[str]:
    """Each method in each group: cost, shares of exact and of right pictures, and the mistakes that are left."""
    results = {
        name: [method(case, own) for case, own in zip(cases, runs, strict=True)]
        for name, method in methods(plan).items()
    }
    header = ["method", "rows", "time", "exact", "to plain (95 %)", "asked kinds right", "mistakes left"]
    for group, chosen in groups_of(cases, by_count=False).items():
        yield f"\n### {group} ({len(chosen)} prompts)\n"
        of_group = [cases[index] for index in chosen]
        plain = [results["plain"][index] for index in chosen]
        rows = ([name, *_cells(of_group, plain, [own[index] for index in chosen])] for name, own in results.items())
        yield from table(header, rows)


def _cells(cases: list[Case], plain: list[Result], found: list[Result]) -> list[str]:
    """What one method gives for prompts, against plain pictures of the same."""
    rows, seconds = (sum(map(of, found)) / sum(map(of, plain)) for of in (lambda r: r.rows, lambda r: r.seconds))
    exact, before = (
        np.array([case.is_exact(one.counted) for case, one in zip(cases, run, strict=True)], float)
        for run in (found, plain)
    )
    asked_right = [
        all(one.counted.get(noun, 0) == many for noun, many in case.asked.items())
        for case, one in zip(cases, found, strict=True)
    ]
    more = with_interval("+.1%", (exact - before).mean(), interval(exact - before))
    left = (1 - exact.mean()) / max(1 - before.mean(), 1e-9)
    return [
        f"{rows:.2f}x", f"{seconds:.2f}x", f"{exact.mean():.1%}", more, f"{np.mean(asked_right):.1%}", f"{left:.0%}"
    ]  # fmt: skip


def main() -> None:
    """Run and print."""
    parser = new_parser(__doc__)
    parser.add_argument("--single", type=int, default=120, help="prompts for 2 to 6 of one kind")
    parser.add_argument("--several", type=int, default=80, help="prompts for 2 or 3 kinds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, help="only so many of the prompts, both groups in turns")
    parser.add_argument("--decide-at", type=float, default=SearchSettings.decide_at)
    parser.add_argument(
        "--counter", type=Path, help="a T2ICount file that looks at the seeds, in place of the exact one"
    )
    parser.add_argument("--out", type=Path, default=Path("output/count_search.jsonl"))
    part = "i/n: sample every n-th prompt from the i-th on, and print no table; see --out"
    parser.add_argument("--part", type=part_of, help=part)
    arguments = parser.parse_args()
    cases = make_cases(arguments.single, arguments.several, arguments.seed)
    # In turns, so that the first prompts are of both groups and of all counts.
    numbers = np.random.default_rng(0)
    groups = [numbers.permutation(many) / max(many, 1) for many in (arguments.single, arguments.several)]
    spread = np.concatenate(groups)
    cases = [cases[index] for index in np.argsort(spread, kind="stable")][: arguments.first]
    if arguments.part:
        first, parts = arguments.part
        cases = cases[first::parts]
    plan = Plan(arguments.decide_at)
    runs = load_runs(cases, arguments.out, arguments.counter, plan, print)
    if arguments.part:
        return
    print("\n".join(tables(cases, runs, plan)))


if __name__ == "__main__":
    main()
