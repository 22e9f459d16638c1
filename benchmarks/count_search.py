"""How often is the picture right when Count Search chooses its seed, and at what cost?

`python -m benchmarks.count_search` asks the Shapes model for pictures and counts them exactly. Plain pictures come from one
seed; "best of B, finished" finishes B and keeps the best; Count Search looks at up to so many seeds and makes the picture of
the one it finds; the same with ISAC (fast) on the model, which steers the tried seeds too. The looks of the longest search
are made once per prompt and shorter searches read the first of them, which gives exactly what they would find by themselves.
Cost is counted, relative to plain pictures of the same prompts: rows that the diffusion model computes (ISAC's extra passes
as forward passes only), and seconds, decoding and counting included. Intervals are 95 % bootstrap intervals over prompts.
Finished prompts are kept in --out and not sampled again. The settings were chosen with prompts of other seeds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from demo.comfy_host import import_comfyui

import_comfyui("--cpu")
import comfy.sample  # noqa: E402
from comfy.patcher_extension import WrappersMP  # noqa: E402
from headcount.bridge.count_search.looks import looks_of  # noqa: E402
from headcount.bridge.count_search.pictures import shown_by  # noqa: E402
from headcount.bridge.count_search.search import Search  # noqa: E402
from headcount.bridge.count_search.settings import SearchSettings  # noqa: E402
from headcount.bridge.count_search.standings import Candidate, best_first, judged  # noqa: E402
from headcount.bridge.count_search.start import start_of  # noqa: E402
from headcount.bridge.isac import IsacSettings, with_isac  # noqa: E402
from headcount.bridge.shapes.files import WEIGHTS, load_shapes_model  # noqa: E402
from headcount.bridge.token_positions import encode_count_prompt  # noqa: E402

from demo.exact_counter import ExactCounter  # noqa: E402

from .effect_cases import Case, Outcome, make_cases  # noqa: E402
from .effect_table import groups_of, interval  # noqa: E402

STEPS, CFG, SAMPLER, SCHEDULER = 20, 3.0, "euler", "simple"
FINISHED = 2
SEEDS = {"plain": (2, 4, 8, 12), "fast": (2, 4)}
_SEEDS_APART = 64
_TOGETHER = 4  # looks in one batch; a search that stops in between would have made the first of them only


@dataclass(frozen=True)
class Look:
    """One seed as Count Search saw it: counts of the asked nouns, and what the look cost."""

    numbers: list[float]
    rows: int
    seconds: float


@dataclass(frozen=True)
class Picture:
    """One finished picture: everything it shows, and what it cost."""

    counted: dict[str, int]
    rows: int
    seconds: float


@dataclass(frozen=True)
class Run:
    """All that was sampled for a prompt with one model: looks in the order of the seeds, and pictures by their place."""

    looks: list[Look]
    pictures: dict[str, Picture]


@dataclass(frozen=True)
class Result:
    """What one method gives for a prompt."""

    counted: dict[str, int]
    rows: int
    seconds: float


class Sampler:
    """Samples a prompt as Count Search and KSampler do, and counts what the model is asked.

    Args:
        counter: of the looks; finished pictures are counted exactly.
        decide_at: see `SearchSettings`.
    """

    def __init__(self, counter: Any, decide_at: float) -> None:
        self._counter, self._decide_at = counter, decide_at
        self._shapes = load_shapes_model()
        self._negative = self._shapes.clip.encode_from_tokens_scheduled(self._shapes.clip.tokenize(""))
        self._rows = 0
        counting = self._shapes.model.clone()
        counting.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "benchmark", self._count_rows)
        self.models = {"plain": counting, "fast": with_isac(counting, IsacSettings(mode="fast"))[0]}

    def _count_rows(self, executor: Any, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        self._rows += len(x)
        return executor(x, *args, **kwargs)

    @torch.inference_mode()
    def run(self, case: Case, kind: str) -> Run:
        """The looks of the longest search, and every picture that a method ends with."""
        most = max(SEEDS[kind])
        settings = SearchSettings(
            _SEEDS_APART * case.seed, STEPS, CFG, SAMPLER, SCHEDULER, seeds=most, decide_at=self._decide_at
        )
        positive, _ = encode_count_prompt(self._shapes.clip, case.prompt, "")
        latent = {"samples": torch.zeros(1, 4, 16, 16)}
        search = Search(self.models[kind], positive, self._negative, latent, self._shapes.vae, settings)
        asked = search.asked()
        start = start_of(search.model, latent, settings.seed, most)
        looks = looks_of(search.model, positive, self._negative, start, settings)
        tried: list[Candidate] = []
        found: list[Look] = []
        for first in range(0, most, _TOGETHER):
            some = list(range(first, min(first + _TOGETHER, most)))
            rows, begun = self._rows, time.perf_counter()
            shown = shown_by(self._shapes.vae, looks.predicted(some, lambda *_: None), 1)
            counted = self._counter.count(shown.frames, tuple(asked))
            cost = (self._rows - rows) // len(some), (time.perf_counter() - begun) / len(some)
            of_these = judged(some, [start.seed_of(index) for index in some], counted, asked)
            right = next((place for place, one in enumerate(of_these) if one.misses == 0), len(some) - 1)
            tried += of_these[: right + 1]
            found += [Look(list(one.numbers), *cost) for one in of_these[: right + 1]]
            if tried[-1].misses == 0:
                break
        places = {0, *(best_first(tried[:many])[0].index for many in SEEDS[kind])}
        places |= set(range(FINISHED)) if kind == "plain" else set()
        return Run(found, {str(place): self._picture(search, start.seed_of(place), case) for place in sorted(places)})

    def _picture(self, search: Search, seed: int, case: Case) -> Picture:
        rows, begun = self._rows, time.perf_counter()
        empty = comfy.sample.fix_empty_latent_channels(search.model, search.latent["samples"])
        samples = comfy.sample.sample(
            search.model, comfy.sample.prepare_noise(empty, seed), STEPS, CFG, SAMPLER, SCHEDULER, search.positive,
            search.negative, empty, disable_pbar=True, seed=seed,
        )  # fmt: skip
        pixels = (self._shapes.vae.decode(samples)[0].numpy() * 255).round().astype(np.uint8)
        return Picture(case.count(pixels), self._rows - rows, time.perf_counter() - begun)


def load_counter(path: Path | None) -> Any:
    """The exact counter, or a network of a T2ICount file."""
    if path is None:
        return ExactCounter()
    from headcount.bridge.t2icount.loaded import LoadedCounter
    from headcount.core.t2icount.checkpoint import CONFIG_ENTRY, config_named, load_network
    from safetensors import safe_open
    from safetensors.torch import load_file

    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
    config = config_named(metadata[CONFIG_ENTRY]) if CONFIG_ENTRY in metadata else None
    return LoadedCounter(load_network(load_file(path), config).float().eval())


def searched(case: Case, run: Run, seeds: int) -> Result:
    """What Count Search finds among the first so many seeds, and what it and the picture cost."""
    wanted = np.array(list(case.asked.values()))
    looks = run.looks[:seeds]
    off = [
        (int(np.abs(np.floor(np.array(look.numbers) + 0.5) - wanted).sum()), np.abs(look.numbers - wanted).sum())
        for look in looks
    ]
    picture = run.pictures[str(min(range(len(looks)), key=lambda index: (*off[index], index)))]
    spent = [picture, *looks]
    return Result(picture.counted, sum(one.rows for one in spent), sum(one.seconds for one in spent))


def finished(case: Case, run: Run, many: int) -> Result:
    """The best of the first pictures, all finished."""
    made = [run.pictures[str(place)] for place in range(many)]
    off = [sum(abs(one.counted.get(noun, 0) - number) for noun, number in case.asked.items()) for one in made]
    best = made[off.index(min(off))]
    return Result(best.counted, sum(one.rows for one in made), sum(one.seconds for one in made))


def methods() -> dict[str, Callable[[Case, dict[str, Run]], Result]]:
    """Name -> what it gives for a prompt."""
    found: dict[str, Callable[[Case, dict[str, Run]], Result]] = {
        "plain": lambda case, runs: finished(case, runs["plain"], 1)
    }
    for many in range(2, FINISHED + 1):
        found[f"best of {many}, finished"] = lambda case, runs, many=many: finished(case, runs["plain"], many)
    for seeds in SEEDS["plain"]:
        found[f"Count Search, up to {seeds}"] = lambda case, runs, seeds=seeds: searched(case, runs["plain"], seeds)
    found["ISAC fast"] = lambda case, runs: finished(case, runs["fast"], 1)
    for seeds in SEEDS["fast"]:
        found[f"ISAC fast, Count Search up to {seeds}"] = lambda case, runs, seeds=seeds: searched(
            case, runs["fast"], seeds
        )
    return found


def table(cases: list[Case], runs: list[dict[str, Run]]) -> Iterator[str]:
    """Each method in each group: cost, shares of exact and of right pictures, and the mistakes that are left."""
    results = {
        name: [method(case, own) for case, own in zip(cases, runs, strict=True)] for name, method in methods().items()
    }
    for group, chosen in groups_of(cases, by_count=False).items():
        yield f"\n### {group} ({len(chosen)} prompts)\n"
        yield "| method | rows | time | exact | to plain (95 %) | asked kinds right | mistakes left |"
        yield "|---|---|---|---|---|---|---|"
        plain = results["plain"]
        for name, all_results in results.items():
            own = [all_results[index] for index in chosen]
            cost = [
                sum(getattr(one, what) for one in own) / sum(getattr(plain[index], what) for index in chosen)
                for what in ("rows", "seconds")
            ]
            exact, before = (
                np.array([Outcome(run[i].counted, []).exact(cases[i]) for i in chosen], float)
                for run in (all_results, plain)
            )
            right = np.mean(
                [
                    all(all_results[i].counted.get(noun, 0) == many for noun, many in cases[i].asked.items())
                    for i in chosen
                ]
            )
            low, high = interval(exact - before)
            yield (
                f"| {name} | {cost[0]:.2f}x | {cost[1]:.2f}x | {exact.mean():.1%} | {(exact - before).mean():+.1%} "
                f"({low:+.1%} to {high:+.1%}) | {right:.1%} | {(1 - exact.mean()) / max(1 - before.mean(), 1e-9):.0%} |"
            )


def load_runs(
    cases: list[Case], out: Path, counter: Path | None, decide_at: float, report: Callable[[str], None]
) -> list[dict[str, Run]]:
    """Runs of all cases; those in the file `out` are read, the others sampled and added, case by case."""
    done: dict[str, Any] = {}
    if out.exists():
        done = {row["key"]: row["runs"] for row in map(json.loads, out.read_text().splitlines())}
    files = [hashlib.sha256(file.read_bytes()).hexdigest()[:12] for file in (WEIGHTS, counter) if file is not None]
    sampler, begun, runs = None, time.monotonic(), []
    for number, case in enumerate(cases, 1):
        key = f"{case.seed} {case.prompt} {decide_at} {files} {json.dumps(SEEDS)} {FINISHED}"
        if key not in done:
            sampler = sampler or Sampler(load_counter(counter), decide_at)
            done[key] = {kind: asdict(sampler.run(case, kind)) for kind in SEEDS}
            with out.open("a") as file:
                file.write(json.dumps({"key": key, "runs": done[key]}) + "\n")
        runs.append({kind: _read(own) for kind, own in done[key].items()})
        if number % 10 == 0:
            report(f"{number} of {len(cases)} prompts, {time.monotonic() - begun:.0f} s")
    return runs


def _read(run: dict[str, Any]) -> Run:
    pictures = {place: Picture(**picture) for place, picture in run["pictures"].items()}
    return Run([Look(**look) for look in run["looks"]], pictures)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--single", type=int, default=120, help="prompts for 2 to 6 of one kind")
    parser.add_argument("--several", type=int, default=80, help="prompts for 2 or 3 kinds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, help="only so many of the prompts, both groups in turns")
    parser.add_argument("--decide-at", type=float, default=SearchSettings.decide_at)
    parser.add_argument(
        "--counter", type=Path, help="a T2ICount file that looks at the seeds, in place of the exact one"
    )
    parser.add_argument("--out", type=Path, default=Path("output/count_search.jsonl"))
    parser.add_argument("--part", help="i/n: sample every n-th prompt from the i-th on, and print no table; see --out")
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    cases = make_cases(arguments.single, arguments.several, arguments.seed)
    # In turns, so that the first prompts are of both groups and of all counts.
    numbers = np.random.default_rng(0)
    groups = [numbers.permutation(many) / max(many, 1) for many in (arguments.single, arguments.several)]
    spread = np.concatenate(groups)
    cases = [cases[index] for index in np.argsort(spread, kind="stable")][: arguments.first]
    if arguments.part:
        first, parts = map(int, arguments.part.split("/"))
        cases = cases[first::parts]
    runs = load_runs(cases, arguments.out, arguments.counter, arguments.decide_at, print)
    if arguments.part:
        return
    print("\n".join(table(cases, runs)))


if __name__ == "__main__":
    main()
