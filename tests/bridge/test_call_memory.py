"""A sampler goes on where a search's look ended: the same picture to the bit, without the calls that were made already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import comfy.k_diffusion.sampling
import comfy.sample
import comfy.samplers
import comfy_extras.nodes_apg as apg
import numpy as np
import pytest
import torch
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.recording.recorder import with_recorder
from headcount.bridge.seed_search.call_memory import CallMemory, can_remember
from headcount.bridge.seed_search.count_search import find_seeds
from headcount.bridge.seed_search.looks import likeness
from headcount.bridge.seed_search.search import Search, SearchResult
from headcount.core.counting import Counted
from torch import Tensor

from benchmarks.lab.alike_seeds import with_alike_seeds

from ..helpers.models import Setup, shapes_setup, smallest
from ..helpers.packs import COMPILED, EASY, LAZY, PACKS, Patch, first
from .test_count_search import EMPTY, USUAL, Watched, ksampler

HALF = replace(USUAL, look="own steps", decide_at=0.5, at_once=1, steps=8)
APG: Patch = lambda model: first(apg.APG.execute(model, 1.0, 5.0, -0.5))  # noqa: E731
ASKED = {"cats": 2.0, "dogs": 1.0}
"""Of the small models' prompt."""


class Off:
    """A counter that finds every picture to be off by the next number."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = list(numbers)

    def count(self, images: Tensor, nouns: Sequence[str], on_progress: Any = None) -> Counted:
        rows = [[ASKED[nouns[0]] + self.numbers.pop(0), *(ASKED[noun] for noun in nouns[1:])] for _ in images]
        return Counted(tuple(nouns), torch.tensor(rows), tuple(((),) * len(nouns) for _ in rows))


class NoPictures:
    """A VAE for models whose pictures nobody looks at."""

    def decode(self, latents: Tensor) -> Tensor:
        return torch.zeros(len(latents), 8, 8, 3)


def found_by(counter: Any, model: Any, settings: Any = HALF, latent: Any = None, positive: Any = None) -> SearchResult:
    setup = smallest()
    inputs = (positive or setup.positive, setup.negative, latent or {"samples": EMPTY}, settings)
    search = Search(model, *inputs, vae=NoPictures())
    with torch.inference_mode():
        return find_seeds(search, counter)


def calls_of(watched: Watched, setup: Setup, settings: Any, found: SearchResult, model: Any) -> tuple[Tensor, int]:
    """What a sampler makes of what was found, and how often it asked the model."""
    before = len(watched.calls)
    return ksampler(setup, settings, found.latent, found.seed, model), len(watched.calls) - before


@pytest.mark.parametrize("sampler", comfy.samplers.SAMPLER_NAMES)
def test_every_sampler_goes_on(sampler: str) -> None:
    """Whatever it remembers of its earlier steps, and whatever noise it draws."""
    settings = replace(HALF, sampler=sampler, seeds=2, seed=40)
    watched = Watched(smallest().model)
    found = found_by(Off(1, 0), watched.model, settings)
    looked = len(watched.calls) // 2
    samples, after = calls_of(watched, smallest(), settings, found, found.model)
    plain, whole = calls_of(watched, smallest(), settings, found, watched.model)
    assert found.seed == 41 and torch.equal(samples, plain)
    goes_on = "cfg_pp" not in sampler  # it reads the unguided prediction, which is not kept
    assert after + looked * goes_on == whole and looked > 0


@pytest.mark.parametrize(
    "changed",
    [{"cfg": 4.0}, {"steps": 9}, {"scheduler": "karras"}, {"sampler": "dpmpp_2m"}, {"seed": 99}, {"denoise": 0.7}],
)
def test_another_run_is_made_as_ever(changed: dict[str, Any]) -> None:
    watched = Watched(smallest().model)
    found = found_by(Off(0), watched.model)
    settings = replace(HALF, **changed)
    found = replace(found, seed=settings.seed)
    samples, after = calls_of(watched, smallest(), settings, found, found.model)
    plain, whole = calls_of(watched, smallest(), settings, found, watched.model)
    assert torch.equal(samples, plain) and after == whole


def test_another_prompt_or_patch_is_seen() -> None:
    watched, setup = Watched(smallest().model), smallest()
    found = found_by(Off(0), watched.model)
    other = replace(setup, positive=[[setup.positive[0][0] + 0.1, setup.positive[0][1]]])
    again = replace(setup, positive=[[setup.positive[0][0].clone(), dict(setup.positive[0][1])]])
    patched = found.model.clone()
    patched.set_model_sampler_cfg_function(lambda args: args["cond"])
    for run, model, calls in ((other, found.model, 8), (again, found.model, 4), (setup, patched, 8)):
        assert calls_of(watched, run, HALF, found, model)[1] == calls


@pytest.mark.parametrize("wrapped", [partial, lambda function: Sampling(function)], ids=["partial", "object"])
def test_a_sampler_without_a_name_is_run_as_ever(wrapped: Callable[[Any], Any]) -> None:
    """What SamplerCustomAdvanced gets from a node of another pack."""
    watched, setup = Watched(smallest().model), smallest()
    found = found_by(Off(0), watched.model)
    guider, sigmas = comfy.samplers.CFGGuider(found.model), torch.linspace(10, 0, 5)
    guider.set_conds(setup.positive, setup.negative)
    guider.set_cfg(HALF.cfg)
    sampler = comfy.samplers.KSAMPLER(wrapped(comfy.k_diffusion.sampling.sample_euler))
    before = len(watched.calls)
    with torch.inference_mode():
        guider.sample(comfy.sample.prepare_noise(EMPTY, HALF.seed), EMPTY, sampler, sigmas, disable_pbar=True)
    assert len(watched.calls) == before + 4


class Sampling:
    """A sampler that is an object."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def __call__(self, *args: Any, **options: Any) -> Tensor:
        return self.function(*args, **options)


