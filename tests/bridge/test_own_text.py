"""Tokens that other nodes put in front of a prompt's, or behind them: the prompt's own are found again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from headcount.bridge.families.table import RECORDED_FAMILIES, family_of
from headcount.bridge.prompts.conditionings import CountedConditioning, counted_conditionings
from headcount.bridge.prompts.own_text import KEY, ends_of, tokens_in_front
from headcount.bridge.recording.recorder import with_recorder
from headcount.core.errors import CountError
from torch import Tensor

import nodes as comfy_nodes

from ..helpers.families import SMALL, built
from ..helpers.models import Run, Setup, sample, shapes_setup
from ..helpers.video_models import VIDEOS, built_video

NODE = "a test"
FRONT = 9
MODELS = [one.name for one in (*SMALL, *VIDEOS)]
FILLED_UP = ("Flux 2", "LTX-2", "LTX-2.3", "Anima")  # to one length


def random_like(text: Tensor, tokens: int = FRONT) -> Tensor:
    return torch.randn(1, tokens, text.shape[-1], generator=torch.Generator().manual_seed(3))


def with_text(setup: Setup, text: Tensor, **more: Any) -> Setup:
    """The setup with another text, known by the ends of its own one."""
    own, options = setup.positive[0]
    return replace(setup, positive=[[text, {**options, KEY: ends_of(own), **more}]])


def counted(setup: Setup) -> CountedConditioning:
    text, options = setup.positive[0]
    family = family_of(setup.model, NODE, RECORDED_FAMILIES)
    return counted_conditionings([{"cross_attn": text, "uuid": 1, **options}], NODE, family)[0]


def made(name: str) -> Setup:
    return built(name) if name in [one.name for one in SMALL] else built_video(name)


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("Stable Diffusion 3", "Mochi", "HiDream I1")])
@pytest.mark.parametrize("behind", [0, 2])
def test_tokens_in_front_move_the_nouns(name: str, behind: int) -> None:
    """Also where more tokens follow, or the model fills its text up; one that it pads in front to one length keeps its places.

    Anima's words are T5's tokens beside the text, which nothing moves.
    """
    setup = made(name)
    own = setup.positive[0][0]
    text = torch.cat([random_like(own), own, random_like(own, behind)], 1)
    before, after = counted(setup), counted(with_text(setup, text))
    moved = {"Flux 2": -behind, "Anima": 0}.get(name, FRONT)
    longer = 0 if name in FILLED_UP else FRONT + behind
    assert after.target.tokens == tuple(tuple(place + moved for place in noun) for noun in before.target.tokens)
    assert after.text_layout.length == before.text_layout.length + longer


@pytest.mark.parametrize("name", ["Stable Diffusion 3", "HiDream I1"])
def test_tokens_in_front_of_several_encoders_texts(name: str) -> None:
    """Where these lie is seen in the features themselves."""
    setup = made(name)
    own = setup.positive[0][0]
    after = counted(with_text(setup, torch.cat([random_like(own), own], 1)))
    before = counted(setup)
    first = tuple(min(noun) for noun in before.target.tokens)
    assert tuple(min(noun) for noun in after.target.tokens) == tuple(place + FRONT for place in first)


@pytest.mark.parametrize("change", ["nothing", "behind", "stronger", "half"])
def test_nothing_is_in_front(change: str) -> None:
    setup = built("Flux 1")
    own = setup.positive[0][0]
    text = {
        "nothing": own,
        "behind": torch.cat([own, random_like(own)], 1),
        "stronger": torch.cat([own * 1.2, random_like(own)], 1),
        "half": torch.cat([own.half(), random_like(own).half()], 1),
    }[change]
    assert counted(with_text(setup, text)).target.tokens == counted(setup).target.tokens


def test_half_precision_in_front() -> None:
    own = built("Flux 1").positive[0][0]
    text = torch.cat([random_like(own), own], 1).half()
    assert tokens_in_front({"cross_attn": text, KEY: ends_of(own)}) == FRONT


def test_a_text_of_other_features_is_not_looked_through() -> None:
    own = built("Flux 1").positive[0][0]
    assert tokens_in_front({"cross_attn": torch.cat([own, own], -1), KEY: ends_of(own)}) == 0
    assert tokens_in_front({"cross_attn": own[:, 1:], KEY: ends_of(own)}) == 0


def test_count_prompt_says_what_its_text_is_known_by() -> None:
    """In runs; behind it stands what ComfyUI's own node puts there."""
    setup, run = shapes_setup(), Run(steps=2)
    own, options = setup.positive[0]
    joined = torch.cat([random_like(own), own], 1)
    model, maps = with_recorder(setup.model)
    record, belongs = maps.record_for(sample(model, setup, run, positive=[[joined, options]]))
    plain, _ = maps.record_for(sample(model, setup, run))
    assert belongs and record.noun_tokens == tuple(tuple(place + FRONT for place in noun) for noun in plain.noun_tokens)
    (behind,) = comfy_nodes.ConditioningConcat().concat(setup.positive, [[random_like(own), {}]])
    record, _ = maps.record_for(sample(model, setup, run, positive=behind))
    assert record.noun_tokens == plain.noun_tokens


def test_a_text_that_was_cut_is_still_refused() -> None:
    setup = built("Flux 1")
    with pytest.raises(CountError, match="connect the conditioning of the same Count Prompt"):
        counted(with_text(setup, setup.positive[0][0][:, 2:]))
