"""`make demo`: asks the emoji model for counted objects plainly, with Count Control, and until it is right, and counts them.

Runs the example workflows in a real ComfyUI server. What no node asks counts for the report: the judge. Writes output/demo:
index.html and contact_sheet.png anew after every prompt, attention.png at the end.
"""

from __future__ import annotations

import argparse
import html
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from training.files import write_whole

from .asks import ASKS
from .comfy_host import ROOT
from .contact_sheet import captioned, contact_sheet
from .counting_runs import run_until_right
from .report import Row, Seen, cells, make_row, remarks, table, totals
from .server import ComfyServer, PromptError
from .workflow_runs import EMOJI_ISAC, run_attention, run_with_and_without

OUT = ROOT / "output" / "demo"
PAGE, SHEET, ATTENTION = "index.html", "contact_sheet.png", "attention.png"


def judged() -> Seen:
    """What the judge of the Emoji world sees. Imports ComfyUI into this process, which therefore happens late."""
    from headcount.core.drawing import image_of

    from .emoji.judge import load_judge
    from .emoji.vocabulary import PLURALS

    judge = load_judge()

    def seen(picture: np.ndarray) -> list[tuple[str, str | None]]:
        found = judge.count(image_of(picture)[None], tuple(PLURALS.values()))
        numbers = zip(PLURALS, found.rounded[0].tolist(), strict=True)
        return [(noun, None) for noun, number in numbers for _ in range(number)]

    return seen


STYLE = """body{font:16px sans-serif;margin:2em auto;max-width:1400px;padding:0 1em}img,table{width:100%}
table{border-collapse:collapse;font-size:15px}
th,td{padding:.3em .6em;border:1px solid #ccc;text-align:left;vertical-align:top}"""


def page(rows: list[Row]) -> str:
    """The report as an HTML page beside its pictures; it fits windows of every usual width."""
    verdicts = _elements("li", totals(rows))
    head, *lines = cells(rows)
    body = "".join(f"<tr>{_elements('td', line)}</tr>" for line in lines)
    attention = f'<h2>Inside the model</h2><img src="{ATTENTION}">' if len(rows) == len(ASKS) else ""
    return (
        f'<!doctype html><meta charset="utf-8"><title>Headcount: the demo</title><style>{STYLE}</style>'
        f"<h1>Asked for a number</h1><p>A green frame is exactly right, a red one is not.</p><ul>{verdicts}</ul>"
        f'<img src="{SHEET}"><table><tr>{_elements("th", head)}</tr>{body}</table>'
        f"{_elements('p', remarks(rows, len(ASKS)))}{attention}\n"
    )


def _elements(tag: str, texts: Iterable[str]) -> str:
    return "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in texts)


class Output:
    """The demo's files, each of them whole at any time.

    Attributes:
        rows: the finished prompts; report and contact sheet hold them all.
        files: the files of this run, in the order in which they were first written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[Row] = []
        self.files: list[Path] = []

    def clear(self) -> None:
        """Remove the files of an earlier run, so that what is there belongs together."""
        for name in (PAGE, SHEET, ATTENTION):
            (self.folder / name).unlink(missing_ok=True)

    def add(self, row: Row) -> None:
        """Take in a finished prompt and write page and contact sheet again."""
        self.rows.append(row)
        self.write(PAGE, lambda path: path.write_text(page(self.rows), encoding="utf-8"))
        self.write(SHEET, contact_sheet(self.rows).save)

    def write(self, name: str, save: Callable[[Path], object]) -> None:
        """Write a file beside its place, then move it there."""
        path = self.folder / name
        write_whole(path, save)
        if path not in self.files:
            self.files.append(path)

    def told(self) -> Iterator[str]:
        """Lines that say which files there are, and what is in them."""
        if not self.files:
            yield "nothing was drawn, so no file was written"
            return
        yield from map(str, self.files)
        yield f"{len(self.rows)} of {len(ASKS)} prompts are in {PAGE} and {SHEET}"


def sample_rows(server: ComfyServer, pictures: int, seed: int, seen: Seen) -> Iterator[Row]:
    """Every prompt's row, as soon as it is there; each prompt has a seed of its own."""
    for number, ask in enumerate(ASKS):
        without, steered = run_with_and_without(server, ask.prompt, pictures, seed + number, EMOJI_ISAC)
        right = run_until_right(server, ask.prompt, seed + number)
        drawn = {"as it comes": without, "with Count Control, same noise": steered, "Generate Until Right": [right]}
        yield make_row(ask, drawn, seen)


def demo(server: ComfyServer, pictures: int, seed: int, output: Output) -> None:
    """Run all prompts, write the files as far as they are, print the report."""
    output.clear()
    print(
        f"drawing {len(ASKS)} prompts: {pictures} images plainly, {pictures} with Count Control, one until right",
        flush=True,
    )
    start = time.monotonic()
    for row in sample_rows(server, pictures, seed, judged()):
        output.add(row)
        done, spent = len(output.rows), time.monotonic() - start
        left = spent / done * (len(ASKS) - done)
        print(f"{done} of {len(ASKS)} after {spent:.0f} s, about {left:.0f} s left: {row.ask.prompt}", flush=True)
    output.write(ATTENTION, captioned(run_attention(server, seed)).save)
    print("", *table(output.rows), "", sep="\n")


def main() -> int:
    """Start the server, run the demo, end the server. Returns 0, or 1 when the server or a node failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=2, help="pictures per prompt and column, 1 to 8")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=OUT, help="folder to write to")
    settings = parser.parse_args()
    if not 1 <= settings.pictures <= 8:
        parser.error(f"--pictures is {settings.pictures}; it can be 1 to 8")
    settings.out.mkdir(parents=True, exist_ok=True)
    output = Output(settings.out)
    start = time.monotonic()
    print("starting ComfyUI", flush=True)
    server = ComfyServer()
    try:
        with server:
            try:
                demo(server, settings.pictures, settings.seed, output)
            except (PromptError, OSError):
                print(server.log()[-4000:], file=sys.stderr)
                raise
    except (RuntimeError, OSError) as error:  # a PromptError; a time limit or a lost server
        print(f"the demo failed: {error}", *output.told(), sep="\n", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", *output.told(), sep="\n", file=sys.stderr)
        return 1
    print(*output.told(), sep="\n")
    print(f"done in {time.monotonic() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
