"""Count Repair with the emoji model: never worse, right pictures and pixels outside the painted places stay, plans, errors."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import comfy.model_management
import pytest
import torch
from headcount.bridge.demo_models.emoji import load_emoji_unet
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.prompts.token_positions import encode_count_prompt
from headcount.bridge.repair.count_repair import RepairedPictures, counts_of, repair_pictures
from headcount.bridge.repair.painter import Painter, local_conditioning, unsteered
from headcount.bridge.repair.settings import RepairSettings
from headcount.core.counting import Counted
from headcount.core.errors import CountError
from headcount.core.prompts import Counts
from torch import Tensor

from ..helpers.models import Setup, shapes
from ..helpers.video_models import built_video

PROMPT = "a picture of two cats and a dog"
QUICK = RepairSettings(5, 4, 3.0, "euler", "simple", rounds=3)
Seen = Sequence[tuple[str, float]]
"""Label and score of the objects of a picture; the first one stands left above, the next one right of it, and so on."""


class Scripted:
    """A counter that sees the next of some lists of objects in each picture, and remembers the pictures."""

    def __init__(self, *seen: Seen) -> None:
        self.seen, self.shown = list(seen), list[Tensor]()

    def count(self, images: Tensor, nouns: Sequence[str], on_progress: Any = None) -> Counted:
        self.shown += list(images)
        boxes = tuple(boxes_of(self.seen.pop(0)) for _ in images)
        numbers = [[float(sum(box["label"] == noun[:-1] for box in found)) for noun in nouns] for found in boxes]
        return Counted(tuple(nouns), torch.tensor(numbers), tuple(((),) * len(nouns) for _ in images), boxes)


def boxes_of(seen: Seen) -> list[dict[str, Any]]:
    return [
        {"x": 4 + 40 * (place % 3), "y": 4 + 40 * (place // 3), "width": 24, "height": 24, "label": label, "score": score}
        for place, (label, score) in enumerate(seen)
    ]  # fmt: skip


@cache
def loaded() -> Any:
    return load_emoji_unet()


atexit.register(loaded.cache_clear)  # ComfyUI's patchers cannot be taken down once its modules are gone


@cache
def setup() -> tuple[Setup, Counts]:
    with torch.inference_mode():
        positive, counts = encode_count_prompt(loaded().clip, PROMPT)
        negative = loaded().clip.encode_from_tokens_scheduled(loaded().clip.tokenize(""))
    return Setup(loaded().model, positive, negative, 12), counts


atexit.register(setup.cache_clear)


def painter(settings: RepairSettings = QUICK, **changes: Any) -> Painter:
    given, counts = setup()
    inputs = {"model": given.model, "clip": loaded().clip, "vae": loaded().vae, "positive": given.positive}
    inputs |= {"negative": given.negative, "counts": counts, "settings": settings}
    return Painter(**(inputs | changes))


def image(pictures: int = 1, height: int = 128, width: int = 128) -> Tensor:
    return torch.rand(pictures, height, width, 3, generator=torch.Generator().manual_seed(1))


def mend(images: Tensor, counter: Any, boxes: Any = None, **changes: Any) -> RepairedPictures:
    with torch.inference_mode():
        return repair_pictures(images, painter(**changes), counter, boxes)


TWO_CATS_AND_A_DOG: Seen = (("cat", 0.9), ("cat", 0.9), ("dog", 0.9))
THREE_CATS: Seen = (("cat", 0.9), ("cat", 0.4), ("cat", 0.9))


def test_a_right_picture_comes_back_itself() -> None:
    pictures = image(2)
    done = mend(pictures, Scripted(TWO_CATS_AND_A_DOG, TWO_CATS_AND_A_DOG))
    assert done.images is pictures and done.all_right and not done.plan.masks.any()
    assert done.plan.boxes == [[], []] and done.plan.prompt == done.plan.instruction == ""
    assert done.result.verdict == "2 of 2 right; 2 before"


def test_a_change_that_helps_stays_and_the_rest_is_as_it_was() -> None:
    pictures, counter = image(), Scripted(THREE_CATS, TWO_CATS_AND_A_DOG)
    done = mend(pictures, counter)
    changed = (done.images != pictures).any(-1)[0].nonzero()
    assert done.all_right and len(changed)
    assert changed.amin(0).tolist() >= [0, 44 - 6 - 9] and changed.amax(0).tolist() <= [28 + 6 + 9, 68 + 6 + 9]
    assert done.table.splitlines() == [
        "asked: 2 cats, 1 dog",
        "image 1: 3 cats, 0 dogs: off by 2; 1 cat changed into 1 dog: right",
        "1 of 1 right; 0 before",
    ]


def test_a_change_that_does_not_help_is_undone() -> None:
    stray: Seen = (*TWO_CATS_AND_A_DOG, ("bird", 0.9))
    counter = Scripted(THREE_CATS, (*THREE_CATS, ("cat", 0.9)), THREE_CATS, stray)
    pictures = image()
    done = mend(pictures, counter)
    assert done.images is pictures and not done.all_right, (
        "worse, the same, and right but for a bird that nobody asked for"
    )
    assert "off by 2; 3 changes tried, none helped" in done.table
    assert done.plan.instruction == "Change one cat into one dog." and done.plan.prompt == "a picture of a dog"
    assert not all(torch.equal(one, pictures[0]) for one in counter.shown[1:])
    assert not torch.equal(counter.shown[1], counter.shown[2]), "another try paints something else"


def test_only_the_wrong_pictures_of_a_batch_change() -> None:
    pictures = image(3)
    done = mend(
        pictures,
        Scripted(TWO_CATS_AND_A_DOG, THREE_CATS, THREE_CATS, TWO_CATS_AND_A_DOG, THREE_CATS, *[THREE_CATS] * 2),
    )
    assert torch.equal(done.images[0], pictures[0]) and torch.equal(done.images[2], pictures[2])
    assert not torch.equal(done.images[1], pictures[1]) and done.result.marks == (True, True, False)
    assert done.plan.masks[:2].max() == 0 and done.plan.masks[2].max() == 1
    assert [len(found) for found in done.plan.boxes] == [0, 0, 1] and done.plan.boxes[2][0]["label"] == "dogs"


def test_no_rounds_only_plan() -> None:
    pictures = image()
    done = mend(pictures, Scripted((("cat", 0.9),)), settings=RepairSettings(5, 4, 3.0, "euler", "simple", rounds=0))
    assert done.images is pictures and done.plan.instruction == "Add one cat. Add one dog."


def test_boxes_of_a_detector_give_a_plan() -> None:
    pictures = image(2)
    done = mend(pictures, None, [boxes_of(TWO_CATS_AND_A_DOG), boxes_of(THREE_CATS[:2])])
    assert done.images is pictures and done.result.marks == (True, False) and done.plan.instruction == "Add one dog."


def test_a_picture_of_any_size_and_with_transparency() -> None:
    pictures = torch.cat([image(1, 100, 93), torch.ones(1, 100, 93, 1)], -1)
    done = mend(pictures, Scripted(THREE_CATS, TWO_CATS_AND_A_DOG))
    assert done.images.shape == pictures.shape and torch.equal(done.images[..., 3], pictures[..., 3])
    assert not torch.equal(done.images, pictures)


def test_it_is_the_same_every_time_and_seeds_nothing() -> None:
    def mended() -> Tensor:
        return mend(image(), Scripted(THREE_CATS, TWO_CATS_AND_A_DOG)).images

    first, state = mended(), torch.random.get_rng_state()
    assert torch.equal(first, mended()) and torch.equal(torch.random.get_rng_state(), state)


def test_cancelled_while_it_paints(monkeypatch: pytest.MonkeyPatch) -> None:
    counter = Scripted(THREE_CATS)

    def step(done: int, total: int, denoised: Tensor) -> None:
        assert total == 3 * 4
        if done == 2:
            comfy.model_management.interrupt_current_processing()

    monkeypatch.setattr("headcount.bridge.repair.count_repair.sampling_progress", lambda model: step)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        mend(image(), counter)
    assert len(counter.shown) == 1


def test_a_steered_model_paints_without_steering() -> None:
    steered, _ = with_isac(setup()[0].model, IsacSettings())
    free = unsteered(steered)
    keys = [key for group in (free.wrappers, free.callbacks) for by_key in group.values() for key in by_key]
    assert not any(str(key).startswith("headcount_") for key in keys)
    one, other = (
        mend(image(), Scripted(THREE_CATS, TWO_CATS_AND_A_DOG), model=model).images
        for model in (steered, setup()[0].model)
    )
    assert torch.equal(one, other)


def test_a_place_keeps_what_nodes_put_on_the_prompt() -> None:
    positive = [[text, {**options, "guidance": 2.5, "area": (8, 8, 0, 0)}] for text, options in setup()[0].positive]
    [[_, options]] = local_conditioning(loaded().clip, "a cat", positive)
    assert options["guidance"] == 2.5 and "area" not in options and not any(map("headcount".__contains__, options))


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (lambda: mend(image(), Scripted(), model=None), "Count Repair got no model; connect a loader's MODEL output"),
        (lambda: local_conditioning(None, "a cat", []), "Count Repair got no clip; connect the loader's CLIP output"),
        (lambda: mend(image(), Scripted(THREE_CATS), vae=shapes().vae), "its latents have 8 channels, the model's have 12"),
        (lambda: mend(image(), None), "needs either a COUNTER or BOUNDING_BOX of a detector that saw these images"),
        (lambda: counts_of([[None, {}]], None), "does not know what is asked for. Encode the positive prompt"),
        (lambda: mend(image(), Scripted(), counts=Counts("fog", ())), "has nothing to make right: the prompt counts nothing"),
    ],
)  # fmt: skip
def test_refusals(start: Callable[[], object], message: str) -> None:
    with pytest.raises(CountError) as caught:
        start()
    assert message in str(caught.value)


def test_frames_of_a_video_are_refused() -> None:
    with pytest.raises(CountError, match="repairs images one by one, and these 5 are frames of a video model"):
        mend(image(5), Scripted(), model=built_video("Wan 2.1").model)
