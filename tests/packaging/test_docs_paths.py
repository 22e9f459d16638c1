"""The pages for those who change the pack name files that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`([\w./-]+\.(?:py|js|json|md))`")


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md", "docs/glossary.md"])
def test_files_are_there(page: str) -> None:
    """Written from the root, or only by their name."""
    files = [file for file in ROOT.rglob("*.*") if ".comfyui" not in file.parts and ".venv" not in file.parts]
    names = {file.name for file in files}
    named = NAMED.findall((ROOT / page).read_text(encoding="utf-8"))
    assert len(named) >= 4
    missing = [name for name in named if not ((ROOT / name).is_file() if "/" in name else name in names)]
    assert missing == []
