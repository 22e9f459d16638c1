"""SAM3 Counter on core's own SAM3 and SAM3.1 classes, small and with random weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import comfy.model_management
import comfy.supported_models
import pytest
import torch
from comfy_extras.nodes_sam3 import SAM3_Detect
from headcount.bridge.counters.sam3 import Sam3Counter
from headcount.core.counting import ALWAYS, NEVER, Counted, DetectionSettings, object_masks
from headcount.core.errors import CountError
from headcount.nodes.sam3_counter import Sam3CounterNode
from headcount.nodes.t2icount_counter import T2ICountCounter
from torch import Tensor

from ..helpers.detector_pack import SAM3_SIZES, untrained_sam3
from ..helpers.models import shapes

SIZE = (80, 120)
EVERYTHING = DetectionSettings(threshold=0.0, merge_overlap=1.0, tiles=NEVER)
QUERIES = SAM3_SIZES["num_queries"]


@pytest.fixture(scope="module", params=[comfy.supported_models.SAM3, comfy.supported_models.SAM31], ids=["3", "3.1"])
def loaded(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """MODEL and CLIP."""
    with torch.inference_mode():
        return untrained_sam3(request.param)


def images(count: int = 1) -> Tensor:
    return torch.rand(count, *SIZE, 3, generator=torch.Generator().manual_seed(0))


def count(loaded: Any, nouns: Sequence[str], settings: DetectionSettings = EVERYTHING, number: int = 1) -> Counted:
    return Sam3Counter(*loaded, settings).count(images(number), nouns)


@torch.inference_mode()
def core_boxes(loaded: Any, text: str) -> list[dict[str, float]]:
    """What core's own node detects for one phrase, pixels being those that SAM3 was trained with."""
    model, clip = loaded
    conditioning = clip.encode_from_tokens_scheduled(clip.tokenize(text))
    _, (boxes,) = SAM3_Detect.execute(model, images() * 2 - 1, conditioning, threshold=0.0, refine_iterations=0).args
    return boxes


def test_objects_are_those_of_cores_own_node(loaded: Any) -> None:
    """Core keeps one of them; its scores leave out whether the noun is in the image at all."""
    counted = count(loaded, ["red cats", "dogs"])
    assert counted.numbers.tolist() == [[QUERIES, QUERIES]]
    for noun, phrase in (("red cats", "red cat"), ("dogs", "dog")):
        theirs, ours = (
            core_boxes(loaded, f"{phrase}:200"),
            [box for box in counted.boxes[0] if box["label"] == noun],
        )
        assert len(theirs) == len(ours) == QUERIES and len(core_boxes(loaded, phrase)) == 1
        presence = ours[0]["score"] / theirs[0]["score"]
        assert 0 < presence < 1
        for one, other in zip(ours, theirs, strict=True):
            assert one["score"] == pytest.approx(other["score"] * presence, rel=1e-4)
            for low, length, side in (("x", "width", SIZE[1]), ("y", "height", SIZE[0])):
                assert one[low] == pytest.approx(max(other[low], 0), abs=0.01)
                assert one[low] + one[length] == pytest.approx(min(other[low] + other[length], side), abs=0.01)


