"""Tracked objects as counts of the frames."""

from __future__ import annotations

import pytest
import torch
from headcount.core.counting import count_tracks, counted_from_boxes, side_by_side
from headcount.core.counting.tracks import VISIBLE_PIXELS
from headcount.core.errors import CountError


def square(row: int, column: int, side: int = 2) -> torch.Tensor:
    mask = torch.zeros(8, 16, dtype=torch.bool)
    mask[row : row + side, column : column + side] = True
    return mask


GONE = torch.zeros(8, 16, dtype=torch.bool)


def test_objects_are_counted_where_they_are_seen() -> None:
    """The second leaves and comes back; the third is in one frame of ten."""
    frames = [torch.stack([square(1, 2), GONE if 3 <= at < 6 else square(5, 10), GONE]) for at in range(10)]
    frames[0][2] = square(0, 0)
    found = count_tracks(frames, [0.9, 0.8], "cat", (80, 320), 0.2)
    assert (found.identities, found.passing) == (2, 1)
    assert found.counted.nouns == ("cats",)
    assert found.counted.numbers.flatten().tolist() == [2, 2, 2, 1, 1, 1, 2, 2, 2, 2]
    first, second = found.counted.boxes[0]
    assert first == {"x": 40, "y": 10, "width": 40, "height": 20, "label": "cat", "score": 0.9}
    assert (second["x"], second["y"], second["score"]) == (200, 50, 0.8)
    assert found.counted.points[0] == (((60, 20), (220, 60)),)
    assert count_tracks(frames, (), "cat", (80, 320), 0.1).identities == 3


def test_a_pixel_alone_is_no_object() -> None:
    speck, seen = GONE.clone(), GONE.clone()
    speck[0, 0] = True
    seen.view(-1)[:VISIBLE_PIXELS] = True
    found = count_tracks([torch.stack([speck, seen])], (), "dogs", (8, 16), 0.0)
    assert (found.identities, found.passing) == (1, 0) and found.counted.boxes[0][0]["label"] == "dog"


def test_nothing_tracked_is_none() -> None:
    found = count_tracks([torch.zeros(0, 1, 1, dtype=torch.bool)] * 3, (), "cats", (8, 8), 0.1)
    assert found.counted.numbers.tolist() == [[0]] * 3 and (found.identities, found.passing) == (0, 0)


def test_counts_of_several_nouns_stand_side_by_side() -> None:
    cats = count_tracks([torch.stack([square(1, 2)])] * 2, (), "cats", (8, 16), 0.1).counted
    dogs = count_tracks([torch.stack([square(4, 8)] * 2)] * 2, (), "dogs", (8, 16), 0.1).counted
    both = side_by_side(cats, dogs)
    assert both.nouns == ("cats", "dogs") and both.numbers.tolist() == [[1, 2]] * 2
    assert [box["label"] for box in both.boxes[1]] == ["cat", "dog", "dog"] and len(both.points[0][1]) == 2
    without = side_by_side(counted_from_boxes([[], []], ["birds"], 2), dogs)
    assert without.boxes is None and without.numbers.tolist() == [[0, 2]] * 2
    with pytest.raises(CountError, match=r"of 2 and of 3 frames\. Count every noun in the same video"):
        side_by_side(cats, counted_from_boxes([[]] * 3, ["dogs"], 3))
    with pytest.raises(CountError, match=r"cats: counted twice\. Count another noun"):
        side_by_side(cats, cats)
