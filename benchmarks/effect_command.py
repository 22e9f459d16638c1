"""The command line that the benchmarks of effects share: which prompts, which methods, in parts or with tables."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .effect_cases import Outcome, make_cases, make_coloured_cases
from .effect_runs import Method, run_cases
from .effect_table import counts_table, methods_table


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
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    one_kind = f"prompts for 2 to {prompts.most} of one kind"
    parser.add_argument("--single", type=int, default=prompts.single, help=one_kind)
    parser.add_argument("--several", type=int, default=prompts.several, help="prompts for 2 or 3 kinds")
    coloured = "prompts for 2 kinds, each with its colour"
    parser.add_argument("--coloured", type=int, default=prompts.coloured, help=coloured)
    parser.add_argument("--seed", type=int, default=prompts.seed)
    parser.add_argument("--method", action="append", choices=list(methods), help="may be given several times")
    parser.add_argument("--out", type=Path, default=out)
    parser.add_argument("--part", help="i/n: run every n-th prompt from the i-th on, and print no table; see --out")
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    cases = make_cases(arguments.single, arguments.several, arguments.seed, prompts.most)
    cases += make_coloured_cases(arguments.coloured, arguments.seed)
    chosen = {name: methods[name] for name in dict.fromkeys(("none", *(arguments.method or usual)))}
    if arguments.part:
        first, parts = map(int, arguments.part.split("/"))
        run_cases(cases[first::parts], chosen, arguments.out, print)
        return
    runs = run_cases(cases, chosen, arguments.out, print)
    print("\n" + "\n".join(methods_table(cases, runs)))
    for name in list(chosen)[1:]:
        print(f"\n### {title(name)}\n")
        print("\n".join((*counts_table(cases, runs["none"], runs[name]), *more(runs[name]))))