@dataclass
class HoldsTensor:
    """What another pack puts into a conditioning or into the model's options."""

    value: Tensor


@pytest.mark.parametrize("value", [np.arange(3), HoldsTensor(torch.arange(3))], ids=["array", "dataclass"])
def test_what_cannot_be_compared_is_not_the_same(value: Any) -> None:
    watched, setup = Watched(smallest().model), smallest()
    put = lambda: replace(setup, positive=[[setup.positive[0][0], {**setup.positive[0][1], "other": deepcopy(value)}]])  # noqa: E731
    found = found_by(Off(0), watched.model, positive=put().positive)
    assert calls_of(watched, put(), HALF, found, found.model)[1] == HALF.steps


def test_a_batch_goes_on_together() -> None:
    watched = Watched(smallest().model)
    latent = {"samples": EMPTY.repeat(2, 1, 1, 1)}
    found = found_by(Off(0, 3, 0), watched.model, replace(HALF, seeds=3), latent)
    samples, after = calls_of(watched, smallest(), HALF, found, found.model)
    assert found.latent["batch_index"] == [0, 2] and after == 4
    torch.testing.assert_close(samples, ksampler(smallest(), HALF, found.latent, found.seed), rtol=1e-2, atol=1e-3)


def test_steering_is_repeated_too() -> None:
    """The gradients of the steps that were looked at are not taken again."""
    setup = shapes_setup("four stars")
    steered, _ = with_isac(setup.model, IsacSettings())
    watched = Watched(steered)

    class Stars(Off):
        def count(self, images: Tensor, nouns: Sequence[str], on_progress: Any = None) -> Counted:
            return Counted(tuple(nouns), torch.full((len(images), 1), 4.0), (((),),) * len(images))

    search = Search(
        watched.model, setup.positive, setup.negative, {"samples": EMPTY}, replace(HALF, steps=4), vae=NoPictures()
    )
    with torch.inference_mode():
        found = find_seeds(search, Stars())
    samples, after = calls_of(watched, setup, search.settings, found, found.model)
    plain, whole = calls_of(watched, setup, search.settings, found, watched.model)
    assert (
        torch.equal(samples, plain)
        and after <= whole // 2
        and not torch.equal(plain, ksampler(setup, search.settings, found.latent, found.seed))
    )


def test_who_has_to_see_every_step_does() -> None:
    recorded, _ = with_recorder(smallest().model)
    assert can_remember(smallest().model) and not can_remember(recorded)
    found = found_by(Off(0), recorded)
    assert found.model is recorded


@pytest.mark.parametrize(
    "pack",
    [EASY, LAZY, APG, PACKS["wrappers"], PACKS["batches"], PACKS["cfg functions"]],
    ids=["EasyCache", "LazyCache", "APG", "wrappers", "model function", "cfg functions"],
)
def test_functions_of_other_nodes_see_every_step(pack: Patch) -> None:
    """Some go on from what earlier steps left them; the picture is that of a plain run with them."""
    setup, settings = smallest(), replace(HALF, steps=12)
    found = found_by(Off(0), pack(setup.model), settings)
    plain = ksampler(setup, settings, found.latent, found.seed, pack(setup.model))
    assert torch.equal(ksampler(setup, settings, found.latent, found.seed, found.model), plain)
    assert not can_remember(pack(setup.model))


@pytest.mark.parametrize(
    "pack", [COMPILED, PACKS["lora"], PACKS["model sampling"]], ids=["compiled", "LoRA", "sampling"]
)
def test_patches_that_keep_no_state(pack: Patch) -> None:
    assert can_remember(pack(smallest().model))


def test_a_variation_begins_in_the_other_picture() -> None:
    """Its sampler makes what was seen, again and again; without the search's model it makes the seed's own picture."""
    settings = replace(HALF, decide_at=1.0, variations=2, seeds=1, seed=7)
    watched = Watched(smallest().model)
    found = found_by(Off(1, 2, 0), watched.model, settings)
    first, second, third = found.candidates
    assert (first.seed, first.varied, second.seed, third.seed) == (9, 7, 7, 8)
    assert found.table.splitlines()[1].startswith("seed 9 varying seed 7: ")
    varied, calls = calls_of(watched, smallest(), settings, found, found.model)
    again, _ = calls_of(watched, smallest(), settings, found, found.model)
    plain, whole = calls_of(watched, smallest(), settings, found, watched.model)
    assert calls == 0 and torch.equal(varied, again) and not torch.equal(varied, plain)
    assert whole == settings.steps


