"""Does the Shapes counter agree with the exact count on pictures that the Shapes model made?

`python -m benchmarks.t2icount_generated` samples prompts, has T2ICount Counter count all eight nouns in every picture, and
prints mean absolute errors with 95 % bootstrap intervals over pictures: over all nouns, over those that are there, noun by
noun, and what always answering 0 would give.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from demo.shapes import PLURALS

from .count_search_runs import load_counter
from .effect_cases import make_cases
from .effect_runs import Generator, Method
from .effect_table import interval

SHIPPED = Path(__file__).resolve().parents[1] / "demo" / "weights" / "t2icount" / "shapes_counter.safetensors"
Numbers = NDArray[np.float64]


def counts_of(pictures: int, seed: int, counter: Path) -> tuple[Numbers, Numbers]:
    """(N, 8) exact and counted numbers of every noun."""
    generator, network = Generator(), load_counter(counter)
    exact, counted = [], []
    for case in make_cases(3 * pictures // 4, pictures - 3 * pictures // 4, seed, most=8):
        pixels, _ = generator.picture(case, Method())
        found: Mapping[str, int] = case.count(pixels)
        exact.append([found.get(noun, 0) for noun in PLURALS])
        numbers = network.count(torch.from_numpy(pixels)[None].float() / 255, tuple(PLURALS.values())).numbers
        counted.append(np.asarray(numbers, float)[0])
    return np.array(exact, float), np.array(counted)


def _line(name: str, errors: Numbers) -> str:
    """Mean over pictures of each picture's mean error."""
    low, high = interval(errors)
    return f"| {name} | {len(errors)} | {errors.mean():.3f} ({low:.3f} to {high:.3f}) |"


def table(exact: Numbers, counted: Numbers) -> list[str]:
    """Rows of a Markdown table."""
    errors, there = np.abs(counted - exact), exact > 0
    of_those_there = np.array([own[has].mean() for own, has in zip(errors, there, strict=True) if has.any()])
    lines = ["| nouns | pictures | mean absolute error (95 %) |", "|---|---|---|"]
    lines += [_line("all eight", errors.mean(1)), _line("those that are there", of_those_there)]
    lines += [_line("all eight, had it answered 0", exact.mean(1))]
    for place, plural in enumerate(PLURALS.values()):
        lines.append(_line(f"{plural}, where there are some", errors[there[:, place], place]))
    return lines


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=160)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--counter", type=Path, default=SHIPPED, help="a T2ICount file")
    arguments = parser.parse_args()
    print("\n".join(table(*counts_of(arguments.pictures, arguments.seed, arguments.counter))))


if __name__ == "__main__":
    main()
