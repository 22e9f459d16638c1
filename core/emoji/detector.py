"""A small detector of the Emoji world's nouns: heat maps of centres, and a box at each (Zhou et al. 2019, CenterNet)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d

STRIDE = 4  # pixels of a heat map's cell
USUAL_SIDE = 32.0  # pixels: sizes are learnt as logarithms of shares of it
THRESHOLD = 0.4  # of a centre's heat; chosen while the detectors were trained, no command compares others
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


def centre_head(width: int, nouns: int) -> nn.Conv2d:
    """The last layer of a detector: `width` channels to N nouns' logits and a box; at first there is no centre anywhere."""
    head = nn.Conv2d(width, nouns + _BOX, 1)
    head.bias = nn.Parameter(torch.cat([torch.full((nouns,), -4.0), torch.zeros(_BOX)]))
    return head


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
        self.head = nn.Sequential(_layer(width, width), centre_head(width, nouns))

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) in -1..1, H and W in multiples of 16, to (B, N + 4, H / 4, W / 4): logits of centres, then the box."""
        quarter = self.quarter(pixels)
        eighth = self.eighth(quarter)
        below = interpolate(self.sixteenth(eighth), scale_factor=2.0, mode="nearest")
        eighth = self.up_to_eighth(torch.cat([below, eighth], 1))
        below = interpolate(eighth, scale_factor=2.0, mode="nearest")
        out: Tensor = self.head(self.up_to_quarter(torch.cat([below, quarter], 1)))
        return out


@dataclass(frozen=True)
class Targets:
    """What a detector should say about B pictures of at most M objects each.

    Attributes:
        heat: (B, N, h, w) in 0..1, a bump of a fifth of its object's longer side at each centre, exactly 1 in its cell.
        there: (B, M) whether there is such an object.
        cells: (B, M) the centre's cell, counted row by row.
        boxes: (B, M, 4) the centre's place in its cell (x, y), and the logarithms of the sides.
    """

    heat: Tensor
    there: Tensor
    cells: Tensor
    boxes: Tensor


def targets_of(nouns: Tensor, boxes: Tensor, kinds: int, size: tuple[int, int]) -> Targets:
    """What a detector should say.

    Args:
        nouns: (B, M) indices, -1 where there is no object.
        boxes: (B, M, 4) left, top, width, height in pixels.
        kinds: N.
        size: of the heat map, (h, w).
    """
    height, width = size
    there = nouns >= 0
    centre = (boxes[..., :2] + boxes[..., 2:] / 2) / STRIDE
    column = centre[..., 0].floor().clamp(0, width - 1)
    row = centre[..., 1].floor().clamp(0, height - 1)
    spread = (boxes[..., 2:].amax(-1) / STRIDE / 5).clamp_min(0.8)
    down = torch.arange(height, device=boxes.device).view(-1, 1) - row[..., None, None]
    across = torch.arange(width, device=boxes.device) - column[..., None, None]
    bumps = torch.exp(-(down**2 + across**2) / (2 * spread[..., None, None] ** 2)).flatten(2)
    channel = nouns.where(there, kinds).unsqueeze(-1).expand_as(bumps)  # one more than there are, for no object
    heat = bumps.new_zeros(len(nouns), kinds + 1, height * width).scatter_reduce(1, channel, bumps, "amax")
    inside = centre - torch.stack([column, row], -1)
    sides = (boxes[..., 2:].clamp_min(1) / USUAL_SIDE).log()
    cells = (row * width + column).long()
    return Targets(heat[:, :kinds].unflatten(2, size), there, cells, torch.cat([inside, sides], -1))


def heat_loss(logits: Tensor, heat: Tensor) -> Tensor:
    """Focal loss of centres (Law & Deng 2018, equation 1): near a centre, saying so costs less; divided by their number."""
    centre = (heat == 1).float()
    sure, unsure = logits.sigmoid(), (-logits).sigmoid()
    missed = centre * unsure**2 * nn.functional.logsigmoid(logits)
    invented = (1 - centre) * (1 - heat) ** 4 * sure**2 * nn.functional.logsigmoid(-logits)
    return -(missed + invented).sum() / centre.sum().clamp_min(1)


def box_loss(boxes: Tensor, targets: Targets) -> Tensor:
    """Mean absolute error of the boxes (B, 4, h, w), the detector's last channels, at the centres."""
    cells = targets.cells.unsqueeze(1).expand(-1, _BOX, -1)
    said = boxes.flatten(2).gather(2, cells).transpose(1, 2)
    error = (said - targets.boxes).abs().mean(-1)
    return (error * targets.there).sum() / targets.there.sum().clamp_min(1)


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
