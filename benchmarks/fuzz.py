"""Random graphs over all nodes of the pack, on one long-lived ComfyUI server: `python -m benchmarks.fuzz [--graphs N]`.

A graph grows from a node of the pack along the types of its sockets, over the pack's nodes and the core nodes around them.
Three in ten are wild and hold what no page would send, one in twenty is cancelled at a random moment. Every 25 graphs two
fixed graphs must give the same bits as before the first one. Graph n of a seed is the same on every machine with the same
nodes: `--seed S --first n --graphs 1` runs it again. Printed are the outcomes by class, the errors that count as faults, and
what the server held; the exit code is 1 where there is a fault.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from demo.server import ComfyServer

from .fuzz_parts.catalogue import Catalogue
from .fuzz_parts.graphs import random_graph
from .fuzz_parts.own_files import write_files
from .fuzz_parts.report import Fuzzed, report
from .fuzz_parts.running import Runner
from .fuzz_parts.watched import Results, canaries, differences, results, state_of

EVERY = 25  # graphs from one look at the canaries and the server to the next
LIMIT_SECONDS = 60.0


@dataclass(frozen=True)
class What:
    """Which graphs are run, and how long.

    Attributes:
        seed, numbers: the graphs.
        limit_s: seconds after which a graph is interrupted.
        longest_s: seconds after which no further graph is begun.
        every: graphs from one look at the canaries and the server to the next. There is one at the end too, and another with
            models loaded anew.
    """

    seed: int
    numbers: range
    limit_s: float = LIMIT_SECONDS
    longest_s: float = math.inf
    every: int = EVERY


@contextmanager
def furnished(server: ComfyServer) -> Iterator[Catalogue]:
    """The nodes of the server, with a LoRA among its models and a small picture among its inputs for as long as it lasts."""
    files = write_files(server.base)
    try:
        yield Catalogue(server.object_info())
    finally:
        for file in files:
            file.unlink(missing_ok=True)


def fuzz(server: ComfyServer, what: What, tell: Callable[[Fuzzed], None] = lambda found: None) -> Fuzzed:
    """Run random graphs, and look at the canaries and the server in between.

    Args:
        tell: is called after each look with all that was found.
    """
    with furnished(server) as catalogue:
        found, runner = Fuzzed(what.seed, tuple(catalogue.nodes)), Runner(server, catalogue, what.limit_s)
        first = {name: results(server, prompt, -1) for name, prompt in canaries().items()}
        found.states.append(state_of(server, 0, emptied=False))
        began = time.monotonic()
        for done, number in enumerate(what.numbers, 1):
            found.outcomes.append(runner.run(random_graph(catalogue, what.seed, number)))
            if found.outcomes[-1].new_server:
                write_files(server.base)
            last = done == len(what.numbers) or time.monotonic() - began > what.longest_s
            if last or done % what.every == 0:
                _look(server, first, found, emptied=False)
                tell(found)
            if last:
                break
        server.forget_results()  # what it still holds then is a leak
        _look(server, first, found, emptied=True)
        tell(found)
    return found


def _look(server: ComfyServer, first: dict[str, Results], found: Fuzzed, emptied: bool) -> None:
    """Compare the canaries with what they gave at first, and note what the server holds."""
    turn = len(found.outcomes) + emptied
    found.differences += differences(server, canaries(), first, turn)
    found.canaries += len(first)
    found.states.append(state_of(server, len(found.outcomes), emptied))


def main() -> int:
    """Run, print, and write the JSON file after every comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--graphs", type=int, default=300)
    parser.add_argument("--first", type=int, default=0, help="number of the first graph")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=LIMIT_SECONDS, help="seconds after which a graph is interrupted")
    parser.add_argument("--minutes", type=float, default=math.inf, help="after so many no further graph is begun")
    parser.add_argument("--json", type=Path, help="every outcome, with the graphs of faults")
    given = parser.parse_args()

    def tell(found: Fuzzed) -> None:
        print(f"{len(found.outcomes)} graphs, {len(found.faults)} faults", file=sys.stderr, flush=True)
        if given.json:
            given.json.write_text(json.dumps(found.as_dict(), indent=1) + "\n")

    numbers = range(given.first, given.first + given.graphs)
    what = What(seed=given.seed, numbers=numbers, limit_s=given.limit, longest_s=60 * given.minutes)
    with ComfyServer() as server:
        found = fuzz(server, what, tell)
    print(report(found))
    return int(bool(found.faults or found.differences))


if __name__ == "__main__":
    sys.exit(main())
