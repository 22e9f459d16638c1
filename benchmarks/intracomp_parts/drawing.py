"""Draws the pictures of IntraCompBench, with the models and methods that can be compared, and counts them.

Import this after `demo.comfy_host.import_comfyui`, which decides what ComfyUI runs on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import comfy.sd
from headcount.bridge.demo_models.files import WEIGHTS, load_shapes_model
from headcount.core.drawing import image_of
from headcount.core.errors import CountError

from ..lab.counters import NamedCounter
from ..lab.method_runs import run_method
from ..lab.node_methods import KINDS, Method, read_method
from ..lab.sampling import SHAPES_SAMPLING, Generator, KSamplerSettings, Loaded
from ..lab.store import code_digest, digest, file_digest
from .pictures import CountRow, PictureRow, Store, in_part, picture_name
from .prompts import Ask, Vocabulary, asks_of_file, make_asks
from .server_drawing import WorkflowSource

# As diffusers runs Stable Diffusion 1.5 in the paper.
CHECKPOINT_SAMPLING = KSamplerSettings(50, 7.5, "ddim", "ddim_uniform", 512)
METHODS = {
    "none": "plain",
    "isac": "isac_exact",
    "isac-fast": "isac_fast",
    "isac-paper": "isac_paper",
    "isac-ls": "selection:candidates=10:score=algorithm 2",
    "selection": "selection:candidates=4",
}
"""Short names for methods as `read_method` reads them."""
_SAMPLING = ("steps", "cfg", "sampler", "scheduler", "size")  # options of the command line


def method_of(text: str) -> Method:
    """A method by its short name, or as `read_method` reads it.

    Raises:
        CountError: there is none, or it asks a counter.
    """
    if text not in METHODS and text.split(":")[0].split("+")[0] not in KINDS:
        raise CountError(f"there is no method {text}; there are {', '.join((*METHODS, *KINDS))}")
    method = read_method(METHODS.get(text, text))
    if method.counts:
        raise CountError(f"--method {text} asks a counter; benchmarks.effect measures those")
    return method


@dataclass(frozen=True)
class Source:
    """A model that need not be loaded yet.

    Attributes:
        name: file name, and digest of what the file holds.
        load: reads it; takes a while.
    """

    name: str
    load: Callable[[], Loaded]


def shapes_source() -> Source:
    """The demo model that ships with the pack."""

    def load() -> Loaded:
        shapes = load_shapes_model()
        return Loaded(shapes.model, shapes.clip, shapes.vae)

    return Source(f"{WEIGHTS.name} {file_digest(WEIGHTS)}", load)


def checkpoint_source(file: Path) -> Source:
    """A checkpoint of diffusion model, text encoder and VAE, read by ComfyUI's own loader.

    Raises:
        FileNotFoundError: there is no such file.
        CountError: on loading, when ComfyUI cannot read it or it lacks one of the three.
    """

    def load() -> Loaded:
        try:
            model, clip, vae, *_ = comfy.sd.load_checkpoint_guess_config(str(file), output_vae=True, output_clip=True)
        except RuntimeError as error:
            raise CountError(f"{file.name} is no checkpoint that ComfyUI can load: {error}") from error
        parts = {"diffusion model": model, "text encoder": clip, "VAE": vae}
        if missing := [name for name, part in parts.items() if part is None]:
            raise CountError(f"{file.name} holds no {' and no '.join(missing)}: give a full checkpoint")
        return Loaded(model, clip, vae)

    return Source(f"{file.name} {file_digest(file)}", load)


@dataclass(frozen=True)
class Plan:
    """Which pictures a run is to have.

    Attributes:
        vocabulary: name of the prompts' nouns.
        asks: the prompts.
        images: pictures per prompt and method.
        methods: see `method_of`.
        source: the model.
        sampling: how it is sampled: all of `KSamplerSettings`, or what replaces a workflow's own.
        part: (i, n): only the i-th of n parts, counted from 0.
    """

    vocabulary: str
    asks: Sequence[Ask]
    images: int
    methods: Sequence[str]
    source: Source | WorkflowSource
    sampling: Mapping[str, Any]
    part: tuple[int, int] = (0, 1)

    def rows(self) -> list[PictureRow]:
        """Rows of the pictures, without their time; the methods of one prompt and seed stand side by side."""
        code = code_digest()
        images = [(ask, image) for ask in self.asks for image in range(self.images)]
        rows = [self._row(ask, image, method, code) for ask, image in images for method in self.methods]
        return [row for row in rows if in_part(row.key, self.part)]

    def _row(self, ask: Ask, image: int, method: str, code: str) -> PictureRow:
        model, settings = {"name": self.source.name, **self.sampling}, method_of(method).parts
        seed = ask.seed(image)
        made_by = {"model": model, "method": method, "settings": settings}
        key = digest({**made_by, "prompt": ask.prompt, "image": image, "seed": seed})
        return PictureRow(
            key, picture_name(method, ask.prompt, image, key), ask.family, ask.number, ask.prompt, dict(ask.asked),
            image, seed, self.vocabulary, model, method, settings, code, seconds=0.0,
        )  # fmt: skip


def plan_of(arguments: argparse.Namespace, vocabulary: Vocabulary) -> Plan:
    """The plan that the command line asks for.

    Raises:
        OSError: there is no such checkpoint.
        ValueError: there is no such method.
    """
    methods = list(dict.fromkeys(arguments.method or ["none"]))
    for method in methods:
        method_of(method)
    given = {name: value for name in _SAMPLING if (value := getattr(arguments, name)) is not None}
    source: Source | WorkflowSource
    if arguments.workflow:
        source, sampling = WorkflowSource.of(arguments), given
    else:
        source = shapes_source() if arguments.shapes else checkpoint_source(arguments.checkpoint)
        sampling = asdict(replace(SHAPES_SAMPLING if arguments.shapes else CHECKPOINT_SAMPLING, **given))
    if arguments.prompts:
        asks = asks_of_file(arguments.prompts, arguments.limit)
    else:
        asks = make_asks(vocabulary, arguments.seed, arguments.limit)
    return Plan(
        vocabulary_name(arguments, vocabulary), asks, arguments.images, methods, source, sampling, arguments.part
    )


def vocabulary_name(arguments: argparse.Namespace, vocabulary: Vocabulary) -> str:
    """What reports call the prompts."""
    return str(arguments.prompts.name) if arguments.prompts else vocabulary.name


def draw_all(plan: Plan, store: Store, report: Callable[[str], None]) -> None:
    """Draw what the store does not hold yet. The model is loaded only if something is to be drawn.

    Raises:
        CountError: a method cannot work with this model, or no server answers.
    """
    done = store.pictures().keys() | store.refused().keys()
    missing = [row for row in plan.rows() if row.key not in done]
    if not missing:
        return
    if isinstance(plan.source, WorkflowSource):
        methods = {name: method_of(name) for name in plan.methods}
        plan.source.draw(missing, methods, plan.sampling, store, report)
        return
    generator = Generator(plan.source.load(), KSamplerSettings(**plan.sampling))
    for number, row in enumerate(missing, start=1):
        generator.positive(row.prompt)  # so that the prompt's first method pays no more than the others
        start = time.perf_counter()
        samples = run_method(generator.sampling(row.prompt, row.seed), method_of(row.method))
        pixels = generator.pixels(samples)[0]
        seconds = round(time.perf_counter() - start, 3)
        store.add_picture(replace(row, seconds=seconds), pixels)
        report(f"drawn {number} of {len(missing)}: {row.method}, {row.prompt} ({seconds:.1f} s)")


def count_all(
    store: Store, counter: NamedCounter, vocabulary: str, part: tuple[int, int], report: Callable[[str], None]
) -> None:
    """Count, in the pictures of one vocabulary and this part (i, n), what each was asked for."""
    known = store.counts()
    rows = [row for row in store.pictures().values() if row.vocabulary == vocabulary and in_part(row.key, part)]
    missing = [row for row in rows if (row.key, counter.name) not in known]
    for done, row in enumerate(missing, start=1):
        nouns = tuple(dict.fromkeys((*row.asked, *counter.vocabulary)))
        numbers = counter.count(image_of(store.pixels(row)[None]), nouns).rounded[0].tolist()
        counts = {noun: number for noun, number in zip(nouns, numbers, strict=True) if number}
        store.add_counts(CountRow(row.key, counter.name, counts))
        if done % 100 == 0 or done == len(missing):
            report(f"counted {done} of {len(missing)} pictures")
