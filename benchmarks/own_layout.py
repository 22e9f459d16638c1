"""Do objects form where an artist asks for them? `python -m benchmarks.own_layout --world emoji --prompts 24`.

Every prompt of one or two kinds and two to five objects gets a layout: equal boxes in cells of a grid of three by three, drawn
at random from the prompt's seed. Counted are the boxes that have the middle of an object of their noun in them, as the world's
judge sees it, with every method and plainly from the same noise. Intervals are of a bootstrap over prompts.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from demo.comfy_host import import_comfyui

import_comfyui("--cpu", "--use-pytorch-cross-attention")
from headcount.core.counting import Box, read_boxes  # noqa: E402
from headcount.core.drawing import image_of  # noqa: E402
from headcount.core.errors import CountError  # noqa: E402

from .lab.command import new_parser, positive, tell  # noqa: E402
from .lab.method_runs import connected  # noqa: E402
from .lab.node_methods import KINDS, PLAIN, Method, read_methods  # noqa: E402
from .lab.prompt_files import SETS, PromptRow, read_prompts  # noqa: E402
from .lab.sampling import Generator  # noqa: E402
from .lab.statistics import interval  # noqa: E402
from .lab.tables import table, with_interval  # noqa: E402
from .lab.worlds import WORLDS, World, require_files  # noqa: E402

_CELLS = 3  # a side
_SHARE = 0.94  # of a cell's side, that a box has

Boxes = list[dict[str, Any]]


def layout_of(row: PromptRow, size: int) -> Boxes:
    """A box in pixels for each object of a prompt, as Create Bounding Boxes gives them."""
    side = size / _CELLS
    cells = [(x * side, y * side) for y in range(_CELLS) for x in range(_CELLS)]
    random.Random(row.seed).shuffle(cells)
    nouns = [noun for noun, count in row.counts.items() for _ in range(count)]
    margin, inner = round((1 - _SHARE) / 2 * side), round(_SHARE * side)
    return [
        {"x": round(x) + margin, "y": round(y) + margin, "width": inner, "height": inner, "label": noun}
        for noun, (x, y) in zip(nouns, cells, strict=False)
    ]


def share_in_place(boxes: Boxes, found: Sequence[dict[str, Any]]) -> float:
    """Share of the boxes that have the middle of an object of their noun in them."""
    wanted, seen = (read_boxes([own], 1)[0] for own in (boxes, found))
    return float(np.mean([any(_has_middle(box, one) for one in seen if one.label == box.label) for box in wanted]))


def _has_middle(box: Box, found: Box) -> bool:
    x, y = found.middle
    return 0 <= x - box.x < box.width and 0 <= y - box.y < box.height


@torch.inference_mode()
def shares(world: World, rows: Sequence[PromptRow], methods: Sequence[Method]) -> dict[str, list[float]]:
    """What `share_in_place` is for each prompt, by the methods' names.

    Raises:
        CountError: a method refuses a prompt or the model.
    """
    generator, judge = Generator(world.model.load(), world.sampling), world.judge.load()
    found: dict[str, list[float]] = {method.name: [] for method in methods}
    for number, row in enumerate(rows, 1):
        boxes, sampling = layout_of(row, world.sampling.size), generator.sampling(row.prompt, row.seed)
        for method in methods:
            laid_out = replace(method, parts={name: {**own, "layout": boxes} for name, own in method.parts.items()})
            pixels = generator.pixels(connected(sampling, laid_out)[0].run())
            seen = judge.count(image_of(pixels), list(row.counts)).boxes[0]
            found[method.name].append(share_in_place(boxes, seen))
        tell(f"{number} of {len(rows)} prompts")
    return found


def main(given: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = new_parser(__doc__)
    parser.add_argument("--world", choices=list(WORLDS), default="emoji")
    parser.add_argument("--methods", default="isac_fast,isac_exact,numina", help="nodes that take a layout, by commas")
    parser.add_argument("--prompt-set", choices=SETS, default="tuning")
    parser.add_argument("--prompts", type=positive, default=24)
    arguments = parser.parse_args(given)
    world = WORLDS[arguments.world]
    fitting = [row for row in read_prompts(world.family, arguments.prompt_set) if _fits(row)]
    try:
        require_files(arguments.world, world)
        methods = read_methods(arguments.methods.split(","))
        if without := [
            name for method in methods for name in method.parts if KINDS[name].does not in ("steers", "guides")
        ]:
            raise CountError(f"--methods: {without[0]} takes no layout")
        found = shares(world, fitting[: arguments.prompts], methods)
    except CountError as error:
        parser.error(str(error))
    plain = np.array(found[PLAIN])
    rows = [[name, _cell(".1%", own), _cell("+.1%", np.array(own) - plain)] for name, own in found.items()]
    header = ["method", "boxes with an object of their noun (95 %)", "to plain (95 %)"]
    print("\n".join(table(header, rows)))


def _cell(form: str, values: Sequence[float] | np.ndarray) -> str:
    return with_interval(form, float(np.mean(values)), interval(values))


def _fits(row: PromptRow) -> bool:
    return len(row.counts) <= 2 and 2 <= sum(row.counts.values()) <= 5 and not row.colours


if __name__ == "__main__":
    main()
