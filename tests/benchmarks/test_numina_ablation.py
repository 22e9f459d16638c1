"""NUMINA with one part exchanged: its defaults are the node's method *paper*, and each choice samples another video."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from headcount.core.errors import CountError
from headcount.core.prompts import CONDITIONING_KEY
from headcount.core.prompts.carried import as_carried
from torch import Tensor

from benchmarks.ablation_nodes.numina import NODE_ID
from benchmarks.lab.node_methods import KINDS, read_method

from ..helpers.models import Setup, sample
from ..parity.test_numina_published import ASKED, RUN, setup

__all__ = ["setup"]  # a fixture
SHORT = replace(RUN, steps=5)


def made(setup: Setup, text: str) -> Tensor:
    ((name, settings),) = read_method(text).parts.items()
    return sample(KINDS[name].node.execute(model=setup.model, **settings).args[0], setup, SHORT)


def test_is_known_by_its_id() -> None:
    assert KINDS["numina_ablation"].node_id == NODE_ID


def test_the_defaults_are_the_papers(setup: Setup) -> None:
    assert torch.equal(made(setup, "numina:method=paper"), made(setup, "numina_ablation"))


def asking(setup: Setup, *asked: int) -> Setup:
    """The same prompt with other counts."""
    objects = tuple(replace(item, count=count) for item, count in zip(setup.counts.objects, asked, strict=True))
    carried = {CONDITIONING_KEY: as_carried(replace(setup.counts, objects=objects))}
    return replace(setup, positive=[[setup.positive[0][0], carried]])


@pytest.mark.parametrize(
    ("published", "choices", "asked"),
    [
        ("cost=all", ("cost=overlap", "cost=overlap-temporal"), (5, 7)),
        ("heads=top1", ("heads=top2", "heads=top3", "heads=mean", "heads=random", "heads=random:head_seed=1"), ASKED),
        ("overlap=0.2", ("corrections=addition", "corrections=removal", "overlap=0.9"), ASKED),
        ("overlap=1", ("overlap=1:stand_in=rectangle", "overlap=1:stand_in=nothing", "overlap=1:circle=0.5"), ASKED),
    ],
)
def test_each_choice_samples_another_video(
    setup: Setup, published: str, choices: tuple[str, ...], asked: tuple[int, int]
) -> None:
    """Nothing is found where a region must lie in its noun as a whole, so that something stands for an instance."""
    texts, own = (published, *choices), asking(setup, *asked)
    videos = [made(own, f"numina_ablation:{text}") for text in texts]
    alike = [
        (texts[one], texts[two])
        for two in range(len(texts))
        for one in range(two)
        if torch.equal(videos[one], videos[two])
    ]
    assert not alike


def test_terms_of_the_cost(setup: Setup) -> None:
    """A term without weight is none"""
    own = asking(setup, 5, 7)
    pairs = (("cost=overlap", "cost=overlap-temporal:lambda_temporal=0"), ("cost=overlap-center", "lambda_temporal=0"))
    for one, other in pairs:
        assert torch.equal(made(own, f"numina_ablation:{one}"), made(own, f"numina_ablation:{other}"))


def test_what_there_is_not_is_said(setup: Setup) -> None:
    with pytest.raises(CountError, match="numina_ablation has no heads 'top9'; it has top1, top2"):
        made(setup, "numina_ablation:heads=top9")


@pytest.mark.parametrize("cost", ["overlap", "overlap-center"])
def test_a_weight_without_a_term_is_refused(setup: Setup, cost: str) -> None:
    with pytest.raises(CountError, match=f"cost={cost} has no temporal term that lambda_temporal=4 could weigh: leave"):
        made(setup, f"numina_ablation:cost={cost}:lambda_temporal=4")
