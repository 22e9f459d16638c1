"""How much of what people run can the attention nodes read?

`python -m benchmarks.family_coverage` goes through the list of models of the ComfyUI that runs, prints which node reads which,
then how much each family is used, and as its last line the share of that use that is read. *Read* means: on a small model of
ComfyUI's own classes with random weights a recorded run is the plain one to the bit, a changed cell of the latent is its own
query, and a changed token of the text its own key. Use is what ComfyUI publishes for its own templates of images and videos
(comfyui-workflow-templates-json 0.1.123, October 2026), in model_use.tsv.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from demo.comfy_host import import_comfyui

import_comfyui("--cpu")
from headcount.bridge.families.table import FAMILIES, RECORDED_FAMILIES  # noqa: E402
from headcount.bridge.numina.node import GUIDED_FAMILIES  # noqa: E402
from headcount.bridge.recording.recorder import with_recorder  # noqa: E402
from headcount.tests.helpers import family_calls  # noqa: E402
from headcount.tests.helpers.every_model import CONFIGS, classes_of, skeleton  # noqa: E402
from headcount.tests.helpers.families import RELATIVES, SMALL, Small, build  # noqa: E402
from headcount.tests.helpers.models import Setup, sample  # noqa: E402
from headcount.tests.helpers.video_models import VIDEO_RELATIVES, VIDEOS  # noqa: E402

from .lab.command import new_parser, tell  # noqa: E402
from .lab.tables import table  # noqa: E402

USE = Path(__file__).with_name("model_use.tsv")
NODES = {"Recorder, Viewer, Masks": RECORDED_FAMILIES, "NUMINA": GUIDED_FAMILIES, "ISAC": FAMILIES}
Pair = tuple[type, type]


@dataclass(frozen=True)
class Use:
    """How often a family of models is used, and the entries of ComfyUI's list that it is loaded by, if it has some."""

    family: str
    uses: int
    entries: tuple[str, ...]

    def is_read(self, read: Mapping[str, bool]) -> bool:
        """Whether all its entries are read; `read` says it of those that this ComfyUI has."""
        return bool(self.entries) and all(read.get(entry, False) for entry in self.entries)


def model_use() -> list[Use]:
    """The rows of model_use.tsv."""
    with USE.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return [
            Use(row["family"], int(row["uses"]), tuple(row["entries"].split(",")) * bool(row["entries"]))
            for row in rows
        ]


def share_read(read: Mapping[str, bool]) -> float:
    """The share of use of the families that are read."""
    use = model_use()
    return sum(one.uses for one in use if one.is_read(read)) / sum(one.uses for one in use)


def entries_taken() -> dict[str, bool]:
    """Entry of ComfyUI's list to whether a family takes its classes."""
    return {config.__name__: any(_nodes_of(classes_of(config)).values()) for config in CONFIGS}


def failures(one: Small) -> Iterator[str]:
    """What does not hold on a small model."""
    setup = build(one)
    model, _ = with_recorder(setup.model)
    if not torch.equal(sample(setup.model, setup, one.run()), sample(model, setup, one.run())):
        yield "a recorded run differs"
    if not _cell_is_its_query(setup, one):
        yield "a cell is not its query"
    x = family_calls.noise(one)
    keys = [
        (call := family_calls.first_with_text(which, x)).keys[:, :, call.columns("cross")]
        for which in (setup, family_calls.with_other_noun(setup, one))
    ]
    if family_calls.most_changed(*keys) not in one.nouns[0]:
        yield "a token is not its key"


def _cell_is_its_query(setup: Setup, one: Small) -> bool:
    x = family_calls.noise(one)
    moved, (frame, row, column) = family_calls.with_moved_cell(x)
    before, after = (family_calls.record(setup, latent).sink.calls[0] for latent in (x, moved))
    height, width = before.grid
    patch = -(-x.shape[-2] // height)
    found, place = divmod(family_calls.most_changed(before.queries, after.queries), height * width)
    reach = 0 if one.grid else 1  # a U-Net's convolutions carry the change to its neighbours
    frame //= getattr(one, "frame_patch", 1)  # only models of videos have one
    away = (abs(found - frame), abs(place // width - row // patch), abs(place % width - column // patch))
    return away[0] == 0 and max(away) <= reach


def tried() -> dict[Pair, list[str]]:
    """Classes of all small models to what does not hold on them."""
    found: dict[Pair, list[str]] = {}
    for one in (*SMALL, *RELATIVES, *VIDEOS, *VIDEO_RELATIVES):
        tell(one.name)
        model = build(one).model.model
        pair = type(model), type(model.diffusion_model)
        found.setdefault(pair, []).extend(f"{one.name}: {said}" for said in failures(one))
    return found


def _nodes_of(pair: Pair) -> dict[str, bool]:
    model: Any = skeleton(*pair).model
    return {node: any(family.has(model) for family in families) for node, families in NODES.items()}


def _outcome(pair: Pair, problems: Mapping[Pair, list[str]]) -> str:
    if not any(_nodes_of(pair).values()):
        return "refused by name"
    return "not shown to be read" if pair not in problems else "; ".join(problems[pair]) or "read"


def main() -> None:
    """The command."""
    new_parser(__doc__).parse_args()
    problems = tried()
    outcomes = {config.__name__: _outcome(classes_of(config), problems) for config in CONFIGS}
    rows = [
        (config.__name__, outcomes[config.__name__], *("yes" if reads else "no" for reads in _nodes_of(pair).values()))
        for config in CONFIGS
        for pair in [classes_of(config)]
    ]
    read = {name: said == "read" for name, said in outcomes.items()}
    use = [(one.family, one.uses, "yes" if one.is_read(read) else "no") for one in model_use()]
    lines = [*table(("model of ComfyUI", "outcome", *NODES), rows), "", *table(("family", "uses", "read"), use), ""]
    print("\n".join([*lines, f"{share_read(read):.1%}"]))


if __name__ == "__main__":
    main()
