"""`make demo`: asks the Shapes model for counted shapes with and without ISAC, counts what came out, shows both.

Runs the example workflows in a real ComfyUI server. Writes output/demo: contact_sheet.png, attention.png, report.txt.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from .asks import ASKS
from .comfy_host import ROOT
from .contact_sheet import captioned, contact_sheet
from .report import Row, make_row, table
from .server import ComfyServer, PromptError
from .workflow_runs import run_attention, run_with_and_without

OUT = ROOT / "output" / "demo"


def sample_rows(server: ComfyServer, pictures: int, seed: int) -> Iterator[Row]:
    """Every prompt's row, as soon as it is there; each prompt has a seed of its own."""
    for number, ask in enumerate(ASKS):
        without, steered = run_with_and_without(server, ask.prompt, pictures, seed + number)
        yield make_row(ask, without, steered)


def demo(server: ComfyServer, pictures: int, seed: int, out: Path) -> None:
    """Run all prompts, write the three files, print the report."""
    rows = []
    for row in sample_rows(server, pictures, seed):
        rows.append(row)
        print(f"{len(rows)} of {len(ASKS)}: {row.ask.prompt}", flush=True)
    report = "\n".join(table(rows))
    (out / "report.txt").write_text(report + "\n", encoding="utf-8")
    contact_sheet(rows).save(out / "contact_sheet.png")
    captioned(run_attention(server, seed)).save(out / "attention.png")
    print(f"\n{report}\n")


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
    start = time.monotonic()
    print("starting ComfyUI", flush=True)
    server = ComfyServer()
    try:
        with server:
            try:
                demo(server, settings.pictures, settings.seed, settings.out)
            except (PromptError, TimeoutError):
                print(server.log()[-4000:], file=sys.stderr)
                raise
    except (FileNotFoundError, RuntimeError, TimeoutError) as error:  # PromptError is a RuntimeError
        print(f"the demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 1
    for name in ("contact_sheet.png", "attention.png", "report.txt"):
        print(settings.out / name)
    print(f"done in {time.monotonic() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
