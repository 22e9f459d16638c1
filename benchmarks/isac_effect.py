"""Does ISAC Attention Control make the Shapes model count better?

`python -m benchmarks.isac_effect` samples every prompt with the same seed without and with steering, through ComfyUI's
own sampler, counts both pictures exactly, and prints accuracies with 95 % bootstrap intervals of the paired difference.
`--variant paper` and others show what the paper's own settings do. Finished prompts are kept in --out and not run again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from demo.comfy_host import import_comfyui

import_comfyui("--cpu")
import comfy.sample  # noqa: E402
from headcount.bridge.isac import IsacSettings, with_isac  # noqa: E402
from headcount.bridge.recorder import with_recorder  # noqa: E402
from headcount.bridge.shapes.files import WEIGHTS, load_shapes_model  # noqa: E402
from headcount.bridge.token_positions import encode_count_prompt  # noqa: E402

from demo.counter import count_shapes  # noqa: E402
from demo.scenes import Kind, write_prompt  # noqa: E402
from demo.shapes import NOUNS  # noqa: E402

STEPS, CFG, SAMPLER, SCHEDULER = 20, 3.0, "euler", "simple"
VARIANTS = {
    "default": IsacSettings(),
    "paper": IsacSettings(objective="paper", step_mode="paper", step_size=0.01),
    "paper eta 0.001": IsacSettings(objective="paper", step_mode="paper", step_size=0.001),
    "paper relative 0.02": IsacSettings(objective="paper", step_mode="relative", step_size=0.02),
}


@dataclass(frozen=True)
class Case:
    """One prompt with its seed and what it asks for."""

    seed: int
    prompt: str
    asked: dict[str, int]


@dataclass(frozen=True)
class Outcome:
    """What one picture shows, and the objective's losses at each step of its run."""

    counted: dict[str, int]
    losses: list[float]

    def exact(self, case: Case) -> bool:
        """Every noun as often as asked, and nothing else."""
        return self.counted == case.asked

    def error(self, case: Case) -> int:
        """Sum over nouns of |counted - asked|."""
        return sum(abs(self.counted.get(n, 0) - case.asked.get(n, 0)) for n in {*self.counted, *case.asked})


