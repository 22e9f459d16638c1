"""Does the Shapes counter agree with the exact count on pictures that the Shapes model made?

`python -m benchmarks.t2icount_generated` samples prompts, has T2ICount Counter count all eight nouns in every picture, and
prints mean absolute errors with 95 % bootstrap intervals over pictures: over all nouns, over those that are there, noun by
noun, and what always answering 0 would give.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from demo.comfy_host import import_comfyui
from demo.shapes import PLURALS

import_comfyui("--cpu")
from headcount.bridge.demo_models.files import load_shapes_model  # noqa: E402
from headcount.core.drawing import image_of  # noqa: E402

from .lab.command import new_parser  # noqa: E402
from .lab.counters import SHIPPED_COUNTER, t2icount_counter  # noqa: E402
from .lab.prompts import make_cases  # noqa: E402
from .lab.sampling import Generator  # noqa: E402
from .lab.statistics import interval  # noqa: E402
from .lab.tables import table, with_interval  # noqa: E402

Numbers = NDArray[np.float64]


def counts_of(pictures: int, seed: int, counter: Path) -> tuple[Numbers, Numbers]:
    """(N, 8) exact and counted numbers of every noun."""
    generator, network = Generator(load_shapes_model()), t2icount_counter(counter)
    exact, counted = [], []
    for case in make_cases(3 * pictures // 4, pictures - 3 * pictures // 4, seed, most=8):
        pixels = generator.draw(case.prompt, case.seed)
        found = case.count(pixels)
        exact.append([found.get(noun, 0) for noun in PLURALS])
        numbers = network.count(image_of(pixels[None]), tuple(PLURALS.values())).numbers
        counted.append(np.asarray(numbers, float)[0])
    return np.array(exact, float), np.array(counted)


def errors_table(exact: Numbers, counted: Numbers) -> list[str]:
    """Lines of a Markdown table: means over pictures of each picture's mean error."""
    errors, there = np.abs(counted - exact), exact > 0
    rows = {
        "all eight": errors.mean(1),
        "those that are there": np.array(
            [own[has].mean() for own, has in zip(errors, there, strict=True) if has.any()]
        ),
        "all eight, had it answered 0": exact.mean(1),
    }
    for place, plural in enumerate(PLURALS.values()):
        rows[f"{plural}, where there are some"] = errors[there[:, place], place]
    cells = [[name, len(values), _cell(values)] for name, values in rows.items()]
    return table(["nouns", "pictures", "mean absolute error (95 %)"], cells)


def _cell(errors: Numbers) -> str:
    return with_interval(".3f", errors.mean(), interval(errors)) if len(errors) else "-"


def main() -> None:
    """Run and print."""
    parser = new_parser(__doc__)
    parser.add_argument("--pictures", type=int, default=160)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--counter", type=Path, default=SHIPPED_COUNTER, help="a T2ICount file")
    arguments = parser.parse_args()
    print("\n".join(errors_table(*counts_of(arguments.pictures, arguments.seed, arguments.counter))))


if __name__ == "__main__":
    main()
