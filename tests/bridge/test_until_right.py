"""Generate Until Right with the emoji model: it stops at a right picture, keeps its budget, and its seeds can be made again."""

from __future__ import annotations

from typing import Any

import comfy.model_management
import comfy.sample
import pytest
import torch
from comfy_execution.graph_utils import ExecutionBlocker
from headcount.bridge.counters.count_check import STOP
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.repair import tries as tries_module
from headcount.bridge.repair import until_right
from headcount.bridge.repair.settings import UntilRightSettings
from headcount.bridge.repair.until_right import Request, UntilRight, generate_until_right
from headcount.bridge.seed_search.call_memory import CallMemory
from headcount.core.counting import Counted
from headcount.core.errors import CountError
from torch import Tensor

from .test_count_repair import PROMPT, THREE_CATS, TWO_CATS_AND_A_DOG, Scripted, loaded, setup
from .test_count_search import Watched

ONE_CAT = (("cat", 0.9),)


def generate(counter: Any, request: dict[str, Any] | None = None, **settings: Any) -> UntilRight:
    usual = {
        "search": "off",
        "seed": 7,
        "steps": 4,
        "cfg": 3.0,
        "sampler": "euler",
        "scheduler": "simple",
        "width": 128,
        "height": 128,
    }
    inputs = {"model": loaded().model, "clip": loaded().clip, "vae": loaded().vae, "counter": counter}
    inputs |= {"text": PROMPT, "negative": "", "settings": UntilRightSettings(**{"isac": "off", **usual, **settings})}
    with torch.inference_mode():
        return generate_until_right(Request(**(inputs | (request or {}))))


def sampled(seed: int, model: Any = None, steps: int = 4) -> Tensor:
    """What KSampler and VAE Decode make of a seed."""
    given, _ = setup()
    with torch.inference_mode():
        latent = torch.zeros(1, 12, 16, 16)
        samples = comfy.sample.sample(
            model or given.model, comfy.sample.prepare_noise(latent, seed), steps, 3.0, "euler", "simple", given.positive,
            given.negative, latent, disable_pbar=True, seed=seed,
        )  # fmt: skip
        return loaded().vae.decode(samples)


def test_a_right_picture_ends_it() -> None:
    done = generate(Scripted(ONE_CAT, TWO_CATS_AND_A_DOG), rounds=0)
    assert (done.is_right, done.seed) == (True, 8) and torch.equal(done.images, sampled(8))
    assert done.table.splitlines() == [
        "asked: 2 cats, 1 dog",
        "seed 7: 1 cat, 0 dogs: off by 2",
        "seed 8: 2 cats, 1 dog: right",
        "1 of 1 right; tried 2 seeds, at the cost of 2.0 images",
    ]
    assert done.result.marks == (False, True)


def test_a_steered_picture_can_be_made_again() -> None:
    done = generate(Scripted(TWO_CATS_AND_A_DOG), isac="fast")
    steered, _ = with_isac(loaded().model, IsacSettings(mode="fast"))
    assert torch.equal(done.images, sampled(7, steered)) and not torch.equal(done.images, sampled(7))
    assert "at the cost of 1.4 images" in done.table


def test_what_is_nearly_right_is_mended_and_what_is_not_goes() -> None:
    far = (("cat", 0.9),) * 7
    done = generate(Scripted(far, THREE_CATS, TWO_CATS_AND_A_DOG), repair_up_to=2)
    assert done.seed == 8 and not torch.equal(done.images, sampled(8))
    assert "seed 8: 3 cats, 0 dogs: off by 2; 1 cat changed into 1 dog: right" in done.table
    assert "at the cost of 2.8 images" in done.table


def test_several_pictures_and_the_last_seed_wraps() -> None:
    done = generate(Scripted(*[TWO_CATS_AND_A_DOG] * 2), pictures=2, seed=2**64 - 1)
    assert torch.equal(done.images, torch.cat([sampled(2**64 - 1), sampled(0)]))


def test_none_right() -> None:
    seen = (ONE_CAT, TWO_CATS_AND_A_DOG[:2], ONE_CAT)
    best, stopped = (
        generate(Scripted(*seen), {"if_none_right": way}, rounds=0, tries=3) for way in ("best picture", STOP)
    )
    assert (best.is_right, best.seed) == (False, 8) and torch.equal(best.images, sampled(8))
    assert isinstance(stopped.images, ExecutionBlocker) and torch.equal(stopped.shown, best.images)
    assert best.result.verdict == "0 of 1 right"
    assert best.result.table.splitlines()[0] == "tried: 3 seeds, at the cost of 3.0 images"


