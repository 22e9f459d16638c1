"""How far is a counter off on FSC-147, FSC-147-S or CARPK?

`python -m benchmarks.fsc147 --set fsc147 --data FSC147 --detector sam3:FILE` asks any counter of the pack for the noun of each
picture and prints MAE, RMSE and the share of exact counts with 95 % bootstrap intervals. Sets and folders are those of
`python -m training.evaluate`, which measures T2ICount itself by its authors' windows. Counts are kept in --out, so a stopped
run goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .lab.command import add_limit, device_of, new_parser, start_comfyui, tell


def main(line: Sequence[str] | None = None) -> None:
    """Run with the command line `line`, or that of the process."""
    parser = new_parser(__doc__)
    parser.add_argument("--set", choices=("fsc147", "fsc147-s", "carpk"), required=True)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="of FSC-147 or CARPK")
    parser.add_argument("--split", choices=("train", "val", "test"), default="test", help="test unless told otherwise")
    parser.add_argument("--list", type=Path, metavar="FILE", help="FSC-147-S.json; needed by --set fsc147-s")
    parser.add_argument("--detector", required=True, metavar="COUNTER",
                        help="FOLDER of a zero-shot detector, sam3:FILE, t2icount:FILE, shapes or emoji")  # fmt: skip
    parser.add_argument("--threshold", type=float, default=0.3, help="least score of a detector (0.3)")
    add_limit(parser, "pictures")
    parser.add_argument("--out", type=Path, default=Path("output/fsc147"), help="folder of counts")
    arguments = parser.parse_args(line)
    start_comfyui(device_of(None))
    from headcount.core.drawing import image_of
    from headcount.core.errors import CountError

    from training.evaluate import pictures_of

    from .lab.named_counters import counter_of
    from .lab.published_prompts import evenly
    from .lab.store import KeptRows

    try:
        pictures = evenly(pictures_of(arguments), arguments.limit)
        counter = counter_of(arguments.detector, arguments.threshold)
        kept, counts = KeptRows(arguments.out / "counts.jsonl", "count"), []
        for done, picture in enumerate(pictures, start=1):
            key = f"{arguments.set} {picture.name} {picture.noun} {counter.name}"
            found = kept.get(
                key, lambda one=picture: float(counter.count(image_of(one.read()[None]), [one.noun]).numbers[0, 0])
            )
            counts.append(found)
            if done % 100 == 0 or done == len(pictures):
                tell(f"counted {done} of {len(pictures)} pictures")
    except (CountError, OSError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    print("\n".join(report(counter.name, np.array(counts), np.array([picture.count for picture in pictures]))))


def report(name: str, counts: np.ndarray, truth: np.ndarray) -> list[str]:
    """Lines of Markdown."""
    from .lab.statistics import interval, root_mean_square
    from .lab.tables import table, with_interval

    errors = counts - truth
    exact = (np.floor(counts + 0.5) == truth).astype(float)
    cells = (
        with_interval(".2f", float(np.abs(errors).mean()), interval(np.abs(errors))),
        with_interval(".2f", float(root_mean_square(errors)), interval(errors, root_mean_square)),
        with_interval(".1%", float(exact.mean()), interval(exact)),
    )
    return table(["counter", "pictures", "MAE", "RMSE", "exact"], [[name, len(errors), *cells]])


if __name__ == "__main__":
    main()
