"""Generate Until Right: finishes what looks right half-way, counts it, repairs it where little is wrong, and else goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import comfy.sample
import torch
from comfy_execution.graph_utils import ExecutionBlocker
from torch import Tensor

from ...core.counting import Counter, counts_in_words
from ..comfyui.node_text import NodeResult
from ..counters.count_check import BEST
from ..counters.inputs import checked_counter, require_loader
from ..families.table import FAMILIES
from ..isac.control import IsacSettings, fast_steps, with_isac
from ..prompts.conditionings import WRITE_A_NUMBER
from ..prompts.token_positions import encode_count_prompt
from ..sampling.image import ImageInputs, sampled_image
from ..seed_search.search import Search
from ..seed_search.settings import SearchSettings, seed_after
from .budget import Budget
from .count_repair import asked_of
from .half_way import HALF_WAY, HalfWay
from .painter import Painter, unsteered
from .repair import Looked, Repair, Repaired, look, unchanged
from .settings import RepairSettings, UntilRightSettings
from .tries import Start, Tried, Tries

_NODE = UntilRightSettings.node


@dataclass(frozen=True)
class UntilRight:
    """What Generate Until Right hands on.

    Attributes:
        images: (n, H, W, 3) the right images, or the nearest one where none is; blocked where nothing may follow.
        is_right: whether any is right.
        seed: of the first of these images.
        table: one line per try.
        result: what the node says.
        shown: (n, H, W, 3) what the node itself shows, never blocked.
    """

    images: Tensor | ExecutionBlocker
    is_right: bool
    seed: int
    table: str
    result: NodeResult
    shown: Tensor


@dataclass(frozen=True)
class Request:
    """What is to be made, and with what.

    Attributes:
        model, clip, vae: of a loader.
        counter: judges each image.
        text, negative, objects: as Count Prompt and CLIP Text Encode take them.
        if_none_right: BEST or STOP, as of Count Check.
    """

    model: Any
    clip: Any
    vae: Any
    counter: Any
    text: str
    negative: str
    settings: UntilRightSettings
    objects: str = ""
    if_none_right: str = BEST


def generate_until_right(request: Request) -> UntilRight:
    """Try seeds until enough images are right, or tries or budget are spent.

    Raises:
        CountError: something is not connected, or nothing is asked for.
    """
    require_loader(_NODE, model=request.model, vae=request.vae)
    run = _Run(request)
    try:
        for start in run.starts():
            run.finish(start)
            if len(run.tries.right) >= request.settings.pictures:
                break
    finally:
        run.tries.say("")
    return _handed_on(run, request.if_none_right)


class _Run:
    """One execution of the node.

    Attributes:
        asked: noun in the plural -> number.
        tries: what was begun and made.
        budget: what was spent.
        note: what the user should know.
    """

    def __init__(self, request: Request) -> None:
        settings = request.settings
        self._request, self._settings = request, settings
        self._counter: Counter = checked_counter(request.counter, _NODE)
        self._positive, counts = encode_count_prompt(request.clip, request.text, request.objects)
        self._negative = request.clip.encode_from_tokens_scheduled(request.clip.tokenize(request.negative))
        self.asked: Mapping[str, int] = asked_of(counts, _NODE, fix=f"{WRITE_A_NUMBER}, or fill in objects")
        can_steer = any(family.has(request.model.model) for family in FAMILIES)
        steers = settings.isac == "fast" and can_steer
        self.note = "" if can_steer or settings.isac == "off" else "this model cannot be steered by ISAC"
        self._model = with_isac(request.model, IsacSettings(mode="fast"))[0] if steers else request.model
        self._painter = Painter(
            model=unsteered(request.model), clip=request.clip, vae=request.vae, positive=self._positive,
            negative=self._negative, counts=counts,
            settings=RepairSettings(**settings.of_sampler(), rounds=settings.rounds),
        )  # fmt: skip
        self.budget = Budget(settings.budget, settings.steps, fast_steps(settings.steps) if steers else range(0))
        self.tries = Tries(request.model, settings)

    def starts(self) -> Iterator[Start]:
        """Images that are worth finishing, for as long as the budget allows."""
        if self._settings.search == "half-way":
            return HalfWay(self._search(), self._counter, self.asked, self.tries, self.budget).starts()
        return self._every_seed()

    def _every_seed(self) -> Iterator[Start]:
        cost = self.budget.cost(0, self._settings.steps)
        while self.tries.are_left and self.budget.allows(cost):
            self.tries.begin()
            seed = seed_after(self._settings.seed, self.tries.begun - 1)
            yield Start(seed, f"seed {seed}", self._model, cost)

    def _search(self) -> Search[SearchSettings]:
        settings = self._settings
        return Search(
            model=self._model, positive=self._positive, negative=self._negative, latent={"samples": self._empty},
            vae=self._request.vae, progress=self.tries.step_done,
            settings=SearchSettings(
                **settings.of_sampler(), denoise=settings.denoise, seeds=settings.tries, decide_at=HALF_WAY, look="own steps"
            ),
        )  # fmt: skip

    @property
    def _empty(self) -> Tensor:
        settings = self._settings
        empty = torch.zeros(1, 4, settings.height // 8, settings.width // 8)
        return comfy.sample.fix_empty_latent_channels(self._request.model, empty, 8)

    def finish(self, start: Start) -> None:
        """Make, count and repair one image."""
        inputs = ImageInputs(self._positive, self._negative, self._empty, self._request.vae)
        image = sampled_image(start.model, inputs, self._settings, start.seed, self.tries.step_done)
        looked = look(self._counter, image, self.asked)
        self.budget.spent += start.cost
        self.tries.show(looked.image)
        repaired = self._repaired(looked, start)
        self.tries.made.append(Tried(start.seed, start.name, repaired))
        self.tries.lines[start.name] = repaired.words
        self.tries.show(repaired.after.image)

    def _repaired(self, looked: Looked, start: Start) -> Repaired:
        """The image repaired, where it is worth it and the budget allows."""
        settings, painter = self._settings, self._painter
        if not 0 < looked.misses <= settings.repair_up_to or not settings.rounds or not looked.says_where:
            return unchanged(looked)
        seeded = replace(painter, settings=replace(painter.settings, seed=start.seed))
        repair = Repair(seeded, self._counter, self.asked, self.tries.step_done)
        repaired = repair.run(looked, budget=self.budget.left)
        self.budget.spent += repaired.cost
        return repaired


def _handed_on(run: _Run, if_none_right: str) -> UntilRight:
    tries, right = run.tries, run.tries.right
    given = right or [tries.best]
    shown = torch.stack([one.repaired.after.image for one in given])
    lines = [
        f"asked: {counts_in_words(run.asked.values(), run.asked)}",
        *(f"{name}: {words}" for name, words in tries.lines.items()),
    ]
    verdict = f"{len(right)} of {tries.settings.pictures} right"
    effort = f"{tries.words}, at the cost of {run.budget.spent:.1f} images"
    names = {one.name for one in right}
    marks = tuple(name in names for name in tries.lines)
    result = NodeResult(verdict, bool(right), marks, "\n".join([f"tried: {effort}", *lines]), run.note)
    passes = bool(right) or if_none_right == BEST
    # A blocker with a message would open an error over the graph; the node says it instead.
    images = shown if passes else ExecutionBlocker(None)
    return UntilRight(
        images, bool(right), given[0].seed, "\n".join([*lines, f"{verdict}; tried {effort}"]), result, shown
    )