def make_cases(single: int, several: int, seed: int) -> list[Case]:
    """`single` prompts for 2 to 6 of one kind, `several` for two or three kinds (1 to 3, or 1 to 2, of each)."""
    rng = random.Random(seed)
    cases = []
    for index in range(single):
        kinds = (Kind(NOUNS[index % len(NOUNS)], 2 + index // len(NOUNS) % 5),)
        cases.append((kinds, write_prompt(kinds, rng)))
    for index in range(several):
        many = 2 + index % 2
        kinds = tuple(Kind(noun, rng.randint(1, 5 - many)) for noun in rng.sample(NOUNS, many))
        cases.append((kinds, write_prompt(kinds, rng)))
    return [
        Case(1000 * seed + index, prompt, {kind.noun: kind.count for kind in kinds})
        for index, (kinds, prompt) in enumerate(cases)
    ]


class Generator:
    """Samples a case through ComfyUI, as KSampler does."""

    def __init__(self) -> None:
        self._shapes = load_shapes_model()
        self._negative = self._shapes.clip.encode_from_tokens_scheduled(self._shapes.clip.tokenize(""))

    @torch.inference_mode()
    def run(self, case: Case, settings: IsacSettings | None) -> Outcome:
        """One picture, steered with `settings`, or plain with None."""
        positive, _ = encode_count_prompt(self._shapes.clip, case.prompt, "")
        model = self._shapes.model
        patched, handle = with_recorder(model) if settings is None else with_isac(model, settings)
        latent = comfy.sample.fix_empty_latent_channels(model, torch.zeros(1, 4, 16, 16))
        noise = comfy.sample.prepare_noise(latent, case.seed)
        samples = comfy.sample.sample(
            patched, noise, STEPS, CFG, SAMPLER, SCHEDULER, positive, self._negative, latent,
            disable_pbar=True, seed=case.seed,
        )  # fmt: skip
        pixels = (self._shapes.vae.decode(samples)[0].numpy() * 255).round().astype(np.uint8)
        record, _ = handle.record_for(samples)
        losses = [float(s.instance_loss + s.semantic_loss) for s in record.steps if s.instance_loss is not None]
        return Outcome(count_shapes(pixels), losses)


def run_cases(cases: list[Case], variant: str, out: Path, report: Callable[[str], None]) -> list[Outcome]:
    """Outcomes of all cases; those in the file `out` are read, the others run and added."""
    done: dict[str, dict] = {}
    if out.exists():
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        done = {row["key"]: row["outcome"] for row in rows}
    settings = None if variant == "none" else VARIANTS[variant]
    weights = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()[:12]
    name = weights + (" none" if settings is None else json.dumps(asdict(settings)))
    generator, outcomes, start = None, [], time.monotonic()
    for index, case in enumerate(cases):
        key = f"{case.seed} {case.prompt} {name}"
        if key not in done:
            generator = generator or Generator()
            done[key] = asdict(generator.run(case, settings))
            with out.open("a") as file:
                file.write(json.dumps({"key": key, "outcome": done[key]}) + "\n")
        outcomes.append(Outcome(**done[key]))
        if (index + 1) % 25 == 0:
            report(f"{variant}: {index + 1} of {len(cases)}, {time.monotonic() - start:.0f} s")
    return outcomes


def interval(differences: np.ndarray, rounds: int = 10000, seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of the mean of paired differences."""
    rng = np.random.default_rng(seed)
    means = differences[rng.integers(0, len(differences), (rounds, len(differences)))].mean(1)
    return float(np.percentile(means, 2.5)), float(np.percentile(means, 97.5))


def table(cases: list[Case], plain: list[Outcome], steered: list[Outcome]) -> list[str]:
    """A Markdown table: per group of prompts, both accuracies and errors with their intervals."""
    groups: dict[str, list[int]] = {}
    for index, case in enumerate(cases):
        total = sum(case.asked.values())
        names = ["2 to 3 kinds"] if len(case.asked) > 1 else [f"{total} of one kind", "2 to 6 of one kind"]
        for name in [*names, "all"]:
            groups.setdefault(name, []).append(index)
    lines = [
        "| prompts | n | exact without | exact with | difference (95 %) | error without | error with | difference (95 %) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in sorted(groups, key=lambda g: (g == "all", g == "2 to 3 kinds", g == "2 to 6 of one kind", g)):
        chosen = groups[name]
        exact = np.array([[run[i].exact(cases[i]) for i in chosen] for run in (plain, steered)], float)
        error = np.array([[run[i].error(cases[i]) for i in chosen] for run in (plain, steered)], float)
        low, high = interval(exact[1] - exact[0])
        low_error, high_error = interval(error[1] - error[0])
        lines.append(
            f"| {name} | {len(chosen)} | {exact[0].mean():.1%} | {exact[1].mean():.1%} "
            f"| {exact[1].mean() - exact[0].mean():+.1%} ({low:+.1%} to {high:+.1%}) "
            f"| {error[0].mean():.2f} | {error[1].mean():.2f} "
            f"| {error[1].mean() - error[0].mean():+.2f} ({low_error:+.2f} to {high_error:+.2f}) |"
        )
    return lines


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--single", type=int, default=160, help="prompts for 2 to 6 of one kind")
    parser.add_argument("--several", type=int, default=120, help="prompts for 2 or 3 kinds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--variant", action="append", choices=sorted(VARIANTS), help="may be given several times")
    parser.add_argument("--out", type=Path, default=Path("output/isac_effect.jsonl"))
    parser.add_argument("--part", help="i/n: run every n-th prompt from the i-th on, and print no table; see --out")
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    cases = make_cases(arguments.single, arguments.several, arguments.seed)
    variants = arguments.variant or ["default"]
    if arguments.part:
        first, parts = map(int, arguments.part.split("/"))
        for variant in ["none", *variants]:
            run_cases(cases[first::parts], variant, arguments.out, print)
        return
    plain = run_cases(cases, "none", arguments.out, print)
    for variant in variants:
        steered = run_cases(cases, variant, arguments.out, print)
        print(f"\n### {variant}: {VARIANTS[variant]}\n")
        print("\n".join(table(cases, plain, steered)))
        losses = [outcome.losses for outcome in steered if outcome.losses]
        length = min(map(len, losses))
        by_step = np.array([row[:length] for row in losses]).mean(0)
        print("\nmean loss by steered step: " + " ".join(f"{value:.3g}" for value in by_step))


if __name__ == "__main__":
    main()
