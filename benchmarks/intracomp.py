"""IntraCompBench, the benchmark of the ISAC paper, with any model that ComfyUI loads and any counter of the pack.

`python -m benchmarks.intracomp --checkpoint FILE --method none --method isac-paper --detector FOLDER` draws the prompts
through ComfyUI, counts the pictures and prints a report of everything in --out. `--workflow FILE` draws them by a workflow
of yours instead, with whatever loads its model, text encoders and VAE, in the running ComfyUI of each of --servers;
`--shapes` takes the pack's demo model, its nouns and its exact counter, and measures image quality too. Finished pictures and
counts are kept, so a stopped run goes on, and another detector or method adds to what is there.

Methods: none, isac, isac-fast, isac-paper, isac-ls (Algorithm 2, best of 10), selection, or as benchmarks.effect writes them,
such as isac_paper:clustering=gmm, isac_ablation:schedule=A (A to E) or isac_ablation:metric=iou (mae, kl, iou, mpo).

--prompts FILE takes the counting prompts of another benchmark, from your copy of its file: GenEval's
evaluation_metadata.jsonl, HRS-Bench's counting CSV, or T2I-CompBench's numeracy_val.txt. --boxes FILE.jsonl puts boxes of
each prompt into a workflow with GLIGEN, see benchmarks/lab/gligen_boxes.py.

For `isac_ablation` a server needs a node of the benchmarks: link the folder benchmarks/ablation_nodes into its custom_nodes,
beside the pack.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from demo.comfy_client import PromptError

from .lab.command import add_json, add_servers, device_of, new_parser, part_of, start_comfyui, tell

if TYPE_CHECKING:
    from .intracomp_parts.pictures import Store
    from .lab.counters import NamedCounter


def _parser() -> argparse.ArgumentParser:
    parser = new_parser(__doc__)
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--checkpoint", type=Path, metavar="FILE", help="a full checkpoint: model, text encoder and VAE")
    model.add_argument("--shapes", action="store_true", help="the pack's demo model with its own nouns and counter")
    model.add_argument("--workflow", type=Path, metavar="FILE.json", help="a workflow, saved or of File > Export (API)")
    parser.add_argument("--out", type=Path, default=Path("output/intracomp"), help="folder of pictures and counts")
    add_json(parser)
    parser.add_argument("--skip-generate", action="store_true", help="draw nothing, count what is in --out")
    parser.add_argument("--skip-count", action="store_true", help="count nothing, report what was counted before")
    parser.add_argument("--cpu", action="store_true", help="use the CPU although there is an accelerator")

    prompts = parser.add_argument_group("prompts")
    prompts.add_argument("--prompts", type=Path, metavar="FILE", help="of another benchmark, see above")
    prompts.add_argument("--boxes", type=Path, metavar="FILE.jsonl", help="of each prompt, for a workflow with GLIGEN")
    prompts.add_argument("--limit", type=int, help="so many prompts in all, taken evenly from families and numbers")
    prompts.add_argument("--images", type=int, default=10, help="pictures per prompt and method (10, as in the paper)")
    prompts.add_argument("--seed", type=int, default=0, help="which combinations of classes are used")
    prompts.add_argument(
        "--part", type=part_of, default=(0, 1), metavar="i/n", help="the i-th of n parts, from 0; no report"
    )

    sampling = parser.add_argument_group(
        "sampling; the defaults are those of the workflow, the Shapes model, or Stable Diffusion 1.5"
    )
    sampling.add_argument("--method", action="append", help="may be given several times (none); a wrong name lists all")
    sampling.add_argument("--steps", type=int)
    sampling.add_argument("--cfg", type=float)
    sampling.add_argument("--sampler")
    sampling.add_argument("--scheduler")
    sampling.add_argument("--size", type=int, help="side of the picture in pixels")

    running = parser.add_argument_group("running a workflow")
    add_servers(running, "picture")

    counting = parser.add_argument_group("counting")
    counting.add_argument("--detector", action="append", default=[], metavar="COUNTER",
                          help="FOLDER of a zero-shot detector, sam3:FILE, t2icount:FILE or emoji; of several, a thing "
                          "counts that any two see")  # fmt: skip
    counting.add_argument(
        "--threshold", type=float, nargs="+", default=[0.3], help="least score; one for all, or one each"
    )
    counting.add_argument("--nms", type=float, default=0.5, help="overlap above which two boxes of a noun are doubles")
    counting.add_argument("--agreement", type=float, default=0.5, help="overlap from which two detectors see one thing")
    return parser


def main(line: Sequence[str] | None = None) -> None:
    """Run with the command line `line`, or that of the process."""
    parser = _parser()
    arguments = parser.parse_args(line)
    if not (arguments.skip_generate or arguments.shapes or arguments.checkpoint or arguments.workflow):
        parser.error("nothing to draw with: give --checkpoint FILE, --workflow FILE, --shapes, or --skip-generate")
    if not (arguments.skip_count or arguments.shapes or arguments.detector):
        parser.error("nothing to count with: give --detector COUNTER, or --skip-count")
    if arguments.boxes and not arguments.workflow:
        parser.error("--boxes are put into a workflow with GLIGEN: give --workflow FILE.json")
    if len(arguments.threshold) not in (1, max(len(arguments.detector), 1)):
        parser.error(
            f"{len(arguments.threshold)} thresholds for {len(arguments.detector)} detectors: give one, or one each"
        )
    start_comfyui(device_of("cpu" if arguments.cpu else None))
    from headcount.core.errors import CountError

    try:
        run(arguments)
    except (CountError, PromptError, OSError, ValueError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


def run(arguments: argparse.Namespace) -> None:
    """Draw, count and print the report, each unless told not to.

    Raises:
        CountError: the model, a method or a counter cannot be used.
        PromptError: ComfyUI could not run the workflow.
        OSError: a file is not there.
        ValueError: there is nothing to report.
    """
    from .intracomp_parts.drawing import count_all, draw_all, plan_of, vocabulary_name
    from .intracomp_parts.pictures import Store
    from .intracomp_parts.prompts import INTRACOMP, SHAPES

    vocabulary = SHAPES if arguments.shapes else INTRACOMP
    store = Store(arguments.out)
    if not arguments.skip_generate:
        draw_all(plan_of(arguments, vocabulary), store, tell)
    if not arguments.skip_count:
        for counter in _counters(arguments):
            count_all(store, counter, vocabulary_name(arguments, vocabulary), arguments.part, tell)
    if arguments.part == (0, 1):
        _report(arguments, store)


def _counters(arguments: argparse.Namespace) -> Iterator[NamedCounter]:
    from .lab.named_counters import counter_of, counters_of

    if arguments.shapes:
        yield counter_of("shapes")
    if arguments.detector:
        yield counters_of(arguments.detector, arguments.threshold, arguments.nms, arguments.agreement)


def _report(arguments: argparse.Namespace, store: Store) -> None:
    from .intracomp_parts.tables import render

    lines, figures = render(store)
    if not lines:
        if arguments.skip_count:
            return
        raise ValueError(f"there is nothing to report: {arguments.out} holds no counted pictures")
    print("\n".join(lines))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
