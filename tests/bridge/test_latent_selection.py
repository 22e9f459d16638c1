"""ISAC Latent Selection in the runs that users make: the chosen noise is the sampler's, and nobody runs further than said."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.nested_tensor
import comfy.sample
import comfy.sampler_helpers
import comfy.samplers
import comfy.supported_models
import comfy.utils
import latent_preview
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from comfy_extras.nodes_custom_sampler import (
    BasicScheduler,
    CFGGuider,
    KSamplerSelect,
    Noise_RandomNoise,
    SamplerCustomAdvanced,
)
from comfy_extras.nodes_pag import PerturbedAttentionGuidance
from headcount.bridge.attention.capture import Capture
from headcount.bridge.attention.hook import hooked_options
from headcount.bridge.comfyui.run_notes import RunNotes
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.isac.patched_model import with_runs
from headcount.bridge.prompts.conditionings import counted_conditionings
from headcount.bridge.recording.head_scout import scouted_heads
from headcount.bridge.recording.recorder import with_recorder
from headcount.bridge.seed_search import attention_scorer
from headcount.bridge.seed_search.latent_selection import score_table, select_candidates, select_latent
from headcount.bridge.seed_search.pool import CandidatePool, ScoredCandidate
from headcount.bridge.seed_search.search import Search
from headcount.bridge.seed_search.settings import SelectionSettings
from headcount.bridge.seed_search.shared_noise import SharedNoise
from headcount.core.attention.call_list import CallList
from headcount.core.attention.call_sums import MAX_SELF_PIXELS
from headcount.core.attention.localising import Heads, localised
from headcount.core.errors import CountError
from headcount.core.isac.schedule import instance_to_class
from headcount.core.isac.selection import SCORES, score_calls
from headcount.core.prompts import CONDITIONING_KEY, Counts
from torch import Tensor, nn

import nodes as comfy_nodes

from ..helpers.families import SMALL, Small, built
from ..helpers.models import (
    CPU,
    TINY_UNET,
    Setup,
    random_state_after,
    random_weights,
    sample,
    shapes_setup,
    shared_tiny,
    smallest,
    tiny_counts,
    weights_of,
)

EMPTY = torch.zeros(1, 4, 16, 16)
USUAL = SelectionSettings(3, 10, 3.0, "euler", "normal", candidates=6)  # 6 for 4 steps, 3 for 1 more


def choose(setup: Setup, settings: SelectionSettings = USUAL, **changes: Any) -> list[ScoredCandidate]:
    arguments = {"positive": setup.positive, "negative": setup.negative, "latent": {"samples": EMPTY}} | changes
    model = arguments.pop("model", setup.model)
    with torch.inference_mode():
        return select_candidates(Search(model, settings=settings, **arguments)).candidates


def scores(candidates: list[ScoredCandidate]) -> dict[int, float]:
    return {one.index: one.score for one in candidates}


class Watched:
    """A model that notes what it is asked: per call the noise level and the pictures, those of the positive prompt."""

    def __init__(self, model: comfy.model_patcher.ModelPatcher) -> None:
        self.model = model.clone()
        self.calls: list[tuple[float, Tensor]] = []
        self.model.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "watched", self._note)

    def _note(self, executor: Any, x: Tensor, t: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        options = args[3]
        for kind, part in zip(options["cond_or_uncond"], x.chunk(len(options["cond_or_uncond"])), strict=True):
            if kind == 0:
                self.calls.append((float(t[0]), part.clone()))
        return executor(x, t, *args, **kwargs)

    @property
    def asked(self) -> int:
        """How many pictures were shown."""
        return sum(len(pictures) for _, pictures in self.calls)


class Enough(Exception):
    """Ends a run of which no more is looked at."""


def scores_by_hand(
    setup: Setup,
    settings: SelectionSettings,
    latent: Tensor,
    index: int,
    most: int | None = None,
    heads: Heads | None = None,
) -> list[float]:
    """A plain run of one candidate, to its end or for `most` steps, and what attention (of `heads`) at each is worth."""
    found: list[float] = []

    class Recorded:
        why_nothing = ""

        def __init__(self, guider: Any, sigmas: Tensor, family: Any) -> None:
            self.counted = counted_conditionings(guider.conds["positive"], "a test", family)[0]
            self.family, self.steps, self.captures = family, len(sigmas) - 1, []
            timestep = guider.inner_model.model_sampling.timestep
            self.left = float(timestep(sigmas[0]) / timestep(guider.inner_model.model_sampling.sigma_max))

        def before_step(self, x: Tensor, _: Tensor, options: dict[str, Any], __: int) -> dict[str, Any]:
            if len(self.captures) == most:
                self.finish()
                raise Enough
            reader = self.family.reader((x.shape[-2], x.shape[-1]))
            calls = CallList(MAX_SELF_PIXELS, reader.one_grid)
            self.captures.append(Capture(reader, self.counted.conditioning["uuid"], calls))
            return hooked_options(options, self.captures[-1])

        def finish(self) -> None:
            for step, capture in enumerate(self.captures):
                weights = instance_to_class(step, self.steps, self.left)
                parts = [part for call in capture.sink.calls if (part := localised(call, heads or {})) is not None]
                found.append(float(score_calls(parts, self.counted.target, settings.score, weights)))

    model, _ = with_runs(setup.model, "by hand", RunNotes("a test"), Recorded)
    with torch.inference_mode(), suppress(Enough):
        comfy.sample.sample(
            model,
            comfy.sample.prepare_noise(latent, settings.seed, [index]),
            settings.steps,
            settings.cfg,
            settings.sampler,
            settings.scheduler,
            setup.positive,
            setup.negative,
            latent,
            denoise=settings.denoise,
            disable_pbar=True,
            seed=settings.seed,
        )
    return found


def ksampler(setup: Setup, settings: SelectionSettings, latent: dict[str, Any], model: Any = None) -> Tensor:
    """The node KSampler."""
    with torch.inference_mode():
        (out,) = comfy_nodes.KSampler().sample(
            model or setup.model,
            settings.seed,
            settings.steps,
            settings.cfg,
            settings.sampler,
            settings.scheduler,
            setup.positive,
            setup.negative,
            latent,
            settings.denoise,
        )
        return out["samples"]


def custom_sampler(setup: Setup, settings: SelectionSettings, latent: dict[str, Any], model: Any = None) -> Tensor:
    """The graph of SamplerCustomAdvanced."""
    with torch.inference_mode():
        model = model or setup.model
        (guider,) = CFGGuider.execute(model, setup.positive, setup.negative, settings.cfg).args
        (sampler,) = KSamplerSelect.execute(settings.sampler).args
        (sigmas,) = BasicScheduler.execute(model, settings.scheduler, settings.steps, settings.denoise).args
        noise = Noise_RandomNoise(settings.seed)
        return SamplerCustomAdvanced.execute(noise, guider, sampler, sigmas, latent).args[0]["samples"]


def assert_is_a_candidates_way(watched: Watched, picture: Watched, steps: int, row: int = 0) -> None:
    """The model saw each of the picture's states, from the first on, among the candidates."""
    for step in range(steps):
        level, states = picture.calls[step]
        shown = [pictures for at, pictures in watched.calls if at == level]
        apart = [float((pictures - states[row]).abs().amax((1, 2, 3)).min()) for pictures in shown]
        assert min(apart) < 1e-4 * float(states.abs().max()), f"step {step}"


