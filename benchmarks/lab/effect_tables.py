"""Tables and JSON of `benchmarks.effect`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from demo.quality import distance_of_vectors

from .effect_figures import ALL, Figures, figures_of, groups_of, is_right, pick
from .effects import Run
from .judged_pictures import Outcome, wanted_counts
from .node_methods import PLAIN, Method
from .prompt_files import PromptRow
from .statistics import Mean
from .store import code_digest
from .tables import table, with_interval
from .worlds import World

_HEADER = (
    "method", "exactly right (95 %)", "to plain (95 %)", "harmed", "asked kinds right", "off by", "cost", "time", "seconds",
    "judge's score", "distance",
)  # fmt: skip
_GROUP_HEADER = (
    "prompts", "n", "plain", "with it", "to plain (95 %)", "harmed", "off by", "to plain (95 %)", "cost", "time",
)  # fmt: skip


class Report:
    """Figures of all methods in all groups.

    Args:
        world: where the pictures were made.
        rows: the prompts.
        run: their outcomes.
    """

    def __init__(self, world: World, rows: Sequence[PromptRow], run: Run) -> None:
        self._rows, self._run = rows, run
        self._wanted = [wanted_counts(world, row) for row in rows]
        self.groups = groups_of(rows, run.outcomes[PLAIN])
        self.figures = {
            method: {name: self._figures(method, chosen) for name, chosen in self.groups.items()}
            for method in run.outcomes
        }

    @property
    def codes(self) -> set[str]:
        """Digests of the code that the pictures were made by."""
        return {one.code for run in self._run.outcomes.values() for one in run}

    def _figures(self, method: str, chosen: Sequence[int]) -> Figures:
        columns = (self._rows, self._wanted, self._run.outcomes[PLAIN], self._run.outcomes[method])
        return figures_of(*(pick(column, chosen) for column in columns))

    def lines(self) -> Iterator[str]:
        """Markdown: all methods on all prompts, what the columns are, then each method group by group."""
        yield f"### All {len(self._rows)} prompts\n"
        rows = [self._row(method, figures[ALL]) for method, figures in self.figures.items()]
        drawn = ["drawn scenes", *[""] * (len(_HEADER) - 2), _number(".2f", self._distance(self._run.drawn[1]))]
        yield from table(_HEADER, [*rows, drawn])
        yield from ("", self._note())
        for method, figures in self.figures.items():
            if method == PLAIN:
                continue
            yield f"\n### {method}, by group\n"
            yield from table(_GROUP_HEADER, [self._group_row(name, one) for name, one in figures.items()])
            if losses := mean_losses(self._run.outcomes[method]):
                yield "\nmean loss by steered step: " + " ".join(f"{value:.3g}" for value in losses)

    def _row(self, method: str, found: Figures) -> list[str]:
        run = self._run.outcomes[method]
        more = "" if method == PLAIN else _with("+.1%", found.difference)
        return [
            method, _with(".1%", found.right), more, f"{found.harmed:.1%}", f"{found.asked_right:.1%}", f"{found.error:.2f}",
            _cost(found), f"{found.time:.2f}x", f"{found.seconds:.2f}", _number(".3f", mean_score(run)),
            _number(".2f", self._distance(np.array([one.features for one in run]))),
        ]  # fmt: skip

    def _group_row(self, group: str, found: Figures) -> list[str]:
        return [
            group, str(found.prompts), f"{self.figures[PLAIN][group].right.mean:.1%}", f"{found.right.mean:.1%}",
            _with("+.1%", found.difference), f"{found.harmed:.1%}", f"{found.error:.2f}",
            _with("+.2f", found.error_difference), _cost(found), f"{found.time:.2f}x",
        ]  # fmt: skip

    def _distance(self, features: np.ndarray) -> float | None:
        """Of pictures from drawn scenes of what the prompts ask for; a fair figure from about 100 prompts on."""
        return distance_of_vectors(features, self._run.drawn[0]) if len(features) > 1 else None

    def _note(self) -> str:
        cost = self.figures[PLAIN][ALL].cost
        costed = cost.count if cost else 0
        older = self.codes - {code_digest()}
        mixed = f" Some pictures were made by other versions of the code ({', '.join(sorted(older))})." if older else ""
        return (
            "Exactly right: every noun of the world as often as asked, by the judge. Harmed: right plain, wrong with it. Off "
            "by: objects missing or too many. Cost: operations of all passes, gradients, decoding and counting included, over "
            f"those of a plain picture, counted on every 10th prompt ({costed} of {len(self._rows)}). Time: seconds over those "
            "of a plain picture, one after the other. Judge's score: mean over what it saw. Distance: Fréchet distance of "
            f"simple features from drawn scenes of the same prompts; that of other drawn scenes is its floor.{mixed}"
        )

    def content(self, methods: Sequence[Method]) -> dict[str, Any]:
        """Everything for a JSON file: figures of each method and group, and what became of each prompt."""
        found = {}
        for method in methods:
            run = self._run.outcomes[method.name]
            found[method.name] = {
                "parts": method.parts,
                "groups": {name: asdict(one) for name, one in self.figures[method.name].items()},
                "score": mean_score(run),
                "distance": self._distance(np.array([one.features for one in run])),
                "losses": mean_losses(run),
                "pictures": [
                    {"seed": row.seed, "right": is_right(wanted, one), "counted": one.counted, "seconds": one.seconds}
                    for row, wanted, one in zip(self._rows, self._wanted, run, strict=True)
                ],
            }
        return {"methods": found, "drawn scenes": {"distance": self._distance(self._run.drawn[1])}}


def mean_score(run: Sequence[Outcome]) -> float | None:
    """Of the judge, over the pictures where it saw something; None where there is none."""
    scores = [one.score for one in run if one.score is not None]
    return float(np.mean(scores)) if scores else None


def mean_losses(run: Sequence[Outcome]) -> list[float]:
    """By steered step, as far as all steered runs go; empty where nothing was steered."""
    losses = [one.losses for one in run if one.losses]
    length = min(map(len, losses), default=0)
    return [float(np.mean([row[step] for row in losses])) for step in range(length)]


def _with(form: str, value: Mean) -> str:
    return with_interval(form, value.mean, value.interval)


def _cost(found: Figures) -> str:
    return "-" if found.cost is None else _with(".2f", found.cost)


def _number(form: str, value: float | None) -> str:
    return "-" if value is None else format(value, form)


def heading(settings: Mapping[str, Any]) -> str:
    """What was measured, in one line."""
    return "; ".join(f"{name}: {value}" for name, value in settings.items())
