"""The detector's targets, losses and reading of its output, without any weights."""

from __future__ import annotations

import torch
from headcount.core.emoji.detector import (
    STRIDE,
    Detection,
    EmojiDetector,
    Targets,
    box_loss,
    detections,
    heat_loss,
    targets_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

NOUNS, SIZE = 3, (32, 32)


def ideal_output(targets: Targets) -> Tensor:
    """(B, N + 4, h, w) of a detector that is right everywhere."""
    boxes = torch.zeros(len(targets.heat), 4, targets.heat[0, 0].numel())
    cells = targets.cells.unsqueeze(1).expand(-1, 4, -1)
    there = targets.there.unsqueeze(1).expand_as(cells)
    cells = torch.where(
        there, cells, cells[:, :, :1]
    )  # what is not there goes where the first object is, and adds nothing
    boxes.scatter_add_(2, cells, torch.where(there, targets.boxes.transpose(1, 2), torch.zeros(())))
    return torch.cat([torch.logit(targets.heat.clamp(1e-6, 1 - 1e-6)), boxes.unflatten(2, targets.heat.shape[2:])], 1)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_right_output_gives_the_objects_back(data: st.DataObject) -> None:
    """Objects in a grid, 24 pixels apart: every noun, size and place in its cell comes back."""
    places = data.draw(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12, unique=True))
    side, offset = st.floats(8, 60), st.floats(-3, 3)
    boxes, nouns = [], []
    for column, row in places:
        width, height = data.draw(side), data.draw(side)
        x, y = 14 + 24 * column + data.draw(offset), 14 + 24 * row + data.draw(offset)
        boxes.append([x - width / 2, y - height / 2, width, height])
        nouns.append(data.draw(st.integers(0, NOUNS - 1)))
    targets = targets_of(torch.tensor([nouns]), torch.tensor([boxes]), NOUNS, SIZE)
    (found,) = detections(ideal_output(targets))
    expected = sorted(zip(nouns, boxes, strict=True), key=lambda one: one[1])
    got = sorted(found, key=lambda one: one.box)
    assert sorted(one.noun for one in found) == sorted(nouns)
    for noun, box in expected:
        nearest = min(got, key=lambda one: sum(abs(a - b) for a, b in zip(one.box, box, strict=True)))
        assert nearest.noun == noun and nearest.score > 0.99
        torch.testing.assert_close(torch.tensor(nearest.box), torch.tensor(box), atol=1e-2, rtol=1e-3)


def test_target() -> None:
    box = [10.0, 20.0, 40.0, 16.0]
    targets = targets_of(torch.tensor([[1, -1], [2, 1]]), torch.tensor([[box, [0.0] * 4], [box, box]]), NOUNS, SIZE)
    heat = targets.heat
    assert heat.shape == (2, NOUNS, *SIZE) and not heat[0, 0].any() and not heat[0, 2].any()
    assert heat[0, 1].argmax() == 7 * SIZE[1] + 7 and heat[0, 1].max() == 1
    assert heat[0, 1, 7, 9] == torch.exp(torch.tensor(-(2**2) / (2 * 2.0**2)))
    assert torch.equal(heat[1, 1], heat[0, 1]) and torch.equal(heat[1, 2], heat[0, 1])
    assert targets.there.tolist() == [[True, False], [True, True]] and targets.cells[0, 0] == 7 * SIZE[1] + 7
    sides = torch.tensor([40 / 32, 16 / 32]).log()
    torch.testing.assert_close(targets.boxes[0, 0], torch.tensor([0.5, 0.0, *sides]))


def test_overlapping_bumps_of_one_noun_are_the_higher_one() -> None:
    boxes = torch.tensor([[[40.0, 40.0, 20.0, 20.0], [52.0, 40.0, 20.0, 20.0]]])
    both = targets_of(torch.zeros(1, 2, dtype=torch.long), boxes, NOUNS, SIZE).heat
    each = [targets_of(torch.zeros(1, 1, dtype=torch.long), boxes[:, k : k + 1], NOUNS, SIZE).heat for k in (0, 1)]
    assert torch.equal(both, torch.maximum(*each))


def test_no_objects() -> None:
    targets = targets_of(torch.full((1, 1), -1), torch.zeros(1, 1, 4), NOUNS, SIZE)
    assert not targets.heat.any() and not targets.there.any()
    assert detections(ideal_output(targets)) == [[]]


def test_one_place_is_one_object() -> None:
    """Two nouns at one place: the surer one. A weaker peak next to a surer one is none."""
    output = torch.full((1, NOUNS + 4, *SIZE), -6.0)
    output[0, 0, 5, 5], output[0, 2, 5, 6], output[0, 1, 20, 20] = 2.0, 1.0, 0.0
    output[0, NOUNS:] = 0
    (found,) = detections(output)
    assert [one.noun for one in found] == [0, 1] and found[0].score > found[1].score
    assert found[0] == Detection(0, found[0].score, (5 * STRIDE - 16.0, 5 * STRIDE - 16.0, 32.0, 32.0))
    assert len(detections(output, threshold=0.6)[0]) == 1


def test_heat_loss_is_the_formula() -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, NOUNS, 5, 6, dtype=torch.float64, requires_grad=True)
    heat = torch.rand(2, NOUNS, 5, 6, dtype=torch.float64) * 0.9
    heat[0, 1, 2, 3] = heat[1, 0, 0, 0] = 1
    total = 0.0
    for p, y in zip(logits.sigmoid().flatten().tolist(), heat.flatten().tolist(), strict=True):
        p_tensor = torch.tensor(p, dtype=torch.float64)
        total -= float((1 - p) ** 2 * p_tensor.log() if y == 1 else (1 - y) ** 4 * p**2 * (1 - p_tensor).log())
    torch.testing.assert_close(heat_loss(logits, heat), torch.tensor(total / 2, dtype=torch.float64))
    assert torch.autograd.gradcheck(lambda x: heat_loss(x, heat), logits)


def test_box_loss_looks_at_the_centres() -> None:
    boxes = torch.zeros(2, 4, 8, 8)
    boxes[1, :, 3, 4] = torch.tensor([0.5, 0.5, 1.0, 2.0])
    wanted = torch.tensor([[[0.4, 0.0, 0.0, 0.0], [9.0, 9.0, 9.0, 9.0]], [[0.5, 0.5, 1.0, 1.0], [9.0, 9.0, 9.0, 9.0]]])
    there, cells = torch.tensor([[True, False], [True, False]]), torch.tensor([[0, 5], [3 * 8 + 4, 0]])
    targets = Targets(torch.zeros(2, NOUNS, 8, 8), there, cells, wanted)
    assert float(box_loss(boxes, targets)) == torch.tensor((1.0 + 0.4) / 8)
    assert float(box_loss(boxes, Targets(targets.heat, there & False, cells, wanted))) == 0


def test_shapes() -> None:
    torch.manual_seed(0)
    model = EmojiDetector(NOUNS, width=8).eval()
    with torch.no_grad():
        output = model(torch.zeros(2, 3, 64, 128))
    assert output.shape == (2, NOUNS + 4, 16, 32)
    assert detections(output) == [[], []], "a fresh detector finds nothing"
