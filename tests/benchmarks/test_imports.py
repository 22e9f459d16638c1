"""Every benchmark, demo and training module imports: a name that moved is missed only when its command runs."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN_BY_PATH = {"demo.comfy_main"}  # a script, which ComfyServer starts by its file
MODULES = {
    ".".join(file.relative_to(ROOT).with_suffix("").parts)
    for folder in ("benchmarks", "demo", "training")
    for file in (ROOT / folder).rglob("*.py")
    if file.name != "__init__.py"
}


@pytest.mark.parametrize("module", sorted(MODULES - RUN_BY_PATH))
def test_it_imports(module: str) -> None:
    assert importlib.import_module(module)
