"""Pictures of one world, drawn with any method from the prompt's own noise, timed and judged.

Import this after `demo.comfy_host.import_comfyui`, which decides what ComfyUI runs on.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from headcount.bridge.repair.count_repair import counts_of, repair_pictures
from headcount.bridge.repair.painter import Painter
from headcount.bridge.repair.settings import RepairSettings
from headcount.core.counting import Counter
from headcount.core.drawing import image_of, pixels_of
from headcount.core.prompts import plural
from torch import Tensor

from .method_runs import connected, losses_of, with_chosen_noise
from .node_methods import KINDS, Method
from .operations import operations_of
from .prompt_files import PromptRow
from .sampling import Generator, Sampling
from .store import code_digest
from .worlds import World


@dataclass(frozen=True)
class Outcome:
    """One picture.

    Attributes:
        counted: what the judge saw: noun -> number, 0 left out; "red star" too where it is asked for and can be told.
        score: mean of the judge's scores of what it saw, 0 to 1; None where it saw nothing or gives none.
        size: median of its boxes' longer sides, as a share of the picture's; None as above.
        features: of the picture, see `World.features`.
        losses: of the steered steps.
        seconds: from the encoded prompt to the decoded picture.
        code: digest of the pack that made it.
        operations: of the same; None where they were not counted.
    """

    counted: dict[str, int]
    score: float | None
    size: float | None
    features: list[float]
    losses: list[float]
    seconds: float
    code: str
    operations: float | None = None


def wanted_counts(world: World, row: PromptRow) -> dict[str, int]:
    """What a picture that is exactly right shows: every noun of the world, 0 included, and colours where they are judged."""
    coloured = {f"{row.colours[noun]} {noun}": row.counts[noun] for noun in row.colours if world.tells_colours}
    return {**{noun: row.counts.get(noun, 0) for noun in world.plurals}, **coloured}


class Bench:
    """Draws and judges in one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.loaded = world.model.load()
        self._generator = Generator(self.loaded, world.sampling)
        self._judge: Counter = world.judge.load()
        self._code, self._drawn = code_digest(), set[str]()

    @cached_property
    def _decider(self) -> Counter:
        return self.world.decider.load()

    @torch.inference_mode()
    def draw(self, row: PromptRow, method: Method) -> tuple[np.ndarray, list[float]]:
        """(H, W, 3) uint8 picture, and the losses of its steered steps.

        Raises:
            CountError: the method cannot work with this model, or a node refuses a setting.
        """
        sampling, maps = connected(self._generator.sampling(row.prompt, row.seed), method, self._links(method))
        if part := method.part("makes"):
            return self._made(row, sampling, *part), []
        samples = self._samples(row, sampling, method)
        self._drawn.add(method.key)
        pixels = self._generator.pixels(samples)
        return self._repaired(row, sampling, method, pixels)[0], losses_of(maps.get("steers"), samples)

    def _repaired(self, row: PromptRow, sampling: Sampling, method: Method, pixels: np.ndarray) -> np.ndarray:
        """The pictures as Count Repair hands them on; as they are where the method has none."""
        if (part := method.part("repairs")) is None:
            return pixels
        own = self.world.sampling
        settings = RepairSettings(
            seed=row.seed, steps=own.steps, cfg=own.cfg, sampler=own.sampler, scheduler=own.scheduler, **part[1]
        )
        painter = Painter(
            model=sampling.model, clip=self.loaded.clip, vae=self.loaded.vae, positive=sampling.positive,
            negative=sampling.negative, counts=counts_of(sampling.positive, None), settings=settings,
        )  # fmt: skip
        return pixels_of(repair_pictures(image_of(pixels), painter, self._decider, None).images)

    def _made(self, row: PromptRow, sampling: Sampling, name: str, settings: dict[str, Any]) -> np.ndarray:
        """The picture of a node that does everything itself."""
        height, width = (8 * side for side in sampling.latent.shape[-2:])
        given = {
            **settings, **self.world.sampling.inputs, "text": row.prompt, "negative": "", "width": width, "height": height,
            "seed": row.seed,
        }  # fmt: skip
        loaded = self.loaded
        made = KINDS[name].node.execute(
            model=loaded.model, clip=loaded.clip, vae=loaded.vae, counter=self._decider, **given
        )
        return pixels_of(made.args[0])[0]

    def _samples(self, row: PromptRow, sampling: Sampling, method: Method) -> Tensor:
        """The latent that is sampled from the noise that the method chooses."""
        name, settings = method.part("chooses") or ("", {})
        if name == "best_of":
            return self._best_of(row, sampling, settings["pictures"])
        return with_chosen_noise(sampling, method, self._links(method)).run()

    def _links(self, method: Method) -> dict[str, Any]:
        """What nodes that count are connected to."""
        return {"counter": self._decider, "vae": self.loaded.vae} if method.counts else {}

    def _best_of(self, row: PromptRow, sampling: Sampling, pictures: int) -> Tensor:
        """Of so many finished pictures the one that the decider takes for nearest."""
        made = [replace(sampling, seed=row.seed + number).run() for number in range(pictures)]
        images = image_of(np.concatenate([self._generator.pixels(samples) for samples in made]))
        counted = self._decider.count(images, tuple(map(plural, row.counts)))
        off = (counted.rounded - torch.tensor(list(row.counts.values()))).abs().sum(1).tolist()
        return made[off.index(min(off))]

    def outcome(self, row: PromptRow, method: Method) -> Outcome:
        """One picture, timed and judged; the first one of a method is drawn twice, so that it pays no more than others."""
        self._generator.positive(row.prompt)
        if method.key not in self._drawn:
            self.draw(row, method)
        start = time.perf_counter()
        pixels, losses = self.draw(row, method)
        seconds = time.perf_counter() - start
        return Outcome(**self._judged(row, pixels), losses=losses, seconds=seconds, code=self._code)

    @torch.inference_mode()
    def _judged(self, row: PromptRow, pixels: np.ndarray) -> dict[str, Any]:
        names = tuple(wanted_counts(self.world, row))
        asked = [" ".join((*colour, self.world.plurals[noun])) for *colour, noun in map(str.split, names)]
        found = self._judge.count(image_of(pixels[None]), asked)
        boxes = [] if found.boxes is None else found.boxes[0]
        sides = [max(box["width"], box["height"]) / len(pixels) for box in boxes]
        return {
            "counted": {name: number for name, number in zip(names, found.rounded[0].tolist(), strict=True) if number},
            "score": float(np.mean([box["score"] for box in boxes])) if boxes else None,
            "size": float(np.median(sides)) if sides else None,
            "features": self.features(pixels),
        }

    def features(self, pixels: np.ndarray) -> list[float]:
        """Of one picture, see `World.features`."""
        return [round(float(value), 5) for value in self.world.features(self.loaded, pixels[None])[0]]

    def operations(self, row: PromptRow, method: Method) -> float:
        """Of one picture, from the encoded prompt to the decoded picture."""
        self._generator.positive(row.prompt)
        return operations_of(lambda: self.draw(row, method))
