"""The README's table of models says what the models do."""

from __future__ import annotations

import pytest
from headcount.bridge.families.table import RECORDED_FAMILIES, family_of

from ..helpers.families import SMALL, built
from ..helpers.readme_blocks import check_block
from ..helpers.support_tables import family_table
from ..helpers.video_models import VIDEOS, built_video


@pytest.fixture(scope="module")
def table() -> list[str]:
    return family_table()


def test_readme_says_what_was_run(table: list[str]) -> None:
    check_block("families", table)


def test_every_family_is_in_the_table(table: list[str]) -> None:
    setups = {**{one.name: built(one.name) for one in SMALL}, **{one.name: built_video(one.name) for one in VIDEOS}}
    shown = [setup for name, setup in setups.items() if any(line.startswith(f"| {name} |") for line in table)]
    found = {family_of(setup.model, "a test", RECORDED_FAMILIES).name for setup in shown}
    assert found == {family.name for family in RECORDED_FAMILIES if family.diffusion}
