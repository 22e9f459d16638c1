"""The search's nodes as ComfyUI sees them: with its progress bar and preview."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ...core.counting import USUAL, BoxSettings, Counted, asked_numbers, count_boxes
from ...core.errors import CountError
from ...core.prompts import Counts, parse_objects_line
from ..comfyui.progress import sampling_progress
from .pictures import Counter, Shown, mean_over_frames
from .search import Found, Search, find_seeds, found_among, look_at_all
from .standings import as_table, judged
from .start import Start

PICK = "Count Search Pick"


@dataclass(frozen=True)
class Candidates:
    """What Count Search Candidates looked at. Travels as CANDIDATES.

    Attributes:
        start: where they started.
        shown: what they are predicted to show, in the order of their indices.
        asked: noun -> number where the positive conditioning says so; empty where it does not.
    """

    start: Start
    shown: Shown
    asked: dict[str, int]


def search_seeds(search: Search, counter: Counter) -> tuple[Found, str]:
    """What was found, and the table for the user.

    Raises:
        CountError: see `find_seeds`.
    """
    if counter is None:
        raise CountError(f"{PICK.removesuffix(' Pick')} got no counter; connect T2ICOUNT of Load T2ICount Model")
    found = find_seeds(replace(search, progress=sampling_progress(search.model)), counter)
    return found, as_table(found.candidates, search.asked(), batch=len(search.latent["samples"]) > 1)


def look_for_pick(search: Search) -> Candidates:
    """Look at every candidate.

    Raises:
        CountError: see `look_at_all`.
    """
    start, shown = look_at_all(replace(search, progress=sampling_progress(search.model)))
    return Candidates(start, shown, search.asked() if search.is_asked() else {})


def pick(
    candidates: Candidates,
    counted: Counted | None,
    boxes: Any,
    counts: Counts | None,
    objects: str,
    box_settings: BoxSettings = USUAL,
) -> tuple[Found, str]:
    """Choose by counts that came from elsewhere.

    Args:
        counted: of the pictures that Count Search Candidates gave; without it `boxes` are counted.
        boxes: BOUNDING_BOX of a detector that saw them, or another form that `read_boxes` knows.
        counts, objects: what is asked for; the line overrules COUNTS, and both what the prompt asks.
        box_settings: which boxes count.

    Raises:
        CountError: the inputs do not fit each other; the message says which.
    """
    if (counted is None) == (boxes is None):
        raise CountError(
            f"{PICK} needs either COUNTED of a counter or BOUNDING_BOX of a detector that saw the candidates' pictures, "
            + ("and got neither" if counted is None else "and got both; disconnect one")
        )
    asked = _asked(candidates, counts, objects)
    frames = len(candidates.shown.frames)
    notes: tuple[str, ...] = ()
    if counted is None:
        found_boxes = count_boxes(boxes, asked, frames, box_settings)
        counted, asked, notes = found_boxes.counted, found_boxes.asked, found_boxes.notes
    if len(counted.numbers) != frames:
        raise CountError(
            f"{PICK} got counts of {len(counted.numbers)} pictures, and the candidates have {frames}. Give the counter "
            "exactly the IMAGE of Count Search Candidates"
        )
    start = candidates.start
    indices = list(range(len(candidates.shown.pictures)))
    seeds = [start.seed_of(index) for index in indices]
    tried = judged(indices, seeds, mean_over_frames(counted, candidates.shown.each), asked)
    found = found_among(tried, candidates.shown.pictures, start)
    return found, as_table(found.candidates, asked, batch=start.wanted > 1, notes=notes)


def _asked(candidates: Candidates, counts: Counts | None, objects: str) -> dict[str, int]:
    line = parse_objects_line(objects)
    asked = asked_numbers(line or (counts.objects if counts is not None else ())) or candidates.asked
    if not asked:
        raise CountError(
            f"{PICK} does not know what is asked for. Encode the positive prompt with Count Prompt, or write objects, such "
            "as '3 cats, 1 dog'"
        )
    return asked
