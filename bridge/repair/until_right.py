"""Generate Until Right: samples a seed, counts the picture, mends it where little is wrong, and else takes the next seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Any, ClassVar, Literal, get_args

import comfy.model_management
import comfy.sample
import torch
from comfy_execution.graph_utils import ExecutionBlocker
from torch import Tensor

from ...core.counting import Counter, count_words
from ...core.errors import CountError
from ..comfyui.node_text import NodeResult, running_node, show_note
from ..comfyui.progress import SamplingProgress, sampling_progress
from ..counters.count_check import BEST
from ..counters.inputs import checked_counter
from ..families.table import FAMILIES
from ..isac.control import IsacSettings, with_isac
from ..prompts.token_positions import encode_count_prompt
from ..seed_search.settings import SamplerSettings
from .count_repair import asked_of
from .painter import Painter, unsteered
from .repair import Looked, Repair, Repaired, look, unchanged
from .settings import RepairSettings

Steering = Literal["fast", "off"]
STEERINGS: tuple[Steering, ...] = get_args(Steering)
_STEERED_COST = 1.5  # of a picture with ISAC fast, at most; see `isac.control.FAST_SHARE`
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
    """

    width: int = 1024
    height: int = 1024
    tries: int = 8
    pictures: int = 1
    isac: Steering = "fast"
    rounds: int = 4
    repair_up_to: int = 2
    budget: float = 0.0

    node: ClassVar[str] = "Generate Until Right"
    tried: ClassVar[str] = "tries"


_NODE = UntilRightSettings.node


@dataclass(frozen=True)
class Tried:
    """What came of one seed.

    Attributes:
        seed: a sampler makes `repaired.before` of it.
        repaired: the picture before and after its repair; the same where nothing was changed.
    """

    seed: int
    repaired: Repaired

    @property
    def misses(self) -> int:
        """How many objects are too many or too few in the end."""
        return self.repaired.after.misses


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
    for name in ("model", "vae"):
        if getattr(request, name) is None:
            raise CountError(f"{_NODE} got no {name}; connect the loader's {name.upper()} output")
    run = _Run(request)
    place = running_node()
    tried: list[Tried] = []
    settings = request.settings
    try:
        while len(tried) < settings.tries and run.right < settings.pictures and run.may_try():
            show_note(f"try {len(tried) + 1} of {settings.tries}{_so_far(tried)}", place)
            tried.append(run.attempt(len(tried)))
    finally:
        show_note("", place)
    return _handed_on(tried, run, request.if_none_right)


