"""What a run of graphs came to, as tables in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..lab.tables import table
from .running import CLASSES, FAULTS, Outcome
from .watched import State


@dataclass
class Fuzzed:
    """What has been found so far.

    Attributes:
        differences: "graph 50: plain: 7.0" for each picture or text of a canary that was another one than at first.
        canaries: how often they were compared.
        nodes: the classes that graphs could hold.
    """

    seed: int
    nodes: tuple[str, ...]
    outcomes: list[Outcome] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    canaries: int = 0

    @property
    def faults(self) -> list[Outcome]:
        """The outcomes that must not be."""
        return [one for one in self.outcomes if one.kind in FAULTS]

    def as_dict(self) -> dict[str, Any]:
        """For a JSON file."""
        return {
            "seed": self.seed,
            "canaries": self.canaries,
            "differences": self.differences,
            "states": [asdict(state) for state in self.states],
            "outcomes": [one.as_dict() for one in self.outcomes],
        }


def report(found: Fuzzed) -> str:
    """Outcomes by class, faults, canaries, what the server held, and how often each of the pack's nodes was met."""
    parts = [by_class(found.outcomes), faults(found.seed, found.faults)]
    parts.append(f"canaries: {found.canaries} compared, {len(found.differences)} differences")
    parts += [f"- {difference}" for difference in found.differences]
    parts += [by_state(found.states), by_node(found.nodes, found.outcomes)]
    return "\n\n".join(part for part in parts if part)


def by_class(outcomes: Sequence[Outcome]) -> str:
    """How many graphs ended how, and how long they took."""
    rows = []
    for kind in CLASSES:
        seconds = [one.seconds for one in outcomes if one.kind == kind]
        share = len(seconds) / max(len(outcomes), 1)
        rows.append([kind, len(seconds), f"{share:.1%}", f"{max(seconds, default=0.0):.1f}"])
    rows.append(["all", len(outcomes), "", f"{sum(one.seconds for one in outcomes):.0f} in all"])
    return "\n".join(table(["outcome", "graphs", "share", "longest, s"], rows))


def faults(seed: int, outcomes: Iterable[Outcome]) -> str:
    """Every fault in a line, with what runs it again."""
    return "\n".join(
        f"- `--seed {seed} --first {one.number} --graphs 1`: {one.kind}: {one.node}: {one.error}: "
        f"{(one.message or '').splitlines()[0] if one.message else ''}"
        for one in outcomes
        if one.kind in FAULTS
    )


def by_state(states: Sequence[State]) -> str:
    """What the server held, from the first to the last look at it."""
    header = ["graphs", "memory, MB", "open files", "threads", "files in temp", "temp, MB"]
    rows = []
    for one in states:
        graphs = f"{one.graphs}, results let go" if one.emptied else one.graphs
        rows.append([graphs, f"{one.memory_mb:.0f}", one.files, one.threads, one.temp_files, f"{one.temp_mb:.1f}"])
    return "\n".join(table(header, rows))


def by_node(nodes: Sequence[str], outcomes: Sequence[Outcome]) -> str:
    """In how many graphs each of the pack's nodes stood, and which core nodes never did."""
    met = Counter(name for one in outcomes for name in one.classes)
    ours = [f"{name} {met[name]}" for name in nodes if name.startswith("Headcount")]
    never = [name for name in nodes if not met[name]]
    return f"graphs with: {', '.join(ours)}\nin no graph: {', '.join(never) or 'none'}"
