"""How much longer ComfyUI takes to start with the pack: `python -m benchmarks.import_time [--rounds N]`.

The same ComfyUI starts without and with the pack, in turns, up to the point where it would serve (--quick-test-for-ci). Printed
are the medians of wall-clock and of processor seconds, and what ComfyUI itself says that the pack's import took. The first
round is not counted: it fills the disk's cache and writes compiled modules.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from demo.comfy_host import PACK, ROOT

from .lab.tables import table


@dataclass(frozen=True)
class Start:
    """One start of ComfyUI.

    Attributes:
        wall: seconds from call to end.
        processor: seconds of user and system time.
        imported: seconds that ComfyUI names for the pack's import; None without the pack. It rounds to tenths.
    """

    wall: float
    processor: float
    imported: float | None


def start(base: Path) -> Start:
    """Start ComfyUI with the base directory `base` and wait until it ends.

    Raises:
        RuntimeError: it failed, or could not import a pack; the end of its log is in the message.
    """
    command = [
        sys.executable,
        str(ROOT / "demo" / "comfy_main.py"),
        "--cpu",
        "--quick-test-for-ci",
        "--disable-api-nodes",
    ]
    command += ["--base-directory", str(base), "--database-url", f"sqlite:///{base / 'comfyui.db'}"]
    before, began = psutil.Process().cpu_times(), time.perf_counter()
    run = subprocess.run(command, cwd=base, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wall, after = time.perf_counter() - began, psutil.Process().cpu_times()
    if run.returncode or "IMPORT FAILED" in run.stdout:
        raise RuntimeError(f"ComfyUI did not start; the end of its log:\n{run.stdout[-2000:]}")
    processor = after.children_user + after.children_system - before.children_user - before.children_system
    named = re.search(rf"([\d.]+) seconds: .*custom_nodes/{PACK}\b", run.stdout)
    return Start(wall, processor, float(named[1]) if named else None)


def measure(rounds: int) -> tuple[list[Start], list[Start]]:
    """Starts without and with the pack, taken in turns after a first round that is not counted."""
    with tempfile.TemporaryDirectory() as temporary:
        bases = [Path(temporary) / name for name in ("without", "with")]
        for base in bases:
            (base / "custom_nodes").mkdir(parents=True)
        (bases[1] / "custom_nodes" / PACK).symlink_to(ROOT, target_is_directory=True)
        taken = [(start(bases[0]), start(bases[1])) for _ in range(rounds + 1)][1:]
    without, with_pack = zip(*taken, strict=True)
    return list(without), list(with_pack)


def report(without: Sequence[Start], with_pack: Sequence[Start]) -> str:
    """Medians side by side, as a table in Markdown."""
    rows = []
    for title, field in (("wall clock", "wall"), ("processor", "processor")):
        plain, packed = (statistics.median(getattr(one, field) for one in starts) for starts in (without, with_pack))
        rows.append([title, f"{plain:.2f}", f"{packed:.2f}", f"{packed - plain:+.2f}"])
    named = statistics.median(one.imported for one in with_pack if one.imported is not None)
    lines = table(["seconds, median", "without", "with", "the pack's share"], rows)
    lines.append(f"ComfyUI's own figure for the pack's import: {named:.1f} s ({len(with_pack)} starts each)")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="counted starts of each kind")
    print(report(*measure(parser.parse_args().rounds)))


if __name__ == "__main__":
    main()
