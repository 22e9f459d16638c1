"""Do videos show what their prompts ask for, with Count Guide and without? `python -m benchmarks.video_effect --prompts 30`.

The Emoji video model draws a clip for each frozen prompt that its training covers, with every method and plainly from the same
noise, and the world's judge counts in every frame. Printed are the measures of the NUMINA paper: CountAcc, the share of the
nouns with the exact count, mean over frames, and TC, the share of neighbouring frames with equal counts. Beside them: clips
right in every frame, nouns of which the guide read as many as the judge sees in the plain clip (mean over frames), clips that
it changed, and seconds. Intervals are of a bootstrap over prompts.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from demo.comfy_host import import_comfyui

import_comfyui("--cpu", "--use-pytorch-cross-attention")
from headcount.bridge.demo_models.emoji_video import FRAMES, load_emoji_video  # noqa: E402
from headcount.core.counting import Counter  # noqa: E402
from headcount.core.drawing import image_of  # noqa: E402
from headcount.core.errors import CountError  # noqa: E402

from demo.contact_sheet import captioned  # noqa: E402
from demo.emoji import clips  # noqa: E402
from demo.emoji.judge import load_judge  # noqa: E402

from .countbench_parts.measures import Counts, count_accuracy, temporal_consistency  # noqa: E402
from .lab.command import new_parser, positive, tell  # noqa: E402
from .lab.method_runs import connected  # noqa: E402
from .lab.node_methods import KINDS, PLAIN, Method, read_methods  # noqa: E402
from .lab.prompt_files import SETS, PromptRow, read_prompts  # noqa: E402
from .lab.sampling import Generator  # noqa: E402
from .lab.statistics import interval  # noqa: E402
from .lab.tables import table, with_interval  # noqa: E402

_ON_THE_SHEET = 10


@dataclass(frozen=True)
class Outcome:
    """A clip.

    Attributes:
        pictures: (F, H, W, 3) uint8.
        counts: (F, K) what the judge counts.
        read: (F, K) what the guide read; None where it read nothing, or none was there.
        changed: the guide wanted something else.
        seconds: of sampling.
    """

    pictures: np.ndarray
    counts: Counts
    read: Counts | None
    changed: bool
    seconds: float

    def measures(self, asked: Sequence[int], plain: Counts) -> dict[str, float]:
        """Column of the table to value; NaN where there is none.

        Args:
            plain: what the judge counts in the plain clip.
        """
        return {
            "CountAcc": count_accuracy(self.counts, asked),
            "TC": np.nan if (stable := temporal_consistency(self.counts)) is None else stable,
            "right clips": float((self.counts == np.asarray(asked)).all()),
            "read as in plain": np.nan if self.read is None else float((self.read == plain).mean()),
            "changed clips": float(self.changed),
            "seconds": self.seconds,
        }


def fits(row: PromptRow) -> bool:
    """Whether the model was trained on such prompts."""
    known = all(noun in clips.NOUNS for noun in row.counts)
    return known and max(row.counts.values()) <= clips.MAX_OF_A_KIND.get(len(row.counts), 0)


def _guides(name: str) -> bool:
    return KINDS[name].does == "guides" and not KINDS[name].counts


def _read(maps: Any, samples: torch.Tensor, nouns: int) -> tuple[Counts | None, bool]:
    """(F, K) instances that a guide found, and whether it wanted others."""
    record, _ = maps.record_for(samples) if maps else (None, False)
    layouts = list(getattr(record, "layouts", {}).values())
    if len(layouts) < nouns:
        return None, False
    found = [[len(frame[frame > 0].unique()) for frame in before] for before, _ in layouts]
    changed = any(not torch.equal(before, after) for before, after in layouts)
    return np.array(found).T, changed


@torch.inference_mode()
def outcomes(generator: Generator, judge: Counter, row: PromptRow, methods: Sequence[Method]) -> list[Outcome]:
    """The clip of each method, from the prompt's own noise."""
    sampling, found = generator.sampling(row.prompt, row.seed), []
    sampling = replace(sampling, latent=sampling.latent.repeat_interleave(FRAMES, 2))
    for method in methods:
        begun = time.perf_counter()
        used, maps = connected(sampling, method)
        samples = used.run()
        seconds = time.perf_counter() - begun
        (pictures,) = generator.pixels(samples)
        counts = judge.count(image_of(pictures), list(row.counts)).numbers.numpy().round()
        found.append(Outcome(pictures, counts, *_read(maps.get("guides"), samples, len(row.counts)), seconds))
    return found


def main(given: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = new_parser(__doc__)
    parser.add_argument("--methods", default="numina", help="Count Guide's, by commas, such as numina:cache=true")
    parser.add_argument("--prompt-set", choices=SETS, default="tuning")
    parser.add_argument("--prompts", type=positive, help="how many; all that fit unless told otherwise")
    parser.add_argument("--sheet", type=Path, help=f"picture of the first {_ON_THE_SHEET} prompts' clips")
    arguments = parser.parse_args(given)
    rows = [row for row in read_prompts("emoji", arguments.prompt_set) if fits(row)][: arguments.prompts]
    try:
        methods = read_methods(arguments.methods.split(","))
        if others := [name for one in methods for name in one.parts if not _guides(name)]:
            raise CountError(f"--methods: {others[0]} guides no video")
        generator, judge = Generator(load_emoji_video()), load_judge()
        found = []
        for number, row in enumerate(rows, 1):
            found.append(outcomes(generator, judge, row, methods))
            tell(f"{number} of {len(rows)} prompts")
    except CountError as error:
        parser.error(str(error))
    print(f"{len(rows)} prompts of the {arguments.prompt_set} set, clips of {FRAMES} frames\n")
    print("\n".join(_table(rows, methods, found)))
    if arguments.sheet:
        sheet = [_line(row, methods, made) for row, made in zip(rows[:_ON_THE_SHEET], found, strict=False)]
        captioned(sheet).save(arguments.sheet)


def _table(rows: Sequence[PromptRow], methods: Sequence[Method], found: Sequence[Sequence[Outcome]]) -> list[str]:
    every = [
        [outcome.measures(list(row.counts.values()), made[0].counts) for outcome in made]
        for row, made in zip(rows, found, strict=True)
    ]
    names = list(every[0][0])
    lines = []
    for place, method in enumerate(methods):
        own = {name: np.array([each[place][name] for each in every]) for name in names}
        gain = own["CountAcc"] - [each[0]["CountAcc"] for each in every]
        cells = [_cell(".1f" if name == "seconds" else ".1%", own[name]) for name in names]
        lines.append([method.name, *cells, "" if method.name == PLAIN else _cell("+.1%", gain)])
    return table(["method", *names, "CountAcc to plain (95 %)"], lines)


def _cell(form: str, values: np.ndarray) -> str:
    there = values[~np.isnan(values)]
    return with_interval(form, float(np.mean(there)), interval(there)) if len(there) else ""


def _line(row: PromptRow, methods: Sequence[Method], made: Sequence[Outcome]) -> list[tuple[str, np.ndarray]]:
    line = []
    for method, outcome in zip(methods, made, strict=True):
        captions = [f"{row.prompt}, {method.name}"] + [""] * (len(outcome.pictures) - 1)
        line += list(zip(captions, outcome.pictures, strict=True))
    return line


if __name__ == "__main__":
    main()