@pytest.mark.parametrize("keep", [1, 2])
@pytest.mark.parametrize(
    ("run", "sampler"),
    [(ksampler, name) for name in ("euler", "heun", "dpmpp_2m", "uni_pc", "ipndm")]
    # Not uni_pc: BasicScheduler gives it other noise levels than KSampler does.
    + [(custom_sampler, name) for name in ("euler", "dpmpp_2m")],
)
def test_the_picture_is_the_candidate(run: Callable[..., Tensor], keep: int, sampler: str) -> None:
    setup = smallest()
    settings = replace(USUAL, steps=6, sampler=sampler, decide_at=1.0, candidates=4)
    watched, picture = Watched(setup.model), Watched(setup.model)
    with torch.inference_mode():
        start = {"samples": EMPTY.repeat(keep, 1, 1, 1)}
        found = select_latent(Search(watched.model, setup.positive, setup.negative, start, settings))
    assert found.latent["batch_index"] == [one.index for one in found.candidates[:keep]]
    samples = run(setup, settings, found.latent, picture.model)
    assert samples.shape == (keep, 4, 16, 16)
    for row in range(keep):
        assert_is_a_candidates_way(watched, picture, 6, row)


@pytest.mark.parametrize(
    "sampler", ["euler_ancestral", "dpmpp_sde", "dpmpp_2m_sde", "dpmpp_3m_sde", "lcm", "seeds_2", "er_sde", "ddpm"]
)
def test_noise_of_the_way_is_that_of_the_picture(sampler: str) -> None:
    """What a sampler draws at each step must not depend on how many candidates there are."""
    setup, settings = smallest(), replace(USUAL, steps=6, sampler=sampler, decide_at=1.0, candidates=4)
    watched, picture = Watched(setup.model), Watched(setup.model)
    with torch.inference_mode():
        latent = select_latent(
            Search(watched.model, setup.positive, setup.negative, {"samples": EMPTY}, settings)
        ).latent
    ksampler(setup, settings, latent, picture.model)
    assert_is_a_candidates_way(watched, picture, 6)


