"""Generate Until Right: finishes what looks right half-way, counts it, mends it where little is wrong, and else goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, inf
from typing import Any, ClassVar, Literal, get_args

import comfy.model_management
import comfy.sample
import torch
from comfy_execution.graph_utils import ExecutionBlocker
from torch import Tensor

from ...core.counting import Counter, count_words, verdict_words
from ..comfyui.node_text import NodeResult, running_node, show_note
from ..comfyui.progress import sampling_progress, show_picture
from ..counters.count_check import BEST
from ..counters.inputs import checked_counter, require_loader
from ..families.table import FAMILIES
from ..isac.control import FAST_SHARE, IsacSettings, with_isac
from ..prompts.conditionings import WRITE_A_NUMBER
from ..prompts.token_positions import encode_count_prompt
from ..sampling.picture import PictureInputs, sampled_picture
from ..seed_search.counter_scorer import numbers_in_words
from ..seed_search.looks import Looks, Seen
from ..seed_search.previews import Previews, previews_of
from ..seed_search.search import Search
from ..seed_search.settings import SamplerSettings, SearchSettings
from .count_repair import asked_of
from .painter import Painter, unsteered
from .repair import Looked, Repair, Repaired, look, unchanged
from .settings import RepairSettings

Steering = Literal["fast", "off"]
STEERINGS: tuple[Steering, ...] = get_args(Steering)
SearchName = Literal["half-way", "off"]
SEARCHES: tuple[SearchName, ...] = get_args(SearchName)
HALF_WAY = 0.5
"""Of the steps. Chosen on 37 looks of the emoji model, which no command repeats: 15 of 18 pictures that looked right there
were, and 11 of 19 that looked right in a draft of 6 steps."""
VARIATIONS = 3
"""Of each seed that is nearly right. Chosen on a few looks of the emoji model that were not recorded: no command repeats it."""
_STEERING_COST = 0.5  # of a picture with ISAC fast, at most, all in the share of the steps that is steered
_SEEDS = 2**64


@dataclass(frozen=True)
class UntilRightSettings(SamplerSettings):
    """How long is tried, and what.

    Attributes:
        width, height: of a picture, in pixels.
        tries: how many seeds at most, from `seed` on.
        pictures: how many right pictures are wanted.
        isac: "fast" steers each picture, see `IsacSettings`.
        rounds: of the repair of one picture, see `RepairSettings`; 0 repairs none.
        repair_up_to: a picture that is off by more goes, and the next seed is tried.
        budget: what all of it may cost, in pictures without steering; 0 is no limit. The first picture is always made.
        search: "half-way" looks at each seed after half of its steps, finishes those that look right, and varies those that are
            off by one; "off" finishes every seed.
    """

    width: int = 1024
    height: int = 1024
    tries: int = 8
    pictures: int = 1
    isac: Steering = "fast"
    rounds: int = 4
    repair_up_to: int = 2
    budget: float = 0.0
    search: SearchName = "half-way"

    node: ClassVar[str] = "Generate Until Right"
    tried: ClassVar[str] = "tries"


_NODE = UntilRightSettings.node


@dataclass(frozen=True)
class Tried:
    """What came of one seed, or of a variation of one.

    Attributes:
        seed: a sampler makes `repaired.before` of it, where it is no variation.
        name: "seed 7", or "seed 15 varying seed 7".
        repaired: the picture before and after its repair; the same where nothing was changed.
    """

    seed: int
    name: str
    repaired: Repaired

    @property
    def misses(self) -> int:
        """How many objects are too many or too few in the end."""
        return self.repaired.after.misses


@dataclass(frozen=True)
class Start:
    """A picture that is to be finished.

    Attributes:
        seed, name: as of `Tried`.
        model: a sampler makes the picture with it.
        cost: of finishing it, in pictures.
    """

    seed: int
    name: str
    model: Any
    cost: float


@dataclass(frozen=True)
class UntilRight:
    """What Generate Until Right hands on.

    Attributes:
        images: (n, H, W, 3) the right pictures, or the nearest one where none is; blocked where nothing may follow.
        is_right: whether any is right.
        seed: of the first of these pictures.
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
        counter: judges each picture.
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
    """Try seeds until enough pictures are right, or tries or budget are spent.

    Raises:
        CountError: something is not connected, or nothing is asked for.
    """
    require_loader(_NODE, model=request.model, vae=request.vae)
    run = _Run(request)
    try:
        for start in run.starts():
            run.finish(start)
            if run.right >= request.settings.pictures:
                break
    finally:
        run.say("")
    return _handed_on(run, request.if_none_right)


