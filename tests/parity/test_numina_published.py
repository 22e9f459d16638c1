"""NUMINA's methods *paper* and *release*, each sampled end to end and by hand: plain loops over steps, frames and cells.

By hand: Euler on Wan's own classes with an attention function of this file, so that nothing of the pack but the functions
that test_numina_parity.py holds against the released code (clusters, head choice, one frame's refinement) is between the two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import comfy.ldm.wan.model
import comfy.sample
import comfy.samplers
import pytest
import torch
from headcount.bridge.numina.node import with_numina
from headcount.bridge.numina.settings import NuminaSettings
from headcount.core.numina import LayoutSettings, Reading, read_layouts
from headcount.core.numina.settings import PublishedSettings
from headcount.core.prompts import CONDITIONING_KEY
from headcount.core.prompts.carried import as_carried
from torch import Tensor

from ..helpers.families import build
from ..helpers.models import Run, Setup, sample
from ..helpers.video_models import video

STEPS, REFERENCE, BLOCK = 20, 8, 1  # 0.4 of the steps; the middle one of two blocks
GRID, FRAMES, HEADS = (12, 14), 3, 4
CELLS = GRID[0] * GRID[1]
NOUNS, ASKED = ((2,), (4,)), (2, 5)
SHARP = 8.0  # with which random attention falls into clusters: 2 3 2 and 3 5 4 in the frames of the paper's reading
RUN = Run(steps=STEPS, cfg=2.0, scheduler="simple", latent=torch.zeros(1, 16, FRAMES, 2 * GRID[0], 2 * GRID[1]))


@dataclass(frozen=True)
class Rules:
    """What the paper and the released code do otherwise.

    Attributes:
        frame_local: block l* attends within frames at step t*.
        peak: a noun's map is that of the head with the highest peak in a frame, not the mean.
        cached: EasyCache on the way to t*.
        overwritten: added cells score m * delta in every head, and removed ones nothing, to the last step.
        layout: of the reading.
    """

    frame_local: bool
    peak: bool
    cached: bool
    overwritten: bool
    layout: PublishedSettings


RULES = {
    "paper": Rules(False, True, False, True, PublishedSettings(focus_ratio=0.1, earlier="last")),
    "release": Rules(True, False, True, False, PublishedSettings(head_components="first3")),
}


@dataclass
class ByHand:
    """Wan's attention function, in a block's order: to the frames, then to the text.

    Attributes:
        reads: it takes in what block l* shows.
        delta: strength of the guidance; 0 for none.
        after: (K, F * P) layout.
    """

    rules: Rules
    reads: bool = False
    delta: float = 0.0
    after: Tensor | None = None
    shown: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)
    _calls: int = 0

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, heads: int, **_: Any) -> Tensor:
        queries, keys, values = (one.unflatten(-1, (heads, -1))[0].transpose(0, 1) for one in (q, k, v))
        block, kind = divmod(self._calls, 2)
        self._calls = (self._calls + 1) % 4
        scores = queries @ keys.mT * queries.shape[-1] ** -0.5
        if self.reads and block == BLOCK:
            self.shown[kind] = queries, keys
            if self.rules.frame_local and kind == 0:
                frame = torch.arange(FRAMES * CELLS) // CELLS
                scores = scores.masked_fill(frame[:, None] != frame, -math.inf)
        if self.delta and kind == 1:
            scores = self._guided(scores)
        return (scores.softmax(-1) @ values).transpose(0, 1).flatten(1)[None]

    def _guided(self, scores: Tensor) -> Tensor:
        """(H, L, T) scores with a layout written in."""
        assert self.after is not None
        found, mean = scores.clone(), scores.mean(0)
        for after, (column,) in zip(self.after, NOUNS, strict=True):
            for frame in range(FRAMES):
                own = range(frame * CELLS, (frame + 1) * CELLS)
                numbers = [int(after[cell]) for cell in own]
                areas = {number: numbers.count(number) for number in numbers if 1 <= number <= 99}
                copied = min(areas, key=lambda number: (areas[number], number)) if areas else None
                wanted = sum(mean[cell, column] for cell in own if after[cell] == copied) / max(areas.get(copied, 0), 1)
                for cell in own:
                    if after[cell] == -1:
                        found[:, cell, column] += -1e4 if self.rules.overwritten else -10 * self.delta
                    elif after[cell] >= 100 and copied is None:
                        found[:, cell, column] += 0.8 * self.delta
                    elif after[cell] >= 100 and self.rules.overwritten:
                        found[:, cell, column] = wanted * self.delta
                    elif after[cell] >= 100:
                        found[:, cell, column] += wanted * self.delta - mean[cell, column]
        return found

    def layout(self) -> Tensor:
        """(K, F * P) of what was shown, with the asked number of instances."""
        (queries, keys), (cross, text) = self.shown[0], self.shown[1]
        looks = (cross @ text.mT * cross.shape[-1] ** -0.5).softmax(-1)
        maps = torch.zeros(len(NOUNS), FRAMES, CELLS)
        for noun, (column,) in enumerate(NOUNS):
            for frame in range(FRAMES):
                heads = looks[:, frame * CELLS : (frame + 1) * CELLS, column]
                maps[noun, frame] = heads[heads.amax(1).argmax()] if self.rules.peak else heads.mean(0)
        by_frame = [one.unflatten(1, (FRAMES, CELLS)).transpose(0, 1) for one in (queries, keys)]
        settings = LayoutSettings(published=self.rules.layout)
        found = read_layouts(Reading(by_frame[0], by_frame[1], maps, GRID), ASKED, settings)
        assert (found.after == -1).any() and (found.after >= 100).any(), "there is something to add and to remove"
        return found.after.flatten(1)


class Skipped:
    """EasyCache as NUMINA's code has it."""

    def __init__(self) -> None:
        self.error, self.skipped, self.k = 0.0, 0, 0.0
        self.known: tuple[Tensor, Tensor, Tensor] | None = None

    def answers(self, step: int, x: Tensor, model: Any) -> tuple[Tensor, Tensor]:
        """What the positive and the negative prompt predict."""
        if self.known and step != REFERENCE and step >= STEPS / 5 and self.error < 0.05:
            old_x, good, bad = self.known
            self.error += float(self.k * (x - old_x).abs().mean() / good.abs().mean())
            self.skipped += 1
            return x + good - old_x, x + bad - old_x
        good, bad = model(x, True), model(x, False)
        if self.known:
            self.k = float((good - self.known[1]).abs().mean() / (x - self.known[0]).abs().mean())
        self.known, self.error = (x, good, bad), 0.0
        return good, bad


