"""Count Search in the runs that users make: what is looked at is the sampler's own way, and the best seed is found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import comfy.model_management
import comfy.nested_tensor
import comfy.sample
import comfy.samplers
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.recording.recorder import with_recorder
from headcount.bridge.seed_search.count_search import asked_of, find_seeds, search_seeds
from headcount.bridge.seed_search.counter_scorer import CountedCandidate, best_first, count_table, mean_over_frames
from headcount.bridge.seed_search.preview_plan import DRAFT_SAMPLER, MIN_CALLS, coarse, plan_for
from headcount.bridge.seed_search.previews import decode, previews_of
from headcount.bridge.seed_search.search import Search, SearchResult
from headcount.bridge.seed_search.settings import SearchSettings
from headcount.core.counting.counted import Counted
from headcount.core.errors import CountError
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import nodes as comfy_nodes
from demo.exact_counter import ExactCounter

from ..helpers.models import (
    Setup,
    random_state_after,
    sample,
    shapes,
    shapes_setup,
    shared_tiny,
    smallest,
    weights_of,
)

EMPTY = torch.zeros(1, 4, 16, 16)
USUAL = SearchSettings(3, 8, 3.0, "euler", "normal", seeds=4, decide_at=0.5, look="draft", at_once=2)
STARS = "a photo of four stars"


class Watched:
    """A model that notes how many pictures each call shows it, both prompts together; no wrapper, which could keep state."""

    def __init__(self, model: Any) -> None:
        self.model = model.clone()
        self.calls: list[int] = []
        self._apply = self.model.get_model_object("apply_model")
        self.model.add_object_patch("apply_model", self._note)

    def _note(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        self.calls.append(len(x))
        return self._apply(x, *args, **kwargs)


class Scripted:
    """A counter that gives the next of some counts to each picture."""

    def __init__(self, *numbers: float) -> None:
        self.numbers = list(numbers)
        self.batches: list[int] = []

    def count(self, images: Tensor, nouns: Sequence[str], on_progress: Any = None) -> Counted:
        self.batches.append(len(images))
        rows = [[float(self.numbers.pop(0))] * len(nouns) for _ in images]
        return Counted(tuple(nouns), torch.tensor(rows), tuple(((),) * len(nouns) for _ in rows))


def search(settings: SearchSettings = USUAL, prompt: str = STARS, **changes: Any) -> Search:
    setup = shapes_setup(prompt)
    inputs = {
        "model": setup.model,
        "positive": setup.positive,
        "negative": setup.negative,
        "latent": {"samples": EMPTY},
    }
    return Search(**{**inputs, "vae": shapes().vae, "settings": settings, **changes})


def find(counter: Any, settings: SearchSettings = USUAL, **changes: Any) -> SearchResult:
    with torch.inference_mode():
        return find_seeds(search(settings, **changes), counter)


def ksampler(setup: Setup, settings: SearchSettings, latent: dict[str, Any], seed: int, model: Any = None) -> Tensor:
    """The node KSampler."""
    with torch.inference_mode():
        call = (settings.steps, settings.cfg, settings.sampler, settings.scheduler, setup.positive, setup.negative)
        (out,) = comfy_nodes.KSampler().sample(model or setup.model, seed, *call, latent, settings.denoise)
        return out["samples"]


def foreseen(
    setup: Setup, settings: SearchSettings, indices: list[int], latent: dict[str, Any] | None = None
) -> Tensor:
    """Predicted clean latents of candidates."""
    with torch.inference_mode():
        wanted = Search(setup.model, setup.positive, setup.negative, latent or {"samples": EMPTY}, settings)
        batches = list(previews_of(wanted).predicted(indices, lambda *_: None))
        assert [index for batch, _ in batches for index in batch] == indices
        return torch.cat([latents for _, latents in batches])


class Enough(Exception):
    """Ends a run of which no more is looked at."""


def predictions(
    setup: Setup, settings: SearchSettings, seed: int, latent: Tensor = EMPTY, most: int | None = None
) -> list[Tensor]:
    """What the model expects the picture to be, after each step, or the first `most`, of the sampler's run with a seed."""
    seen: list[Tensor] = []

    def note(step: int, denoised: Tensor, *_: object) -> None:
        seen.append(setup.model.model.process_latent_out(denoised))
        if len(seen) == most:
            raise Enough

    with torch.inference_mode(), suppress(Enough):
        fixed = comfy.sample.fix_empty_latent_channels(setup.model, latent)
        comfy.sample.sample(
            setup.model, comfy.sample.prepare_noise(fixed, seed), settings.steps, settings.cfg, settings.sampler,
            settings.scheduler, setup.positive, setup.negative, fixed, denoise=settings.denoise, disable_pbar=True,
            seed=seed, callback=note,
        )  # fmt: skip
    return seen


