"""Count Search: previews a few seeds, counts what they will show, and goes on until enough are right.

Reference: none; this pack's own method. It needs neither gradient nor attention, so it works with any model, sampler and
counter. The sum of the previews is its cost; the image itself is an ordinary run of the user's own sampler.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from ...core.counting import (
    USUAL,
    BoxSettings,
    Counted,
    Counter,
    asked_as_counted,
    asked_numbers,
    box_labels,
    count_boxes,
    count_words,
    reads_attributes,
)
from ...core.errors import CountError
from ...core.prompts import CONDITIONING_KEY, CountedObject, Counts, parse_objects_line, plural
from ..counters.inputs import checked_counter, require_one_source
from ..prompts.conditionings import carried_counts, nothing_counted
from .counter_scorer import (
    CountedCandidate,
    best_first,
    counted_candidates,
    mean_over_frames,
    ranked,
    said_of_alike,
)
from .looks import Looks
from .preview_plan import varies
from .previews import PreviewBatch, Previews, previews_of
from .search import InitialLatent, Search, SearchResult
from .settings import SearchSettings

_NODE = SearchSettings.node
_PICK = "Count Search Pick"
_OTHERWISE = "Change the prompt, or use a sampler that adds noise on the way"


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
    asked = asked_of(search, reads_attributes(counter))
    _, told = asked_as_counted(_objects_of(search), asked)
    previews = previews_of(search)
    initial, progress = previews.initial, previews.progress()
    tried: list[CountedCandidate] = []
    images = []
    for seen in Looks(previews, counter, asked, progress).seen():
        tried += [one.candidate for one in seen]
        images += [one.image for one in seen]
        previews.keep_only(one.index for one in best_first(tried)[: initial.wanted])
        is_enough = sum(one.misses == 0 for one in tried) >= initial.wanted
        if is_enough and search.settings.stop_when_found:
            break
    progress.end()
    is_varied = any(one.varied is not None for one in tried)
    notes = [told, said_of_alike(tried, asked, "" if is_varied else _fix_of_alike(previews))]
    found = ranked(tried, torch.stack(images), initial, asked, [note for note in notes if note])
    chosen = [one.index for one in found.candidates[: initial.wanted]]
    return replace(found, model=previews.chosen_model(search.model, chosen))


def _fix_of_alike(previews: Previews) -> str:
    """What keeps *vary_alike* from varying seeds that are alike."""
    settings = previews.search.settings
    missing = [
        fix
        for is_met, fix in (
            (settings.vary_alike, "turn on vary_alike"),
            (previews.plan.is_own, "set look to own steps"),
            (varies(settings), "use a sampler that begins anywhere, such as euler"),
        )
        if not is_met
    ]
    if not missing or previews.initial.wanted > 1 or previews.memory is None:
        return _OTHERWISE
    return f"To vary them, {', '.join(missing)} and connect MODEL to the sampler"


def asked_of(search: Search[SearchSettings], attributes: bool = False) -> dict[str, int]:
    """Noun in the plural -> number; several positive conditionings ask for their objects together.

    Args:
        attributes: whether adjectives belong to the nouns, for a counter that reads them.

    Raises:
        CountError: nothing is asked for.
    """
    asked = {plural(noun): number for noun, number in asked_numbers(_objects_of(search), attributes).items()}
    if not asked:
        raise nothing_counted(_NODE, "choose by", (note for counts in _carried(search) for note in counts.notes))
    return asked


def _objects_of(search: Search[SearchSettings]) -> list[CountedObject]:
    carried = _carried(search)
    if not carried:
        raise CountError(
            f"{_NODE} does not know what is asked for. Encode the positive prompt with Count Prompt and connect that "
            f"node's CONDITIONING to positive, or its COUNTS to {_NODE}"
        )
    return [item for counts in carried for item in counts.objects]


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
        asked: the objects, in the plural, where the positive conditioning says them; empty where it does not.
    """

    initial: InitialLatent
    previews: PreviewBatch
    asked: tuple[CountedObject, ...]


def preview_for_pick(search: Search[SearchSettings]) -> PreviewedCandidates:
    """Preview every candidate, for a counter that is asked later.

    Raises:
        CountError: see `previews_of`.
    """
    previews = previews_of(search.with_progress())
    batches = [batch for _, batch in previews.decoded(previews.progress())]
    every = PreviewBatch(torch.cat([batch.frames for batch in batches]), batches[0].frames_each)
    asked = [replace(item, noun=plural(item.noun)) for counts in _carried(search) for item in counts.objects]
    return PreviewedCandidates(previews.initial, every, tuple(asked))


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
    require_one_source(counted, boxes, _PICK, "the candidates' images")
    wanted = _asked_for_pick(candidates, counts, objects)
    initial, previews = candidates.initial, candidates.previews
    frames = len(previews.frames)
    asked, told = asked_as_counted(wanted, box_labels(boxes, frames) if counted is None else counted.nouns)
    notes: tuple[str, ...] = ()
    if counted is None:
        found_boxes = count_boxes(boxes, asked, frames, box_settings)
        counted, asked, notes = found_boxes.counted, found_boxes.asked, found_boxes.notes
    if len(counted.numbers) != frames:
        raise CountError(
            f"{_PICK} got counts of {count_words(len(counted.numbers), 'images')}, and the candidates have {frames}. Give the "
            "counter exactly the IMAGE of Count Search Candidates"
        )
    means = mean_over_frames(counted, previews.frames_each)
    tried = counted_candidates(initial, range(len(previews.images)), means, asked)
    further = [note for note in (told, said_of_alike(tried, asked, _OTHERWISE)) if note]
    return ranked(tried, previews.images, initial, asked, (*notes, *further))


def _asked_for_pick(candidates: PreviewedCandidates, counts: Counts | None, objects: str) -> tuple[CountedObject, ...]:
    asked = tuple(parse_objects_line(objects) or (counts.objects if counts is not None else ())) or candidates.asked
    if not asked:
        raise CountError(
            f"{_PICK} does not know what is asked for. Encode the positive prompt with Count Prompt, or write objects, such "
            "as '3 cats, 1 dog'"
        )
    return asked