def test_noise_is_shared_only_where_it_is_for_all() -> None:
    def drawn(*size: Any, **more: Any) -> Tensor:
        return torch.randn(*size, generator=torch.Generator().manual_seed(1), **more)

    one, noise = drawn(1, 2, 3), SharedNoise(4)
    with noise:
        for all_of_them in (drawn(4, 2, 3), drawn((4, 2, 3)), drawn(size=(4, 2, 3)), drawn(torch.Size((4, 2, 3)))):
            assert torch.equal(all_of_them, one.repeat(4, 1, 1))
        assert drawn(5, 2).shape == (5, 2) and drawn(()).shape == ()
        like = torch.randn_like(torch.zeros(4, 2, 3))
        assert torch.equal(like, like[:1].repeat(4, 1, 1))
        with noise.paused():
            assert not torch.equal(drawn(4, 2, 3), one.repeat(4, 1, 1))
        assert torch.equal(drawn(4, 2, 3), one.repeat(4, 1, 1))
    assert not torch.equal(drawn(4, 2, 3), one.repeat(4, 1, 1))


def test_the_first_state_is_the_samplers_to_the_bit() -> None:
    setup = shapes_setup()
    watched, picture = Watched(setup.model), Watched(setup.model)
    with torch.inference_mode():
        latent = select_latent(Search(watched.model, setup.positive, setup.negative, {"samples": EMPTY}, USUAL)).latent
    ksampler(setup, USUAL, latent, picture.model)
    index = latent["batch_index"][0]
    assert torch.equal(watched.calls[0][1][index], picture.calls[0][1][0])
    assert_is_a_candidates_way(watched, picture, 5)


@pytest.mark.parametrize("model", [shapes_setup, shared_tiny, lambda: shared_tiny(True)], ids=["shapes", "eps", "flow"])
@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("denoise", [1.0, 0.6])
def test_scores_are_those_of_plain_runs(model: Callable[[], Setup], score: Any, denoise: float) -> None:
    setup, settings = model(), replace(USUAL, score=score, denoise=denoise, candidates=4, steps=6)
    generator = torch.Generator().manual_seed(0)
    latent = EMPTY if denoise == 1 else torch.randn(1, setup.channels, 16, 16, generator=generator)
    fixed = comfy.sample.fix_empty_latent_channels(setup.model, latent)
    found = choose(setup, settings, latent={"samples": latent})
    plain = {one.index: scores_by_hand(setup, settings, fixed, one.index, 3) for one in found}

    def worth(index: int, steps: int) -> float:
        return sum(plain[index][:steps]) if score == "paper" else plain[index][steps - 1]

    assert sorted(one.steps for one in found) == [2, 2, 3, 3]
    for one in found:
        assert one.score == pytest.approx(worth(one.index, one.steps), rel=2e-3, abs=2e-3)
    half_way = sorted(plain, key=lambda index: worth(index, 2))
    assert {one.index for one in found[:2]} == set(half_way[:2]) and found[0].score <= found[1].score


