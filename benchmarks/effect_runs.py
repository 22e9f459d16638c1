"""Samples prompts with the Shapes model in several ways and counts the pictures; what was made once is read from a file."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from demo.comfy_host import import_comfyui

import_comfyui("--cpu")
import comfy.sample  # noqa: E402
from headcount.bridge.demo_models.files import WEIGHTS, load_shapes_model  # noqa: E402
from headcount.bridge.isac.control import IsacSettings, with_isac  # noqa: E402
from headcount.bridge.numina.node import with_numina  # noqa: E402
from headcount.bridge.numina.settings import NuminaSettings  # noqa: E402
from headcount.bridge.prompts.token_positions import encode_count_prompt  # noqa: E402
from headcount.bridge.seed_search.latent_selection import select_candidates  # noqa: E402
from headcount.bridge.seed_search.search import Search  # noqa: E402
from headcount.bridge.seed_search.settings import SelectionSettings  # noqa: E402

from .effect_cases import Case, Outcome  # noqa: E402

STEPS, CFG, SAMPLER, SCHEDULER = 20, 3.0, "euler", "simple"


@dataclass(frozen=True)
class Method:
    """What is done for a picture: noises chosen first, steering and guiding while sampling, all, or nothing."""

    steering: IsacSettings | None = None
    selection: SelectionSettings | None = None
    guide: NuminaSettings | None = None


class Generator:
    """Samples a case through ComfyUI, as KSampler does."""

    def __init__(self) -> None:
        self._shapes = load_shapes_model()
        self._negative = self._shapes.clip.encode_from_tokens_scheduled(self._shapes.clip.tokenize(""))

    @torch.inference_mode()
    def picture(self, case: Case, method: Method) -> tuple[np.ndarray, list[float]]:
        """A (SIZE, SIZE, 3) uint8 picture, and the losses of the steered steps."""
        positive, _ = encode_count_prompt(self._shapes.clip, case.prompt, "")
        model, handle = self._shapes.model, None
        if method.steering is not None:
            model, handle = with_isac(model, method.steering)
        if method.guide is not None:
            model, _ = with_numina(model, method.guide)
        latent = comfy.sample.fix_empty_latent_channels(model, torch.zeros(1, 4, 16, 16))
        index = 0
        if method.selection is not None:
            settings = SelectionSettings(**{**asdict(method.selection), "seed": case.seed})
            search = Search(self._shapes.model, positive, self._negative, {"samples": latent}, settings)
            index = select_candidates(search).candidates[0].index
        noise = comfy.sample.prepare_noise(latent, case.seed, [index])
        samples = comfy.sample.sample(
            model, noise, STEPS, CFG, SAMPLER, SCHEDULER, positive, self._negative, latent,
            disable_pbar=True, seed=case.seed,
        )  # fmt: skip
        pixels = (self._shapes.vae.decode(samples)[0].numpy() * 255).round().astype(np.uint8)
        if handle is None:
            return pixels, []
        steps = handle.record_for(samples)[0].steps
        return pixels, [float(s.instance_loss + s.semantic_loss) for s in steps if s.instance_loss is not None]

    def run(self, case: Case, method: Method) -> Outcome:
        """One picture, counted."""
        start = time.perf_counter()
        pixels, losses = self.picture(case, method)
        return Outcome(case.count(pixels), losses, time.perf_counter() - start)


def run_cases(
    cases: list[Case], methods: Mapping[str, Method], out: Path, report: Callable[[str], None]
) -> dict[str, list[Outcome]]:
    """Outcomes of all cases by method; those in the file `out` are read, the others run and added, case by case."""
    done: dict[str, dict] = {}
    if out.exists():
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        done = {row["key"]: row["outcome"] for row in rows}
    weights = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()[:12]
    settings = {name: weights + json.dumps(asdict(method)) for name, method in methods.items()}
    outcomes: dict[str, list[Outcome]] = {name: [] for name in methods}
    generator, start = None, time.monotonic()
    for number, case in enumerate(cases, 1):
        for name, method in methods.items():
            if name == "without bind" and "exact" in methods and not case.names_colours:
                outcomes[name].append(outcomes["exact"][-1])  # without attributes they are the same, bit for bit
                continue
            key = f"{case.seed} {case.prompt} {settings[name]}"
            if key not in done:
                generator = generator or Generator()
                done[key] = asdict(generator.run(case, method))
                with out.open("a") as file:
                    file.write(json.dumps({"key": key, "outcome": done[key]}) + "\n")
            outcomes[name].append(Outcome(**done[key]))
        if number % 20 == 0:
            report(f"{number} of {len(cases)} prompts, {time.monotonic() - start:.0f} s")
    return outcomes
