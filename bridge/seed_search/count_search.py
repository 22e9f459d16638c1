"""Count Search: previews a few seeds, counts what they will show, and goes on until enough are right.

Reference: none; this pack's own method. It needs neither gradient nor attention, so it works with any model, sampler and
counter. The sum of the previews is its cost; the image itself is an ordinary run of the user's own sampler.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import comfy.model_management
import torch

from ...core.counting import USUAL, BoxSettings, Counted, Counter, asked_numbers, count_boxes
from ...core.errors import CountError
from ...core.prompts import CONDITIONING_KEY, Counts, parse_objects_line, plural
from ..counters.inputs import checked_counter, require_one_source
from ..prompts.conditionings import carried_counts
from .counter_scorer import CountedCandidate, counted_candidates, mean_over_frames, ranked
from .previews import PreviewBatch, previews_of
from .search import InitialLatent, Search, SearchResult
from .settings import SearchSettings

_NODE = SearchSettings.node
_PICK = "Count Search Pick"


def search_seeds(search: Search[SearchSettings], counter: Any) -> SearchResult:
    """`find_seeds` with ComfyUI's progress bar and preview.

    Raises:
        CountError: what is connected cannot count, or see `find_seeds`.
    """
    return find_seeds(search.with_progress(), checked_counter(counter, _NODE))


def find_seeds(search: Search[SearchSettings], counter: Counter) -> SearchResult:
    """Preview candidates until enough of them are right, or all were tried.

    Raises:
        CountError: nothing is asked for, or see `previews_of`.
    """
    asked = asked_of(search)
    previews = previews_of(search)
    initial, progress = previews.initial, previews.progress()
    tried: list[CountedCandidate] = []
    images = []
    for indices, batch in previews.decoded(progress):
        counted = mean_over_frames(counter.count(batch.frames, tuple(asked)), batch.frames_each)
        comfy.model_management.throw_exception_if_processing_interrupted()
        tried += counted_candidates(initial, indices, counted, asked)
        images.append(batch.images)
        is_enough = sum(candidate.misses == 0 for candidate in tried) >= initial.wanted
        if is_enough and search.settings.stop_when_found:
            break
    progress.end()
    return ranked(tried, torch.cat(images), initial, asked)


def asked_of(search: Search[SearchSettings]) -> dict[str, int]:
    """Noun in the plural -> number; several positive conditionings ask for their objects together.

    Raises:
        CountError: nothing is asked for.
    """
    carried = _carried(search)
    if not carried:
        raise CountError(
            f"{_NODE} does not know what is asked for. Encode the positive prompt with Count Prompt and connect that "
            f"node's CONDITIONING to positive, or its COUNTS to {_NODE}"
        )
    objects = [item for counts in carried for item in counts.objects]
    asked = {plural(noun): number for noun, number in asked_numbers(objects).items()}
    if not asked:
        raise CountError(f"{_NODE} has nothing to choose by: the positive prompt counts nothing")
    return asked


def _carried(search: Search[SearchSettings]) -> list[Counts]:
    """What each Count Prompt behind the conditioning reads, once however many parts its conditioning has."""
    by_prompt = {id(options.get(CONDITIONING_KEY)): carried_counts(options) for _, options in search.positive}
    carried = [counts for counts in by_prompt.values() if counts is not None]
    return carried if carried or search.counts is None else [search.counts]


@dataclass(frozen=True)
class PreviewedCandidates:
    """What Count Search Candidates previewed. Travels as CANDIDATES.

    Attributes:
        initial: where they started.
        previews: what they are predicted to show, in the order of their indices.
        asked: noun -> number where the positive conditioning says so; empty where it does not.
    """

    initial: InitialLatent
    previews: PreviewBatch
    asked: dict[str, int]


def preview_for_pick(search: Search[SearchSettings]) -> PreviewedCandidates:
    """Preview every candidate, for a counter that is asked later.

    Raises:
        CountError: see `previews_of`.
    """
    previews = previews_of(search.with_progress())
    batches = [batch for _, batch in previews.decoded(previews.progress())]
    every = PreviewBatch(torch.cat([batch.frames for batch in batches]), batches[0].frames_each)
    is_asked = any(counts.objects for counts in _carried(search))
    return PreviewedCandidates(previews.initial, every, asked_of(search) if is_asked else {})


def pick(
    candidates: PreviewedCandidates,
    counted: Counted | None,
    boxes: Any,
    counts: Counts | None,
    objects: str,
    box_settings: BoxSettings = USUAL,
) -> SearchResult:
    """Choose by counts that came from elsewhere.

    Args:
        counted: of the images that Count Search Candidates gave; without it `boxes` are counted.
        boxes: BOUNDING_BOX of a detector that saw them, or another form that `read_boxes` knows.
        counts, objects: what is asked for; the line overrules COUNTS, and both what the prompt asks.
        box_settings: which boxes count.

    Raises:
        CountError: the inputs do not fit each other; the message says which.
    """
    require_one_source(counted, boxes, _PICK, "the candidates' pictures")
    asked = _asked_for_pick(candidates, counts, objects)
    initial, previews = candidates.initial, candidates.previews
    frames = len(previews.frames)
    notes: tuple[str, ...] = ()
    if counted is None:
        found_boxes = count_boxes(boxes, asked, frames, box_settings)
        counted, asked, notes = found_boxes.counted, found_boxes.asked, found_boxes.notes
    if len(counted.numbers) != frames:
        raise CountError(
            f"{_PICK} got counts of {len(counted.numbers)} pictures, and the candidates have {frames}. Give the counter "
            "exactly the IMAGE of Count Search Candidates"
        )
    means = mean_over_frames(counted, previews.frames_each)
    tried = counted_candidates(initial, range(len(previews.images)), means, asked)
    return ranked(tried, previews.images, initial, asked, notes)


def _asked_for_pick(candidates: PreviewedCandidates, counts: Counts | None, objects: str) -> dict[str, int]:
    line = parse_objects_line(objects)
    asked = asked_numbers(line or (counts.objects if counts is not None else ())) or candidates.asked
    if not asked:
        raise CountError(
            f"{_PICK} does not know what is asked for. Encode the positive prompt with Count Prompt, or write objects, such "
            "as '3 cats, 1 dog'"
        )
    return asked
