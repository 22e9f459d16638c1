"""What both seed searches share: batches that fit, the early end of a run, progress, and where candidates start."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import comfy.sample
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from headcount.bridge.seed_search.runs import Batches, EndSampling, Progress, how_many_fit, may_end_early
from headcount.bridge.seed_search.search import initial_latent
from headcount.bridge.seed_search.settings import SearchSettings, SelectionSettings
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ..helpers.models import shared_tiny

SEARCH = SearchSettings(3, 4, 1.0, "euler", "normal", seeds=4)
SELECTION = SelectionSettings(3, 4, 1.0, "euler", "normal", candidates=4)


class Need:
    """A model of which each image takes 100 bytes."""

    def memory_required(self, shape: list[int]) -> float:
        return 100.0 * shape[0]


@pytest.mark.parametrize(("free", "many"), [(-5, 1), (0, 1), (299, 1), (600, 2), (899, 2), (3000, 10)])
def test_what_fits_is_reckoned_with_both_conditionings(free: float, many: int) -> None:
    assert how_many_fit(Need(), (7, 4, 16, 16), free) == many


@given(st.integers(1, 30), st.integers(1, 20), st.integers(1, 20), st.lists(st.integers(1, 20), max_size=5))
def test_batches(number: int, at_most: int, fit: int, memory: list[int]) -> None:
    """Every candidate once and in order, however often memory runs out; no batch after that is larger than half of it."""
    left, tried = iter(memory), []

    def work(batch: list[int]) -> int:
        tried.append(len(batch))
        if len(batch) > next(left, 20):
            raise torch.OutOfMemoryError
        return sum(batch)

    done = list(Batches(at_most).run(range(number), fit, work))
    assert [index for batch, _ in done for index in batch] == list(range(number))
    assert all(result == sum(batch) for batch, result in done)
    assert max(tried) <= min(at_most, fit) and len(done) >= -(-number // min(at_most, fit))


def test_batches_stay_small_after_out_of_memory() -> None:
    batches, tried = Batches(8), []

    def work(batch: list[int]) -> list[int]:
        tried.append(len(batch))
        if len(batch) > 3:
            raise torch.OutOfMemoryError
        return batch

    assert [batch for batch, _ in batches.run(range(5), 9, work)] == [[0, 1, 2], [3, 4]]
    assert [len(batch) for batch, _ in batches.run(range(6), 9, work)] == [3, 3] and tried == [5, 3, 2, 3, 3]
    with pytest.raises(torch.OutOfMemoryError):
        list(batches.run([0], 1, lambda _: (_ for _ in ()).throw(torch.OutOfMemoryError)))


def test_progress_ends_at_its_total() -> None:
    told: list[tuple[int, int, float]] = []
    progress = Progress(7, lambda done, total, latent: told.append((done, total, float(latent))))
    progress.end()
    assert told == [], "nothing to show yet"
    progress.add(3, torch.tensor(0.5))
    progress.add(9, torch.tensor(0.25))
    progress.end()
    assert told == [(3, 7, 0.5), (7, 7, 0.25), (7, 7, 0.25)]
    Progress(7, None).add(1, torch.tensor(0.0))


def test_an_ended_run_is_a_finished_run_for_nobody() -> None:
    """Wrappers of other nodes see it fail, so that none keeps its maps; the sampler gets its noise back."""
    setup, seen = shared_tiny(), []
    model = setup.model.clone()

    def other(executor: Any, *args: Any) -> Tensor:
        try:
            return executor(*args)
        except EndSampling:
            seen.append("ended")
            raise

    def end(step: int, *_: Any) -> None:
        seen.append(step)
        raise EndSampling

    model.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, "other", other)
    before = repr(model.model_options)
    ending = model.clone()
    may_end_early(ending)
    noise = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        samples = comfy.sample.sample(
            ending, noise, 4, 1.0, "euler", "normal", setup.positive, setup.negative, torch.zeros_like(noise),
            disable_pbar=True, callback=end,
        )  # fmt: skip
    assert seen == [0, "ended"] and samples.shape == noise.shape and repr(model.model_options) == before


@pytest.mark.parametrize(("images", "by_index"), [(1, False), (1, True), (3, False)])
def test_noises_are_those_of_the_sampler(images: int, by_index: bool) -> None:
    model, latent = shared_tiny().model, {"samples": torch.zeros(images, 4, 16, 16)}
    initial = initial_latent(model, latent, SEARCH, by_index)
    assert initial.by_index == (by_index or images > 1) and initial.wanted == images
    for index, noise in enumerate(initial.noise_of([0, 1, 2, 3])):
        chosen, seed = initial.chosen([index, 0, 1])
        expected = comfy.sample.prepare_noise(initial.samples, seed, chosen.get("batch_index"))
        assert torch.equal(noise, expected[0]) and seed == initial.seed_of(index)


@pytest.mark.parametrize("settings", [SEARCH, SELECTION], ids=["search", "selection"])
def test_of_several_masks_one_image_has_the_first(settings: Any) -> None:
    """As in the sampler; without it each candidate of a batch would be tried with another mask."""
    model, masks = shared_tiny().model, torch.rand(3, 64, 64)
    latent = {"samples": torch.zeros(1, 4, 16, 16), "noise_mask": masks}
    initial = initial_latent(model, latent, settings)
    assert torch.equal(initial.mask, masks[:1, None]) and latent["noise_mask"] is masks
    assert initial_latent(model, {**latent, "noise_mask": masks[0]}, replace(settings, seed=5)).mask.shape[0] == 1
