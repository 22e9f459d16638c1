"""Follows the things of a noun through a video, and says how many there are."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..settings import RobustSettings


@dataclass(eq=False)
class Track:
    """One thing in the frames that show it.

    Attributes:
        masks: frame number to (h, w) bool.
    """

    masks: dict[int, Tensor] = field(default_factory=dict)

    def area(self) -> float:
        """Mean number of cells in the frames that show it."""
        return sum(int(mask.sum()) for mask in self.masks.values()) / len(self.masks)

    def last(self) -> int:
        """The last frame that shows it so far."""
        return max(self.masks)


def follow(frames: list[list[Tensor]], settings: RobustSettings) -> list[Track]:
    """Join the things of one noun into tracks: the nearest pair first, frame by frame.

    Args:
        frames: for each frame, (h, w) bool masks.

    Returns:
        Tracks in the order in which they begin.
    """
    tracks: list[Track] = []
    for frame, masks in enumerate(frames):
        alive = [track for track in tracks if frame - track.last() <= settings.patience + 1]
        pairs = sorted(
            (_distance(track.masks[track.last()], mask), index, number)
            for index, track in enumerate(alive)
            for number, mask in enumerate(masks)
        )
        left, free = set(range(len(alive))), set(range(len(masks)))
        for distance, index, number in pairs:
            if distance <= settings.reach and index in left and number in free:
                alive[index].masks[frame] = masks[number]
                left.discard(index)
                free.discard(number)
        tracks += [Track({frame: masks[number]}) for number in sorted(free)]
    return tracks


def _distance(one: Tensor, other: Tensor) -> float:
    """Between the middles of two masks, in sides of a square as large as the larger one."""
    middle, other_middle = (mask.nonzero().double().mean(0) for mask in (one, other))
    side = math.sqrt(max(int(one.sum()), int(other.sum())))
    return float(torch.dist(middle, other_middle)) / side


def number_of(frames: list[list[Tensor]], asked: int) -> int:
    """How many things a video shows: the median over its frames, of two medians the one nearer to what is asked."""
    counts = sorted(map(len, frames))
    low, high = counts[(len(counts) - 1) // 2], counts[len(counts) // 2]
    return min(max(asked, low), high)


def main_tracks(tracks: list[Track], number: int) -> list[Track]:
    """The `number` tracks that are in the most frames, the larger ones first among equals."""
    return sorted(tracks, key=lambda track: (len(track.masks), track.area()), reverse=True)[:number]


def without_gaps(track: Track) -> dict[int, Tensor]:
    """The track's masks, with those of the nearest frame where it was out of sight in between."""
    seen = sorted(track.masks)
    whole = range(seen[0], seen[-1] + 1)
    return {frame: track.masks[min(seen, key=lambda one: abs(one - frame))] for frame in whole}


def drawn(masks: list[dict[int, Tensor]], shape: tuple[int, ...]) -> Tensor:
    """Number masks by frame, from 1: (F, h, w) int16. The first one owns a cell."""
    layout = torch.zeros(shape, dtype=torch.int16)
    for number, own in reversed(list(enumerate(masks, 1))):
        for frame, mask in own.items():
            layout[frame][mask] = number
    return layout