def delta(step: int) -> float:
    """Of the authors' 50 steps."""
    return 0.25 * (4 - 3 * math.tanh(step * 50 / STEPS - 25))


def sampled_by_hand(setup: Setup, rules: Rules, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    hand, base = ByHand(rules), setup.model.model
    monkeypatch.setattr(comfy.ldm.wan.model, "optimized_attention", hand)
    sigmas = comfy.samplers.calculate_sigmas(base.model_sampling, RUN.scheduler, STEPS)
    assert RUN.latent is not None
    noise = comfy.sample.prepare_noise(RUN.latent, RUN.seed)

    def predicted(x: Tensor, sigma: Tensor, positive: bool) -> Tensor:
        """The model's velocity."""
        text = (setup.positive if positive else setup.negative)[0][0]
        return base.diffusion_model(x, sigma.view(1) * base.model_sampling.multiplier, context=text)

    def moved(x: Tensor, step: int, answers: tuple[Tensor, Tensor]) -> Tensor:
        good, bad = answers
        return x + (bad + RUN.cfg * (good - bad)) * (sigmas[step + 1] - sigmas[step])

    cache, x = Skipped(), noise * sigmas[0]
    for step in range(REFERENCE + 1):
        hand.reads = step == REFERENCE
        if hand.reads:
            predicted(x, sigmas[step], True)
            break
        model = lambda x, positive, sigma=sigmas[step]: predicted(x, sigma, positive)  # noqa: E731
        answers = cache.answers(step, x, model) if rules.cached else (model(x, True), model(x, False))
        x = moved(x, step, answers)
    assert (cache.skipped > 0) == rules.cached
    hand.after, hand.reads, x = hand.layout(), False, noise * sigmas[0]
    for step in range(STEPS):
        ends = not rules.overwritten and delta(step) <= 0.25
        hand.delta = 0.0 if ends else delta(step)
        good = predicted(x, sigmas[step], True)
        hand.delta = 0.0
        x = moved(x, step, (good, predicted(x, sigmas[step], False)))
    monkeypatch.undo()
    return base.process_latent_out(x)


@pytest.fixture(scope="module")
def setup() -> Setup:
    """A small Wan 2.1 whose prompt asks for more and fewer than its random attention shows."""
    made = build(video("Wan 2.1"))
    block = made.model.model.diffusion_model.blocks[BLOCK]
    with torch.inference_mode():
        for attention in (block.self_attn, block.cross_attn):
            attention.norm_q.weight.mul_(SHARP)
    objects = tuple(replace(item, count=count) for item, count in zip(made.counts.objects, ASKED, strict=True))
    counts = replace(made.counts, objects=objects)
    return replace(made, positive=[[made.positive[0][0], {CONDITIONING_KEY: as_carried(counts)}]])


@pytest.mark.parametrize("method", list(RULES))
def test_each_method_is_what_it_is_called(method: Any, setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    guided, _ = with_numina(setup.model, NuminaSettings(method=method))
    with torch.inference_mode():
        expected = {name: sampled_by_hand(setup, rules, monkeypatch) for name, rules in RULES.items()}
    found = sample(guided, setup, RUN)
    distances = {name: float((found - own).abs().mean() / own.abs().mean()) for name, own in expected.items()}
    assert distances.pop(method) < 1e-4
    assert min(distances.values()) > 1e-2
