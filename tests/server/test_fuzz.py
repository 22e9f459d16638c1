"""Forty random graphs over all nodes, the same each time: no death, no hang, no raw error, and nothing left changed."""

from __future__ import annotations

import pytest
from headcount.nodes import NODES

from benchmarks.fuzz import What, fuzz
from benchmarks.fuzz_parts.report import report
from benchmarks.fuzz_parts.running import OWN, SUCCESS
from demo.server import ComfyServer

pytestmark = pytest.mark.server

GRAPHS = 40


@pytest.mark.slow
def test_random_graphs(server: ComfyServer) -> None:
    found = fuzz(server, What(seed=2, numbers=range(GRAPHS), every=GRAPHS, limit_s=20))
    assert found.faults == [] and found.differences == [], report(found)
    assert len(found.outcomes) == GRAPHS and found.canaries == 4
    kinds = [one.kind for one in found.outcomes]
    assert min(kinds.count(SUCCESS), kinds.count(OWN)) >= 3, report(found)
    met = set().union(*(one.classes for one in found.outcomes))
    missed = [name for node in NODES if (name := node.GET_SCHEMA().node_id) not in met]
    assert missed == ["HeadcountCountsFromTracks"], "its tracks are made with a model of gigabytes"
