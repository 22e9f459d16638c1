"""Counts from Tracks: what ComfyUI's SAM3 followed through a video becomes counts of its frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from ...core.counting import (
    Counted,
    asked_numbers,
    check_counts,
    count_tracks,
    count_words,
    counts_in_words,
    numbers_of_line,
    side_by_side,
)
from ...core.errors import CountError
from ...core.prompts import Counts, plural
from ..comfyui.node_text import NodeResult

NODE = "Counts from Tracks"
_TRACKER = "Run SAM3 Video Track"
_TRACKED_BY_DEFAULT = 4
"""Objects that ComfyUI's node tracks at most, where nobody set its *max_objects*."""


@dataclass(frozen=True)
class VideoCounts:
    """What Counts from Tracks hands on.

    Attributes:
        counted: a row for each frame, the nouns of `others` first.
        identities: different objects of this noun in the whole video.
        is_right: most frames show what is asked for; False where nothing is.
        table: runs of frames that show the same.
        result: what the node shows.
    """

    counted: Counted
    identities: int
    is_right: bool
    table: str
    result: NodeResult


def counts_from_tracks(
    track_data: Any, objects: str, counts: Counts | None, others: Counted | None, minimum_share: float
) -> VideoCounts:
    """Count the objects of one noun in the frames of a video.

    Args:
        track_data: SAM3_TRACK_DATA of ComfyUI's SAM3 Video Track.
        objects: the noun that was tracked, "cats", or what is asked for, "3 cats". Without it, the noun of `counts`.
        counts: what a prompt asks for.
        others: counts of other nouns in the same video.
        minimum_share: of the frames, see `count_tracks`.

    Raises:
        CountError: these are no tracks, nobody says of what, or `others` is of another video.
    """
    masks, scores, size = _tracked(track_data)
    asked = asked_numbers(() if counts is None else counts.objects, attributes=True)
    named = numbers_of_line(objects)
    noun = _only(list(named or asked))
    asked |= {name: number for name, number in named.items() if number is not None}
    tracks = count_tracks(masks, scores, noun, size, minimum_share)
    counted = tracks.counted if others is None else side_by_side(others, tracks.counted)
    wanted = {plural(name): number for name, number in asked.items() if plural(name) in counted.nouns}
    rows = [tuple(row) for row in counted.rounded.tolist()]
    right = len(check_counts(counted, wanted).right) if wanted else 0
    table, note = "\n".join(_runs(rows, counted.nouns)), _note(tracks.passing, minimum_share, len(scores))
    mean = float(tracks.counted.numbers.mean())
    found = f"{count_words(tracks.identities, plural(noun))} in all, {mean:.1f} in a frame on average"
    verdict = f"{right} of {len(rows)} frames right; {found}" if wanted else found
    is_right = 2 * right > len(rows)
    result = NodeResult(verdict, right=is_right if wanted else None, table=table, note=note)
    return VideoCounts(counted, tracks.identities, is_right, table, result)


def _tracked(data: Any) -> tuple[list[Tensor], Sequence[float], tuple[int, int]]:
    """Masks, scores and the frames' size of what SAM3 Video Track gives: see comfy/ldm/sam3/tracker.py of ComfyUI 0.30."""
    from comfy.ldm.sam3.tracker import unpack_masks

    keys = ("packed_masks", "n_frames", "orig_size")
    if not isinstance(data, Mapping) or any(key not in data for key in keys):
        given = f"a {type(data).__name__}" if not isinstance(data, Mapping) else f"one of {', '.join(map(str, data))}"
        raise CountError(f"{NODE} needs the track_data of {_TRACKER}, and got {given}. Connect track_data of that node")
    if not data["n_frames"]:
        raise CountError(f"{NODE} got a track of 0 frames. Give {_TRACKER} the frames of a video")
    packed = data["packed_masks"]
    if packed is None:
        return [torch.zeros(0, 1, 1, dtype=torch.bool)] * data["n_frames"], (), data["orig_size"]
    return [unpack_masks(one) for one in packed.cpu()], data.get("scores") or (), data["orig_size"]


def _only(nouns: Sequence[str]) -> str:
    if len(nouns) != 1:
        what = f"{len(nouns)} nouns: {', '.join(nouns)}" if nouns else "no noun"
        raise CountError(
            f"{NODE} got {what}. One track is of one noun: write it into objects, as 'cats' or '3 cats', and chain a "
            f"{NODE} for each further noun by its input counted"
        )
    return nouns[0]


def _runs(rows: Sequence[tuple[int, ...]], nouns: Sequence[str]) -> list[str]:
    """ "frames 1 to 12: 3 cats", a line for frames in a row that show the same."""
    lines, first = [], 1
    for row, frames in groupby(rows):
        last = first + len(list(frames)) - 1
        where = f"frame {first}" if first == last else f"frames {first} to {last}"
        lines.append(f"{where}: {counts_in_words(row, nouns)}")
        first = last + 1
    return lines


def _note(passing: int, minimum_share: float, tracked: int) -> str:
    notes = []
    if passing:
        notes.append(f"left out: {count_words(passing, 'objects')} seen in less than {minimum_share:.0%} of the frames")
    if tracked == _TRACKED_BY_DEFAULT:
        notes.append(f"{_TRACKER} follows {tracked} objects at most by default: set its max_objects to 0 for more")
    return "; ".join(notes)