def assert_near(found: Tensor, expected: Tensor) -> None:
    """But for rounding: a batch of another size computes its sums in another order."""
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=2e-3 * float(expected.abs().max()))


@pytest.mark.parametrize("sampler", comfy.samplers.SAMPLER_NAMES)
def test_own_steps_are_the_samplers_own(sampler: str) -> None:
    """Also where it draws noise: each seed gets the noise of its own run, whoever is tried beside it."""
    setup = smallest()
    settings = replace(USUAL, sampler=sampler, look="own steps", steps=8)
    seen = predictions(setup, settings, settings.seed + 1, most=MIN_CALLS)
    found = foreseen(setup, settings, [0, 1] if plan_for(setup.model, settings).together else [1])
    after = min(MIN_CALLS, len(seen))  # dpm_fast makes three calls a step
    assert_near(found[-1:], seen[after - 1])


@pytest.mark.parametrize("sampler", ["euler", "heun", "euler_ancestral", "dpmpp_2m_sde"])
@pytest.mark.parametrize("denoise", [1.0, 0.6])
def test_to_the_end_it_is_the_picture(sampler: str, denoise: float) -> None:
    setup = shapes_setup()
    settings = replace(USUAL, sampler=sampler, decide_at=1.0, denoise=denoise, steps=6)
    latent = {
        "samples": EMPTY if denoise == 1 else torch.randn(1, 8, 16, 16, generator=torch.Generator().manual_seed(1))
    }
    assert_near(foreseen(setup, settings, [2], latent), ksampler(setup, settings, latent, settings.seed + 2))


@pytest.mark.parametrize("model", [shapes_setup, shared_tiny, lambda: shared_tiny(True)], ids=["shapes", "eps", "flow"])
def test_a_draft_starts_from_the_sampler_own_noise_and_level(model: Callable[[], Setup]) -> None:
    setup, settings = model(), replace(USUAL, steps=20, decide_at=0.3, denoise=0.7, seed=8)
    generator = torch.Generator().manual_seed(0)
    latent = torch.randn(1, setup.channels, 16, 16, generator=generator)
    plan, own = plan_for(setup.model, settings), plan_for(setup.model, replace(settings, look="own steps"))
    assert (plan.sampler, plan.steps, len(plan.sigmas)) == (DRAFT_SAMPLER, 6, 7)
    assert (plan.sigmas[0], plan.sigmas[-1]) == (own.sigmas[0], own.sigmas[-1])
    with torch.inference_mode():
        expected = comfy.sample.sample_custom(
            setup.model, comfy.sample.prepare_noise(latent, 9), 3.0, comfy.samplers.sampler_object(DRAFT_SAMPLER),
            plan.sigmas, setup.positive, setup.negative, latent, disable_pbar=True, seed=9,
        )  # fmt: skip
    assert_near(foreseen(setup, settings, [0, 1], {"samples": latent})[1:], expected)


