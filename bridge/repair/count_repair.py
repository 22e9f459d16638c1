"""What the node Count Repair does: counts images, mends those that are wrong, and says what is still to be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ...core.counting import Counted, asked_numbers, counted_from_boxes, counts_in_words, read_boxes
from ...core.errors import CountError
from ...core.prompts import Counts, plural, singular
from ...core.repair import Change, plan_changes
from ..comfyui.node_names import COUNT_GUIDE
from ..comfyui.node_text import NodeResult
from ..comfyui.progress import sampling_progress
from ..counters.inputs import checked_counter, require_one_source
from ..families.hunyuan_video import HUNYUAN_IMAGE
from ..families.table import VIDEO_FAMILIES
from ..prompts.conditionings import FILL_OBJECTS, carried_counts, nothing_counted
from .painter import Painter, unsteered
from .repair import Looked, Repair, Repaired, look, unchanged
from .settings import RepairSettings

NODE = RepairSettings.node


@dataclass(frozen=True)
class Plan:
    """What is still to be done to images, for another model that paints or edits.

    Attributes:
        masks: (N, H, W) where the first change of each image is painted, 0 where nothing is to be done.
        boxes: per image, a BOUNDING_BOX for each change, with the words for it as label.
        prompt: what is painted in the mask of the first image that is wrong; empty where all are right.
        instruction: the changes of that image as a sentence for an editing model.
    """

    masks: Tensor
    boxes: list[list[dict[str, Any]]]
    prompt: str
    instruction: str


@dataclass(frozen=True)
class RepairedPictures:
    """What Count Repair hands on.

    Attributes:
        images: (N, H, W, C); the very same tensor where no image was changed.
        all_right: whether the counter finds what was asked in every image.
        plan: what is still to be done.
        table: one line per image.
        result: what the node says.
    """

    images: Tensor
    all_right: bool
    plan: Plan
    table: str
    result: NodeResult


def repair_pictures(images: Tensor, painter: Painter, counter: Any, boxes: Any) -> RepairedPictures:
    """Mend images, with ComfyUI's progress bar and preview.

    Args:
        images: (N, H, W, C).
        counter: a `Counter`; without it nothing is painted, since nobody would see whether it helped.
        boxes: BOUNDING_BOX of a detector that saw the images, for a plan alone.

    Raises:
        CountError: the inputs do not fit each other, or are frames of a video.
    """
    if painter.model is None:
        raise CountError(f"{NODE} got no model; connect a loader's MODEL output")
    require_one_source(counter, boxes, NODE, "these images", "a COUNTER")
    refuse_frames(painter.model, len(images))
    asked = asked_of(painter.counts)
    if counter is None:
        seen = _of_boxes(boxes, asked, images)
        return _handed_on(images, [unchanged(one) for one in seen], painter, asked)
    repair = Repair(
        replace(painter, model=unsteered(painter.model)), checked_counter(counter, NODE), asked,
        sampling_progress(painter.model),
    )  # fmt: skip
    seen = [look(repair.counter, image, asked) for image in images]
    wrong = [index for index, one in enumerate(seen) if one.misses]
    done = {index: repair.run(seen[index], place, len(wrong)) for place, index in enumerate(wrong)}
    return _handed_on(images, [done.get(i, unchanged(one)) for i, one in enumerate(seen)], painter, asked)


def counts_of(positive: Sequence[Any], connected: Counts | None) -> Counts:
    """What the positive conditioning asks for, or else what is connected.

    Raises:
        CountError: nothing is asked for.
    """
    carried = [carried_counts(options) for _, options in positive]
    counts = next((one for one in carried if one is not None), connected)
    if counts is None:
        raise CountError(
            f"{NODE} does not know what is asked for. Encode the positive prompt with Count Prompt and connect that node's "
            f"CONDITIONING to positive, or its COUNTS to {NODE}"
        )
    return counts


def asked_of(counts: Counts, node: str = NODE, *, wish: str = "make right", fix: str = FILL_OBJECTS) -> dict[str, int]:
    """Noun in the plural -> number.

    Args:
        node: the node that errors speak of.
        wish: what it cannot do where nothing is asked for.
        fix: what to do about that.

    Raises:
        CountError: nothing is asked for.
    """
    asked = {plural(noun): number for noun, number in asked_numbers(counts.objects).items()}
    if not asked:
        raise nothing_counted(node, wish, counts.notes, fix)
    return asked


def refuse_frames(model: Any, pictures: int) -> None:
    """Check that several images are not the frames of a video.

    Raises:
        CountError: they are of a model of videos.
    """
    families = [family for family in VIDEO_FAMILIES if family is not HUNYUAN_IMAGE and family.has(model.model)]
    if families and pictures > 1:
        raise CountError(
            f"{NODE} repairs images one by one, and these {pictures} are frames of a video model ({families[0].name}): every "
            f"frame would be painted differently. Guide the video with {COUNT_GUIDE}, or repair one frame of it"
        )


def _of_boxes(boxes: Any, asked: Mapping[str, int], images: Tensor) -> list[Looked]:
    read = read_boxes(boxes, len(images))
    counted = counted_from_boxes(boxes, tuple(asked), len(images))
    return [
        Looked(image, replace(_of_picture(counted, index), boxes=([asdict(box) for box in read[index]],)), asked)
        for index, image in enumerate(images)
    ]


def _of_picture(counted: Counted, index: int) -> Counted:
    return replace(counted, numbers=counted.numbers[index : index + 1], points=counted.points[index : index + 1])


def _handed_on(
    images: Tensor, repaired: Sequence[Repaired], painter: Painter, asked: Mapping[str, int]
) -> RepairedPictures:
    if any(one.done for one in repaired):
        images = torch.stack([one.after.image for one in repaired])
    marks = tuple(not one.after.misses for one in repaired)
    lines = [
        f"asked: {counts_in_words(asked.values(), asked)}",
        *(f"image {index}: {one.words}" for index, one in enumerate(repaired, 1)),
    ]
    before = sum(not one.before.misses for one in repaired)
    verdict = f"{sum(marks)} of {len(marks)} right; {before} before"
    plan = plan_of(repaired, painter, asked)
    result = NodeResult(verdict, all(marks), marks, "\n".join(lines), plan.instruction)
    return RepairedPictures(images, all(marks), plan, "\n".join([*lines, verdict]), result)


def plan_of(repaired: Sequence[Repaired], painter: Painter, asked: Mapping[str, int]) -> Plan:
    """What images still lack after their repair."""
    plans = [plan_changes(one.after.objects, asked) if one.after.misses else () for one in repaired]
    masks = [_mask(one.after, changes, painter) for one, changes in zip(repaired, plans, strict=True)]
    first = next((changes for changes in plans if changes), ())
    boxes = [[_box(change) for change in changes] for changes in plans]
    prompt = painter.text_of(first[0]) if first else ""
    return Plan(torch.stack(masks), boxes, prompt, _instruction(first))


def _mask(looked: Looked, changes: Sequence[Change], painter: Painter) -> Tensor:
    if not changes:
        return torch.zeros(looked.objects.size)
    others = [box for box in looked.objects.all_boxes if box is not changes[0].box]
    return painter.region_of(changes[0], looked.objects.size, others)


def _box(change: Change) -> dict[str, Any]:
    place = {"x": change.box.x, "y": change.box.y, "width": change.box.width, "height": change.box.height}
    return {**place, "label": change.added or change.removed, "score": 1.0}


def _instruction(changes: Sequence[Change]) -> str:
    """ "Change one cat into one dog. Remove one cat. Add one bird." """
    sentences = []
    for change in changes:
        removed, added = (None if noun is None else f"one {singular(noun)}" for noun in (change.removed, change.added))
        if removed is None:
            sentences.append(f"Add {added}.")
        else:
            sentences.append(f"Remove {removed}." if added is None else f"Change {removed} into {added}.")
    return " ".join(sentences)
