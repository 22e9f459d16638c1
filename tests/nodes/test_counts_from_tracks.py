"""Counts from Tracks: what ComfyUI's SAM3 followed through a video, as counts of its frames."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from comfy.ldm.sam3.tracker import pack_masks
from headcount.core.errors import CountError
from headcount.core.prompts import Counts, parse_objects_line
from headcount.nodes.counts_from_tracks import CountsFromTracks

ASKED = Counts("", tuple(parse_objects_line("2 cats, 1 dog")))


def tracks(*present: str) -> dict[str, Any]:
    """As SAM3 Video Track gives them: per object, a letter for each frame, "x" where it is there."""
    masks = torch.full((len(present[0]), len(present), 8, 8), -1.0)
    for at, frames in enumerate(present):
        for frame, letter in enumerate(frames):
            if letter == "x":
                masks[frame, at, 2 * at : 2 * at + 2, 0:4] = 1
    packed = torch.stack([pack_masks(frame) for frame in masks])
    return {"packed_masks": packed, "n_frames": len(masks), "scores": [0.9] * len(present), "orig_size": (80, 80)}


def run(track_data: Any, objects: str = "", **more: Any) -> dict[str, Any]:
    done = CountsFromTracks.execute(track_data=track_data, objects=objects, **more)
    counted, identities, is_right, table = done.args
    return {"counted": counted, "identities": identities, "right": is_right, "table": table} | done.ui[
        "headcount_result"
    ][0]


def test_most_frames_decide() -> None:
    found = run(tracks("xxxxxxxxxx", "xxxxxx..xx", "..xx......"), "2 cats", minimum_share=0.3)
    assert found["identities"] == 2 and found["right"] is True
    assert found["table"].splitlines() == ["frames 1 to 6: 2 cats", "frames 7 to 8: 1 cat", "frames 9 to 10: 2 cats"]
    assert found["verdict"] == "8 of 10 frames right; 2 cats in all, 1.8 in a frame on average"
    assert found["note"] == "left out: 1 object seen in less than 30% of the frames"
    assert run(tracks("xxxxxxxxxx", "xxxxxx..xx"), "1 cat")["right"] is False
    assert run(tracks("xx", ".x"), "1 cat")["right"] is False, "half of the frames are not most"
    assert run(tracks("xx", "xx"), "two cats")["verdict"].startswith("2 of 2 frames right"), (
        "numbers are read in words, too"
    )


def test_without_a_number_nothing_is_judged() -> None:
    found = run(tracks("xxx", "x.x"), "dogs")
    assert found["verdict"] == "2 dogs in all, 1.7 in a frame on average" and found["counted"].nouns == ("dogs",)
    assert run({"packed_masks": None, "n_frames": 2, "scores": [], "orig_size": (8, 8)}, "dogs")["identities"] == 0


def test_several_nouns_are_chained() -> None:
    cats = run(tracks("xxx", "xx."), "cats", counts=ASKED)
    assert cats["verdict"].startswith("2 of 3 frames right")
    both = run(tracks(".xx"), "dogs", counts=ASKED, counted=cats["counted"])
    assert both["counted"].nouns == ("cats", "dogs") and both["table"].splitlines()[1] == "frame 2: 2 cats, 1 dog"
    assert both["verdict"].startswith("1 of 3 frames right; 1 dog in all") and both["right"] is False
    one = Counts("", tuple(parse_objects_line("2 cats")))
    assert run(tracks("xx", "xx"), counts=one)["right"] is True


def test_the_trackers_own_limit_is_told() -> None:
    assert "set its max_objects to 0" in run(tracks(*["xx"] * 4), "4 cats")["note"]
    assert run(tracks(*["xx"] * 3), "3 cats")["note"] == ""


@pytest.mark.parametrize(
    ("given", "objects", "counts", "says"),
    [
        ("a file", "cats", None, r"needs the track_data of Run SAM3 Video Track, and got a str\. Connect track_data"),
        (
            {**tracks("xx"), "n_frames": 0},
            "cats",
            None,
            r"got a track of 0 frames\. Give Run SAM3 Video Track the frames",
        ),
        ({"masks": 1}, "cats", None, r"and got one of masks\. Connect"),
        (None, "", None, r"got no noun\. One track is of one noun: write it into objects, as 'cats' or '3 cats'"),
        (None, "cats, dogs", None, r"got 2 nouns: cats, dogs\. One track is of one noun"),
        (None, "", ASKED, r"got 2 nouns: cats, dog\."),
    ],
)
def test_what_cannot_be_counted_is_told(given: Any, objects: str, counts: Any, says: str) -> None:
    with pytest.raises(CountError, match=says):
        run(given or tracks("xx"), objects, counts=counts)
