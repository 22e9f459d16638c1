"""The README's table of models says what the models do."""

from __future__ import annotations

import pytest
from headcount.bridge.families.table import FAMILIES, family_of

from ..helpers.families import SMALL, built
from ..helpers.readme_blocks import check_block
from ..helpers.support_tables import family_table


@pytest.fixture(scope="module")
def table() -> list[str]:
    return family_table()


def test_readme_says_what_was_run(table: list[str]) -> None:
    check_block("families", table)


def test_every_family_is_in_the_table(table: list[str]) -> None:
    shown = [one for one in SMALL if any(line.startswith(f"| {one.name} |") for line in table)]
    assert {family_of(built(one.name).model, "a test").name for one in shown} == {family.name for family in FAMILIES}
