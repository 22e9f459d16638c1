"""Reads out of ComfyUI's conditionings what Count Prompt has put into them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...core.errors import CountError
from ...core.isac import PromptTarget
from ...core.prompts import CONDITIONING_KEY, Counts, TextLayout, context_positions, from_carried, too_many
from ..comfyui.run_notes import RunNotes
from ..families.family import Family
from .own_text import tokens_in_front

WRITE_A_NUMBER = "Write a number, such as 'three cats'"
FILL_OBJECTS = f"{WRITE_A_NUMBER}, or fill in objects of Count Prompt"
"""What to do where a prompt counts nothing."""


@dataclass(frozen=True)
class CountedConditioning:
    """A positive conditioning of a run that says what it counts.

    Attributes:
        conditioning: ComfyUI's processed conditioning.
        counts: what its prompt asks for.
        target: the same as token positions in the text that the model reads.
        text_layout: where the prompt lies in that text.
    """

    conditioning: Mapping[str, Any]
    counts: Counts
    target: PromptTarget
    text_layout: TextLayout


class CountedConditionings(list[CountedConditioning]):
    """Those of a run that count something.

    Attributes:
        uncounted: what their prompts, and those that count nothing, say of numbers without asking for a count.
    """

    def __init__(self, counted: Iterable[CountedConditioning], uncounted: Iterable[str]) -> None:
        super().__init__(counted)
        self.uncounted = tuple(dict.fromkeys(uncounted))


def carried_counts(options: Mapping[str, Any]) -> Counts | None:
    """What Count Prompt has put into the options of a conditioning; None where it has not.

    Raises:
        CountError: it cannot be read.
    """
    carried = options.get(CONDITIONING_KEY)
    return None if carried is None else from_carried(carried)


def counted_conditionings(
    positive: list[dict[str, Any]], node: str, family: Family, connected: Counts | None = None
) -> CountedConditionings:
    """The positive conditionings that count something.

    Args:
        node: name of the node that errors speak of.
        family: of the model that reads the conditionings.
        connected: the node's own COUNTS input, used where no conditioning carries counts: some nodes make new
            conditionings and drop what they do not know.

    Raises:
        CountError: nothing says where the words are, or a conditioning is laid out in another way than its prompt.
    """
    fallback = None if any(CONDITIONING_KEY in conditioning for conditioning in positive) else connected
    carried = [(conditioning, carried_counts(conditioning) or fallback) for conditioning in positive]
    known = [(conditioning, counts) for conditioning, counts in carried if counts is not None]
    if not known:
        raise CountError(
            f"{node} does not know where the words of the positive prompt are. Encode it with Count Prompt and connect "
            f"that node's CONDITIONING to the sampler's positive input, or its COUNTS to {node}"
        )
    return CountedConditionings(
        (_counted(conditioning, counts, family) for conditioning, counts in known if counts.objects),
        (note for _, counts in known for note in counts.notes),
    )


def warn_of_counts(counted: Sequence[CountedConditioning], notes: RunNotes) -> None:
    """Say that a steering node has nothing to count in this run, or more than it is made for."""
    warn_of_nothing(counted, notes, "steered")
    remark = too_many(max((one.counts.total for one in counted), default=0))
    if remark:
        notes.warn(remark)


def warn_of_nothing(counted: Sequence[CountedConditioning], notes: RunNotes, done: str) -> None:
    """Say that the prompt counts nothing in this run, what is therefore not `done` to the picture, and why."""
    if not counted:
        why = counted.uncounted if isinstance(counted, CountedConditionings) else ()
        notes.warn(". ".join((f"the prompt counts nothing: this image is not {done}", *why)))


def nothing_counted(node: str, wish: str, notes: Iterable[str], fix: str = FILL_OBJECTS) -> CountError:
    """The error of a node that has nothing to `wish`, since the prompt counts nothing, and why.

    Args:
        notes: what the prompt says of numbers without asking for a count.
        fix: what to do where it says nothing of numbers.
    """
    why = list(dict.fromkeys(notes)) or [fix]
    return CountError(f"{node} has nothing to {wish}: the prompt counts nothing. {'. '.join(why)}")


def _layout(conditioning: dict[str, Any], counts: Counts, family: Family) -> TextLayout:
    """Where the prompt lies in the text that the model reads, behind what other nodes have put in front of it."""
    whole, front = family.text_layout(counts, conditioning), tokens_in_front(conditioning)
    if not front or not family.moves_with_text:
        return whole
    behind = family.text_layout(counts, {**conditioning, "cross_attn": conditioning["cross_attn"][:, front:]})
    # Less where the model pads its text in front, by as much as the padding has become shorter.
    moved = front + whole.stretches[0].start - behind.stretches[0].start
    stretches = tuple(replace(one, start=one.start + moved) for one in behind.stretches)
    return TextLayout(whole.length, behind.own, stretches)


def _counted(conditioning: dict[str, Any], counts: Counts, family: Family) -> CountedConditioning:
    if not counts.tokens:
        raise CountError("COUNTS has no token positions; take it from the Count Prompt node")
    layout = _layout(conditioning, counts, family)
    if CONDITIONING_KEY not in conditioning and layout.own != layout.length:
        raise CountError(
            f"the connected COUNTS are of a prompt of {list(counts.lengths.values())} tokens, the model reads "
            f"{layout.length}: take both from the same Count Prompt"
        )
    positions = context_positions(counts, layout)
    target = PromptTarget(
        tuple(tokens.noun for tokens in positions),
        tuple(item.count for item in counts.objects),
        tuple(tokens.attributes for tokens in positions),
    )
    return CountedConditioning(conditioning, counts, target, layout)
