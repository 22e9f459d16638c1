"""CountBench, the benchmark of the NUMINA paper: do videos show as many things as their prompts ask for?

`python -m benchmarks.countbench --prompts prompts.txt --counts noun_counts.jsonl --videos FOLDER --detector DETECTOR`
counts in every frame and prints CountAcc, temporal consistency (TC) and, with --clip, the CLIP score. The two files are those
of the authors' evaluation, or of the same form. Videos are 001_anything.mp4 or .webm, video_001.mp4, folders of frames, or
pictures. With --workflow, the missing ones are made first in your running ComfyUI, or in several that share the work
(--servers). DETECTOR is the folder of a Grounding DINO, which is asked as the authors do it (theirs is
IDEA-Research/grounding-dino-tiny on the Hub), or a counter of the pack: `counter:FOLDER` (any detector of Detector Counter),
`sam3:FILE`, `t2icount:FILE`, `shapes` or `emoji` (for the demo models' pictures). Finished videos and counts are kept, so a
stopped run goes on; a prompt that a node refuses is noted and left out. --out gets results.json and report.md.

Methods are written as benchmarks.effect writes them. `numina_ablation`, such as `numina_ablation:heads=top2`, is a node of the
benchmarks: link the folder benchmarks/ablation_nodes into custom_nodes of each server, beside the pack.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from training.pack import register_pack

register_pack()
from headcount.core.errors import CountError  # noqa: E402

from demo.comfy_client import Prompt, PromptError  # noqa: E402

from .countbench_parts.making import MakingSettings, make_videos, refused_prompts  # noqa: E402
from .countbench_parts.measures import measure_all, meter_of  # noqa: E402
from .countbench_parts.prompts import read_asks  # noqa: E402
from .countbench_parts.report import Origin, figures, read_figures, render  # noqa: E402
from .countbench_parts.videos import match_videos  # noqa: E402
from .lab.command import add_limit, add_servers, device_of, new_parser, positive, start_comfyui, tell  # noqa: E402
from .lab.published_prompts import evenly  # noqa: E402


def _parser() -> argparse.ArgumentParser:
    parser = new_parser(__doc__)
    parser.add_argument("--prompts", type=Path, required=True, metavar="FILE", help="one prompt per line")
    parser.add_argument(
        "--counts",
        type=Path,
        required=True,
        metavar="FILE",
        help='per line such as {"cats": 3}, in the order of the prompts',
    )
    parser.add_argument(
        "--videos", type=Path, required=True, metavar="FOLDER", help="where videos are, or are to be made"
    )
    parser.add_argument("--out", type=Path, default=Path("output/countbench"), help="folder of results")
    add_limit(parser, "prompts")
    parser.add_argument(
        "--missing",
        choices=("skip", "zero"),
        default="skip",
        help="prompts without video: left out (as the authors do), or 0",
    )
    parser.add_argument(
        "--against", type=Path, metavar="results.json", help="another run, to print the difference to it"
    )

    counting = parser.add_argument_group("counting")
    counting.add_argument("--detector", required=True, metavar="DETECTOR", help="see above")
    counting.add_argument(
        "--box-threshold", type=float, default=0.32, help="least score of Grounding DINO's boxes (0.32)"
    )
    counting.add_argument("--clip", metavar="FOLDER", help="measure the CLIP score with this model too")
    counting.add_argument(
        "--allow-download", action="store_true", help="models may be names on the Hub and are downloaded"
    )
    counting.add_argument("--device", help="cpu, cuda, ... (the accelerator if there is one)")
    counting.add_argument("--batch", type=positive, default=8, help="frames at once (8)")

    making = parser.add_argument_group("making videos")
    making.add_argument("--workflow", type=Path, metavar="FILE.json", help="a workflow, from File > Export (API)")
    making.add_argument("--method", default="plain", help="put into the workflow, such as numina:method=paper (plain)")
    making.add_argument("--seed", type=int, default=1, help="of every video (1, as in the paper)")
    add_servers(making, "video")
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Make videos if told to, measure them, print the report and write it.

    Raises:
        CountError: a file, the detector or the workflow cannot be used, or there is nothing to measure.
        PromptError: ComfyUI could not run the workflow.
        OSError: a file cannot be written.
    """
    every = read_asks(arguments.prompts, arguments.counts)
    asks = evenly(every, arguments.limit)
    other = read_figures(arguments.against) if arguments.against else None
    if arguments.workflow:
        make_videos(_making(arguments), asks, every, arguments.videos, tell)
    videos = match_videos(arguments.videos, len(every))
    missing = tuple(ask.index for ask in asks if ask.index not in videos)
    refused = {index: why for index, why in refused_prompts(arguments.videos).items() if index in missing}
    if len(missing) == len(asks):
        raise CountError(
            f"{arguments.videos} has no video of any prompt. Name them 001_..., or make them with --workflow"
        )
    meter = meter_of(arguments)
    measured = measure_all(meter, asks, videos, arguments.missing == "zero", tell)
    clip = meter.clip.name if meter.clip else None
    origin = Origin(str(arguments.videos), meter.counter.name, clip, missing, arguments.missing, refused)
    content = figures(origin, measured, other)
    text = "\n".join(render(content)) + "\n"
    (arguments.out / "results.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (arguments.out / "report.md").write_text(text, encoding="utf-8")
    print(text, end="")


def _method(given: argparse.Namespace) -> Callable[[Prompt, tuple[str, str]], Prompt]:
    start_comfyui(device_of(given.device))  # its nodes' schemas say what there is to set
    from .lab.node_methods import read_method
    from .lab.workflow_methods import with_method

    return partial(with_method, method=read_method(given.method))


def _making(given: argparse.Namespace) -> MakingSettings:
    return MakingSettings(
        servers=given.servers,
        workflow=given.workflow,
        seed=given.seed,
        put_in=None if given.method == "plain" else _method(given),
        prompt_node=given.prompt_node,
        output_node=given.output_node,
        timeout_s=given.timeout,
    )


def main(line: Sequence[str] | None = None) -> None:
    """Run with the command line `line`, or that of the process."""
    parser = _parser()
    arguments = parser.parse_args(line)
    try:
        run(arguments)
    except (CountError, PromptError, OSError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
