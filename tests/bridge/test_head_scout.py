"""A model of joint attention is asked, once, which heads localise the counted nouns; what reads them, and what it sees."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from headcount.bridge.demo_models.emoji import load_emoji_transformer, load_emoji_unet
from headcount.bridge.demo_models.emoji_counter import load_emoji_counter
from headcount.bridge.families.table import family_of
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.prompts.conditionings import CountedConditioning, counted_conditionings
from headcount.bridge.prompts.token_positions import encode_count_prompt
from headcount.bridge.recording import head_scout
from headcount.bridge.recording.head_scout import _NounMaps, scouted_heads
from headcount.bridge.recording.recorder import with_recorder
from headcount.core.attention import Heads, mean_heat
from torch import Tensor

from ..helpers.gradients import processed
from ..helpers.models import Run, Setup, sample

PROMPTS = {"three donuts": 3, "two oranges": 5, "four strawberries": 8}


@cache
def _loaded(kind: str) -> Any:
    with torch.inference_mode():
        return load_emoji_transformer() if kind == "transformer" else load_emoji_unet()


@cache
def _setup(kind: str, prompt: str) -> Setup:
    loaded = _loaded(kind)
    with torch.inference_mode():
        positive, _ = encode_count_prompt(loaded.clip, prompt)
        negative = loaded.clip.encode_from_tokens_scheduled(loaded.clip.tokenize(""))
    return Setup(loaded.model, positive, negative, 12)


def _counted(setup: Setup, x: Tensor) -> CountedConditioning:
    conditioning = processed(setup, x)
    return counted_conditionings([conditioning], "a test", family_of(setup.model, "a test"))[0]


def _auc(heat: Tensor, inside: Tensor) -> float:
    """How often a cell inside has more heat than one outside."""
    return float((heat[inside][:, None] > heat[~inside][None]).float().mean())


def _object_cells(latent: Tensor) -> Tensor:
    """(256,) cells of the latent in which the decider sees an object."""
    with torch.inference_mode():
        image = _loaded("transformer").vae.decode(latent)
        [boxes] = load_emoji_counter().count(image, ["orange"]).boxes
    inside = torch.zeros(16, 16, dtype=torch.bool)
    for box in boxes:
        left, top = round(box["x"] / 8), round(box["y"] / 8)
        right, bottom = round((box["x"] + box["width"]) / 8), round((box["y"] + box["height"]) / 8)
        inside[top : max(bottom, top + 1), left : max(right, left + 1)] = True
    return inside.flatten()


def test_the_heads_that_are_found_look_at_the_nouns_from_the_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the third of 20 steps, on the trained transformer; the mean of all heads looks from beside them."""
    seen: list[_NounMaps] = []
    monkeypatch.setattr(_NounMaps, "__init__", _watched(_NounMaps.__init__, seen))
    found, every = [], []
    for prompt, seed in PROMPTS.items():
        setup, states = _setup("transformer", prompt), []
        run = Run(steps=20, seed=seed, scheduler="simple")
        finished = sample(
            setup.model, setup, run, callback=lambda step, x0, x, total, kept=states: kept.append(x.clone())
        )
        inner = setup.model.model
        x, sigma = states[2], inner.model_sampling.percent_to_sigma(3 / 20)
        family, options = family_of(setup.model, "a test"), {"transformer_options": {}}
        inner.current_patcher = setup.model
        with torch.inference_mode():
            heads = scouted_heads(inner, family, _counted(setup, x), x, torch.tensor([sigma]), options)
        inside, maps = _object_cells(finished), seen[-1].maps
        assert 1 <= sum(len(own) for own in heads.values()) <= 5
        found.append(_auc(sum(maps[place][0, list(own)].sum(0) for place, own in heads.items()), inside))
        every.append(_auc(sum(own[0].sum(0) for own in maps.values()), inside))
    assert min(found) > 0.6 and sum(found) / 3 > 0.7 and sum(every) / 3 < 0.5


def _watched(init: Any, seen: list[_NounMaps]) -> Any:
    def started(self: _NounMaps, tokens: tuple[int, ...]) -> None:
        init(self, tokens)
        seen.append(self)

    return started


def test_a_model_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the first run of a size; what reads them makes no difference to the others."""
    asked: list[Heads] = []

    def ask(*given: Any) -> Heads:
        asked.append(scouted_heads(*given))
        return asked[-1]

    monkeypatch.setattr(head_scout, "scouted_heads", ask)
    setup = _setup("transformer", "three donuts")
    steered, _ = with_isac(setup.model, IsacSettings())
    samples = sample(steered, setup, Run(steps=3))
    assert len(asked) == 1 and asked[0] and torch.equal(sample(steered, setup, Run(steps=3)), samples)
    assert len(asked) == 1
    sample(steered, setup, Run(steps=3, size=(16, 24)))
    assert len(asked) == 2
    recorded, _ = with_recorder(setup.model)
    for _ in range(2):
        sample(recorded, setup, Run(steps=2))
    assert len(asked) == 3


def test_recorded_maps_show_where_the_objects_are() -> None:
    """And what is recorded is the plain image, to the bit."""
    found = []
    for prompt, seed in PROMPTS.items():
        setup, run = _setup("transformer", prompt), Run(steps=20, seed=seed, scheduler="simple")
        recorded, handle = with_recorder(setup.model)
        finished = sample(recorded, setup, run)
        assert torch.equal(finished, sample(setup.model, setup, run))
        record, _ = handle.record_for(finished)
        found.append(_auc(mean_heat(record, 1)[0, 0].flatten(), _object_cells(finished)))
    assert min(found) > 0.65 and sum(found) / 3 > 0.75


def test_a_recorder_beside_sees_the_samplers_calls_alone() -> None:
    """In front of Count Control and behind it."""
    setup, run = _setup("transformer", "three donuts"), Run(steps=3)
    first, before = with_recorder(setup.model)
    steered, own = with_isac(first, IsacSettings())
    last, behind = with_recorder(steered)
    samples = sample(last, setup, run)
    expected, *others = (handle.record_for(samples)[0].steps for handle in (own, before, behind))
    for steps in others:
        assert [one.step for one in steps] == [0, 1, 2]
        assert all(torch.equal(one.nouns, other.nouns) for one, other in zip(steps, expected, strict=True))


def test_other_models_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A U-Net's levels say which layers to read; a text of another length cannot be changed at the nouns' places."""
    unet = _setup("unet", "three donuts")
    x, sigma, options = torch.randn(1, 12, 16, 16), torch.tensor([0.9]), {"transformer_options": {}}
    monkeypatch.setattr(unet.model.model, "apply_model", _not_called)
    assert scouted_heads(unet.model.model, family_of(unet.model, "a test"), _counted(unet, x), x, sigma, options) == {}
    setup = _setup("transformer", "three donuts")
    counted = _counted(setup, x)
    longer = torch.cat([counted.conditioning["model_conds"]["c_crossattn"].cond] * 2, dim=1)
    counted.conditioning["model_conds"]["c_crossattn"].cond = longer
    monkeypatch.setattr(setup.model.model, "apply_model", _not_called)
    assert scouted_heads(setup.model.model, family_of(setup.model, "a test"), counted, x, sigma, options) == {}


def _not_called(*_: Any, **__: Any) -> None:
    raise AssertionError("the model was asked")
