"""Tables in README.md that are measured, between `<!-- name -->` and `<!-- /name -->`."""

from __future__ import annotations

import os
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"
UPDATE = "HEADCOUNT_UPDATE_TABLES"


def check_block(name: str, lines: list[str]) -> None:
    """The README's block says what was measured; with HEADCOUNT_UPDATE_TABLES=1 it is rewritten instead.

    Raises:
        AssertionError: the block is missing, or says something else.
    """
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    text = README.read_text(encoding="utf-8")
    assert text.count(begin) == text.count(end) == 1, f"README.md needs one block between {begin.strip()} and {end}"
    before, rest = text.split(begin)
    found, after = rest.split(end)
    measured = "".join(f"{line}\n" for line in lines)
    if os.environ.get(UPDATE):
        README.write_text(f"{before}{begin}{measured}{end}{after}", encoding="utf-8")
        return
    assert found == measured, f"README.md is out of date: run this test with {UPDATE}=1 and look at the change"
