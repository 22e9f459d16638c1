"""Tables in docs/models.md that are measured, between `<!-- name -->` and `<!-- /name -->`."""

from __future__ import annotations

import os
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "models.md"
UPDATE = "HEADCOUNT_UPDATE_TABLES"


def check_block(name: str, lines: list[str]) -> None:
    """The page's block says what was measured; with HEADCOUNT_UPDATE_TABLES=1 it is rewritten instead.

    Raises:
        AssertionError: the block is missing, or says something else.
    """
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    text = PAGE.read_text(encoding="utf-8")
    assert text.count(begin) == text.count(end) == 1, (
        f"docs/models.md needs one block between {begin.strip()} and {end}"
    )
    before, rest = text.split(begin)
    found, after = rest.split(end)
    measured = "".join(f"{line}\n" for line in lines)
    if os.environ.get(UPDATE):
        PAGE.write_text(f"{before}{begin}{measured}{end}{after}", encoding="utf-8")
        return
    assert found == measured, f"docs/models.md is out of date: run this test with {UPDATE}=1 and look at the change"