class _Run:
    """One execution of the node.

    Attributes:
        asked: noun in the plural -> number.
        lines: of the table, by name, in the order of the tries.
        made: the finished pictures.
        tries: how many seeds were begun.
        spent: cost so far, in pictures without steering.
        note: what the user should know.
    """

    def __init__(self, request: Request) -> None:
        self._request, self._settings, self._place = request, request.settings, running_node()
        self._counter: Counter = checked_counter(request.counter, _NODE)
        self._positive, counts = encode_count_prompt(request.clip, request.text, request.objects)
        self._negative = request.clip.encode_from_tokens_scheduled(request.clip.tokenize(request.negative))
        self.asked: Mapping[str, int] = asked_of(counts, _NODE, fix=f"{WRITE_A_NUMBER}, or fill *objects*")
        can_steer = any(family.has(request.model.model) for family in FAMILIES)
        self._steers = request.settings.isac == "fast" and can_steer
        self.note = "" if can_steer or request.settings.isac == "off" else "this model cannot be steered by ISAC"
        self._model = with_isac(request.model, IsacSettings(mode="fast"))[0] if self._steers else request.model
        self._painter = Painter(
            model=unsteered(request.model), clip=request.clip, vae=request.vae, positive=self._positive,
            negative=self._negative, counts=counts, settings=_repair_settings(request.settings),
        )  # fmt: skip
        self._progress = sampling_progress(request.model)
        self.lines: dict[str, str] = {}
        self.made: list[Tried] = []
        self.tries, self.spent, self._steps = 0, 0.0, 0

    @property
    def right(self) -> int:
        """How many pictures are right so far."""
        return sum(not one.misses for one in self.made)

    def starts(self) -> Iterator[Start]:
        """Pictures that are worth finishing, for as long as the budget allows."""
        if self._settings.search == "half-way":
            yield from self._half_way()
            return
        while self.tries < self._settings.tries and self._may_spend(cost := self._cost(0, self._settings.steps)):
            self._begin_try()
            seed = (self._settings.seed + self.tries - 1) % _SEEDS
            yield Start(seed, f"seed {seed}", self._model, cost)

    def finish(self, start: Start) -> None:
        """Make, count and mend one picture."""
        inputs = PictureInputs(self._positive, self._negative, self._empty, self._request.vae)
        picture = sampled_picture(start.model, inputs, self._settings, start.seed, self._step_done)
        looked = look(self._counter, picture, self.asked)
        self.spent += start.cost
        self._show(looked.image)
        repaired = self._repaired(looked, start)
        self.made.append(Tried(start.seed, start.name, repaired))
        self.lines[start.name] = repaired.words
        self._show(repaired.after.image)

    def say(self, text: str) -> None:
        """A note in the node."""
        show_note(text, self._place)

    def _half_way(self) -> Iterator[Start]:
        """Those that look right after a part of the steps, and where none is right in the end, the nearest."""
        previews = previews_of(self._search())
        looks = Looks(previews, self._counter, self.asked, previews.progress())
        first, last, steps = looks.varied_from, previews.plan.steps, len(previews.plan.sigmas) - 1
        to_the_end = self._cost(last, steps)
        nearest: Seen | None = None

        def looked_at(seen: Seen, cost: float) -> Iterator[Start]:
            nonlocal nearest
            self._note_look(seen, cost)
            start = None if seen.candidate.misses else self._start(previews, seen, to_the_end)
            if start is None:
                nearest = seen if nearest is None else min(nearest, seen, key=_distance)
            previews.keep_only([] if nearest is None else [nearest.candidate.index])
            if start is not None:
                yield start

        while self.tries < self._settings.tries and self._may_spend((cost := self._cost(0, last)) + to_the_end):
            self._begin_try()
            seen = looks.seed(self.tries - 1)
            to_the_end = self._cost(last if previews.keeps(self.tries - 1) else 0, steps)
            variations = VARIATIONS if looks.can_vary(seen) else 0
            yield from looked_at(seen, cost)
            cost = self._cost(first, last)
            for _ in range(variations):
                if self._may_spend(cost + to_the_end):
                    yield from looked_at(looks.variation(seen), cost)
        if nearest is not None and not self.right and (not self.made or self._may_spend(to_the_end)):
            yield self._start(previews, nearest, to_the_end)

    def _note_look(self, seen: Seen, cost: float) -> None:
        """What a look cost and showed, until the picture is finished."""
        one = seen.candidate
        self.spent += cost
        self._show(seen.image)
        self.lines[one.name] = f"half-way {numbers_in_words(one.numbers, self.asked)}: {verdict_words(one.misses)}"

    def _search(self) -> Search[SearchSettings]:
        settings = self._settings
        return Search(
            model=self._model, positive=self._positive, negative=self._negative, latent={"samples": self._empty},
            vae=self._request.vae, progress=self._step_done,
            settings=SearchSettings(
                seed=settings.seed, steps=settings.steps, cfg=settings.cfg, sampler=settings.sampler,
                scheduler=settings.scheduler, denoise=settings.denoise, seeds=settings.tries, decide_at=HALF_WAY,
                look="own steps",
            ),
        )  # fmt: skip

    def _start(self, previews: Previews, seen: Seen, cost: float) -> Start:
        one = seen.candidate
        return Start(one.seed, one.name, previews.chosen_model(self._model, [one.index]), cost)

    @property
    def _empty(self) -> Tensor:
        settings = self._settings
        empty = torch.zeros(1, 4, settings.height // 8, settings.width // 8)
        return comfy.sample.fix_empty_latent_channels(self._request.model, empty, 8)

    def _may_spend(self, cost: float) -> bool:
        """Whether so much more fits into the budget; the first picture always does."""
        budget = self._settings.budget
        return not budget or not self.spent or self.spent + cost <= budget

    def _cost(self, first: int, last: int) -> float:
        """Of these steps of a picture, in pictures without steering."""
        steered = ceil(FAST_SHARE * self._settings.steps) if self._steers else 0
        cost = (last - first) / self._settings.steps
        return cost + _STEERING_COST * max(0, min(last, steered) - first) / steered if steered else cost

    def _begin_try(self) -> None:
        self.tries, self._steps = self.tries + 1, 0
        self.say(f"try {self.tries} of {self._settings.tries}{_so_far(self.made)}")

    def _step_done(self, done: int, total: int, denoised: Tensor) -> None:
        """Progress, a step for each of the model's; each has its preview, where ComfyUI shows such."""
        self._steps += 1
        if self._progress is not None:
            self._progress(*self._place_of_tries, denoised)
        comfy.model_management.throw_exception_if_processing_interrupted()

    @property
    def _place_of_tries(self) -> tuple[int, int]:
        """How far the tries are, in steps of a sampler, of how many; more work than one picture's moves none on."""
        steps = self._settings.steps
        return max(0, self.tries - 1) * steps + min(self._steps, steps), self._settings.tries * steps

    def _show(self, image: Tensor) -> None:
        """A picture as the node's preview, until the next one."""
        show_picture(image, *self._place_of_tries)

    def _repaired(self, looked: Looked, start: Start) -> Repaired:
        """The picture mended, where it is worth it and the budget allows."""
        settings, painter = self._settings, self._painter
        if not 0 < looked.misses <= settings.repair_up_to or not settings.rounds or not looked.says_where:
            return unchanged(looked)
        mine = replace(painter, settings=replace(painter.settings, seed=start.seed))
        left = settings.budget - self.spent if settings.budget else inf
        repaired = Repair(mine, self._counter, self.asked, self._step_done).run(looked, budget=left)
        self.spent += repaired.cost
        return repaired


def _repair_settings(settings: UntilRightSettings) -> RepairSettings:
    return RepairSettings(
        seed=settings.seed, steps=settings.steps, cfg=settings.cfg, sampler=settings.sampler, scheduler=settings.scheduler,
        rounds=settings.rounds,
    )  # fmt: skip


def _distance(seen: Seen) -> tuple[int, float]:
    return seen.candidate.misses, seen.candidate.distance


def _so_far(made: Sequence[Tried]) -> str:
    """The best so far, as a part of a note."""
    if not made:
        return ""
    best = min(made, key=lambda one: one.misses).repaired.after
    return f"; best so far: {best.words}, {best.verdict}"


def _handed_on(run: _Run, if_none_right: str) -> UntilRight:
    right = [one for one in run.made if not one.misses]
    given = right or [min(run.made, key=lambda one: one.misses)]
    shown = torch.stack([one.repaired.after.image for one in given])
    lines = [
        "asked: " + ", ".join(count_words(number, noun) for noun, number in run.asked.items()),
        *(f"{name}: {words}" for name, words in run.lines.items()),
    ]
    verdict = f"{len(right)} right after {count_words(run.tries, 'tries')}; cost: {run.spent:.1f} pictures"
    names = {one.name for one in right}
    result = NodeResult(verdict, bool(right), tuple(name in names for name in run.lines), "\n".join(lines), run.note)
    passes = bool(right) or if_none_right == BEST
    # A blocker with a message would open an error over the graph; the node says it instead.
    images = shown if passes else ExecutionBlocker(None)
    return UntilRight(images, bool(right), given[0].seed, "\n".join([*lines, verdict]), result, shown)
