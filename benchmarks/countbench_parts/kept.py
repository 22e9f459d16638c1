"""Keeps what took long to compute, so that a stopped run goes on: one small JSON file per result."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..evaluation.store import digest


class Kept:
    """Results in `folder`, each under everything that decides it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, key: Mapping[str, Any], compute: Callable[[], Any]) -> Any:
        """The result of `key`, computed when there is none; it must be JSON."""
        file = self._folder / f"{digest(key)}.json"
        if file.is_file():
            return json.loads(file.read_text(encoding="utf-8"))
        result = compute()
        unfinished = file.with_suffix(".part")
        unfinished.write_text(json.dumps(result), encoding="utf-8")
        unfinished.replace(file)
        return result
