"""How often is a picture exactly right with each method, what does it harm, and what does it cost?

`python -m benchmarks.effect --world shapes --methods isac_fast,search,isac_fast+search --prompts 100` draws every prompt with
every method and plainly, all from the prompt's own noise, through the pack's nodes with their default settings. A counter that
no method sees judges the pictures. Prints Markdown: all methods with 95 % bootstrap intervals, paired differences to plain
sampling, harmed pictures, cost and quality, then each method group by group; --json writes the same and what became of each
prompt.

Methods: isac_fast, isac_exact, isac_paper (steer), numina (guides), selection, search, best_of (choose the noise), repair,
joined by "+", and until_right, which does all of it; a setting of a node is changed with ":", as in `search:seeds=4` or
`isac_exact:bind=false+numina`. `isac_ablation:schedule=A` and `numina_ablation:heads=top2` are the papers' methods with one
part exchanged, numina_detected has the layout of the world's decider. Settings are chosen on the prompt set "tuning",
figures come from "reporting".

Finished pictures are kept in --out and not drawn again, also after a change of the code: then give another file.
Where other programs use the cores, OMP_NUM_THREADS=1 is many times faster.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from demo.comfy_host import import_comfyui

import_comfyui("--cpu")
from headcount.core.errors import CountError  # noqa: E402

from .lab.command import new_parser, not_negative, part_of, positive, tell  # noqa: E402
from .lab.effect_tables import Report, heading  # noqa: E402
from .lab.effects import run_prompts  # noqa: E402
from .lab.node_methods import read_methods  # noqa: E402
from .lab.prompt_files import SETS, read_prompts  # noqa: E402
from .lab.worlds import WORLDS, require_files  # noqa: E402

USUAL = "isac_fast,isac_exact,isac_paper,selection,numina,search,isac_fast+search"


def main(given: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = new_parser(__doc__)
    parser.add_argument("--world", choices=list(WORLDS), default="shapes")
    parser.add_argument("--methods", default=USUAL, help=f"joined by commas; {USUAL} unless told otherwise")
    parser.add_argument("--prompt-set", choices=SETS, default="tuning")
    parser.add_argument("--prompts", type=positive, help="how many; all unless told otherwise")
    parser.add_argument("--first", type=not_negative, default=0, help="place of the first one, from 0")
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument(
        "--out", type=Path, help="where outcomes are kept; output/effect_WORLD.jsonl unless told otherwise"
    )
    part = "i/n: run every n-th prompt from the i-th on, and print no table; see --out"
    parser.add_argument("--part", type=part_of, help=part)
    parser.add_argument(
        "--no-costs", action="store_true", help="do not count operations, which takes three images' time"
    )
    arguments = parser.parse_args(given)
    world, out = WORLDS[arguments.world], arguments.out or Path(f"output/effect_{arguments.world}.jsonl")
    rows = read_prompts(world.family, arguments.prompt_set)[arguments.first :][: arguments.prompts]
    if not rows:
        parser.error(f"--first {arguments.first}: the set has fewer prompts")
    try:
        require_files(arguments.world, world)
        methods = read_methods(arguments.methods.split(","))
        run = run_prompts(world, rows, methods, out, tell, part=arguments.part or (0, 1), costs=not arguments.no_costs)
    except CountError as error:
        parser.error(str(error))
    if arguments.part:
        return
    report = Report(world, rows, run)
    about = {
        "world": arguments.world,
        "prompts": f"{arguments.prompt_set}, {len(rows)} from {arguments.first} on",
        "model": world.model.digest,
        "judge": world.judge.digest,
        "decider": world.decider.digest,
        "code": ", ".join(sorted(report.codes)),
    }
    print(heading(about) + "\n")
    print("\n".join(report.lines()))
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps({**about, **report.content(methods)}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
