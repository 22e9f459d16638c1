"""What the node Count Report does: the same prompts and seeds without and with a method, counted and compared."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal, get_args
from zlib import crc32

import comfy.model_management
import torch
from torch import Tensor

from ...core.counting import paired_difference, share_interval, verdict_words
from ...core.drawing import PicturePair, pairs_sheet
from ...core.errors import CountError
from ..comfyui.node_names import COUNT_CONTROL
from ..comfyui.node_text import NodeResult, running_node, show_note
from ..comfyui.progress import sampling_progress, show_image
from ..counters.inputs import checked_counter, require_loader
from ..prompts.conditionings import WRITE_A_NUMBER
from ..prompts.token_positions import count_prompt, encode_count_prompt
from ..repair.count_repair import asked_of
from ..repair.half_way import HALF_WAY, VARIATIONS
from ..repair.repair import look
from ..repair.settings import UntilRightSettings
from ..repair.until_right import Request, generate_until_right
from ..sampling.image import ImageInputs, sampled_image
from ..sampling.start_latent import start_samples
from ..seed_search.count_search import find_seeds
from ..seed_search.search import Search
from ..seed_search.settings import SamplerSettings, SearchSettings, seed_after
from .kept import KeptReport, Made, setup_of

Method = Literal["model_with", "Count Search", "Generate Until Right"]
METHODS: tuple[Method, ...] = get_args(Method)
PROMPTS = """two cats
three apples
four dogs
five cars
six oranges
three horses
two buses
four books
a cat and two dogs
three bananas and two oranges
two cups and three apples
a bicycle and two cars"""
"""Of nouns that most counters know."""
_SEEDS_APART = 64  # more than Generate Until Right tries for one prompt by default
_FEWEST = 12
"""Prompts below which an interval says little."""


@dataclass(frozen=True)
class ReportSettings(SamplerSettings):
    """How the images are made. Each prompt has its own seed, 64 after the one before it.

    Attributes:
        method: what is compared to plain sampling.
        name: of the report's folder.
    """

    method: Method = "model_with"
    name: str = "report"

    node: ClassVar[str] = "Count Report"
    tried: ClassVar[str] = "prompts"


_NODE = ReportSettings.node
_OF_THE_METHOD = ("method", "model_with")  # the images without it are the same whatever they are


@dataclass(frozen=True)
class ReportRequest:
    """What is compared, and with what.

    Attributes:
        model: without the method.
        model_with: with it, such as MODEL of Count Control; None for `model`.
        clip, vae: of a loader.
        counter: asked by methods that count, and judges all images where there is no `judge`.
        latent: its size is the images'.
        prompts: one a line.
        negative: the same for all.
        judge: another `Counter`, which no method sees.
        graph, node_id: the graph that runs, and the node in it, for going on with the same report; None outside of one.
    """

    model: Any
    clip: Any
    vae: Any
    counter: Any
    latent: dict[str, Any]
    prompts: str
    negative: str
    settings: ReportSettings
    model_with: Any = None
    judge: Any = None
    graph: Any = None
    node_id: str | None = None


@dataclass(frozen=True)
class CountReport:
    """What Count Report hands on.

    Attributes:
        image: (1, H, W, 3) the report as an image.
        table: one line per prompt, and the shares.
        folder: where its rows and small images are.
        result: what the node says.
    """

    image: Tensor
    table: str
    folder: str
    result: NodeResult


def count_report(request: ReportRequest) -> CountReport:
    """Make what is not kept yet, and compare.

    Raises:
        CountError: something is not connected, or a prompt counts nothing.
    """
    require_loader(_NODE, model=request.model, clip=request.clip, vae=request.vae)
    if request.settings.method == "model_with" and request.model_with is None:
        raise CountError(
            f"{_NODE} compares model with model_with, which is not connected: connect MODEL of the node that helps, such as "
            f"{COUNT_CONTROL}, or choose another method"
        )
    run, place = _Run(request), running_node()
    pairs = []
    try:
        for index, prompt in enumerate(run.prompts):
            pair = []
            for with_it in (False, True):
                show_note(f"prompt {index + 1} of {len(run.prompts)}, {'with' if with_it else 'without'}", place)
                pair.append(run.made(index, prompt, with_it))
            pairs.append((pair[0], pair[1]))
    finally:
        show_note("", place)
    return run.report(pairs)


class _Run:
    """One execution of the node.

    Attributes:
        prompts: the lines that are not empty.
    """

    def __init__(self, request: ReportRequest) -> None:
        self._request, self._settings = request, request.settings
        self._counter = checked_counter(request.counter, _NODE)
        self._judge = self._counter if request.judge is None else checked_counter(request.judge, _NODE)
        self.prompts = [line.strip() for line in request.prompts.splitlines() if line.strip()]
        if not self.prompts:
            raise CountError(f"{_NODE} has no prompts: write one per line, such as 'three cats'")
        self._asked = [self._asked_of(number, prompt) for number, prompt in enumerate(self.prompts, 1)]
        self._kept = KeptReport(self._settings.name)
        where = self._identity, request.graph, request.node_id
        self._setups = setup_of(*where, leave_out=_OF_THE_METHOD), setup_of(*where)
        self._progress = sampling_progress(request.model)

    @property
    def _identity(self) -> Mapping[str, Any]:
        given = {key: value for key, value in asdict(self._settings).items() if key not in ("seed", "name")}
        return {**given, "negative": self._request.negative, "size": list(self._request.latent["samples"].shape)}

    def _asked_of(self, number: int, prompt: str) -> Mapping[str, int]:
        try:
            counts = count_prompt(self._request.clip, prompt)[1]
            return asked_of(counts, "it", wish="judge by", fix=WRITE_A_NUMBER)
        except CountError as error:
            raise CountError(f"{_NODE}, line {number} ({prompt!r}): {error}") from error

    def made(self, index: int, prompt: str, with_it: bool) -> Made:
        """One image's row, from its file or made now."""
        seed = seed_after(self._settings.seed, _SEEDS_APART * index)
        setup, key = self._setups[with_it], f"{seed} {prompt} {'with' if with_it else 'without'}"
        found = self._kept.get(setup, key)
        if found is None:
            image, seconds = self._timed(prompt, seed, with_it)
            looked = look(self._judge, image, self._asked[index])
            file = f"{index + 1:03}_{crc32(f'{setup} {key}'.encode()):08x}.jpg"
            found = Made(looked.words, looked.misses, seconds, file)
            self._kept.add(setup, key, found, image)
            show_image(image, 2 * index + with_it + 1, 2 * len(self.prompts))
        return found

    def _timed(self, prompt: str, seed: int, with_it: bool) -> tuple[Tensor, float]:
        """An image (H, W, 3) and its seconds, without those of loading the model and of encoding the prompt."""
        request = self._request
        model = request.model_with if with_it and request.model_with is not None else request.model
        inputs = ImageInputs(self._positive(prompt), self._negative, self._empty, request.vae)
        comfy.model_management.load_model_gpu(model)
        began = time.monotonic()
        if with_it:
            image = self._with(model, inputs, prompt, seed)
        else:
            image = sampled_image(model, inputs, self._settings, seed, self._step_done)
        return image, time.monotonic() - began

    def _with(self, model: Any, inputs: ImageInputs, prompt: str, seed: int) -> Tensor:
        """(H, W, 3) the image that the method makes."""
        request, method, sampler = self._request, self._settings.method, self._settings.of_sampler(seed=seed)
        if method == "model_with":
            return sampled_image(model, inputs, self._settings, seed, self._step_done)
        if method == "Count Search":
            settings = SearchSettings(**sampler, look="own steps", decide_at=HALF_WAY, variations=VARIATIONS)
            latent = {"samples": inputs.latent}
            search = Search(model, inputs.positive, inputs.negative, latent, settings, vae=request.vae)
            found = find_seeds(replace(search, progress=self._step_done), self._counter)
            return sampled_image(found.model, inputs, self._settings, found.seed, self._step_done)
        side = request.vae.spacial_compression_encode()
        height, width = (side * length for length in self._empty.shape[-2:])
        until = UntilRightSettings(
            **sampler, width=width, height=height, isac="fast" if request.model_with is None else "off"
        )
        wanted = Request(model, request.clip, request.vae, self._counter, prompt, request.negative, until)
        return generate_until_right(wanted).shown[0]

    def _step_done(self, done: int, total: int, denoised: Tensor) -> None:
        if self._progress is not None:
            self._progress(done, total, denoised)
        comfy.model_management.throw_exception_if_processing_interrupted()

    def _positive(self, prompt: str) -> Any:
        return encode_count_prompt(self._request.clip, prompt)[0]

    @cached_property
    def _negative(self) -> Any:
        clip = self._request.clip
        return clip.encode_from_tokens_scheduled(clip.tokenize(self._request.negative))

    @cached_property
    def _empty(self) -> Tensor:
        return torch.zeros_like(start_samples(self._request.model, self._request.latent, _NODE)[:1])

    def report(self, pairs: Sequence[tuple[Made, Made]]) -> CountReport:
        """Table, image and verdict of all pairs."""
        lines = [
            f"{prompt}: {_said(one)} | {_said(other)}" for prompt, (one, other) in zip(self.prompts, pairs, strict=True)
        ]
        summary = _summary(pairs, self._settings.method)
        shown = [self._pair(prompt, *pair) for prompt, pair in zip(self.prompts, pairs, strict=True)]
        image = pairs_sheet(summary[0], summary[1:], shown)[None]
        table = "\n".join(["prompt: without | with", *lines, *summary])
        marks = tuple(not other.misses for _, other in pairs)
        result = NodeResult(
            summary[0], None, marks, "\n".join(["prompt: without | with", *lines, *summary[1:]]), self._note
        )
        return CountReport(image, table, str(self._kept.folder), result)

    def _pair(self, prompt: str, *made: Made) -> PicturePair:
        images = tuple(self._kept.image(one) for one in made)
        return PicturePair(prompt, images, tuple(one.words for one in made), tuple(not one.misses for one in made))

    @property
    def _note(self) -> str:
        notes = []
        if self._settings.method != "model_with" and self._request.judge is None:
            notes.append(
                "The method asks the same counter that judges, so that its mistakes do not show. Connect another one to judge"
            )
        if len(self.prompts) < _FEWEST:
            notes.append(f"{len(self.prompts)} prompts say little: 12 to 24 show a large difference, more a small one")
        return ". ".join(notes)