ALIKE = replace(HALF, seeds=5, seed=7, vary_alike=True)


def test_seeds_that_look_alike_are_varied() -> None:
    """The tries that are left begin in the first one's picture; a sampler makes what was seen."""
    watched = Watched(smallest().model)
    found = found_by(Off(2, 2, 2, 1, 0), watched.model, ALIKE)
    assert [(one.seed, one.varied) for one in found.candidates] == [(13, 7), (12, 7), (7, None), (8, None), (9, None)]
    assert found.table.splitlines()[-2:] == [
        "3 seeds, all with 4 cats, 1 dog: another seed will not help",
        "1 of 5 tried look right",
    ]
    looked, left_out = len(watched.calls), 2
    assert looked == 5 * 4 - left_out
    samples, calls = calls_of(watched, smallest(), ALIKE, found, found.model)
    assert calls == ALIKE.steps - 4 and not torch.equal(
        samples, calls_of(watched, smallest(), ALIKE, found, watched.model)[0]
    )


def test_seeds_of_much_the_same_image_are_varied() -> None:
    """Also where they are counted differently."""
    found = found_by(Off(2, 1, 3, 1, 0), with_alike_seeds(smallest().model), ALIKE)
    assert [(one.seed, one.varied) for one in found.candidates][:2] == [(13, 7), (8, None)]


def test_likeness() -> None:
    """Of four rows of two channels each: the same but for the channels' means, the opposite, and what has nothing of it."""
    wave = torch.tensor([1.0, -1, 1, -1]).view(1, 1, 2, 2).expand(1, 2, 2, 2)
    other = torch.tensor([1.0, 1, -1, -1]).view(1, 1, 2, 2).expand(1, 2, 2, 2)
    assert likeness([wave, 3 * wave + torch.tensor([5.0, -2]).view(1, 2, 1, 1)]) == pytest.approx(1)
    assert likeness([wave, -wave]) == pytest.approx(-1) and likeness([wave, other]) == pytest.approx(0, abs=1e-6)
    assert likeness([wave, wave, other]) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("misses", "settings", "fix"),
    [
        ((2, 2, 1, 3), {}, None),
        (
            (2, 2, 2, 2),
            {"sampler": "euler_ancestral"},
            "To vary them, use a sampler that begins anywhere, such as euler and connect MODEL to the sampler",
        ),
        ((2, 2, 2, 2), {"vary_alike": False}, "To vary them, turn on vary_alike and connect MODEL to the sampler"),
        (
            (2, 2, 2, 2),
            {"look": "draft", "vary_alike": False},
            "To vary them, turn on vary_alike, set look to own steps and connect MODEL to the sampler",
        ),
    ],
)
def test_seeds_are_gone_on_with(misses: tuple[int, ...], settings: dict[str, Any], fix: str | None) -> None:
    """Where they differ, or cannot be varied; a line says that no other seed helps, and what does."""
    found = found_by(Off(*misses), smallest().model, replace(ALIKE, seeds=4, **settings))
    assert all(one.varied is None for one in found.candidates)
    said = [line for line in found.table.splitlines() if "will not help" in line]
    assert said == ([f"4 seeds, all with 4 cats, 1 dog: another seed will not help. {fix}"] if fix else [])


@pytest.mark.parametrize(("wanted", "misses"), [(1, (3, 1, 2, 2, 0)), (2, (0, 3, 2, 0))])
def test_only_the_best_are_kept(wanted: int, misses: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """After each look, so that a long search takes no more memory than a short one; a variation begins in what was seen."""
    kept: list[set[int]] = []
    keep_only = CallMemory.keep_only

    def noting(memory: CallMemory, candidates: Iterable[int]) -> None:
        keep_only(memory, candidates)
        kept.append(set(memory.runs))

    monkeypatch.setattr(CallMemory, "keep_only", noting)
    settings = replace(HALF, seeds=len(misses) - (wanted == 1), variations=1)
    found_by(Off(*misses), smallest().model, settings, {"samples": EMPTY.repeat(wanted, 1, 1, 1)})
    assert kept == ([{0}, {1}, {1}, {1}, {3}] if wanted == 1 else [{0}, {0, 1}, {0, 2}, {0, 3}])


@pytest.mark.parametrize(
    "settings", [{"look": "draft", "decide_at": 0.5}, {"sampler": "euler_ancestral"}, {"variations": 0}], ids=str
)
def test_where_nothing_can_be_varied(settings: dict[str, Any]) -> None:
    found = found_by(
        Off(1, 1), smallest().model, replace(HALF, **{"variations": 2, "seeds": 2, "steps": 9, **settings})
    )
    assert len(found.candidates) == 2
