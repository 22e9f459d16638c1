"""What a record keeps of single steps and layers, and what a viewer reads off it."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
import torch
from headcount.core.attention.call_sums import CallSums, RecordedMaps, recorded_maps
from headcount.core.attention.calls import AttentionCall, head_probabilities
from headcount.core.attention.grids import resize_queries
from headcount.core.attention.layer_maps import THIRDS, LayerRequest, spread_evenly
from headcount.core.attention.records import RunRecord, RunRecorder
from headcount.core.attention.timeline import attention_rows, instance_labels, layer_heat, losses, mean_heat, step_heat
from headcount.core.attention.word_maps import MAX_CELLS, MAX_WORDS, word_selector, words_in_order
from hypothesis import given
from hypothesis import strategies as st

from ...helpers.maps import blob_heat, random_call, random_maps

WORDS = (("red", (1,)), ("circles", (2, 3)), ("stars", (4,)), ("and", (5,)))
NOUNS, NOUN_TOKENS, COUNTS = ("red circles", "stars"), ((2, 3), (4,)), (3, 2)
KEPT = (("red circles", (2, 3)), ("stars", (4,)), ("red", (1,)), ("and", (5,)))
GRID = (6, 4)


def recorder(words: tuple[tuple[str, tuple[int, ...]], ...] = WORDS) -> RunRecorder:
    return RunRecorder(NOUNS, NOUN_TOKENS, COUNTS, words)


def unet_calls(seed: int, text: int = 7) -> list[AttentionCall]:
    """Self- and cross-attention of six layers, the middle ones on a coarser grid."""
    calls = []
    for layer in range(6):
        grid = (6, 4) if layer in (0, 1, 4, 5) else (3, 2)
        kinds = ("self", "cross")
        calls += [random_call(kind, grid, 100 * seed + 2 * layer + i, text=text) for i, kind in enumerate(kinds)]
    return calls


def recorded(steps: int, layers: bool = True) -> tuple[RunRecord, list[RecordedMaps]]:
    running, taken = recorder(), []
    for step in range(steps):
        request = LayerRequest(running.kept_words, 7, step if step == steps // 2 else None) if layers else None
        taken.append(recorded_maps(unet_calls(step), request))
        running.add(step, 1.0 - step / steps, taken[-1])
    record = running.finish(torch.randn(2, 4, 12, 8))
    assert record is not None
    return record, taken


def share(text: torch.Tensor, positions: tuple[int, ...]) -> torch.Tensor:
    return text[..., list(positions)].sum(-1)


class TestWords:
    def test_counted_nouns_come_first_and_once(self) -> None:
        assert words_in_order(NOUNS, NOUN_TOKENS, WORDS) == KEPT
        assert recorder().kept_words == KEPT

    def test_no_more_than_the_most_are_kept_at_every_step(self) -> None:
        many = tuple((f"word {index}", (10 + index,)) for index in range(40))
        running = RunRecorder(NOUNS, NOUN_TOKENS, COUNTS, many)
        running.add(0, 1.0, RecordedMaps(torch.rand(1, 24, 60), GRID, torch.rand(1, 24, 24), GRID))
        record = running.finish(torch.zeros(1, 4, 6, 4))
        assert step_heat(record, [0]).shape == (1, 1, MAX_WORDS, *GRID)
        assert mean_heat(record, 64).shape == (1, 42, *GRID)

    def test_a_repeated_context_counts_as_one(self) -> None:
        text = torch.rand(2, 5, 14)
        chosen = text @ word_selector(KEPT, 14, 7, text)
        for column, (_, positions) in enumerate(KEPT):
            expected = share(text[..., :7], positions) + share(text[..., 7:], positions)
            torch.testing.assert_close(chosen[..., column], expected)


class TestSteps:
    def test_each_step_is_kept(self) -> None:
        record, taken = recorded(4)
        heat = step_heat(record, [0, 3])
        for kept, maps in zip(heat, (taken[0], taken[3]), strict=True):
            for word, (_, positions) in enumerate(KEPT):
                expected = share(maps.cross_attention, positions).unflatten(1, GRID)
                torch.testing.assert_close(kept[:, word], expected, atol=1e-3, rtol=1e-2)
        torch.testing.assert_close(step_heat(record, [0, 1, 2, 3]).mean(0), mean_heat(record, 4), atol=1e-3, rtol=1e-2)

    def test_runs_without_small_maps_show_their_nouns(self) -> None:
        record, _ = recorded(3)
        old = dataclasses.replace(record, steps=tuple(dataclasses.replace(step, words=None) for step in record.steps))
        torch.testing.assert_close(step_heat(old, [1]), step_heat(record, [1])[:, :, :2])

    def test_fine_maps_are_kept_small(self) -> None:
        running = recorder()
        maps = random_maps((64, 40), 7, 1, dtype=torch.float32)
        own = torch.eye(4)[None]
        running.add(0, 1.0, RecordedMaps(maps.cross_attention, maps.grid, own, (2, 2)))
        record = running.finish(torch.zeros(1, 4, 64, 40))
        assert record.step_grid == (32, 20) and record.step_grid[0] * record.step_grid[1] <= MAX_CELLS
        expected = resize_queries(share(maps.cross_attention, (2, 3))[..., None], (64, 40), (32, 20))
        torch.testing.assert_close(record.steps[0].words[:, 0].float(), expected[..., 0], atol=1e-3, rtol=1e-2)

    def test_a_long_run_stays_small(self) -> None:
        """30 steps of 24 words: 1.5 MB beside what the nouns took before."""
        many = tuple((f"word {index}", (10 + index,)) for index in range(40))
        running = RunRecorder(NOUNS, NOUN_TOKENS, COUNTS, many)
        for step in range(30):
            running.add(step, 1.0, RecordedMaps(torch.rand(1, 64 * 64, 60), (64, 64), torch.eye(4)[None], (2, 2)))
        record = running.finish(torch.zeros(1, 4, 64, 64))
        assert sum(step.words.numel() * step.words.element_size() for step in record.steps) <= 1.5 * 2**20

    @given(many=st.integers(0, 200), most=st.integers(1, 40))
    def test_spread_evenly(self, many: int, most: int) -> None:
        chosen = spread_evenly(many, most)
        assert len(chosen) == min(many, most) and chosen == sorted(set(chosen))
        if many and most > 1:
            assert chosen[0] == 0 and chosen[-1] == many - 1
        if len(chosen) > 2:
            gaps = [after - before for before, after in itertools.pairwise(chosen)]
            assert max(gaps) - min(gaps) <= 1


class TestLayers:
    def test_the_means_stay_what_they_were(self) -> None:
        calls = unet_calls(3)
        plain, with_layers = recorded_maps(calls), recorded_maps(calls, LayerRequest(KEPT, 7, 0))
        torch.testing.assert_close(with_layers.cross_attention, plain.cross_attention)
        torch.testing.assert_close(with_layers.self_attention, plain.self_attention)
        assert not plain.layers

    def test_a_plan_of_an_earlier_step_changes_nothing(self) -> None:
        """And no call is kept: a run's first step shows which layers there are."""
        first = CallSums(LayerRequest(KEPT, 7))
        for call in unet_calls(1):
            first.add(call)
        first.maps()
        planned, unplanned = (CallSums(LayerRequest(KEPT, 7, 2, plan)) for plan in (first.plan, None))
        for call in unet_calls(2):
            for sums in (planned, unplanned):
                sums.add(call)
        for one, other in zip(planned.maps().layers, unplanned.maps().layers, strict=True):
            assert (one.layer, one.heads, one.step) == (other.layer, other.heads, other.step)
            assert torch.equal(one.heat, other.heat)

    def test_thirds_are_means_over_steps_and_layers(self) -> None:
        record, _ = recorded(3)
        for index, name in enumerate(THIRDS):
            assert (record.layers[index].layer, record.layers[index].step) == (name, None)
            maps = []
            for step in range(3):
                few = [call for call in unet_calls(step) if call.kind == "cross"][2 * index : 2 * index + 2]
                heads = [head_probabilities(call, head) for call in few for head in range(3)]
                grids = [call.grid for call in few for _ in range(3)]
                maps += [resize_queries(own, grid, GRID) for own, grid in zip(heads, grids, strict=True)]
            expected = torch.stack(maps).mean(0)
            for word, (_, positions) in enumerate(KEPT):
                torch.testing.assert_close(
                    layer_heat(record)[index][:, word].flatten(1), share(expected, positions), atol=1e-3, rtol=1e-2
                )

    def test_single_layers_and_their_strongest_heads(self) -> None:
        record, _ = recorded(3)
        text = [call for call in unet_calls(1) if call.kind == "cross"]
        single = record.layers[3:]
        assert [part.layer for part in single[::2]] == [call.layer for call in text]
        assert {part.step for part in single} == {1}
        for part, call in zip(single[1::2], text, strict=True):
            assert part.heads == "strongest"
            for item in range(2):
                for word, (_, positions) in enumerate(KEPT):
                    heads = [share(head_probabilities(call, head), positions)[item] for head in range(3)]
                    small = [resize_queries(own[None, :, None], call.grid, GRID)[0, :, 0] for own in heads]
                    highest = max(small, key=lambda own: float(own.max()))
                    torch.testing.assert_close(part.heat[item, word].float(), highest, atol=1e-3, rtol=1e-2)

    def test_a_few_of_many_layers(self) -> None:
        calls = [random_call(kind, GRID, seed) for seed in range(20) for kind in ("self", "cross")]
        found = recorded_maps(calls, LayerRequest(KEPT, 7, 0)).layers[3:]
        assert len(found) == 12 and found[0].layer == "layer.0" and found[-1].layer == "layer.19"

    def test_a_model_of_one_layer(self) -> None:
        calls = [random_call("self", GRID, 1), random_call("cross", GRID, 2)]
        assert [part.layer for part in recorded_maps(calls, LayerRequest(KEPT, 7)).layers] == ["first third"]

    def test_none(self) -> None:
        assert layer_heat(recorded(2, layers=False)[0]).shape == (0, 2, 4, *GRID)


