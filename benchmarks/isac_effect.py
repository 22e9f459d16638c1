"""Does Headcount make the Shapes model count better, and what does each way cost?

`python -m benchmarks.isac_effect` samples every prompt with every method, through ComfyUI's own sampler, counts the
pictures exactly, and prints accuracies with 95 % bootstrap intervals of the paired difference to plain sampling. "exact",
"without bind" and "fast" start from the same noise as "none"; "selection" chooses among the noises of the same seed. Times are
ratios of pictures made one after the other in the same process. Finished pictures are kept in --out and not made again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from demo.comfy_host import import_comfyui

import_comfyui("--cpu")
import comfy.sample  # noqa: E402
from headcount.bridge.isac import IsacSettings, with_isac  # noqa: E402
from headcount.bridge.latent_selection import SelectionSettings, select_candidates  # noqa: E402
from headcount.bridge.shapes.files import WEIGHTS, load_shapes_model  # noqa: E402
from headcount.bridge.token_positions import encode_count_prompt  # noqa: E402

from .effect_cases import Case, Outcome, make_cases, make_coloured_cases  # noqa: E402
from .effect_table import counts_table, interval, methods_table  # noqa: E402, F401

STEPS, CFG, SAMPLER, SCHEDULER = 20, 3.0, "euler", "simple"


@dataclass(frozen=True)
class Method:
    """What is done for a picture: noises chosen first, steering while sampling, both, or nothing."""

    steering: IsacSettings | None = None
    selection: SelectionSettings | None = None


def _selection(**changes: Any) -> SelectionSettings:
    return SelectionSettings(0, STEPS, CFG, SAMPLER, SCHEDULER, **changes)


METHODS = {
    "none": Method(),
    "exact": Method(IsacSettings()),
    "fast": Method(IsacSettings(mode="fast")),
    "without bind": Method(IsacSettings(bind=False)),
    "selection": Method(selection=_selection(candidates=4)),
    "selection of 8": Method(selection=_selection(candidates=8)),
    "selection, then exact": Method(IsacSettings(), _selection(candidates=4)),
    "paper": Method(IsacSettings(objective="paper", step_mode="paper", step_size=0.01)),
    "paper without bind": Method(IsacSettings(objective="paper", step_mode="paper", step_size=0.01, bind=False)),
    "paper eta 0.001": Method(IsacSettings(objective="paper", step_mode="paper", step_size=0.001)),
    "paper relative 0.02": Method(IsacSettings(objective="paper", step_mode="relative", step_size=0.02)),
}
DEFAULT_METHODS = ("exact", "without bind", "fast", "selection")


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
        latent = comfy.sample.fix_empty_latent_channels(model, torch.zeros(1, 4, 16, 16))
        index = 0
        if method.selection is not None:
            settings = SelectionSettings(**{**asdict(method.selection), "seed": case.seed})
            found = select_candidates(self._shapes.model, positive, self._negative, {"samples": latent}, settings)
            index = found[0].index
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
    cases: list[Case], methods: list[str], out: Path, report: Callable[[str], None]
) -> dict[str, list[Outcome]]:
    """Outcomes of all cases by method; those in the file `out` are read, the others run and added, case by case."""
    done: dict[str, dict] = {}
    if out.exists():
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        done = {row["key"]: row["outcome"] for row in rows}
    weights = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()[:12]
    settings = {name: weights + json.dumps(asdict(METHODS[name])) for name in methods}
    outcomes: dict[str, list[Outcome]] = {name: [] for name in methods}
    generator, start = None, time.monotonic()
    for number, case in enumerate(cases, 1):
        for name in methods:
            if name == "without bind" and "exact" in methods and not case.names_colours:
                outcomes[name].append(outcomes["exact"][-1])  # without attributes they are the same, bit for bit
                continue
            key = f"{case.seed} {case.prompt} {settings[name]}"
            if key not in done:
                generator = generator or Generator()
                done[key] = asdict(generator.run(case, METHODS[name]))
                with out.open("a") as file:
                    file.write(json.dumps({"key": key, "outcome": done[key]}) + "\n")
            outcomes[name].append(Outcome(**done[key]))
        if number % 20 == 0:
            report(f"{number} of {len(cases)} prompts, {time.monotonic() - start:.0f} s")
    return outcomes


def _mean_losses(run: list[Outcome]) -> str:
    losses = [outcome.losses for outcome in run if outcome.losses]
    length = min(map(len, losses), default=0)
    means = np.array([row[:length] for row in losses]).mean(0) if length else []
    return " ".join(f"{value:.3g}" for value in means)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--single", type=int, default=160, help="prompts for 2 to 6 of one kind")
    parser.add_argument("--several", type=int, default=120, help="prompts for 2 or 3 kinds")
    parser.add_argument("--coloured", type=int, default=80, help="prompts for 2 kinds, each with its colour")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--method", action="append", choices=list(METHODS), help="may be given several times")
    parser.add_argument("--out", type=Path, default=Path("output/isac_effect.jsonl"))
    parser.add_argument("--part", help="i/n: run every n-th prompt from the i-th on, and print no table; see --out")
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    cases = make_cases(arguments.single, arguments.several, arguments.seed)
    cases += make_coloured_cases(arguments.coloured, arguments.seed)
    methods = ["none", *(name for name in arguments.method or DEFAULT_METHODS if name != "none")]
    if arguments.part:
        first, parts = map(int, arguments.part.split("/"))
        run_cases(cases[first::parts], methods, arguments.out, print)
        return
    runs = run_cases(cases, methods, arguments.out, print)
    print("\n" + "\n".join(methods_table(cases, runs)))
    for name in methods[1:]:
        print(f"\n### {name}: {METHODS[name]}\n")
        print("\n".join(counts_table(cases, runs["none"], runs[name])))
        print("\nmean loss by steered step: " + _mean_losses(runs[name]))


if __name__ == "__main__":
    main()