def test_phrases_reach_the_encoder_one_by_one(loaded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, clip = loaded
    said: list[str] = []
    monkeypatch.setattr(clip, "tokenize", lambda text, real=clip.tokenize: (said.append(text), real(text))[1])
    counter = Sam3Counter(model, clip, EVERYTHING)
    counter.count(images(2), ["red cats:3", "hot dogs", "(women)"])
    assert said == ["red cat", "hot dog", "woman"]
    counter.count(images(), ["hot dogs"])
    assert len(said) == 3, "a phrase is encoded once"


def test_each_image_has_its_own_result(loaded: Any) -> None:
    both = count(loaded, ["cats"], number=2)
    with torch.inference_mode():
        alone = Sam3Counter(*loaded, EVERYTHING).count(images(2)[1:], ["cats"])
    assert len(both.boxes) == len(both.points) == len(both.object_masks) == 2 and both.masks.shape == (2, 1, *SIZE)
    assert both.boxes[1] == alone.boxes[0] != both.boxes[0] and both.masks[1].equal(alone.masks[0])
    assert len(both.nouns) == 1


def test_threshold_and_merging(loaded: Any) -> None:
    scores = [box["score"] for box in count(loaded, ["cats"]).boxes[0]]
    assert scores == sorted(scores, reverse=True) and len(set(scores)) == QUERIES
    half = count(loaded, ["cats"], DetectionSettings(scores[5], merge_overlap=1.0, tiles=NEVER))
    assert [box["score"] for box in half.boxes[0]] == scores[:5]
    merged = count(loaded, ["cats"], DetectionSettings(0.0, merge_overlap=0.01, tiles=NEVER))
    assert 0 < len(merged.boxes[0]) < QUERIES and merged.boxes[0][0]["score"] == scores[0]


def test_boxes_masks_and_numbers_agree(loaded: Any) -> None:
    counted = count(loaded, ["cats", "dogs"], number=2)
    each = object_masks(counted, SIZE)
    assert len(each) == counted.numbers.sum() == sum(map(len, counted.boxes))
    rows = iter(zip(each, (box for boxes in counted.boxes for box in boxes), strict=True))
    for image in range(2):
        for place, noun in enumerate(counted.nouns):
            own = [next(rows) for _ in range(int(counted.numbers[image, place]))]
            assert [box["label"] for _, box in own] == [noun] * len(own)
            assert torch.stack([mask for mask, _ in own]).amax(0).equal(counted.masks[image, place])
            centres = [(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2) for _, box in own]
            assert list(counted.points[image][place]) == centres
    assert each.any() and set(each.unique().tolist()) == {0.0, 1.0}


def test_nothing_found(loaded: Any) -> None:
    counted = count(loaded, ["cats", "dogs"], DetectionSettings(1.0), number=3)
    assert counted.numbers.tolist() == [[0.0, 0.0]] * 3 and counted.boxes == ([], [], [])
    assert counted.masks.shape == (3, 2, *SIZE) and not counted.masks.any()
    assert object_masks(counted, SIZE).shape == (0, *SIZE)


def test_the_counting_node_gives_masks_of_objects(loaded: Any) -> None:
    with torch.inference_mode():
        (counter,) = Sam3CounterNode.execute(*loaded, threshold=0.0, merge_overlap=1.0, tiles=NEVER).args
        out = T2ICountCounter.execute(counter, images(2), "cats, dogs", "short side").args
        (strict,) = Sam3CounterNode.execute(*loaded, threshold=1.0, merge_overlap=0.5, tiles=NEVER).args
        nothing = T2ICountCounter.execute(strict, images(2), "cats", "short side").args
    numbers, boxes, counted, masks = out[0], out[5], out[6], out[-1]
    assert numbers == [QUERIES] * 4 and [len(one) for one in boxes] == [2 * QUERIES] * 2
    assert masks.equal(object_masks(counted, SIZE))
    assert nothing[0] == [0, 0] and nothing[-1].shape == (1, *SIZE) and not nothing[-1].any()


def test_tiles_are_looked_at_one_by_one(loaded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = Sam3Counter(*loaded, DetectionSettings(0.0, merge_overlap=1.0, tiles=ALWAYS))
    seen = []
    look = counter._look
    monkeypatch.setattr(counter, "_look", lambda image, *more: (seen.append(tuple(image.shape)), look(image, *more))[1])
    counted = counter.count(torch.rand(1, 100, 140, 3), ["cats"])
    assert seen == [(100, 140, 3), *[(57, 80, 3)] * 4], "tiles below 64 pixels are not tiled again"
    assert len(counted.boxes[0]) == len(counted.object_masks[0]) == counted.numbers.sum()


def test_cancel_ends_within_an_image(loaded: Any) -> None:
    done = []

    def cancel(part: int, parts: int) -> None:
        done.append((part, parts))
        comfy.model_management.interrupt_current_processing(True)

    counter = Sam3Counter(*loaded, EVERYTHING)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        counter.count(images(2), ["cats", "dogs", "cows"], on_progress=cancel)
    assert done == [(1, 6)]
    counter.count(images(2), ["cats", "dogs"], on_progress=lambda part, parts: done.append((part, parts)))
    assert done[1:] == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_memory_is_comfyuis(loaded: Any) -> None:
    """It loads the model, may unload it between two counts, and nothing else stays."""
    model, clip = loaded
    counter = Sam3Counter(model, clip, EVERYTHING)
    comfy.model_management.unload_all_models()
    others = list(comfy.model_management.current_loaded_models)  # of other tests, which hold on to theirs
    before = counter.count(images(), ["cats"])
    assert model in [one.model for one in comfy.model_management.current_loaded_models]
    comfy.model_management.unload_all_models()
    assert all(one in others for one in comfy.model_management.current_loaded_models)
    assert model not in [one.model for one in comfy.model_management.current_loaded_models]
    after = counter.count(images(), ["cats"])
    assert before.boxes == after.boxes and before.masks.equal(after.masks)
    assert all(part.device.type == "cpu" for part in (after.numbers, after.masks, *after.object_masks[0]))


@pytest.mark.parametrize("channels", [1, 4])
def test_other_channels(loaded: Any, channels: int) -> None:
    given = torch.rand(1, *SIZE, channels)
    assert Sam3Counter(*loaded, EVERYTHING).count(given, ["cats"]).numbers.tolist() == [[QUERIES]]


def test_what_is_connected_must_be_sam3(loaded: Any) -> None:
    model, clip = loaded
    other = shapes()
    with pytest.raises(CountError, match=r"^SAM3 Counter got as its MODEL a diffusion model .* sam3\.1_multiplex_fp16"):
        Sam3Counter(other.model, clip, EVERYTHING)
    with pytest.raises(
        CountError, match=r"^SAM3 Counter got as its CLIP another text encoder .* both its MODEL and its"
    ):
        Sam3Counter(model, other.clip, EVERYTHING)
    with pytest.raises(CountError, match=r"cannot count '\(,\)': it is not a noun"):
        count(loaded, ["(,)"])
