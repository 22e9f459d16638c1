"""The share of use that is read, and how it is counted."""

from __future__ import annotations

import pytest

from benchmarks import family_coverage
from benchmarks.family_coverage import Use, entries_taken, failures, model_use, share_read

from ..helpers.families import small
from ..helpers.video_models import video

BAR = 0.72
NEWER = {"MingImage", "QwenImage21"}  # entries of a ComfyUI that is newer than the oldest one here


def test_the_share_of_use_that_is_read_does_not_fall() -> None:
    """Of what families take; that what they take is read, other tests show on small models."""
    assert share_read(entries_taken()) >= BAR


def test_use_is_of_entries_that_there_are() -> None:
    use = model_use()
    assert {entry for one in use for entry in one.entries} <= entries_taken().keys() | NEWER
    assert sum(one.uses for one in use) == 158_630


def test_a_family_is_read_where_all_its_entries_are() -> None:
    both = Use("a", 3, ("A", "B"))
    assert both.is_read({"A": True, "B": True})
    assert not both.is_read({"A": True, "B": False}) and not both.is_read({"A": True})
    assert not Use("no entry", 3, ()).is_read({"A": True})


@pytest.mark.parametrize(
    "one",
    [small("SDXL"), small("Flux 1"), video("Wan 2.1"), video("LTX-2"), video("CogVideoX 1.5")],
    ids=lambda one: one.name,
)
def test_nothing_fails_on_a_family_that_is_read(one: family_coverage.Small) -> None:
    assert list(failures(one)) == []


def test_a_token_that_is_somewhere_else_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    one = small("Flux 1")
    monkeypatch.setattr(family_coverage.family_calls, "most_changed", lambda before, after: before.shape[2] - 1)
    assert list(failures(one)) == ["a cell is not its query", "a token is not its key"]
