"""The results' file of the GPU benchmark, which makes it resumable, and its tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from .part import Figure, Finding, Part

State = Literal["done", "failed", "needs a GPU"]


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
        self._file.parent.mkdir(parents=True, exist_ok=True)
        written = {"machine": self.machine, "parts": {name: asdict(one) for name, one in self.records.items()}}
        fresh = self._file.with_suffix(".part")
        fresh.write_text(json.dumps(written, indent=1))
        fresh.replace(self._file)  # a run that is stopped here leaves the old file whole

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
            sections.append(f"## {part.title}\n\n{_findings(record.findings)}")
    sections.append("## Parts\n\n" + table(["part", "how it went", "took", "code"], rows))
    return "\n\n".join(sections)


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "/") for cell in line) + " |" for line in lines)


def _findings(findings: list[Finding]) -> str:
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