@pytest.mark.parametrize("one", SMALL, ids=lambda one: one.name)
def test_every_architecture(one: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    """In joint attention the heads that localise what the first candidate shows are read, of all candidates."""
    setup, settings = built(one.name), SelectionSettings(5, 3, 2.0, "euler", "simple", candidates=3)
    asked: list[Heads] = []

    def ask(*given: Any) -> Heads:
        asked.append(scouted_heads(*given))
        return asked[-1]

    monkeypatch.setattr(attention_scorer, "scouted_heads", ask)
    found = choose(setup, settings, latent={"samples": one.latent()})
    assert [one.steps for one in found] == [2, 2, 2] and len(set(scores(found).values())) == 3
    best = found[0]
    (heads,) = asked
    by_hand = scores_by_hand(setup, settings, one.latent(), best.index, 2, heads)
    assert best.score == pytest.approx(by_hand[1], rel=5e-3, abs=1e-3)


@pytest.mark.parametrize("name", ["Stable Diffusion 1.5", "Flux 1", "PixArt Alpha"])
def test_papers_score_on_architectures(name: str) -> None:
    one = next(one for one in SMALL if one.name == name)
    settings = SelectionSettings(5, 3, 2.0, "euler", "simple", candidates=3, score="paper")
    found = choose(built(name), settings, latent={"samples": one.latent()})
    by_hand = scores_by_hand(built(name), settings, one.latent(), found[0].index)
    assert found[0].score == pytest.approx(sum(by_hand[:2]), rel=5e-3)


def test_dropped_candidates_stop() -> None:
    setup = shared_tiny()
    watched = Watched(setup.model)
    found = choose(setup, replace(USUAL, steps=20, candidates=8), model=watched.model)
    assert [len(pictures) for _, pictures in watched.calls] == [8] * 8 + [4] * 2
    assert [one.steps for one in found] == [10] * 4 + [8] * 4
    kept, dropped = found[:4], found[4:]
    assert [one.score for one in kept] == sorted(one.score for one in kept)
    assert [one.score for one in dropped] == sorted(one.score for one in dropped)


def test_a_sampler_of_second_order_stops_within_its_last_step() -> None:
    watched = Watched(shared_tiny().model)
    choose(shared_tiny(), replace(USUAL, sampler="heun", candidates=2), model=watched.model)
    assert [len(pictures) for _, pictures in watched.calls] == [2] * 9, "two calls a step, and one in the fifth"


@pytest.mark.parametrize("sampler", comfy.samplers.SAMPLER_NAMES)
def test_every_sampler(sampler: str) -> None:
    settings = replace(USUAL, sampler=sampler, steps=5, candidates=4)
    watched = Watched(smallest().model)
    found = choose(smallest(), settings, model=watched.model)
    assert sorted(one.index for one in found) == [0, 1, 2, 3] and found[0].steps >= 2
    assert all(torch.isfinite(torch.tensor(one.score)) for one in found)
    pictures = [len(pictures) for _, pictures in watched.calls]
    assert pictures[0] == 4 and pictures == sorted(pictures, reverse=True)


@pytest.mark.parametrize("scheduler", comfy.samplers.SCHEDULER_NAMES)
def test_every_scheduler(scheduler: str) -> None:
    """Some make fewer or more steps than were asked for."""
    seen: list[tuple[int, int]] = []
    settings = replace(USUAL, scheduler=scheduler, steps=7, decide_at=1.0, candidates=3)
    found = choose(smallest(), settings, progress=lambda done, total, _: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] and found[0].steps == len(seen)


def packed(model: comfy.model_patcher.ModelPatcher) -> None:
    """Linear layers as ComfyUI-GGUF has them: integers in a Tensor subclass, which a layer of its own unpacks."""

    class Packed(torch.Tensor):
        """Integers and the size of their unit."""

        unit: float

    for layer in model.model.diffusion_model.modules():
        if isinstance(layer, nn.Linear):
            unit = float(layer.weight.abs().max()) / 127
            weight = (layer.weight / unit).round().to(torch.int8).as_subclass(Packed)
            weight.unit = unit
            del layer.weight
            layer.weight = weight

            def forward(x: Tensor, layer: nn.Linear = layer) -> Tensor:
                assert isinstance(layer.weight, Packed) and not torch.is_grad_enabled()
                unpacked = layer.weight.as_subclass(torch.Tensor).to(x.dtype) * layer.weight.unit
                return nn.functional.linear(x, unpacked, layer.bias)

            layer.forward = forward


def low_precision(kind: str) -> Setup:
    """The small Stable Diffusion with fp8 weights that are cast in every call, or with packed ones."""
    config = comfy.supported_models.SD15(dict(TINY_UNET))
    config.unet_config = {**TINY_UNET, "dtype": torch.float8_e4m3fn if kind == "fp8" else torch.float32}
    config.manual_cast_dtype = torch.float32 if kind == "fp8" else None
    with torch.inference_mode():
        base = comfy.model_base.BaseModel(config, device=CPU)
        base.diffusion_model.load_state_dict(random_weights(base.diffusion_model))
        patcher = comfy.model_patcher.ModelPatcher(base.eval(), CPU, CPU)
        if kind == "packed":
            packed(patcher)
    return replace(shared_tiny(), model=patcher)


@pytest.mark.parametrize("kind", ["fp8", "packed"])
def test_quantised_weights(kind: str) -> None:
    setup = low_precision(kind)
    kinds = {value.dtype for name, value in setup.model.model.named_parameters() if name.endswith("to_k.weight")}
    assert kinds == ({torch.float8_e4m3fn} if kind == "fp8" else set())
    found = choose(setup)
    by_hand = scores_by_hand(setup, USUAL, EMPTY, found[0].index, 5)
    assert found[0].score == pytest.approx(by_hand[4], rel=2e-3, abs=2e-3)
    assert scores(found) != scores(choose(shared_tiny())), "other weights, other scores"


def test_inpainting() -> None:
    """What is kept is shown to the model with the same noise as in the sampler's run."""
    setup, settings = shared_tiny(), replace(USUAL, decide_at=1.0)
    mask = torch.zeros(1, 64, 64)
    mask[..., :32] = 1
    start = {"samples": torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(1)), "noise_mask": mask}
    watched, picture = Watched(setup.model), Watched(setup.model)
    with torch.inference_mode():
        latent = select_latent(Search(watched.model, setup.positive, setup.negative, start, settings)).latent
    assert latent["noise_mask"] is mask and latent["samples"] is start["samples"]
    samples = ksampler(setup, settings, latent, picture.model)
    assert_is_a_candidates_way(watched, picture, 10)
    torch.testing.assert_close(samples[..., 9:], start["samples"][..., 9:], rtol=1e-3, atol=1e-3)