@pytest.mark.parametrize(("budget", "tries", "cost"), [(0.5, 1, 1.0), (2.0, 2, 2.0), (2.7, 1, 2.6), (3.0, 1, 2.6)])
def test_the_budget_is_kept(budget: float, tries: int, cost: float) -> None:
    """Off by 2 is mended where two more rounds of 0.8 fit; 0.9 is left for none but a picture is 1."""
    far, near = (("cat", 0.9),) * 7, THREE_CATS
    counter = Scripted(*([near] * 9 if budget > 2 else [far] * 9))
    done = generate(counter, budget=budget, rounds=4)
    assert (
        done.table.splitlines()[-1]
        == f"0 of 1 right; tried {tries} seed{'s' * (tries > 1)}, at the cost of {cost} images"
    )


def test_a_counter_of_numbers_alone_repairs_nothing() -> None:
    class Numbers:
        def count(self, images: Tensor, nouns: Any, on_progress: Any = None) -> Counted:
            return Counted(tuple(nouns), torch.tensor([[2.0, 0.0]]), (((), ()),))

    assert "seed 7: 2 cats, 0 dogs: off by 1\nseed 8" in generate(Numbers(), tries=2).table


def test_a_model_that_cannot_be_steered_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(until_right, "FAMILIES", ())
    done = generate(Scripted(TWO_CATS_AND_A_DOG), isac="fast")
    assert done.result.note == "this model cannot be steered by ISAC" and torch.equal(done.images, sampled(7))


def test_it_says_which_try_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    monkeypatch.setattr(tries_module, "show_note", lambda text, place: notes.append(text))
    generate(Scripted(ONE_CAT, ONE_CAT), tries=2, rounds=0)
    assert notes == ["try 1 of 2", "try 2 of 2; best so far: 1 cat, 0 dogs, off by 2", ""]


def test_what_looks_wrong_half_way_is_not_finished() -> None:
    """And what looks right is the picture of its seed, made in the calls that were left."""
    counter, watched = Scripted(ONE_CAT, TWO_CATS_AND_A_DOG, TWO_CATS_AND_A_DOG), Watched(loaded().model)
    done = generate(counter, {"model": watched.model}, steps=8, search="half-way")
    assert (done.is_right, done.seed) == (True, 8) and sum(watched.calls) == 2 * (4 + 4 + 4)
    assert torch.equal(done.images, sampled(8, steps=8))
    assert done.table.splitlines() == [
        "asked: 2 cats, 1 dog",
        "seed 7: half-way 1 cat, 0 dogs: off by 2",
        "seed 8: 2 cats, 1 dog: right",
        "1 of 1 right; tried 2 seeds, at the cost of 1.5 images",
    ]
    assert done.result.marks == (False, True)


def test_what_is_off_by_one_is_varied() -> None:
    """Three steps of eight are left out of a variation, and one is made until half of them are done."""
    near, right, watched = TWO_CATS_AND_A_DOG[:2], TWO_CATS_AND_A_DOG, Watched(loaded().model)
    done = generate(Scripted(near, near, right, right), {"model": watched.model}, steps=8, search="half-way", tries=2)
    assert (done.is_right, done.seed) == (True, 10) and sum(watched.calls) == 2 * (4 + 1 + 1 + 4)
    assert done.table.splitlines()[1:] == [
        "seed 7: half-way 2 cats, 0 dogs: off by 1",
        "seed 9 varying seed 7: half-way 2 cats, 0 dogs: off by 1",
        "seed 10 varying seed 7: 2 cats, 1 dog: right",
        "1 of 1 right; tried 1 seed and 2 variations, at the cost of 1.2 images",
    ]
    assert not torch.equal(done.images, sampled(10, steps=8))
    again = generate(Scripted(near, near, right, right), steps=8, search="half-way", tries=2)
    assert torch.equal(again.images, done.images)


def test_where_none_looks_right_the_nearest_is_finished_and_mended() -> None:
    far = (("cat", 0.9),) * 7
    seen = (far, ONE_CAT, far, THREE_CATS, TWO_CATS_AND_A_DOG)
    done = generate(Scripted(*seen), steps=8, search="half-way", tries=3)
    assert (done.is_right, done.seed) == (True, 8)
    assert "seed 8: 3 cats, 0 dogs: off by 2; 1 cat changed into 1 dog: right" in done.table