@given(st.integers(1, 40), st.data())
def test_coarse_levels(steps: int, data: st.DataObject) -> None:
    many = data.draw(st.integers(1, steps))
    sigmas = torch.cat([torch.rand(steps).sort(descending=True).values + 0.01, torch.zeros(1)])
    found = coarse(sigmas, many)
    assert len(found) == many + 1 and found[0] == sigmas[0] and found[-1] == 0
    assert bool((found.diff() <= 0).all())
    if steps % many == 0:
        torch.testing.assert_close(found, sigmas[:: steps // many])


@pytest.mark.parametrize(
    ("sampler", "look", "drafts"),
    [
        ("euler", "auto", True),
        ("uni_pc", "auto", True),
        ("euler_ancestral", "auto", False),
        ("dpmpp_2m_sde", "auto", False),
        ("euler_cfg_pp", "auto", False),
        ("euler_ancestral", "draft", True),
        ("euler", "own steps", False),
    ],
)
def test_which_look(sampler: str, look: Any, drafts: bool) -> None:
    settings = replace(USUAL, sampler=sampler, look=look, steps=20, decide_at=0.3)
    plan = plan_for(shared_tiny().model, settings)
    assert (plan.sampler == DRAFT_SAMPLER, plan.steps, len(plan.sigmas)) == (drafts, 6, 7 if drafts else 21)
    if look == "auto":
        assert plan_for(shared_tiny().model, replace(settings, decide_at=0.4)).sampler == sampler
    finished = plan_for(shared_tiny().model, replace(settings, decide_at=1.0))
    assert (finished.sampler, finished.steps) == (sampler, 20)


def test_isac_is_followed_step_by_step() -> None:
    model, settings = shared_tiny().model, replace(USUAL, steps=20, decide_at=0.3, look="auto")
    assert plan_for(with_recorder(model)[0], settings).sampler == DRAFT_SAMPLER
    assert plan_for(with_isac(model, IsacSettings())[0], settings).sampler == settings.sampler


@pytest.mark.parametrize("scheduler", comfy.samplers.SCHEDULER_NAMES)
def test_every_scheduler(scheduler: str) -> None:
    """Some make fewer or more steps than were asked for."""
    setup, settings = smallest(), replace(USUAL, scheduler=scheduler, steps=7, decide_at=1.0)
    seen = predictions(setup, settings, settings.seed)
    assert plan_for(setup.model, settings).steps == len(seen)
    assert_near(foreseen(setup, settings, [0]), seen[-1])
    assert bool(foreseen(setup, replace(settings, decide_at=0.6), [0, 1]).isfinite().all())


def test_few_steps_are_looked_at_when_done() -> None:
    for steps in (1, 2, 4):
        assert plan_for(shared_tiny().model, replace(USUAL, steps=steps, decide_at=0.1)).steps == steps


def test_finds_the_seed_that_shows_what_is_asked() -> None:
    """With the exact counter: what the table says is what a plain run of each seed shows."""
    settings = SearchSettings(40, 10, 3.0, "euler", "simple", seeds=3, decide_at=1.0, stop_when_found=False)
    with torch.inference_mode():
        found = search_seeds(search(settings, "a photo of two stars"), ExactCounter())
    setup, counter = shapes_setup("a photo of two stars"), ExactCounter()
    by_hand = {}
    for seed in range(40, 43):
        with torch.inference_mode():
            picture = shapes().vae.decode(ksampler(setup, settings, {"samples": EMPTY}, seed))
            by_hand[seed] = float(counter.count(picture, ["stars"]).numbers)
    assert {one.seed: one.numbers[0] for one in found.candidates} == by_hand
    assert found.seed == min(by_hand, key=lambda seed: (abs(by_hand[seed] - 2), seed))
    assert len(set(by_hand.values())) > 1, "else there is nothing to choose"
    assert found.table.splitlines()[0] == "asked: 2 stars" and found.table.splitlines()[1].startswith(
        f"seed {found.seed}: "
    )


def test_order() -> None:
    """Fewest misses, then the counts as they are, then the earliest."""
    found = find(Scripted(3.4, 4.4, 4.2, 4.2), replace(USUAL, stop_when_found=False))
    assert [one.index for one in found.candidates] == [2, 3, 1, 0] and found.seed == 5
    assert [one.misses for one in found.candidates] == [0, 0, 0, 1]
    assert found.images.shape == (4, 128, 128, 3)


def test_pictures_are_in_the_order_of_the_table() -> None:
    settings = replace(USUAL, stop_when_found=False)
    found = find(Scripted(1, 2, 3, 4), settings)
    setup = shapes_setup(STARS)
    with torch.inference_mode():
        expected = shapes().vae.decode(foreseen(setup, settings, [3, 2, 1, 0]))
    torch.testing.assert_close(found.images, expected, rtol=0, atol=0.02)


@pytest.mark.parametrize(("at_once", "batches"), [(1, [1, 1]), (2, [2]), (3, [3])])
def test_stops_when_found(at_once: int, batches: list[int]) -> None:
    counter, watched = Scripted(1, 4, 4, 4), Watched(shapes_setup(STARS).model)
    seen: list[tuple[int, int]] = []
    found = find(
        counter,
        replace(USUAL, at_once=at_once),
        model=watched.model,
        progress=lambda done, total, _: seen.append((done, total)),
    )
    assert counter.batches == batches and found.seed == 4 and seen[-1] == (16, 16)
    assert sum(watched.calls) == sum(batches) * 4 * 2, "four calls for each, of both prompts"


def test_tries_all_when_none_is_right() -> None:
    counter = Scripted(1, 3, 9, 2)
    found = find(counter)
    assert counter.batches == [2, 2] and found.seed == 4 and len(found.candidates) == 4


def test_a_batch_keeps_several_of_one_seed() -> None:
    """A sampler gives a batch one seed: its noises are told apart by ComfyUI's batch index."""
    setup = shapes_setup(STARS)
    latent = {"samples": EMPTY.repeat(2, 1, 1, 1)}
    settings = replace(USUAL, seeds=6, decide_at=1.0)
    counter = Scripted(1, 4, 3, 4, 9, 9)
    found = find(counter, settings, latent=latent)
    assert found.latent["batch_index"] == [1, 3] and found.seed == 3 and counter.batches == [2, 2]
    samples = ksampler(setup, settings, found.latent, found.seed)
    assert_near(foreseen(setup, settings, [1, 3], latent), samples)


def test_one_latent_comes_back_as_it_was() -> None:
    latent = {"samples": EMPTY, "batch_index": [2], "note": "of another pack"}
    found = find(Scripted(4), replace(USUAL, at_once=1), latent=latent)
    assert found.latent is latent
    setup, settings = shapes_setup(STARS), replace(USUAL, decide_at=1.0)
    assert_near(foreseen(setup, settings, [1], latent), ksampler(setup, settings, latent, 4))


def test_seeds_wrap_around() -> None:
    last = 2**64 - 1
    assert find(Scripted(0, 4), replace(USUAL, seed=last, seeds=2)).seed == 0


def test_inpainting_keeps_what_is_masked() -> None:
    setup, settings = shared_tiny(), replace(USUAL, decide_at=1.0)
    mask = torch.zeros(1, 64, 64)
    mask[..., :32] = 1
    start = {"samples": torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(1)), "noise_mask": mask}
    found = foreseen(setup, settings, [0, 1], start)
    assert_near(found[1:], ksampler(setup, settings, start, settings.seed + 1))
    drafted = foreseen(setup, replace(settings, decide_at=0.4), [1], start)
    torch.testing.assert_close(drafted[..., 9:], start["samples"][..., 9:], rtol=1e-3, atol=1e-3)


def test_several_counted_conditionings_ask_together() -> None:
    stars, circles = shapes_setup("two stars"), shapes_setup("a star and two circles")
    assert asked_of(search(positive=[*stars.positive, *circles.positive])) == {"stars": 3, "circles": 2}
    assert asked_of(search(positive=[*stars.positive, *stars.positive])) == {"stars": 2}, "one prompt in two parts"


def test_counts_where_the_conditioning_has_none() -> None:
    setup = shapes_setup(STARS)
    bare = [[text, {}] for text, _ in setup.positive]
    assert asked_of(search(positive=bare, counts=setup.counts)) == {"stars": 4}
    with pytest.raises(CountError, match=r"Count Search does not know what is asked for\. Encode the positive prompt"):
        find(Scripted(), positive=bare)


def test_the_vae_of_another_model_is_said() -> None:
    with pytest.raises(
        CountError, match="the VAE is of another model: its latents have 8 channels, the model's have 12"
    ):
        decode(shapes().vae, torch.zeros(1, 12, 16, 16), 1)


@pytest.mark.parametrize(
    ("changes", "settings", "message"),
    [
        ({"model": None}, {}, "Count Search got no model; connect a loader's MODEL output"),
        ({"vae": None}, {}, "Count Search got no VAE"),
        ({"prompt": "stars"}, {}, "has nothing to choose by: the prompt counts nothing. Write a number"),
        ({"prompt": "a few stars"}, {}, "the prompt counts nothing. 'a few stars' is not a number: write one, such as"),
        ({}, {"decide_at": 0.0}, "decide_at is 0.0; it can be above 0 and up to 1"),
        ({}, {"look": "luck"}, "look is 'luck'; it can be 'auto', 'draft', 'own steps'"),
        ({"latent": {"samples": EMPTY.repeat(5, 1, 1, 1)}}, {}, "chooses 5 of 4 seeds: the latent has 5 images"),
        ({"latent": {"samples": torch.randn(2, 8, 16, 16)}}, {}, "got a latent of 2 different images"),
        (
            {"latent": {"samples": comfy.nested_tensor.NestedTensor([EMPTY, EMPTY])}},
            {},
            "this latent holds several streams",
        ),
        (
            {"latent": {"samples": torch.zeros(1, 8, 5, 16, 16)}},
            {},
            r"^Count Search: this latent is a video of 5 latent frames, and the model makes images\. Connect an empty latent",
        ),
        ({"latent": {"samples": torch.randn(1, 8, 1, 16, 16)}}, {}, "this latent is a video of 1 latent frame"),
    ],
)
def test_what_it_says_to_wrong_inputs(changes: dict[str, Any], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(CountError, match=message):
        find(Scripted(*[0] * 8), replace(USUAL, **settings), **changes)


def test_frames_of_a_video() -> None:
    """The counts of a video are the mean of frames that are evenly spread."""

    class FilmVae:
        """Eight frames of each latent, every one of a brightness of its own."""

        def decode(self, latents: Tensor) -> Tensor:
            return (torch.arange(8.0) / 10).reshape(1, 8, 1, 1, 1).expand(len(latents), 8, 4, 4, 3)

    shown = decode(FilmVae(), torch.zeros(2, 16, 3, 4, 4), 4)
    assert shown.frames_each == 4 and shown.frames.shape == (8, 4, 4, 3) and shown.images.shape == (2, 4, 4, 3)
    torch.testing.assert_close(shown.frames[:4, 0, 0, 0], torch.tensor([0.1, 0.3, 0.5, 0.7]))
    counted = Counted(("cats",), torch.tensor([[2.0], [4], [3], [3], [0], [0], [1], [0]]), (((),),) * 8)
    assert mean_over_frames(counted, 4).numbers.tolist() == [[3.0], [0.25]]
    assert decode(FilmVae(), torch.zeros(1, 16, 3, 4, 4), 99).frames_each == 8
    picture = decode(FilmVae(), torch.zeros(1, 16, 3, 4, 4), 1)
    assert picture.frames_each == 1 and float(picture.frames[0, 0, 0, 0]) == pytest.approx(0.4)


def test_memory_decides_how_many_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    setup, settings = shared_tiny(), replace(USUAL, at_once=4)
    need = 3 * setup.model.model.memory_required([1, 4, 16, 16])
    left = setup.model.model_size() - setup.model.loaded_size()
    for many in (1, 2, 9):
        monkeypatch.setattr(comfy.model_management, "get_free_memory", lambda _, many=many: left + need * many * 1.01)
        previews = previews_of(Search(setup.model, setup.positive, setup.negative, {"samples": EMPTY}, settings))
        assert previews.at_once() == min(many, 4)


def test_out_of_memory_halves_the_batch() -> None:
    setup, calls = shared_tiny(), []
    model = setup.model.clone()

    def short(executor: Any, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        calls.append(len(x))
        if len(calls) > 1 and len(x) > 2:  # both prompts of one seed
            raise torch.OutOfMemoryError
        return executor(x, *args, **kwargs)

    model.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "short", short)
    settings = replace(USUAL, at_once=3)
    assert_near(foreseen(replace(setup, model=model), settings, [0, 1, 2]), foreseen(setup, settings, [0, 1, 2]))
    assert 4 in calls[1:] and max(calls[-5:]) == 2


def test_nothing_changes_on_the_model() -> None:
    setup = shapes_setup(STARS)
    plain = sample(setup.model, setup)
    options, weights, wrappers = repr(setup.model.model_options), weights_of(setup.model), repr(setup.model.wrappers)
    first = find(Scripted(1, 2, 3, 3.2))
    assert (repr(setup.model.model_options), repr(setup.model.wrappers)) == (options, wrappers)
    assert weights_of(setup.model) == weights
    assert torch.equal(sample(setup.model, setup), plain)
    torch.manual_seed(5)
    again = find(Scripted(1, 2, 3, 3.2))
    assert again.candidates == first.candidates and torch.equal(again.images, first.images)


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m_sde", "euler_ancestral"])
def test_no_global_random_numbers(sampler: str) -> None:
    untouched = random_state_after(lambda: None)
    settings = replace(USUAL, sampler=sampler, seeds=2, look="own steps")
    assert random_state_after(lambda: find(Scripted(0, 0), settings)) == untouched


@pytest.mark.parametrize("when", ["sampling", "counting"])
def test_cancel(when: str) -> None:
    setup = shapes_setup(STARS)
    plain, weights = sample(setup.model, setup), weights_of(setup.model)
    watched = Watched(setup.model)

    class Cancelling(Scripted):
        def count(self, *args: Any) -> Counted:
            comfy.model_management.interrupt_current_processing(when == "counting")
            return super().count(*args)

    def progress(*_: Any) -> None:
        comfy.model_management.interrupt_current_processing(when == "sampling" and len(watched.calls) == 3)

    with pytest.raises(comfy.model_management.InterruptProcessingException):
        find(Cancelling(0, 0, 0, 0), model=watched.model, progress=progress)
    assert len(watched.calls) == (3 if when == "sampling" else 4), "it ends within a step"
    assert weights_of(setup.model) == weights and torch.equal(sample(setup.model, setup), plain)


def test_maps_hold_the_picture_only() -> None:
    """Tried seeds leave nothing in the MAPS of nodes on the model."""
    setup = shapes_setup(STARS)
    for patch in (with_recorder, lambda model: with_isac(model, IsacSettings(mode="fast"))):
        model, handle = patch(setup.model)
        for look in ("draft", "own steps"):
            found = find(Scripted(4, 4), replace(USUAL, look=look), model=model)
            with pytest.raises(CountError, match="no attention was recorded"):
                handle.record_for(EMPTY)
        samples = ksampler(setup, USUAL, found.latent, found.seed, model)
        assert handle.record_for(samples)[1] and len(handle._records) == 1


def test_isac_steers_the_tried_seeds() -> None:
    setup = shapes_setup(STARS)
    steered = replace(setup, model=with_isac(setup.model, IsacSettings())[0])
    settings = replace(USUAL, steps=6, decide_at=1.0)
    picture = ksampler(setup, settings, {"samples": EMPTY}, 4, steered.model)
    assert_near(foreseen(steered, settings, [1]), picture)
    assert not torch.allclose(foreseen(setup, settings, [1]), picture, atol=0.1)


def test_other_packs_patches_act_on_the_tried_seeds() -> None:
    setup, calls = shapes_setup(STARS), []
    model = setup.model.clone()
    model.set_model_sampler_cfg_function(lambda args: calls.append(1) or args["cond"])
    find(Scripted(0, 0), replace(USUAL, seeds=2), model=model)
    assert len(calls) == 4


def test_table() -> None:
    candidates = best_first([CountedCandidate(0, 7, (3.2, 1.0), 2, 1.2), CountedCandidate(1, 8, (2.0, 1.0), 0, 0.0)])
    assert count_table(candidates, {"cats": 2, "dog": 1}, batch=False).splitlines() == [
        "asked: 2 cats, 1 dog",
        "seed 8: 2 cats, 1 dog: right",
        "seed 7: 3 cats (3.2), 1 dog: off by 2",
        "1 of 2 tried look right",
    ]
    assert count_table(candidates, {"cats": 2, "dog": 1}, batch=True).splitlines()[1] == "index 1: 2 cats, 1 dog: right"