class _Run:
    """One execution of the node.

    Attributes:
        asked: noun in the plural -> number.
        spent: cost so far, in pictures without steering.
        right: how many pictures are right so far.
        note: what the user should know.
    """

    def __init__(self, request: Request) -> None:
        self._request, self._settings = request, request.settings
        self._counter: Counter = checked_counter(request.counter, _NODE)
        self._positive, counts = encode_count_prompt(request.clip, request.text, request.objects)
        self._negative = request.clip.encode_from_tokens_scheduled(request.clip.tokenize(request.negative))
        self.asked: Mapping[str, int] = asked_of(counts, _NODE)
        can_steer = any(family.has(request.model.model) for family in FAMILIES)
        self._steers = request.settings.isac == "fast" and can_steer
        self.note = "" if can_steer or request.settings.isac == "off" else "this model cannot be steered by ISAC"
        self._progress = sampling_progress(request.model)
        self._painter = Painter(
            model=unsteered(request.model), clip=request.clip, vae=request.vae, positive=self._positive,
            negative=self._negative, counts=counts, settings=_repair_settings(request.settings),
        )  # fmt: skip
        self.spent, self.right = 0.0, 0

    def may_try(self) -> bool:
        """Whether another picture fits into the budget."""
        budget = self._settings.budget
        return not budget or not self.spent or self.spent + self._cost <= budget

    def attempt(self, index: int) -> Tried:
        """Make, count and mend the picture of the next seed."""
        seed = (self._settings.seed + index) % _SEEDS
        looked = look(self._counter, self._sampled(seed, index), self.asked)
        self.spent += self._cost
        repaired = self._repaired(looked, seed)
        self.right += not repaired.after.misses
        return Tried(seed, repaired)

    @property
    def _cost(self) -> float:
        return _STEERED_COST if self._steers else 1.0

    def _sampled(self, seed: int, index: int) -> Tensor:
        """(H, W, 3) what KSampler and VAE Decode make of this seed."""
        request, settings = self._request, self._settings
        model = with_isac(request.model, IsacSettings(mode="fast"))[0] if self._steers else request.model
        empty = torch.zeros(1, 4, settings.height // 8, settings.width // 8)
        latent = comfy.sample.fix_empty_latent_channels(model, empty, 8)
        noise = comfy.sample.prepare_noise_inner(latent, torch.Generator().manual_seed(seed))
        samples = comfy.sample.sample(
            model, noise, settings.steps, settings.cfg, settings.sampler, settings.scheduler, self._positive, self._negative,
            latent, denoise=settings.denoise, disable_pbar=True, seed=seed, callback=self._callback(index),
        )  # fmt: skip
        images = request.vae.decode(samples)
        comfy.model_management.throw_exception_if_processing_interrupted()
        return images.reshape(-1, *images.shape[-3:])[0, ..., :3]

    def _callback(self, index: int) -> Any:
        total = self._settings.tries * self._settings.steps
        progress: SamplingProgress | None = self._progress

        def step_done(step: int, denoised: Tensor, x: Tensor, steps: int) -> None:
            if progress is not None:
                progress(min(total, index * self._settings.steps + step + 1), total, denoised[:1])
            comfy.model_management.throw_exception_if_processing_interrupted()

        return step_done

    def _repaired(self, looked: Looked, seed: int) -> Repaired:
        """The picture mended, where it is worth it and the budget allows."""
        settings, painter = self._settings, self._painter
        if not 0 < looked.misses <= settings.repair_up_to or not settings.rounds or not looked.says_where:
            return unchanged(looked)
        mine = replace(painter, settings=replace(painter.settings, seed=seed))
        left = settings.budget - self.spent if settings.budget else inf
        repaired = Repair(mine, self._counter, self.asked, self._progress).run(looked, budget=left)
        self.spent += repaired.cost
        return repaired


def _repair_settings(settings: UntilRightSettings) -> RepairSettings:
    return RepairSettings(
        seed=settings.seed, steps=settings.steps, cfg=settings.cfg, sampler=settings.sampler, scheduler=settings.scheduler,
        rounds=settings.rounds,
    )  # fmt: skip


def _so_far(tried: list[Tried]) -> str:
    """The best so far, as a part of a note."""
    if not tried:
        return ""
    best = min(tried, key=lambda one: one.misses).repaired.after
    return f"; best so far: {best.words}, {best.verdict}"


def _handed_on(tried: list[Tried], run: _Run, if_none_right: str) -> UntilRight:
    right = [one for one in tried if not one.misses]
    given = right or [min(tried, key=lambda one: one.misses)]
    shown = torch.stack([one.repaired.after.image for one in given])
    lines = [
        "asked: " + ", ".join(count_words(number, noun) for noun, number in run.asked.items()),
        *(f"seed {one.seed}: {one.repaired.words}" for one in tried),
    ]
    verdict = f"{len(right)} right after {count_words(len(tried), 'tries')}; cost: {run.spent:.1f} pictures"
    result = NodeResult(verdict, bool(right), tuple(not one.misses for one in tried), "\n".join(lines), run.note)
    passes = bool(right) or if_none_right == BEST
    # A blocker with a message would open an error over the graph; the node says it instead.
    images = shown if passes else ExecutionBlocker(None)
    return UntilRight(images, bool(right), given[0].seed, "\n".join([*lines, verdict]), result, shown)
