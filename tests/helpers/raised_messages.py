"""Which of the pack's messages a run of the tests has really made: a line that never makes its CountError is untested.

A plugin of tests/conftest.py. It notes where each CountError of the testing processes is made. When every test file was
collected, nothing was deselected and all tests passed, each place that made none is named, and the run fails. A part of the
suite proves nothing here and is not judged. What only a server in a process of its own says is in `ELSEWHERE`, with the reason.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("core", "bridge", "nodes")
ELSEWHERE: Mapping[str, str] = {}
"""Beginning of a message's place, such as "bridge/file.py:", to the reason why no test of this process makes it."""
_NOTED = "raised_messages"


@dataclass(frozen=True)
class Place:
    """Where the pack makes a CountError: file relative to the pack, first and last line, and the text's fixed parts."""

    file: str
    first: int
    last: int
    texts: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.file}:{self.first}"


def places(root: Path = ROOT) -> Iterator[Place]:
    """Every place in the pack's code that makes a CountError."""
    for path in sorted(path for part in PARTS for path in (root / part).rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "CountError":
                texts = [
                    node.value
                    for argument in call.args
                    for node in ast.walk(argument)
                    if isinstance(node, ast.Constant) and isinstance(node.value, str)
                ]
                yield Place(str(path.relative_to(root)), call.lineno, call.end_lineno or call.lineno, tuple(texts))


def never_made(known: Iterator[Place] | list[Place], made: set[tuple[str, int]]) -> list[Place]:
    """Places at whose lines nothing was made."""
    return [
        place
        for place in sorted(known, key=lambda place: (place.file, place.first))
        if not any((place.file, line) in made for line in range(place.first, place.last + 1))
        and not any(str(place).startswith(start) for start in ELSEWHERE)
    ]


@dataclass
class RaisedMessages:
    """The plugin."""

    made: set[tuple[str, int]] = field(default_factory=set)
    missing: list[Place] = field(default_factory=list)
    files: set[str] = field(default_factory=set)
    is_part: bool = False

    def watch(self, error: type[ValueError], root: Path = ROOT) -> None:
        """Note where instances of `error` are made from now on."""

        def made_here(instance: ValueError, *arguments: object) -> None:
            frame = sys._getframe(1)
            path = Path(frame.f_code.co_filename)
            if path.is_relative_to(root):
                self.made.add((str(path.relative_to(root)), frame.f_lineno))
            ValueError.__init__(instance, *arguments)

        error.__init__ = made_here  # type: ignore[method-assign]

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.files = {str(item.path) for item in items}

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self.is_part = self.is_part or bool(items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A process of pytest-xdist ends, which has run a share of the tests and hands over what it noted."""
        made, files, is_part = getattr(node, "workeroutput", {}).get(_NOTED, ((), (), True))
        self.made |= {(file, line) for file, line in made}
        self.files |= set(files)
        self.is_part = self.is_part or is_part

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[_NOTED] = ([list(place) for place in self.made], list(self.files), self.is_part)
            return
        everything = {str(path) for path in (ROOT / "tests").rglob("test_*.py")}
        if exitstatus != pytest.ExitCode.OK or self.is_part or session.config.option.collectonly:
            return
        if everything <= self.files:
            self.missing = never_made(list(places()), self.made)
        if self.missing:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.missing:
            terminalreporter.section("messages that no test makes the pack say", red=True)
            for place in self.missing:
                terminalreporter.line(f"{place}: {''.join(place.texts)[:100]}")