def _said(made: Made) -> str:
    return f"{made.words}, {verdict_words(made.misses)}"


def _summary(pairs: Sequence[tuple[Made, Made]], method: str) -> list[str]:
    """The verdict, then the shares, their difference and what it costs, a line each."""
    without, with_it = ([not pair[side].misses for pair in pairs] for side in (0, 1))
    many = len(pairs)
    difference, (low, high) = paired_difference(without, with_it)
    clear = "no clear difference" if low <= 0 <= high else "better" if difference > 0 else "worse"
    seconds = [sum(pair[side].seconds for pair in pairs) / many for side in (0, 1)]
    shares = [
        f"{name}: {sum(right)} of {many} right ({_percent(sum(right) / many)}, 95 %: "
        + " to ".join(_percent(end) for end in share_interval(sum(right), many)) + ")"
        for name, right in (("without", without), (f"with {method}", with_it))
    ]  # fmt: skip
    return [
        f"right in {sum(with_it)} of {many} with it, {sum(without)} without: {clear}",
        *shares,
        f"difference: {difference:+.0%} (95 %: {low:+.0%} to {high:+.0%}), the same prompts and seeds",
        f"seconds per image: {seconds[0]:.1f} without, {seconds[1]:.1f} with it",
    ]


def _percent(share: float) -> str:
    return f"{share:.0%}"
