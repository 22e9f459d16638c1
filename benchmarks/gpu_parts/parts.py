"""Parts of the GPU benchmark: what they find, the file that makes a run resumable, and running as many as the time allows."""

from __future__ import annotations

import gc
import json
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch

from training.files import write_whole

from ..lab.tables import table

Figure = float | int | str
State = Literal["done", "failed", "needs a GPU"]


@dataclass(frozen=True)
class Finding:
    """One line of a part's table.

    Attributes:
        what: what was measured or compared.
        figures: name of a column, with its unit, to a figure.
        wanted: the bar in words; "" where there is none.
        passed: whether the figures reach it; None where there is none.
    """

    what: str
    figures: dict[str, Figure]
    wanted: str = ""
    passed: bool | None = None

    def also(self, right: bool, wanted: str) -> Finding:
        """The same with one more thing wanted."""
        return replace(self, wanted=f"{self.wanted}, {wanted}", passed=self.passed is not False and right)


@dataclass(frozen=True)
class Part:
    """One part, which runs on its own.

    Attributes:
        name: what `--only` and the results' file call it.
        title: of its table.
        seconds: how long it takes on a data centre's GPU, roughly and rather too long.
        run: does it on a device, in inference mode as ComfyUI runs its nodes.
        needs_gpu: says nothing on a CPU.
    """

    name: str
    title: str
    seconds: float
    run: Callable[[torch.device], list[Finding]]
    needs_gpu: bool = False


@dataclass(frozen=True)
class Record:
    """How a part went.

    Attributes:
        seconds: that it took.
        error: what stopped it; "" for nothing.
        code: digest of the code that it holds for.
    """

    state: State
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)
    error: str = ""
    code: str = ""

    @property
    def falls_short(self) -> bool:
        """It failed, or something is not as wanted."""
        return self.state == "failed" or any(one.passed is False for one in self.findings)

    @property
    def verdict(self) -> str:
        """One word, or what it fell short of."""
        if self.state != "done":
            return self.error or self.state
        failed = sum(one.passed is False for one in self.findings)
        return f"{failed} of {len(self.findings)} short of what is wanted" if failed else "done"


class Results:
    """Records by name of part, written to a JSON file after each.

    Args:
        machine: what the figures hold for.

    Raises:
        ValueError: the file holds figures of another machine.
    """

    def __init__(self, file: Path, machine: Mapping[str, str]) -> None:
        self._file = file
        self.machine = dict(machine)
        self.records: dict[str, Record] = {}
        if not file.exists():
            return
        read = json.loads(file.read_text())
        if read["machine"] != self.machine:
            raise ValueError(
                f"{file.name} holds figures of {read['machine']}, this is {self.machine}: take another --out"
            )
        for name, record in read["parts"].items():
            findings = [Finding(**one) for one in record.pop("findings")]
            self.records[name] = Record(**record, findings=findings)

    def add(self, name: str, record: Record) -> None:
        """Keep a part's record."""
        self.records[name] = record
        written = {"machine": self.machine, "parts": {name: asdict(one) for name, one in self.records.items()}}
        write_whole(self._file, lambda path: path.write_text(json.dumps(written, indent=1)))

    def forget_failed(self) -> None:
        """Have the parts that failed run again."""
        self.records = {name: one for name, one in self.records.items() if one.state != "failed"}


def markdown(results: Results, parts: Iterable[Part]) -> str:
    """All that was found, as Markdown."""
    machine = "; ".join(f"{key} {value}" for key, value in results.machine.items())
    sections = [f"# Headcount on {machine}"]
    rows = []
    for part in parts:
        record = results.records.get(part.name)
        if record is None:
            rows.append([part.name, "not run yet", "", ""])
            continue
        rows.append([part.name, record.verdict, f"{record.seconds:.0f} s" if record.seconds else "", record.code])
        if record.findings:
            sections.append("\n".join([f"## {part.title}", "", *_findings(record.findings)]))
    sections.append("\n".join(["## Parts", "", *table(["part", "how it went", "took", "code"], rows)]))
    return "\n\n".join(sections)


def _findings(findings: list[Finding]) -> list[str]:
    names = list(dict.fromkeys(name for one in findings for name in one.figures))
    rows = [
        [one.what, *(_text(one.figures.get(name, "")) for name in names), one.wanted, _VERDICTS[one.passed]]
        for one in findings
    ]
    return table(["what", *names, "wanted", "reached"], rows)


_VERDICTS = {True: "yes", False: "**no**", None: ""}


def _text(figure: Figure) -> str:
    if isinstance(figure, float):
        return f"{figure:.4g}"
    return str(figure)


def run_parts(
    parts: list[Part],
    device: torch.device,
    results: Results,
    seconds: float,
    say: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    code: str = "",
) -> list[str]:
    """Run the parts that `results` has no record of; a part that fails is recorded and does not stop the others.

    A part is begun when it will be over in time by its own estimate. Where parts take longer than theirs, those to come
    are expected to do so as well.

    Args:
        seconds: for all of them together.
        say: gets a line after each part.
        code: digest of the code, kept beside the figures.

    Returns:
        Names of the parts for which there was no time, or no device any more.
    """
    start, taken, expected, left = clock(), 0.0, 0.0, []
    broken = False
    for part in parts:
        if part.name in results.records:
            continue
        if part.needs_gpu and device.type == "cpu":
            results.add(part.name, Record("needs a GPU", code=code))
            continue
        pace = max(1.0, taken / expected) if expected else 1.0
        if broken or clock() - start + part.seconds * pace > seconds:
            left.append(part.name)
            continue
        began = clock()
        record = _run(part, device)
        broken = not _tidied(device)
        took = clock() - began
        taken, expected = taken + took, expected + part.seconds
        results.add(part.name, replace(record, seconds=took, code=code))
        say(f"{part.name}: {record.verdict} ({took:.1f} s)")
    if broken:
        say("the device takes no more work: start again to go on")
    return left


def _run(part: Part, device: torch.device) -> Record:
    try:
        with torch.inference_mode():
            return Record("done", findings=part.run(device))
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return Record("failed", error=f"{text[:300]} ({Path(where.filename).name}:{where.lineno})")


def _tidied(device: torch.device) -> bool:
    """Free what a part has left; False where the device does not answer any more, as after an error in a kernel."""
    import comfy.model_management  # not before the command line has said what ComfyUI runs on

    try:
        comfy.model_management.unload_all_models()
        gc.collect()
        comfy.model_management.soft_empty_cache()
        if device.type != "cpu":
            torch.accelerator.synchronize()
    except RuntimeError:
        return False
    return True