def test_image_to_image_tries_the_pictures_neighbourhood() -> None:
    setup, settings = shared_tiny(True), replace(USUAL, denoise=0.4, decide_at=1.0)
    start = {"samples": torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(1))}
    watched, picture = Watched(setup.model), Watched(setup.model)
    with torch.inference_mode():
        latent = select_latent(Search(watched.model, setup.positive, setup.negative, start, settings)).latent
    ksampler(setup, settings, latent, picture.model)
    assert_is_a_candidates_way(watched, picture, 10)
    assert watched.calls[0][0] < 1000 * 0.7, "the timestep at which the noise starts"


def test_cfg_1() -> None:
    setup, settings = shared_tiny(), replace(USUAL, cfg=1.0)
    found = choose(setup, settings)
    assert found[0].score == pytest.approx(scores_by_hand(setup, settings, EMPTY, found[0].index, 5)[4], rel=1e-3)


def test_negative_longer_than_positive() -> None:
    """ComfyUI repeats the positive tokens then; the words are still found in the prompt's own part."""
    setup = shared_tiny()
    longer = replace(setup, negative=[[setup.negative[0][0].repeat(1, 2, 1), {}]])
    found = choose(longer)
    assert found[0].score == pytest.approx(scores_by_hand(longer, USUAL, EMPTY, found[0].index)[4], rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("sampler", ["euler_cfg_pp", "dpmpp_2m_cfg_pp", "res_multistep_cfg_pp"])
def test_samplers_that_look_at_the_unguided_answer(sampler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """They see the whole batch, however few candidates the model is shown at once."""
    whole = choose(shared_tiny(), replace(USUAL, sampler=sampler))
    monkeypatch.setattr("headcount.bridge.seed_search.attention_scorer._MAX_AT_ONCE", 2)
    assert_same(choose(shared_tiny(), replace(USUAL, sampler=sampler)), whole)


def assert_same(found: list[ScoredCandidate], expected: list[ScoredCandidate]) -> None:
    """But for rounding: a batch of another size computes its sums in another order."""
    assert [(one.index, one.steps) for one in found] == [(one.index, one.steps) for one in expected]
    assert [one.score for one in found] == pytest.approx([one.score for one in expected], rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("at_once", [1, 4])
@pytest.mark.parametrize("score", SCORES)
def test_memory_decides_how_many_run_at_once(at_once: int, score: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    setup, settings = shared_tiny(), replace(USUAL, score=score)
    expected, watched = choose(setup, settings), Watched(setup.model)
    # A little more than ComfyUI wants to see free for a batch of that size, both prompts in it.
    free = 2 * 1.51 * at_once * setup.model.model.memory_required([1, 4, 16, 16])
    monkeypatch.setattr(
        comfy.model_management,
        "get_free_memory",
        lambda _=None, torch_free_too=False: (free, free) if torch_free_too else free,
    )
    assert_same(choose(setup, settings, model=watched.model), expected)
    calls = [len(pictures) for _, pictures in watched.calls]
    assert calls == ([1] * (6 * 4 + 3) if at_once == 1 else [4, 2] * 4 + [3])


def test_comfyui_makes_room_for_one_picture_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would push the model out of memory for a batch of 256."""
    shapes, real = [], comfy.sampler_helpers.estimate_memory

    def note(model: Any, shape: Any, conds: Any) -> Any:
        shapes.append(list(shape))
        return real(model, shape, conds)

    monkeypatch.setattr(comfy.sampler_helpers, "estimate_memory", note)
    choose(shared_tiny())
    assert shapes == [[1, 4, 16, 16]]


@pytest.mark.parametrize("step", [0, 2])
def test_out_of_memory_halves_the_batch(step: int) -> None:
    setup = shared_tiny()
    expected, watched = choose(setup), Watched(setup.model)
    calls = []

    def short(executor: Any, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        calls.append(len(x))
        if len(calls) > step and len(x) > 2 * 2:  # both prompts in one batch
            raise torch.OutOfMemoryError
        return executor(x, *args, **kwargs)

    watched.model.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "short", short)
    assert_same(choose(setup, model=watched.model), expected)
    assert max(calls[step + 2 :]) <= 4 and calls[step] == 12


def test_out_of_memory_for_one_is_an_error() -> None:
    model = shared_tiny().model.clone()

    def short(*_: Any, **__: Any) -> Tensor:
        raise torch.OutOfMemoryError

    model.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "short", short)
    with pytest.raises(torch.OutOfMemoryError):
        choose(shared_tiny(), model=model)


def test_nothing_changes_on_the_model() -> None:
    setup = shapes_setup()
    plain = sample(setup.model, setup)
    options, weights, wrappers = repr(setup.model.model_options), weights_of(setup.model), repr(setup.model.wrappers)
    first = choose(setup)
    assert (repr(setup.model.model_options), repr(setup.model.wrappers)) == (options, wrappers)
    assert weights_of(setup.model) == weights
    assert torch.equal(sample(setup.model, setup), plain)
    torch.manual_seed(5)
    assert choose(setup) == first


def test_nothing_holds_on_to_a_run() -> None:
    model, seen = shared_tiny().model.clone(), []

    def note(executor: Any, patcher: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(weakref.ref(patcher))
        return executor(patcher, *args, **kwargs)

    model.add_wrapper_with_key(WrappersMP.PREPARE_SAMPLING, "noted", note)
    gc.collect()
    gc.disable()
    try:
        choose(shared_tiny(), model=model)
        assert len(seen) == 1 and seen[0]() is None, "gone with the run, without the garbage collector"
    finally:
        gc.enable()


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m_sde", "euler_ancestral"])
def test_no_global_random_numbers(sampler: str) -> None:
    settings = replace(USUAL, sampler=sampler)
    untouched = random_state_after(lambda: None)
    assert random_state_after(lambda: choose(shared_tiny(), settings)) == untouched


def test_cancel_in_the_middle() -> None:
    setup = shared_tiny()
    plain, whole, weights = sample(setup.model, setup), choose(setup), weights_of(setup.model)
    watched, seen = Watched(setup.model), []

    def cancel(done: int, *_: Any) -> None:
        seen.append(done)
        comfy.model_management.interrupt_current_processing(len(seen) == 2)

    with pytest.raises(comfy.model_management.InterruptProcessingException):
        choose(setup, model=watched.model, progress=cancel)
    assert len(watched.calls) == len(seen) == 2, "within one step"
    assert not comfy.model_management.processing_interrupted()
    assert weights_of(setup.model) == weights
    assert torch.equal(sample(setup.model, setup), plain) and choose(setup) == whole
    assert choose(setup, model=watched.model) == whole, "the same model runs again"


def test_progress_and_previews(monkeypatch: pytest.MonkeyPatch) -> None:
    setup, seen = shapes_setup(), []
    monkeypatch.setattr(comfy.utils, "PROGRESS_BAR_HOOK", lambda *args, **_: seen.append(args))

    class Previewer:
        def decode_latent_to_preview_image(self, kind: str, latent: Tensor) -> tuple[str, tuple[int, ...]]:
            return kind, tuple(latent.shape)

    monkeypatch.setattr(latent_preview, "get_previewer", lambda *_: Previewer())
    with torch.inference_mode():
        select_latent(Search(setup.model, setup.positive, setup.negative, {"samples": EMPTY}, USUAL))
    assert [one[:2] for one in seen] == [(6, 27), (12, 27), (18, 27), (24, 27), (27, 27)]
    assert {one[2] for one in seen} == {("JPEG", (1, 8, 16, 16))}


def test_the_preview_is_the_leaders() -> None:
    setup, seen = shapes_setup(), []
    settings = replace(USUAL, decide_at=0.9, steps=10)
    found = choose(setup, settings, progress=lambda done, total, denoised: seen.append(denoised.clone()))
    picture = ksampler(setup, settings, {"samples": EMPTY, "batch_index": [found[0].index]})
    inner = setup.model.model.process_latent_in(picture)
    assert (seen[-1] - inner).norm() < 0.5 * inner.norm(), "almost done, so almost the picture"


def test_keeping_all_needs_no_sampling() -> None:
    watched = Watched(shared_tiny().model)
    latent = {"samples": EMPTY.repeat(3, 1, 1, 1)}
    found = choose(shared_tiny(), replace(USUAL, candidates=3), model=watched.model, latent=latent)
    assert found == [ScoredCandidate(0), ScoredCandidate(1), ScoredCandidate(2)] and not watched.calls
    assert score_table(found, 7) == "seed 7: all 3 candidates are kept, so none was tried"


def test_a_latent_that_has_batch_indices() -> None:
    setup = shared_tiny()
    latent = {"samples": EMPTY, "batch_index": [4], "something": "else"}
    with torch.inference_mode():
        found = select_latent(Search(setup.model, setup.positive, setup.negative, latent, USUAL))
    assert latent["batch_index"] == [4], "an input is not changed"
    assert found.latent["batch_index"] == [found.candidates[0].index] and found.latent["something"] == "else"
    assert_same(found.candidates, choose(setup))


def test_as_few_as_one_step() -> None:
    for settings in (replace(USUAL, decide_at=0.01), replace(USUAL, steps=1, decide_at=1.0)):
        assert {one.steps for one in choose(shared_tiny(), settings)} == {1}


def test_several_counted_conditionings() -> None:
    """All of their things are asked for together."""
    setup = shared_tiny()
    other = [[torch.randn(1, 7, 24, generator=torch.Generator().manual_seed(5)), {CONDITIONING_KEY: tiny_counts(3)}]]
    both = replace(setup, positive=setup.positive + other)
    first_only = [setup.positive[0], [other[0][0], {}]]
    # The first step's states are the same, and so is what the first conditioning sees.
    early = replace(USUAL, decide_at=0.01)
    found, one = scores(choose(both, early)), scores(choose(setup, early, positive=first_only))
    second = scores(choose(setup, early, positive=[[setup.positive[0][0], {}], other[0]]))
    assert {index: one[index] + second[index] for index in found} == pytest.approx(found, rel=1e-4)


def test_a_conditioning_that_ends_before_the_decision() -> None:
    """The last score that was seen decides."""
    setup = shared_tiny()
    early = [[text, {**options, "start_percent": 0.0, "end_percent": 0.25}] for text, options in setup.positive]
    late = [[setup.negative[0][0], {"start_percent": 0.25, "end_percent": 1.0}]]
    found = choose(setup, positive=early + late)
    assert 1 <= max(one.steps for one in found) < 4


@pytest.mark.parametrize(
    "other", [with_recorder, lambda model: with_isac(model, IsacSettings())], ids=["recorder", "isac"]
)
def test_other_nodes_of_this_pack_do_not_act_on_candidates(other: Any) -> None:
    setup = shared_tiny()
    model, maps = other(setup.model)
    before = repr(model.wrappers)
    assert choose(setup, model=model) == choose(setup)
    assert repr(model.wrappers) == before
    with pytest.raises(CountError, match="no attention was recorded"):
        maps.record_for(EMPTY)


def test_guidance_that_asks_the_model_again() -> None:
    setup = shared_tiny()
    with torch.inference_mode():
        (guided,) = PerturbedAttentionGuidance.execute(setup.model, 3.0).args
    found = choose(setup, model=guided)
    by_hand = scores_by_hand(replace(setup, model=guided), USUAL, EMPTY, found[0].index)
    assert found[0].score == pytest.approx(by_hand[4], rel=1e-3, abs=1e-3)


def test_candidate_pool() -> None:
    pool = CandidatePool(replace(USUAL, candidates=4, decide_at=1.0), 1, 5)
    for step in range(4):
        assert pool.alive == [0, 1, 2, 3]
        pool.add(torch.tensor([4.0, 1.0, float("nan"), 2.0]), step)
    assert pool.alive == [1, 3] and pool.best == 1 and pool.total == 18 and not pool.is_decided
    pool.add(torch.tensor([3.0, 2.5]), 4)
    assert pool.is_decided
    found = [(one.index, one.steps) for one in pool.candidates()]
    assert found == [(3, 5), (1, 5), (0, 4), (2, 4)]


def test_a_pool_where_nothing_is_seen() -> None:
    """Nobody is dropped unseen."""
    pool = CandidatePool(replace(USUAL, candidates=4, decide_at=1.0), 1, 5)
    for step in range(5):
        assert not pool.is_decided
        pool.add(None, step)
    assert len(pool.alive) == 4 and pool.is_decided and pool.total == 18
    early = CandidatePool(replace(USUAL, candidates=4), 1, 10)
    early.add(torch.tensor([4.0, 1.0, 3.0, 2.0]), 6)  # of a sampler that skips some steps
    assert early.is_decided and early.alive == [1]
    ended = CandidatePool(replace(USUAL, candidates=4), 1, 10)
    ended.add(torch.tensor([4.0, 1.0, 3.0, 2.0]), 0)
    ended.end()
    assert ended.is_decided and ended.alive == [1]


def test_progress_where_nothing_is_seen() -> None:
    """It stays within its total and ends there."""
    setup, told = shared_tiny(), []
    late = [[text, {**options, "start_percent": 1.0, "end_percent": 1.0}] for text, options in setup.positive]
    settings = replace(USUAL, candidates=4, decide_at=1.0, steps=5)
    late_only = {"positive": [*late, [setup.negative[0][0], {}]], "progress": lambda *one: told.append(one[:2])}
    with pytest.raises(CountError, match="saw no attention in these steps"):
        choose(setup, settings, **late_only)
    assert told == [(4, 18), (8, 18), (12, 18), (16, 18), (18, 18)]


LATENTS = {
    "pictures": {"samples": torch.randn(2, 4, 16, 16)},
    "masks": {"samples": EMPTY.repeat(2, 1, 1, 1), "noise_mask": torch.rand(2, 64, 64)},
    "streams": {"samples": comfy.nested_tensor.NestedTensor([EMPTY, EMPTY])},
    "frames": {"samples": torch.zeros(1, 4, 5, 16, 16)},
    "one frame": {"samples": torch.zeros(1, 4, 1, 16, 16)},
    "another VAE": {"samples": torch.randn(1, 16, 16, 16)},
}


@pytest.mark.parametrize(
    ("latent", "message"),
    [
        ("pictures", "tries noises for one image, and got a latent of 2 different images: .* Latent From Batch"),
        ("masks", "2 different masks"),
        ("streams", "several streams, such as video and sound"),
        ("frames", "this latent is a video of 5 latent frames"),
        ("one frame", "this latent is a video of 1 latent frame, and the model makes images"),
        (
            "another VAE",
            "this latent has 16 channels, and those of the model have 4: it comes from the VAE of another model",
        ),
    ],
)
def test_latents_that_are_refused(latent: str, message: str) -> None:
    with pytest.raises(CountError, match="^Noise Picker.*" + message):
        choose(shared_tiny(), latent=LATENTS[latent])


def test_a_video_is_refused_where_a_model_of_pictures_has_latents_of_videos() -> None:
    with pytest.raises(CountError) as raised:
        choose(built("Qwen-Image"), latent={"samples": torch.zeros(1, 16, 3, 16, 12)})
    assert str(raised.value) == (
        "Noise Picker reads images; this latent is a video of 3 latent frames. Connect an empty latent of one image"
    )


def test_fewer_candidates_than_pictures() -> None:
    latent = {"samples": EMPTY.repeat(7, 1, 1, 1)}
    with pytest.raises(CountError, match=r"the latent has 7 images\. Raise candidates, or lower the latent's batch"):
        choose(shared_tiny(), latent=latent)


def test_a_prompt_without_counts() -> None:
    setup = shared_tiny()
    nothing = Counts("", (), setup.counts.tokens, setup.counts.lengths, notes=("'no dogs' counts nothing",))
    with pytest.raises(CountError, match=r"nothing to choose by: the prompt counts nothing\. 'no dogs' counts nothing"):
        choose(setup, positive=[[setup.positive[0][0], {CONDITIONING_KEY: nothing}]])
    bare = [[setup.positive[0][0], {}]]
    with pytest.raises(CountError, match=r"Noise Picker does not know where the words .* Count Prompt"):
        choose(setup, positive=bare)
    assert choose(setup, positive=bare, counts=tiny_counts()) == choose(setup)


def test_counts_without_positions() -> None:
    setup = shared_tiny()
    bare = [[setup.positive[0][0], {}]]
    with pytest.raises(CountError, match=r"^COUNTS has no token positions; take it from the Count Prompt node$"):
        choose(setup, positive=bare, counts=replace(tiny_counts(), tokens={}))


def test_a_conditioning_that_is_not_active_in_time() -> None:
    setup = shared_tiny()
    late = [[text, {**options, "start_percent": 0.9, "end_percent": 1.0}] for text, options in setup.positive]
    with pytest.raises(CountError, match="saw no attention in these steps: the counted conditioning is not active"):
        choose(setup, positive=[*late, [setup.negative[0][0], {}]])


def test_models_that_are_refused() -> None:
    with pytest.raises(CountError, match=r"Noise Picker got no model"):
        choose(shared_tiny(), model=None)
    stranger = shared_tiny().model.clone()
    stranger.model = nn.Module()
    stranger.model.diffusion_model = nn.Linear(1, 1)
    with pytest.raises(CountError, match=r"Noise Picker cannot read the attention of this model .* It works with"):
        choose(shared_tiny(), model=stranger)


def test_a_sampler_of_tiles_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def tiles(model: Any, x: Tensor, sigmas: Tensor, extra_args: Any, callback: Any, disable: Any) -> Tensor:
        return model(x[..., :8], sigmas[:1].expand(len(x)), **extra_args)

    monkeypatch.setattr(comfy.samplers, "sampler_object", lambda _: comfy.samplers.KSAMPLER(tiles))
    with pytest.raises(CountError, match=r"cannot follow this sampler: .* of another size"):
        choose(shared_tiny())
