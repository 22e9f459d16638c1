"""A model of joint attention is asked, once, which heads localise the counted nouns; what reads them, and what it sees."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from comfy_extras.nodes_easycache import EasyCacheNode
from headcount.bridge.demo_models.emoji import load_emoji_transformer, load_emoji_unet
from headcount.bridge.demo_models.emoji_counter import load_emoji_counter
from headcount.bridge.families.table import family_of
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.prompts.conditionings import CountedConditioning, counted_conditionings
from headcount.bridge.prompts.token_positions import encode_count_prompt
from headcount.bridge.recording import head_scout
from headcount.bridge.recording.head_scout import scouted_heads
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


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Heads]:
    """Each time that a model is asked, what was found."""
    answers: list[Heads] = []

    def ask(*given: Any) -> Heads:
        answers.append(scouted_heads(*given))
        return answers[-1]

    monkeypatch.setattr(head_scout, "scouted_heads", ask)
    return answers


def test_a_patched_model_is_asked_once_for_each_prompt_and_size(asked: list[Heads]) -> None:
    """Not for each seed; a recorder asks for itself, and a video model is not asked."""
    setup, other = (_setup("transformer", prompt) for prompt in ("three donuts", "two oranges"))
    steered, _ = with_isac(setup.model, IsacSettings())
    for run in (Run(steps=3), Run(steps=3), Run(steps=3, seed=9)):
        sample(steered, setup, run)
    assert len(asked) == 1 and 1 <= sum(len(heads) for heads in asked[0].values()) <= 5
    sample(steered, setup, Run(steps=3, size=(16, 24)))
    sample(steered, setup, Run(steps=3), positive=other.positive)
    assert len(asked) == 3
    recorded, _ = with_recorder(setup.model)
    for _ in range(2):
        sample(recorded, setup, Run(steps=2))
    assert len(asked) == 4 and asked[3] == asked[0]


def test_what_ran_before_makes_no_difference() -> None:
    """The same prompt and seed give the same image, whatever prompt the model has drawn since it was loaded."""
    setup, other = (_setup("transformer", prompt) for prompt in ("three donuts", "four strawberries"))
    fresh, used = (with_isac(setup.model, IsacSettings())[0] for _ in range(2))
    sample(used, setup, Run(steps=3, seed=5), positive=other.positive)
    assert torch.equal(sample(used, setup, Run(steps=3)), sample(fresh, setup, Run(steps=3)))


def test_the_papers_objective_reads_all_heads_and_its_maps_the_localising_ones(asked: list[Heads]) -> None:
    setup = _setup("transformer", "three donuts")
    paper, handle = with_isac(setup.model, IsacSettings(objective="paper"))
    samples = sample(paper, setup, Run(steps=2))
    assert len(asked) == 1
    recorded, other = with_recorder(setup.model)
    plain = sample(recorded, setup, Run(steps=2))
    shape = other.record_for(plain)[0].cross_attention.shape
    assert handle.record_for(samples)[0].cross_attention.shape == shape


def test_a_cache_of_answers_is_the_samplers_own() -> None:
    """EasyCache goes by the calls that it sees: the scout's are not among them."""
    setup, run = _setup("transformer", "three donuts"), Run(steps=8)
    cached = EasyCacheNode.execute(setup.model, 0.5, 0.0, 0.95, False).args[0]
    recorded, _ = with_recorder(cached)
    assert torch.equal(sample(recorded, setup, run), sample(cached, setup, run))


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
    assert min(found) > 0.65 and sum(found) / len(found) > 0.75


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
    x, options = torch.randn(1, 12, 16, 16), {"transformer_options": {}}
    monkeypatch.setattr(unet.model.model, "apply_model", _not_called)
    assert scouted_heads(unet.model.model, family_of(unet.model, "a test"), _counted(unet, x), x, options) == {}
    setup = _setup("transformer", "three donuts")
    counted = _counted(setup, x)
    longer = torch.cat([counted.conditioning["model_conds"]["c_crossattn"].cond] * 2, dim=1)
    counted.conditioning["model_conds"]["c_crossattn"].cond = longer
    monkeypatch.setattr(setup.model.model, "apply_model", _not_called)
    assert scouted_heads(setup.model.model, family_of(setup.model, "a test"), counted, x, options) == {}


def _not_called(*_: Any, **__: Any) -> None:
    raise AssertionError("the model was asked")
