"""`make demo`: asks the Shapes model for counted shapes with and without ISAC, counts what came out, shows both.

Runs the example workflows in a real ComfyUI server. Writes output/demo: report.txt and contact_sheet.png anew after every
prompt, attention.png at the end.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from .asks import ASKS
from .comfy_host import ROOT
from .contact_sheet import captioned, contact_sheet
from .report import Row, make_row, table
from .server import ComfyServer, PromptError
from .workflow_runs import run_attention, run_with_and_without

OUT = ROOT / "output" / "demo"
REPORT, SHEET, ATTENTION = "report.txt", "contact_sheet.png", "attention.png"


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
        for name in (REPORT, SHEET, ATTENTION):
            (self.folder / name).unlink(missing_ok=True)

    def add(self, row: Row) -> None:
        """Take in a finished prompt and write report and contact sheet again."""
        self.rows.append(row)
        report = "\n".join(table(self.rows, len(ASKS)))
        self.write(REPORT, lambda path: path.write_text(report + "\n", encoding="utf-8"))
        self.write(SHEET, contact_sheet(self.rows).save)

    def write(self, name: str, save: Callable[[Path], object]) -> None:
        """Write a file beside its place, then move it there."""
        path, part = self.folder / name, self.folder / f"unfinished_{name}"
        save(part)
        part.replace(path)
        if path not in self.files:
            self.files.append(path)

    def told(self) -> Iterator[str]:
        """Lines that say which files there are, and what is in them."""
        if not self.files:
            yield "nothing was drawn, so no file was written"
            return
        yield from map(str, self.files)
        yield f"{len(self.rows)} of {len(ASKS)} prompts are in {REPORT} and {SHEET}"


def sample_rows(server: ComfyServer, pictures: int, seed: int) -> Iterator[Row]:
    """Every prompt's row, as soon as it is there; each prompt has a seed of its own."""
    for number, ask in enumerate(ASKS):
        without, steered = run_with_and_without(server, ask.prompt, pictures, seed + number)
        yield make_row(ask, without, steered)


def demo(server: ComfyServer, pictures: int, seed: int, output: Output) -> None:
    """Run all prompts, write the files as far as they are, print the report."""
    output.clear()
    print(f"drawing {len(ASKS)} prompts, {pictures} images of each without ISAC and {pictures} with it", flush=True)
    start = time.monotonic()
    for row in sample_rows(server, pictures, seed):
        output.add(row)
        done, spent = len(output.rows), time.monotonic() - start
        left = spent / done * (len(ASKS) - done)
        print(f"{done} of {len(ASKS)} after {spent:.0f} s, about {left:.0f} s left: {row.ask.prompt}", flush=True)
    output.write(ATTENTION, captioned(run_attention(server, seed)).save)
    print("", *table(output.rows), "", sep="\n")


def main() -> int:
    """Start the server, run the demo, end the server. Returns 0, or 1 when the server or a node failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=3, help="pictures per prompt, 1 to 8")
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
