"""NUMINA's cost benchmark: what it counts is right, and its ways do what their names say."""

from __future__ import annotations

import atexit
import json
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest
import torch
from headcount.bridge.numina.settings import NuminaSettings
from headcount.core.numina import ROBUST, make_guide

from benchmarks.lab.measures import counted_work, seconds_in
from benchmarks.lab.real_models import SAMPLED_KINDS as KINDS
from benchmarks.lab.real_models import Sampled, sampled
from benchmarks.numina_cost import main
from benchmarks.numina_cost_parts.layouts import PARTS as LAYOUT_PARTS
from benchmarks.numina_cost_parts.layouts import layout_costs, read, shown
from benchmarks.numina_cost_parts.rows import FADE, SHARES, bias_rows, guide_of_share, random_layer
from benchmarks.numina_cost_parts.runs import (
    CACHE,
    GUIDED,
    NOTHING,
    PLAIN,
    RECORDED,
    Row,
    Way,
    measured,
    sample,
    ways_of,
)

CPU = torch.device("cpu")


@cache
def tiny(name: str) -> Sampled:
    with torch.inference_mode():
        return sampled(KINDS[name], KINDS[name].small, CPU, torch.float32)


@cache
def rows_of(name: str) -> dict[str, Row]:
    with torch.inference_mode():
        one = tiny(name)
        return {row.way: row for row in measured(one, ways_of(one, (3, 2), NuminaSettings()), 1, lambda: None)}


atexit.register(tiny.cache_clear)  # ComfyUI's patchers cannot be taken down once its modules are gone


def test_work_is_counted_layer_by_layer() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.Flatten(2), torch.nn.Linear(25, 7))
    with counted_work(network) as work:
        network(torch.zeros(2, 3, 5, 5))
    assert (work.calls, work.rows) == (1, 2)
    assert work.products == 2 * 4 * 25 * (3 * 9) + 2 * 4 * 7 * 25
    network(torch.zeros(2, 3, 5, 5))
    assert work.calls == 1, "nothing is counted any more"


def test_a_call_that_is_broken_off_counts_as_far_as_it_came() -> None:
    class Halves(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.first(x)
            raise InterruptedError

    network = Halves()
    with counted_work(network) as work, pytest.raises(InterruptedError):
        network(torch.zeros(2, 3))
    assert (work.calls, work.products) == (1, 2 * 9)


def test_seconds_go_to_their_part_and_functions_come_back() -> None:
    class Owner:
        @staticmethod
        def sleep() -> None:
            torch.zeros(1)

    own, waits = Owner.sleep, []
    with seconds_in({"one": ((Owner, "sleep"),), "other": ()}, lambda: waits.append(1)) as spent:
        Owner.sleep()
    assert len(spent["one"]) == 1 and spent["one"][0] > 0 and spent["other"] == [] and len(waits) == 2
    assert Owner.sleep is own


@pytest.mark.parametrize("name", ["tiny_wan", "tiny"])
def test_the_ways_do_what_their_names_say(name: str) -> None:
    rows, steps = rows_of(name), tiny(name).steps
    assert rows[PLAIN].ratios == (1.0,) and rows[PLAIN].floor == 1
    assert (rows[PLAIN].calls, rows[PLAIN].rows) == (steps, 2 * steps)
    assert (rows[NOTHING].calls, rows[NOTHING].rows, rows[NOTHING].floor) == (steps, 2 * steps, 1)
    assert (rows[GUIDED].calls, rows[GUIDED].rows) == (steps + 3, 2 * (steps + 3)), "two of five steps, and a part"
    assert 2 < (rows[GUIDED].floor - 1) * steps < 3
    assert rows[CACHE].floor <= rows[GUIDED].floor
    assert rows[GUIDED].biased > 0 and rows[NOTHING].biased == 0
    assert rows[GUIDED].parts["biased rows"] > 0 and rows[NOTHING].parts["biased rows"] == 0
    assert all((row.parts["layouts"] > 0) == (way not in (PLAIN, RECORDED)) for way, row in rows.items())
    assert (rows[RECORDED].calls, rows[RECORDED].floor) == (steps, 1)
    assert all(row.peak > 0 and row.seconds > 0 for row in rows.values())


def test_the_first_run_stops_in_the_layer_that_is_read() -> None:
    """The tiny Wan has four blocks and is read in its third: what comes behind that one's attention to the text is not run."""
    one, plain = tiny("tiny_wan"), Way(None, (3, 2))
    third, fourth = one.network.blocks[2:]
    with torch.inference_mode(), ExitStack() as stack:
        unrun = [
            stack.enter_context(counted_work(part))
            for part in (third.cross_attn.o, third.ffn, fourth, one.network.head)
        ]
        whole = stack.enter_context(counted_work(one.network))
        sample(one, plain)
    part = 1 - sum(work.products for work in unrun) / whole.products
    assert (rows_of("tiny_wan")[GUIDED].floor - 1) * one.steps == pytest.approx(2 + part)


def test_layouts_of_both_readers() -> None:
    video = shown(1, (15, 26), 4, 32, 16, CPU)
    assert read(video, ROBUST).counts[:, 0].tolist() == [3, 2]
    costs = {cost.method: cost for cost in layout_costs(video, 1, lambda: None)}
    assert set(costs) == {"robust", "paper", "release"}
    for name, cost in costs.items():
        parts = LAYOUT_PARTS["robust" if name == "robust" else "published"]
        assert set(cost.parts) == {"noun response", *parts} and min(cost.parts.values()) > 0
        assert sum(cost.parts.values()) == pytest.approx(cost.seconds)


@pytest.mark.parametrize("share", SHARES)
def test_rows_computed_anew_are_those_of_a_whole_mask(share: float) -> None:
    layer = random_layer(3, (6, 10), 2, 8, 16, CPU, torch.float32)
    guide = guide_of_share(layer, share)
    biased = (guide.layouts.after[0] >= 100) | (guide.layouts.after[1] == -1)
    assert biased.float().mean() == pytest.approx(share, abs=0.02)
    out = layer.plain()
    bias_rows(layer, guide, out)
    made = make_guide(guide.layouts, layer.grid, ROBUST.guidance, CPU)
    found = made.bias(layer.queries[0], layer.keys[0], guide.tokens, FADE)
    dense = torch.zeros(layer.queries.shape[2], layer.keys.shape[2])
    dense[found.rows] = found.bias
    torch.testing.assert_close(out, layer.masked(dense))
    assert not torch.allclose(out, layer.plain())


def test_the_whole_table(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "cost.json"
    words = "numina_cost --model tiny_wan --dtype fp32 --frames 2 --height 6 --width 8 --steps 4 --rounds 1 --grid 6 10"
    monkeypatch.setattr("sys.argv", [*words.split(), "--layer-frames", "2", "--json", str(out)])
    main()
    report, printed = json.loads(out.read_text()), capsys.readouterr().out
    assert [row["way"] for row in report["runs"]] == [PLAIN, RECORDED, GUIDED, NOTHING, CACHE]
    assert report["runs"][0]["calls"] == 4
    assert all(f"| {name} |" in printed for name in (PLAIN, RECORDED, GUIDED, NOTHING, CACHE, "robust", "dense mask"))
