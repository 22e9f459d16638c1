"""The counter that errs on purpose."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from headcount.core.counting import Counted, counted_from_boxes

from benchmarks.lab.erring_counter import ERROR_SHARE, ErringCounter

CATS = [{"x": at, "y": 0, "width": 8, "height": 8, "label": "cat", "score": 1.0} for at in range(3)]


class Scripted:
    """Sees three cats in each image but the first, where it sees nothing."""

    def count(self, images: torch.Tensor, nouns: tuple[str, ...], on_progress: Any = None) -> Counted:
        boxes = ([], *[CATS] * (len(images) - 1))
        return replace(counted_from_boxes(boxes, nouns, len(images)), boxes=boxes)


def test_one_image_in_ten_is_off_by_one() -> None:
    images = torch.rand(2001, 2, 2, 3, generator=torch.Generator().manual_seed(0))
    counted = ErringCounter(Scripted()).count(images, ("cats", "dogs"))
    cats, dogs = counted.rounded.T.tolist()
    assert cats[0] == 0 and not any(dogs) and set(cats[1:]) == {2, 3, 4}
    wrong = [number - 3 for number in cats[1:] if number != 3]
    assert abs(len(wrong) / 2000 - ERROR_SHARE) < 0.02 and abs(sum(wrong)) < 0.2 * len(wrong)
    assert [len(boxes) for boxes in counted.boxes or ()] == cats
    again = ErringCounter(Scripted()).count(images[[0, *range(1000, 2001)]], ("cats", "dogs"))
    assert again.rounded[1:].equal(counted.rounded[1000:]), "an image is always counted alike"
