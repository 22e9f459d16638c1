"""What the benchmarks of effects share: prompts of the Shapes model sampled in several ways, paired with plain sampling."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np

from demo.comfy_host import import_comfyui

import_comfyui("--cpu")
from headcount.bridge.demo_models.files import WEIGHTS, load_shapes_model  # noqa: E402

from .command import new_parser, part_of  # noqa: E402
from .prompts import Case, groups_of, make_cases, make_coloured_cases  # noqa: E402
from .sampling import Generator, Method  # noqa: E402
from .statistics import interval  # noqa: E402
from .store import KeptRows, file_digest  # noqa: E402
from .tables import table, with_interval  # noqa: E402


@dataclass(frozen=True)
class Outcome:
    """What one picture shows, the objective's losses at each step of its run, and how long it took."""

    counted: dict[str, int]
    losses: list[float]
    seconds: float = 0.0


@dataclass(frozen=True)
class Prompts:
    """What is asked for by default.

    Attributes:
        single: prompts for 2 to `most` of one kind.
        several: prompts for 2 or 3 kinds.
        coloured: prompts for 2 kinds, each with its colour.
        seed: of the prompts and of the noises.
    """

    single: int
    several: int
    coloured: int
    seed: int
    most: int = 6


def run_command(
    about: str | None,
    methods: Mapping[str, Method],
    usual: Sequence[str],
    prompts: Prompts,
    out: Path,
    title: Callable[[str], str],
    more: Callable[[list[Outcome]], Iterator[str]],
) -> None:
    """Run and print.

    Args:
        about: the benchmark's text.
        methods: all that may be asked for; "none" is always run.
        usual: those that are run unless told otherwise.
        out: where pictures' counts are kept by default.
        title: heading of a method's table.
        more: lines below it.
    """
    parser = new_parser(about)
    one_kind = f"prompts for 2 to {prompts.most} of one kind"
    parser.add_argument("--single", type=int, default=prompts.single, help=one_kind)
    parser.add_argument("--several", type=int, default=prompts.several, help="prompts for 2 or 3 kinds")
    coloured = "prompts for 2 kinds, each with its colour"
    parser.add_argument("--coloured", type=int, default=prompts.coloured, help=coloured)
    parser.add_argument("--seed", type=int, default=prompts.seed)
    parser.add_argument("--method", action="append", choices=list(methods), help="may be given several times")
    parser.add_argument("--out", type=Path, default=out)
    part = "i/n: run every n-th prompt from the i-th on, and print no table; see --out"
    parser.add_argument("--part", type=part_of, help=part)
    arguments = parser.parse_args()
    cases = make_cases(arguments.single, arguments.several, arguments.seed, prompts.most)
    cases += make_coloured_cases(arguments.coloured, arguments.seed)
    chosen = {name: methods[name] for name in dict.fromkeys(("none", *(arguments.method or usual)))}
    if arguments.part:
        first, parts = arguments.part
        run_cases(cases[first::parts], chosen, arguments.out, print)
        return
    runs = run_cases(cases, chosen, arguments.out, print)
    print("\n" + "\n".join(methods_table(cases, runs)))
    for name in list(chosen)[1:]:
        print(f"\n### {title(name)}\n")
        print("\n".join((*counts_table(cases, runs["none"], runs[name]), *more(runs[name]))))


def run_cases(
    cases: list[Case], methods: Mapping[str, Method], out: Path, report: Callable[[str], None]
) -> dict[str, list[Outcome]]:
    """Outcomes of all cases by method; those in the file `out` are read, the others run and added, case by case."""
    kept, weights = KeptRows(out, "outcome"), file_digest(WEIGHTS)
    settings = {name: weights + json.dumps(asdict(method)) for name, method in methods.items()}
    outcomes: dict[str, list[Outcome]] = {name: [] for name in methods}
    generator, start = cache(lambda: Generator(load_shapes_model())), time.monotonic()
    for number, case in enumerate(cases, 1):
        for name, method in methods.items():
            if name == "without bind" and "exact" in methods and not case.names_colours:
                outcomes[name].append(outcomes["exact"][-1])  # without attributes they are the same, bit for bit
                continue
            key = f"{case.seed} {case.prompt} {settings[name]}"
            outcome = kept.get(key, lambda c=case, m=method: asdict(_outcome(generator(), c, m)))
            outcomes[name].append(Outcome(**outcome))
        if number % 20 == 0:
            report(f"{number} of {len(cases)} prompts, {time.monotonic() - start:.0f} s")
    return outcomes


def _outcome(generator: Generator, case: Case, method: Method) -> Outcome:
    """One picture, counted."""
    generator.positive(case.prompt)  # so that the prompt's first method pays no more than the others
    start = time.perf_counter()
    pixels, losses = generator.draw(case.prompt, case.seed, method)
    return Outcome(case.count(pixels), losses, time.perf_counter() - start)


def exact_shares(cases: Sequence[Case], outcomes: Sequence[Outcome], chosen: Sequence[int]) -> np.ndarray:
    """(N,) 1 where the picture of a chosen case is exactly what was asked for."""
    return np.array([cases[index].is_exact(outcomes[index].counted) for index in chosen], float)


def counts_table(cases: list[Case], plain: list[Outcome], other: list[Outcome]) -> list[str]:
    """One method against none, group by group and count by count."""
    difference = "difference (95 %)"
    header = ["prompts", "n", "exact without", "exact with", difference, "error without", "error with", difference]
    rows = []
    for name, chosen in groups_of(cases, by_count=True).items():
        exact = [exact_shares(cases, run, chosen) for run in (plain, other)]
        error = [np.array([cases[i].error(run[i].counted) for i in chosen], float) for run in (plain, other)]
        row = [name, len(chosen)]
        for form, (before, after) in ((".1%", exact), (".2f", error)):
            change = with_interval(f"+{form}", after.mean() - before.mean(), interval(after - before))
            row += [format(before.mean(), form), format(after.mean(), form), change]
        rows.append(row)
    return table(header, rows)


def methods_table(cases: list[Case], runs: Mapping[str, list[Outcome]]) -> list[str]:
    """All methods: share of exact pictures of each group with the difference to "none", and time against "none"."""
    groups = groups_of(cases, by_count=False)
    plain = runs["none"]
    rows = []
    for method, run in runs.items():
        cells = []
        for chosen in groups.values():
            before, after = (exact_shares(cases, each, chosen) for each in (plain, run))
            low, high = interval(after - before)
            text = f"{after.mean():.1%}"
            if method != "none":
                text += f" ({after.mean() - before.mean():+.1%}: {low:+.1%} to {high:+.1%})"
            cells.append(text)
        seconds = sum(one.seconds for one in run) / sum(one.seconds for one in plain)
        rows.append([method, f"{seconds:.2f}x", *cells])
    return table(["method", "time", *(f"{name} (n={len(chosen)})" for name, chosen in groups.items())], rows)
