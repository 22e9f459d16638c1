"""What took long to compute is kept in files, under everything that decides it, so that a stopped run can be resumed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from training.files import write_whole


def digest(content: Mapping[str, Any]) -> str:
    """20 hexadecimal digits that name a JSON object."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:20]


def file_digest(*files: Path) -> str:
    """12 hexadecimal digits that name the contents of files, in the order given."""
    sha = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                sha.update(block)
    return sha.hexdigest()[:12]


@cache
def code_digest() -> str:
    """Of the code that decides what a picture looks like and how it is counted, as it was when it was first asked for."""
    root = Path(__file__).resolve().parents[2]
    parts = ("core", "bridge", "nodes", "benchmarks/lab", "demo")
    return file_digest(*sorted(path for part in parts for path in (root / part).rglob("*.py")))


def read_rows(file: Path) -> Iterator[dict[str, Any]]:
    """Rows of a JSON-lines file. A line that a killed run left unfinished is none."""
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue


def append_row(file: Path, row: Mapping[str, Any]) -> None:
    """Add one line in one write; first end the line that a killed run left unfinished."""
    with file.open("ab+") as stream:
        if stream.tell():
            stream.seek(-1, 2)
            unfinished = stream.read(1) != b"\n"
        else:
            unfinished = False
        stream.write((b"\n" if unfinished else b"") + json.dumps(row).encode() + b"\n")


class KeptRows:
    """Results in one JSON-lines file, which several processes may add to.

    Args:
        file: holds {"key": ..., `name`: result} per line.
    """

    def __init__(self, file: Path, name: str) -> None:
        self._file, self._name = file, name
        file.parent.mkdir(parents=True, exist_ok=True)
        self._results = {row["key"]: row[name] for row in read_rows(file)}

    def get(self, key: str, compute: Callable[[], Any]) -> Any:
        """The result of `key`, computed when there is none; it must be JSON."""
        if key not in self._results:
            self._results[key] = compute()
            append_row(self._file, {"key": key, self._name: self._results[key]})
        return self._results[key]


class KeptFiles:
    """Results in one folder, a JSON file for each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, key: Mapping[str, Any], compute: Callable[[], Any]) -> Any:
        """The result of `key`, computed when there is none; it must be JSON."""
        file = self._folder / f"{digest(key)}.json"
        if not file.is_file():
            result = compute()
            write_whole(file, lambda path: path.write_text(json.dumps(result), encoding="utf-8"))
        return json.loads(file.read_text(encoding="utf-8"))

    def arrays(self, key: Mapping[str, Any], compute: Callable[[], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """NumPy arrays by name, computed when there are none under `key`."""
        file = self._folder / f"{digest(key)}.npz"
        if not file.is_file():
            found = compute()
            write_whole(file, lambda path: np.savez(path, **found))
        with np.load(file) as stored:
            return dict(stored)
