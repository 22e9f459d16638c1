"""A small detector of the Emoji world's nouns: heat maps of centres, and a box at each (Zhou et al. 2019, CenterNet)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d

STRIDE = 4  # pixels of a heat map's cell
USUAL_SIDE = 32.0  # pixels: sizes are learnt as logarithms of shares of it
THRESHOLD = 0.4
_BOX = 4  # channels: place of the centre in its cell (x, y), then the sides (width, height)


@dataclass(frozen=True)
class Detection:
    """One object.

    Attributes:
        noun: its index among the detector's nouns.
        score: 0 to 1.
        box: left, top, width, height in pixels.
    """

    noun: int
    score: float
    box: tuple[float, float, float, float]


def _layer(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.SiLU())


class EmojiDetector(nn.Module):
    """Three resolutions down, and back up with what was seen on the way.

    Args:
        nouns: N, how many kinds of objects there are.
        width: channels at a quarter of the picture's resolution; twice and three times as many below.
    """

    def __init__(self, nouns: int, width: int = 40) -> None:
        super().__init__()
        self.nouns = nouns
        self.quarter = nn.Sequential(_layer(3, width // 2, 2), _layer(width // 2, width, 2), _layer(width, width))
        self.eighth = nn.Sequential(_layer(width, 2 * width, 2), _layer(2 * width, 2 * width))
        self.sixteenth = nn.Sequential(
            _layer(2 * width, 3 * width, 2), _layer(3 * width, 3 * width), _layer(3 * width, 3 * width)
        )
        self.up_to_eighth = _layer(5 * width, 2 * width)
        self.up_to_quarter = _layer(3 * width, width)
        last = nn.Conv2d(width, nouns + _BOX, 1)
        # Almost everywhere there is no centre.
        last.bias = nn.Parameter(torch.cat([torch.full((nouns,), -4.0), torch.zeros(_BOX)]))
        self.head = nn.Sequential(_layer(width, width), last)

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) in -1..1 to (B, N + 4, H / 4, W / 4): logits of each noun's centres, then the box; H, W in sixteens."""
        quarter = self.quarter(pixels)
        eighth = self.eighth(quarter)
        below = interpolate(self.sixteenth(eighth), scale_factor=2.0, mode="nearest")
        eighth = self.up_to_eighth(torch.cat([below, eighth], 1))
        below = interpolate(eighth, scale_factor=2.0, mode="nearest")
        out: Tensor = self.head(self.up_to_quarter(torch.cat([below, quarter], 1)))
        return out


def heat_target(nouns: Tensor, boxes: Tensor, kinds: int, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """What a detector should say about one picture.

    Args:
        nouns: (M,) indices.
        boxes: (M, 4) left, top, width, height in pixels.
        kinds: N.
        size: of the heat map, (h, w).

    Returns:
        (N, h, w) heat in 0..1, a bump of a fifth of its object's longer side at each centre, exactly 1 in the centre's cell;
        and (M, 6) for each object the cell (row, column), the centre's place in it (x, y), and the logarithms of its sides.
    """
    middle = (boxes[:, :2] + boxes[:, 2:] / 2) / STRIDE
    limits = torch.tensor([size[1] - 1, size[0] - 1])
    cells = middle.floor().long().clamp_min(0).minimum(limits)
    rows, columns = torch.arange(size[0]).view(-1, 1), torch.arange(size[1]).view(1, -1)
    heat = torch.zeros(kinds, *size)
    for noun, (column, row), box in zip(nouns.tolist(), cells.tolist(), boxes, strict=True):
        spread = max(0.8, float(box[2:].max()) / STRIDE / 5)
        bump = torch.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * spread**2))
        heat[noun] = torch.maximum(heat[noun], bump)
    sides = (boxes[:, 2:] / USUAL_SIDE).log()
    return heat, torch.cat([cells.flip(1).float(), middle - cells, sides], 1)


def heat_loss(logits: Tensor, heat: Tensor) -> Tensor:
    """Focal loss of centres (Law & Deng 2018, equation 1): near a centre, saying so costs less; divided by their number."""
    centre = (heat == 1).float()
    sure, unsure = logits.sigmoid(), (-logits).sigmoid()
    missed = centre * unsure**2 * nn.functional.logsigmoid(logits)
    invented = (1 - centre) * (1 - heat) ** 4 * sure**2 * nn.functional.logsigmoid(-logits)
    return -(missed + invented).sum() / centre.sum().clamp_min(1)


def box_loss(boxes: Tensor, picture: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute error of the boxes at the centres.

    Args:
        boxes: (B, 4, h, w), the detector's last channels.
        picture: (M,) index of the picture that each object is in.
        wanted: (M, 6) of `heat_target`.
    """
    rows, columns = wanted[:, 0].long(), wanted[:, 1].long()
    return (boxes[picture, :, rows, columns] - wanted[:, 2:]).abs().mean()


def detections(output: Tensor, threshold: float = THRESHOLD) -> list[list[Detection]]:
    """The objects of each picture, surest first: cells whose noun is surer than all nouns in all cells around.

    Args:
        output: (B, N + 4, h, w) of `EmojiDetector`.
        threshold: least score.
    """
    scores = output[:, :-_BOX].sigmoid()
    best, noun = scores.max(1)
    peaks = (best == max_pool2d(best.unsqueeze(1), 3, 1, 1).squeeze(1)) & (best >= threshold)
    found: list[list[Detection]] = [[] for _ in output]
    for picture, row, column in peaks.nonzero().tolist():
        across, down, wide, high = output[picture, -_BOX:, row, column].tolist()
        x, y = (column + across) * STRIDE, (row + down) * STRIDE
        width, height = (USUAL_SIDE * float(torch.tensor(side).exp()) for side in (wide, high))
        box = (x - width / 2, y - height / 2, width, height)
        found[picture].append(Detection(int(noun[picture, row, column]), float(best[picture, row, column]), box))
    return [sorted(objects, key=lambda one: -one.score) for objects in found]
