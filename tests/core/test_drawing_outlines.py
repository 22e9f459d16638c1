"""Numbered outlines of objects."""

from __future__ import annotations

import torch
from headcount.core.drawing import kind_colours, outlined_objects, readable


def test_a_line_in_the_kinds_colour_around_each_object() -> None:
    picture, masks = torch.full((300, 300, 3), 0.5), torch.zeros(2, 300, 300, dtype=torch.bool)
    masks[0, 50:100, 50:100] = True
    masks[1, 180:260, 180:260] = True
    found = outlined_objects(picture, masks, [0, 1])
    colours = kind_colours(2)
    assert (found[49, 75] - colours[0]).abs().max() < 0.01 and (found[179, 220] - colours[1]).abs().max() < 0.01
    assert torch.allclose(found[10, 10], picture[10, 10], atol=0.01) and torch.allclose(
        found[60, 60], picture[0, 0], atol=0.01
    )
    assert (found[70:80, 70:80] - 0.5).abs().max() > 0.3, "its number is in the middle"


def test_nothing_to_outline_leaves_the_picture() -> None:
    picture = torch.rand(20, 30, 3)
    assert torch.allclose(outlined_objects(picture, torch.zeros(0, 20, 30, dtype=torch.bool), []), picture, atol=0.003)


def test_a_small_picture_is_enlarged_by_a_whole_number() -> None:
    assert readable(torch.rand(128, 200, 3)).shape == (512, 800, 3)
    large = torch.rand(600, 512, 3)
    assert torch.equal(readable(large), large)
