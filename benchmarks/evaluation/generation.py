"""Draws the pictures of a benchmark through ComfyUI, in this process: its loaders, its sampler, Count Prompt's encoding.

Import this after `demo.comfy_host.import_comfyui`, which decides what ComfyUI runs on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import comfy.sample
import numpy as np
import torch
from headcount.bridge.prompts.token_positions import encode_count_prompt

from demo.comfy_host import ROOT

from .methods import METHODS, Method, SamplerSettings, Sampling
from .prompts import Ask
from .sources import Source
from .store import PictureRow, Store, digest, file_digest, in_part, picture_name


class Generator:
    """Draws prompts with one model and one set of sampler settings."""

    def __init__(self, source: Source, settings: SamplerSettings) -> None:
        self._loaded, self._settings = source.load(), settings
        clip = self._loaded.clip
        with torch.inference_mode():
            self._negative = clip.encode_from_tokens_scheduled(clip.tokenize(""))
        self._encoded: tuple[str, list[Any]] | None = None

    @torch.inference_mode()
    def draw(self, prompt: str, seed: int, method: Method) -> np.ndarray:
        """A (H, W, 3) uint8 picture.

        Raises:
            CountError: the method cannot work with this model or prompt.
        """
        loaded, settings = self._loaded, self._settings
        if self._encoded is None or self._encoded[0] != prompt:
            self._encoded = prompt, encode_count_prompt(loaded.clip, prompt)[0]
        side = settings.size // loaded.vae.spacial_compression_encode()
        latent = comfy.sample.fix_empty_latent_channels(loaded.model, torch.zeros(1, 4, side, side))
        sampling = Sampling(loaded.model, self._encoded[1], self._negative, latent, seed, settings)
        pixels = loaded.vae.decode(method.sample(sampling))[0]
        return (pixels.float().cpu().numpy() * 255).round().clip(0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Plan:
    """Which pictures a run is to have.

    Attributes:
        vocabulary: name of the prompts' nouns.
        asks: the prompts.
        images: pictures per prompt and method.
        methods: names in `METHODS`.
        source: the model.
        settings: how it is sampled.
        part: (i, n): only the i-th of n parts, counted from 0.
    """

    vocabulary: str
    asks: Sequence[Ask]
    images: int
    methods: Sequence[str]
    source: Source
    settings: SamplerSettings
    part: tuple[int, int] = (0, 1)

    def rows(self) -> list[PictureRow]:
        """Rows of the pictures, without their time; the methods of one prompt and seed stand side by side."""
        code = code_digest()
        images = [(ask, image) for ask in self.asks for image in range(self.images)]
        rows = [self._row(ask, image, method, code) for ask, image in images for method in self.methods]
        return [row for row in rows if in_part(row.key, self.part)]

    def _row(self, ask: Ask, image: int, method: str, code: str) -> PictureRow:
        model, settings = {"name": self.source.name, **asdict(self.settings)}, dict(METHODS[method].settings)
        seed = ask.seed(image)
        made_by = {"model": model, "method": method, "settings": settings}
        key = digest({**made_by, "prompt": ask.prompt, "image": image, "seed": seed})
        return PictureRow(
            key, picture_name(method, ask.prompt, image, key), ask.family, ask.number, ask.prompt, dict(ask.asked),
            image, seed, self.vocabulary, model, method, settings, code, seconds=0.0,
        )  # fmt: skip


def code_digest() -> str:
    """Digest of the code that decides what a picture looks like."""
    return file_digest(*sorted(path for part in ("core", "bridge") for path in (ROOT / part).rglob("*.py")))


def draw_all(plan: Plan, store: Store, report: Callable[[str], None]) -> None:
    """Draw what the store does not hold yet. The model is loaded only if something is to be drawn.

    Raises:
        CountError: a method cannot work with this model.
    """
    done = store.pictures()
    missing = [row for row in plan.rows() if row.key not in done]
    if not missing:
        return
    generator = Generator(plan.source, plan.settings)
    for number, row in enumerate(missing, start=1):
        start = time.perf_counter()
        pixels = generator.draw(row.prompt, row.seed, METHODS[row.method])
        seconds = round(time.perf_counter() - start, 3)
        store.add_picture(replace(row, seconds=seconds), pixels)
        report(f"drawn {number} of {len(missing)}: {row.method}, {row.prompt} ({seconds:.1f} s)")