class TestReading:
    @pytest.mark.parametrize("most", [1024, 24, 23, 6])
    def test_attention_rows(self, most: int) -> None:
        record, _ = recorded(2)
        rows, grid = attention_rows(record, most)
        assert grid[0] * grid[1] <= most and rows.shape == (2, grid[0] * grid[1], grid[0] * grid[1])
        torch.testing.assert_close(rows.sum(-1), torch.ones(rows.shape[:2]))

    def test_rows_of_a_coarser_grid_look_the_same_way(self) -> None:
        """Each pixel looks at its own quarter of the picture."""
        quarter = (torch.arange(8) // 4).repeat_interleave(8) * 2 + (torch.arange(8) // 4).repeat(8)
        own = (quarter[:, None] == quarter[None, :]).float() / 16
        running = recorder()
        running.add(0, 1.0, RecordedMaps(torch.rand(1, 64, 7), (8, 8), own[None], (8, 8)))
        rows, grid = attention_rows(running.finish(torch.zeros(1, 4, 8, 8)), 4)
        assert grid == (2, 2)
        torch.testing.assert_close(rows[0], torch.eye(4))

    def test_instances_are_numbered_by_noun(self) -> None:
        grid, places = (16, 12), ([(3, 3), (12, 3)], [(8, 9)])
        cross = torch.zeros(1, 16 * 12, 7)
        cross[..., 2] = 0.3 * blob_heat(grid, places[0]).flatten()
        cross[..., 4] = 0.2 * blob_heat(grid, places[1]).flatten()
        running = recorder()
        running.add(0, 1.0, RecordedMaps(cross, grid, torch.eye(4)[None], (2, 2)))
        labels, found = instance_labels(running.finish(torch.zeros(1, 4, 16, 12)), 0)
        assert found == (2, 1) and labels.shape == (64, 48)
        numbers = [int(labels[4 * y + 2, 4 * x + 2]) for own in places for y, x in own]
        assert sorted(numbers[:2]) == [1, 2] and numbers[2] == 3 and int(labels[0, 0]) == 0

    def test_nothing_found(self) -> None:
        running = recorder()
        running.add(0, 1.0, RecordedMaps(torch.zeros(1, 24, 7), GRID, torch.eye(4)[None], (2, 2)))
        labels, found = instance_labels(running.finish(torch.zeros(1, 4, 6, 4)), 0)
        assert found == (0, 0) and not labels.any()

    def test_losses(self) -> None:
        running = recorder()
        maps = RecordedMaps(torch.rand(2, 24, 7), GRID, torch.rand(2, 24, 24), GRID)
        running.add(0, 1.0, maps, torch.tensor([1.0, 2.0]), torch.tensor([0.5, 0.25]))
        running.add(1, 0.5, maps)
        record = running.finish(torch.zeros(2, 4, 6, 4))
        assert losses(record, 1) == {"instance": [2.0, None], "semantic": [0.25, None]}
        assert losses(recorded(2)[0], 0) == {}