def test_only_the_nearest_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of looks that are not finished: no steps, no latents and no pictures."""
    kept: list[set[int]] = []
    keep_only = CallMemory.keep_only

    def noting(memory: CallMemory, candidates: Any) -> None:
        keep_only(memory, candidates)
        kept.append(set(memory.runs))

    monkeypatch.setattr(CallMemory, "keep_only", noting)
    near, far = TWO_CATS_AND_A_DOG[:2], (("cat", 0.9),) * 7
    done = generate(
        Scripted(far, ONE_CAT, far, near, *[ONE_CAT] * 3, near), steps=8, search="half-way", tries=4, rounds=0
    )
    assert kept == [{0}, {1}, {1}, {3}, {3}, {3}, {3}] and done.seed == 10


def test_a_run_whose_steps_are_all_kept_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A look at the last of few steps leaves nothing to sample: Count Control has seen every step of it."""
    done = generate(Scripted(*[TWO_CATS_AND_A_DOG] * 2), isac="fast", steps=1, search="half-way", rounds=0)
    assert done.is_right and not caplog.messages


@pytest.mark.parametrize(("budget", "looks"), [(0.5, 1), (1.4, 1), (1.5, 2), (2.1, 3)])
def test_the_budget_of_looks_leaves_room_for_a_picture(budget: float, looks: int) -> None:
    far = (("cat", 0.9),) * 7
    done = generate(Scripted(*[far] * 9), steps=8, search="half-way", budget=budget, rounds=0)
    assert done.table.count("seed ") == looks and f"at the cost of {looks / 2 + 0.5} images" in done.table


def test_pictures_are_shown_while_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look and each finished picture, with how far the tries are."""
    shown: list[tuple[tuple[int, ...], int, int]] = []
    show = lambda image, done, total: shown.append((tuple(image.shape), done, total))  # noqa: E731
    monkeypatch.setattr(tries_module, "show_image", show)
    generate(Scripted(ONE_CAT, TWO_CATS_AND_A_DOG, TWO_CATS_AND_A_DOG), steps=8, search="half-way", tries=3)
    assert shown == [((128, 128, 3), done, 24) for done in (4, 12, 16, 16)]


@pytest.mark.parametrize(
    ("phase", "settings", "counted", "after"),
    [
        ("searching", {"search": "half-way", "steps": 8}, 1, 6),
        ("finishing", {"search": "half-way", "steps": 8}, 2, 9),
        ("counting", {}, 1, 4),
        ("mending", {}, 1, 6),
        ("between two tries", {"rounds": 0}, 1, 6),
    ],
)
def test_cancelled(
    phase: str, settings: dict[str, Any], counted: int, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends within a step, and leaves no note behind."""
    steps, notes = list[int](), list[str]()

    def step(done: int, total: int, denoised: Tensor) -> None:
        steps.append(done)
        if len(steps) == after and phase != "counting":
            comfy.model_management.interrupt_current_processing()

    class Cancelling(Scripted):
        def count(self, *args: Any) -> Counted:
            comfy.model_management.interrupt_current_processing(phase == "counting")
            return super().count(*args)

    seen = {"finishing": (TWO_CATS_AND_A_DOG,) * 2, "mending": (THREE_CATS,) * 3}.get(phase, (ONE_CAT,) * 3)
    if phase == "finishing":
        seen = (ONE_CAT, *seen)
    counter = Cancelling(*seen)
    monkeypatch.setattr(tries_module, "sampling_progress", lambda model: step)
    monkeypatch.setattr(tries_module, "show_note", lambda text, place: notes.append(text))
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        generate(counter, tries=3, **settings)
    assert len(counter.shown) == counted and len(steps) == after and notes[-1] == ""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": None}, "Generate Until Right got no model; connect the loader's MODEL output"),
        ({"vae": None}, "Generate Until Right got no vae; connect the loader's VAE output"),
        ({"counter": None}, "Generate Until Right got no counter"),
        (
            {"text": "fog"},
            "Generate Until Right has nothing to make right: the prompt counts nothing. Write a number, such as 'three cats', "
            "or fill in objects$",
        ),
        (
            {"text": "2-3 cats"},
            "the prompt counts nothing. '2-3 cats' is a range: write one number, such as 'three cats'",
        ),
    ],
)
def test_refusals(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CountError) as caught:
        generate(Scripted(), changes)
    assert message in f"{caught.value}$"  # "$": it ends there
