"""A whole video's layouts with the asked number of instances: the same ones go, and come, in all frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from ..layout import FIRST_ADDED, MAX_INSTANCES, REMOVED
from ..masks import disc
from ..settings import RobustSettings
from .placement import place_free
from .tracking import Track, drawn, follow, main_tracks, number_of, without_gaps

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class NounInstances:
    """The things of one noun and what is to be done about them.

    Attributes:
        tracks: all of them, numbered from 1 in the layouts.
        main: those that count.
        surplus: those that are to go.
        missing: how many are to come.
    """

    tracks: list[Track]
    main: list[Track]
    surplus: list[Track]
    missing: int

    @classmethod
    def of(cls, frames: list[list[Tensor]], asked: int | None, settings: RobustSettings) -> NounInstances:
        """Follow and count things; frames of (h, w) bool masks; None where all are to stay as they are."""
        tracks = follow(frames, settings)[:MAX_INSTANCES]
        if asked is None:
            return cls(tracks, tracks, [], 0)
        main = main_tracks(tracks, number_of(frames, asked))
        surplus = sorted(main, key=Track.area)[: max(0, len(main) - asked)] if asked else tracks
        return cls(tracks, main, surplus, max(0, asked - len(main)))


def refine_video(nouns: Sequence[NounInstances], shape: Shape, settings: RobustSettings) -> tuple[Tensor, Tensor]:
    """Layouts before and after, (K, F, h, w) int16 each.

    Args:
        nouns: K of them.
        shape: (F, h, w).
    """
    before = torch.stack([drawn([track.masks for track in noun.tracks], shape) for noun in nouns])
    after = before.clone()
    for noun, layout in zip(nouns, after, strict=True):
        layout[_around(drawn([without_gaps(track) for track in noun.surplus], shape) > 0)] = REMOVED
        _keep(layout, noun)
    taken_over = _taken_over(nouns)
    for tracks, layout in zip(taken_over, after, strict=True):
        for index, track in enumerate(tracks):
            layout[_in_all_frames(track, shape)] = FIRST_ADDED + index
    for noun, tracks, layout in zip(nouns, taken_over, after, strict=True):
        for index in range(len(tracks), noun.missing):
            layout[place_free(_template(noun, nouns, shape, settings), (after > 0).any(0))] = FIRST_ADDED + index
    _clear_for_all(after)
    return before, after


def _around(cells: Tensor) -> Tensor:
    """(F, h, w) cells and their neighbours in the four directions: what goes must not come back at its own edge."""
    return conv2d(cells[:, None].float(), disc(1)[None, None].float(), padding=1)[:, 0] > 0


def _taken_over(nouns: Sequence[NounInstances]) -> list[list[Track]]:
    """Which things that are too many for their own noun become things of a noun that has too few."""
    left = sorted((track for noun in nouns for track in noun.surplus if noun.main), key=Track.area, reverse=True)
    return [[left.pop() for _ in range(min(noun.missing, len(left)))] for noun in nouns]


def _in_all_frames(track: Track, shape: Shape) -> Tensor:
    """(F, h, w) bool, with the nearest frame's mask where the thing is out of sight."""
    masks = [track.masks[min(track.masks, key=lambda one: abs(one - frame))] for frame in range(shape[0])]
    return torch.stack(masks)


def _clear_for_all(after: Tensor) -> None:
    """What goes is not to come back as a thing of another noun."""
    cleared = (after == REMOVED).any(0) & ~(after > 0).any(0)
    after[:, cleared] = REMOVED


def _keep(layout: Tensor, noun: NounInstances) -> None:
    """A thing that stays is not cleared by one that goes and was out of sight there."""
    for number, track in enumerate(noun.tracks, 1):
        if track not in noun.surplus:
            for frame, mask in track.masks.items():
                layout[frame][mask] = number


def _template(noun: NounInstances, nouns: Sequence[NounInstances], shape: Shape, settings: RobustSettings) -> Tensor:
    """A disc as large as the noun's own things, or all things, or one that suits the frame."""
    side = min(shape[1:])
    areas = sorted(track.area() for track in noun.main or [track for other in nouns for track in other.main])
    radius = math.sqrt(areas[len(areas) // 2] / math.pi) if areas else settings.radius * side
    return disc(max(1, min(int(radius), (side - 1) // 2)))
