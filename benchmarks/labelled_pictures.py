"""Do the counters of the Emoji world see in generated pictures what a person sees?

`python -m benchmarks.labelled_pictures` has judge, decider and a T2ICount network that was trained on this world count 200
pictures that were labelled by eye before any was asked, half of them plain, half of them winners of search and steering, and
prints how often each is right. A kind counts as one case where the prompt asks for it, or where label or counter find any; the
others would be right for nothing. The pictures were read twice, apart and without the prompts, and a third time where the
readings differ: in 50 pictures, 18 % of the kinds that either saw, so that no counter can be right much more often in "all".
In "clear" are the pictures of which both readings were sure. Then it lists the pictures where the counters differ.

labelled/pictures.webp holds the pictures row by row, 20 in each, in the order of labelled/labels.json.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from demo.comfy_host import import_comfyui

import_comfyui("--cpu")
from headcount.bridge.demo_models.emoji_counter import DECIDER_WEIGHTS, load_emoji_counter  # noqa: E402
from headcount.bridge.t2icount.loaded import counter_of_file  # noqa: E402
from headcount.core.counting import Counter  # noqa: E402
from headcount.core.drawing import image_of  # noqa: E402

from demo.emoji.judge import load_judge  # noqa: E402
from demo.emoji.vocabulary import PLURALS  # noqa: E402
from training.files import read_picture  # noqa: E402

from .lab.command import new_parser  # noqa: E402
from .lab.statistics import interval  # noqa: E402
from .lab.tables import table, with_interval  # noqa: E402

FOLDER = Path(__file__).with_name("labelled")
SIDE, IN_A_ROW = 128, 20
T2ICOUNT_WEIGHTS = DECIDER_WEIGHTS.with_name("emoji_t2icount.safetensors")
LOADERS: dict[str, Callable[[], Counter]] = {
    "judge": load_judge,
    "decider": load_emoji_counter,
    "T2ICount": lambda: counter_of_file(T2ICOUNT_WEIGHTS),
}
Numbers = Mapping[str, int]


@dataclass(frozen=True)
class Labelled:
    """One picture.

    Attributes:
        method: how it was made.
        prompt: what it was asked for in words.
        counts: the same, noun in the singular -> number.
        seed: of its noise.
        seen: what a person sees, noun -> number.
        is_clear: whether both readings were sure; they agree on all of these.
    """

    method: str
    prompt: str
    counts: Numbers
    seed: int
    seen: Numbers
    is_clear: bool


def labelled(folder: Path = FOLDER) -> tuple[list[Labelled], np.ndarray]:
    """The labels, and the (N, 128, 128, 3) uint8 pictures."""
    labels = [Labelled(**row) for row in json.loads((folder / "labels.json").read_text(encoding="utf-8"))]
    sheet = read_picture(folder / "pictures.webp")
    tiles = sheet.reshape(-1, SIDE, sheet.shape[1] // SIDE, SIDE, 3).swapaxes(1, 2).reshape(-1, SIDE, SIDE, 3)
    return labels, tiles[: len(labels)]


def counted(counter: Counter, pictures: np.ndarray) -> list[Numbers]:
    """What a counter sees in each picture, 0 left out."""
    found = counter.count(image_of(pictures), tuple(PLURALS.values())).rounded.tolist()
    return [{noun: n for noun, n in zip(PLURALS, numbers, strict=True) if n} for numbers in found]


def equal_kinds(one: Labelled, found: Numbers) -> list[bool]:
    """For each kind of a picture, whether the counter has the label's number."""
    kinds = sorted({*one.counts, *one.seen, *found})
    return [one.seen.get(noun, 0) == found.get(noun, 0) for noun in kinds]


def agreement(labels: Sequence[Labelled], found: Mapping[str, Sequence[Numbers]]) -> list[str]:
    """Lines of a table: the share of kinds and of whole pictures with the label's numbers, by counter and group."""
    groups: dict[str, Callable[[Labelled], bool]] = {
        "all": lambda one: True,
        "clear": lambda one: one.is_clear,
        "plain": lambda one: one.method == "plain",
        "winners of search and steering": lambda one: one.method != "plain",
    }
    rows = []
    for name, numbers in found.items():
        for group, belongs in groups.items():
            cases = [equal_kinds(one, own) for one, own in zip(labels, numbers, strict=True) if belongs(one)]
            if cases:
                kinds = np.array([equal for case in cases for equal in case], float)
                share = 100 * kinds.mean(), tuple(100 * bound for bound in interval(kinds))
                whole = f"{100 * np.mean([all(case) for case in cases]):.1f}"
                rows.append((name, group, len(cases), f"{with_interval('.1f', *share)} of {len(kinds)}", whole))
    return table(["counter", "pictures", "number", "kinds right, %", "pictures right, %"], rows)


def differences(labels: Sequence[Labelled], found: Mapping[str, Sequence[Numbers]]) -> list[str]:
    """Lines of a table: the pictures in which the counters do not see the same."""
    rows = [
        (place, one.prompt, dict(one.seen), *map(dict, numbers))
        for place, (one, *numbers) in enumerate(zip(labels, *found.values(), strict=True))
        if any(own != numbers[0] for own in numbers)
    ]
    return table(["picture", "prompt", "label", *found], rows)


def main() -> None:
    """Run and print."""
    new_parser(__doc__).parse_args()
    labels, pictures = labelled()
    found = {name: counted(load(), pictures) for name, load in LOADERS.items()}
    print("\n".join(agreement(labels, found)))
    print("\nWhere they differ:\n")
    print("\n".join(differences(labels, found)))


if __name__ == "__main__":
    main()
