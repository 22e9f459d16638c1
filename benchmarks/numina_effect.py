"""Does NUMINA Count Guide make the Shapes model count better, alone and together with ISAC, and what does it cost?

`python -m benchmarks.numina_effect` samples every prompt with every method from the same noise, through ComfyUI's own
sampler, counts the pictures exactly, and prints accuracies with 95 % bootstrap intervals of the paired difference to plain
sampling. Finished pictures are kept in --out and not made again. The settings were chosen with prompts of other seeds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from .effect_cases import make_cases, make_coloured_cases
from .effect_runs import IsacSettings, Method, NuminaSettings, run_cases
from .effect_table import counts_table, methods_table

METHODS = {
    "none": Method(),
    "NUMINA": Method(guide=NuminaSettings()),
    "NUMINA, as published": Method(guide=NuminaSettings(method="paper")),
    "NUMINA, as released": Method(guide=NuminaSettings(method="release")),
    "ISAC fast": Method(IsacSettings(mode="fast")),
    "ISAC fast and NUMINA": Method(IsacSettings(mode="fast"), guide=NuminaSettings()),
}
_MOST = 8


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--single", type=int, default=112, help="prompts for 2 to 8 of one kind")
    parser.add_argument("--several", type=int, default=88, help="prompts for 2 or 3 kinds")
    parser.add_argument("--coloured", type=int, default=40, help="prompts for 2 kinds, each with its colour")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--method", action="append", choices=list(METHODS), help="may be given several times")
    parser.add_argument("--out", type=Path, default=Path("output/numina_effect.jsonl"))
    parser.add_argument("--part", help="i/n: run every n-th prompt from the i-th on, and print no table; see --out")
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    cases = make_cases(arguments.single, arguments.several, arguments.seed, _MOST)
    cases += make_coloured_cases(arguments.coloured, arguments.seed)
    methods = {name: METHODS[name] for name in dict.fromkeys(("none", *(arguments.method or METHODS)))}
    if arguments.part:
        first, parts = map(int, arguments.part.split("/"))
        run_cases(cases[first::parts], methods, arguments.out, print)
        return
    runs = run_cases(cases, methods, arguments.out, print)
    print("\n" + "\n".join(methods_table(cases, runs)))
    for name in list(methods)[1:]:
        print(f"\n### {name}\n")
        print("\n".join(counts_table(cases, runs["none"], runs[name])))


if __name__ == "__main__":
    main()
