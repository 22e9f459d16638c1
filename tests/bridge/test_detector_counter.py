"""Detector Counter on every architecture that `transformers` has, small and with random weights, saved as users have them."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import comfy.model_management
import folder_paths
import numpy as np
import pytest
import torch
import transformers
from headcount.bridge.counters.detector import PRECISIONS, DetectorCounter, detector_counter
from headcount.bridge.counters.detector_files import ARCHITECTURES, FOLDER, NO_FOLDER, detector_names, detector_state
from headcount.core.counting import NEVER, Counted, DetectionSettings, object_masks
from headcount.core.errors import CountError
from headcount.nodes.detector_counter import DetectorCounterNode
from headcount.nodes.t2icount_counter import T2ICountCounter
from torch import Tensor
from transformers.models.omdet_turbo import processing_omdet_turbo

from ..helpers.detectors import QUERIES, save_detector

KINDS = ("grounding-dino", "mm-grounding-dino", "owlv2", "owlvit", "omdet-turbo", "sam3")
OWLS = ("owlv2", "owlvit")
SIZE = (80, 120)
EVERYTHING = DetectionSettings(threshold=0.0, merge_overlap=1.0, tiles=NEVER)
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module", autouse=True)
def folder() -> Path:
    """models/headcount_detectors with one of each."""
    base = Path(folder_paths.models_dir) / FOLDER
    for kind in KINDS:
        save_detector(base / kind, kind)
    return base


def images(count: int = 1) -> Tensor:
    return torch.rand(count, *SIZE, 3, generator=torch.Generator().manual_seed(0))


def load_detector(name: str, settings: DetectionSettings, precision: str) -> DetectorCounter:
    return detector_counter(name, settings.threshold, settings.merge_overlap, settings.tiles, precision)


def count(kind: str, nouns: Sequence[str], settings: DetectionSettings = EVERYTHING, number: int = 1) -> Counted:
    return load_detector(kind, settings, "fp32").count(images(number), nouns)


def library_boxes(folder: Path, kind: str, text: Any) -> list[tuple[float, ...]]:
    """Place, size and score of all boxes by the library's own processing of one noun."""
    architecture = ARCHITECTURES[kind]
    processor = getattr(transformers, architecture.processor).from_pretrained(folder / kind)
    model = getattr(transformers, architecture.model).from_pretrained(folder / kind)
    picture = (images()[0] * 255).round().byte().numpy()
    inputs = processor(images=picture, text=text, return_tensors="pt")
    with torch.no_grad():
        outputs = model(**{name: value for name, value in inputs.items() if name != "original_sizes"})
    if kind == "sam3":
        found = processor.image_processor.post_process_object_detection(outputs, threshold=-1.0, target_sizes=[SIZE])
    elif kind in ("grounding-dino", "mm-grounding-dino"):
        found = processor.post_process_grounded_object_detection(
            outputs, inputs["input_ids"], threshold=-1.0, text_threshold=0.0, target_sizes=[SIZE]
        )
    elif kind == "omdet-turbo":
        found = processor.post_process_grounded_object_detection(
            outputs, threshold=-1.0, nms_threshold=1.0, target_sizes=[SIZE]
        )
    else:
        found = processor.post_process_grounded_object_detection(outputs, threshold=-1.0, target_sizes=[SIZE])
    boxes = found[0]["boxes"].detach().numpy()
    low, high = np.maximum(boxes[:, :2], 0), np.minimum(boxes[:, 2:], SIZE[::-1])
    inside = ((high - low) >= 1).all(1)
    rows = zip(found[0]["scores"].tolist(), low.tolist(), (high - low).tolist(), inside, strict=True)
    return by_place((*corner, *sides, score) for score, corner, sides, is_in in rows if is_in)


def by_place(boxes: Iterable[tuple[float, ...]]) -> list[tuple[float, ...]]:
    return sorted(boxes, key=lambda box: [round(value, 1) for value in box])


PROMPTS = {
    "grounding-dino": "cat.",
    "mm-grounding-dino": "cat.",
    "owlv2": [["a photo of a cat"]],
    "owlvit": [["a photo of a cat"]],
    "omdet-turbo": [["cat"]],
    "sam3": "cat",
}


@every_kind
def test_boxes_and_scores_are_those_of_the_library(folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # torchvision's own operator is not here, and nothing is suppressed at a threshold of 1
    monkeypatch.setattr(processing_omdet_turbo, "batched_nms", lambda boxes, *rest: torch.arange(len(boxes)))
    theirs = library_boxes(folder, kind, PROMPTS[kind])
    ours = [tuple(box[key] for key in ("x", "y", "width", "height", "score")) for box in count(kind, ["cats"]).boxes[0]]
    assert len(ours) == len(theirs) > 5
    ours, expected = np.array(by_place(ours)), np.array(theirs)
    if kind.endswith("grounding-dino"):  # the library also takes the score of a full stop for that of a noun
        assert (ours[:, 4] <= expected[:, 4] + 1e-5).all()
        ours, expected = ours[:, :4], expected[:, :4]
    np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=0.02)


@every_kind
def test_numbers_boxes_and_images_agree(kind: str) -> None:
    counter = load_detector(kind, EVERYTHING, "fp32")
    counted, alone = counter.count(images(3), ["red cats", "dogs"]), counter.count(images(3)[2:], ["red cats", "dogs"])
    assert counted.numbers.shape == (3, 2) and len(counted.boxes) == len(counted.points) == 3
    for image, boxes in enumerate(counted.boxes):
        labels = [box["label"] for box in boxes]
        assert counted.numbers[image].tolist() == [labels.count("red cats"), labels.count("dogs")]
        assert all(box["x"] >= 0 and box["x"] + box["width"] <= SIZE[1] + 1e-3 for box in boxes)
    if kind not in OWLS:
        assert counted.numbers.eq(QUERIES).all()
    assert counted.numbers[2].equal(alone.numbers[0])
    np.testing.assert_allclose(
        [box["score"] for box in counted.boxes[2]], [box["score"] for box in alone.boxes[0]], rtol=1e-4
    )
    if kind == "sam3":
        assert counted.masks.shape == (3, 2, *SIZE) and len(object_masks(counted, SIZE)) == counted.numbers.sum()
    else:
        assert counted.masks is None and counted.object_masks is None


@every_kind
def test_nothing_found(kind: str) -> None:
    counted = count(kind, ["cats", "dogs"], DetectionSettings(1.0), number=2)
    assert counted.numbers.tolist() == [[0.0, 0.0]] * 2 and counted.boxes == ([], [])


@every_kind
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_other_precisions(kind: str, precision: str) -> None:
    counter = load_detector(kind, EVERYTHING, precision)
    assert {weights.dtype for weights in counter.patcher.model.parameters()} == {PRECISIONS[precision]}
    full = [box["score"] for box in count(kind, ["cats"]).boxes[0]]
    half = [box["score"] for box in counter.count(images(), ["cats"]).boxes[0]]
    assert half[0] == pytest.approx(full[0], abs=0.05)


def test_each_is_asked_in_its_own_form(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}
    for kind in KINDS:
        counter = load_detector(kind, EVERYTHING, "fp32")
        run, texts = counter.run, asked.setdefault(kind, [])
        monkeypatch.setattr(
            counter, "run", lambda pixels, text, texts=texts, run=run: (texts.append(text), run(pixels, text=text))[1]
        )
        counter.count(images(), ["Red cats.", "apples"])
    assert asked["grounding-dino"] == asked["mm-grounding-dino"] == ["red cat.", "apple."]
    assert asked["owlv2"] == asked["owlvit"] == [[["a photo of a Red cat", "a photo of an apple"]]]
    assert asked["omdet-turbo"] == [[["Red cat", "apple"]]] and asked["sam3"] == ["Red cat", "apple"]


def test_an_attribute_counts_in_grounding_dino() -> None:
    """A box scores the mean of what it scores for each word: "red car" is not "car"."""
    counter = load_detector("grounding-dino", EVERYTHING, "fp32")
    inputs, outputs = counter.run(np.zeros((*SIZE, 3), np.uint8), text="red car.")
    words = counter.tokenizer.convert_ids_to_tokens(inputs["input_ids"][0].tolist())
    assert words == ["[CLS]", "red", "car", ".", "[SEP]"]
    scores = outputs.logits[0].detach().sigmoid()[:, 1:3].mean(1).sort(descending=True).values
    found = counter.count(torch.zeros(1, *SIZE, 3), ["red cars"]).boxes[0]
    assert [box["score"] for box in found] == pytest.approx(scores.tolist(), abs=1e-5)


@every_kind
def test_cancel_ends_within_an_image(kind: str) -> None:
    done = []

    def cancel(part: int, parts: int) -> None:
        done.append((part, parts))
        comfy.model_management.interrupt_current_processing(True)

    counter = load_detector(kind, EVERYTHING, "fp32")
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        counter.count(images(2), ["cats", "dogs"], on_progress=cancel)
    assert done == [(1, 4)]


def test_memory_is_comfyuis() -> None:
    counter = load_detector("grounding-dino", EVERYTHING, "fp32")
    before = counter.count(images(), ["cats"])
    assert counter.patcher in [one.model for one in comfy.model_management.current_loaded_models]
    comfy.model_management.unload_all_models()
    assert counter.count(images(), ["cats"]).boxes == before.boxes


def test_nothing_comes_from_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> None:
        raise AssertionError(f"connects to {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    for kind in KINDS:
        count(kind, ["cats"])


def test_the_nodes(folder: Path) -> None:
    names = DetectorCounterNode.GET_NODE_INFO_V1()["input"]["required"]["detector"][1]["options"]
    assert set(KINDS) <= set(names)
    with torch.inference_mode():
        (counter,) = DetectorCounterNode.execute("sam3", 0.0, 1.0, NEVER, "fp32").args
        out = T2ICountCounter.execute(counter, images(2), "cats, dogs", "short side").args
    assert out[0] == [QUERIES] * 4 and len(out[-1]) == 4 * QUERIES
    state = DetectorCounterNode.fingerprint_inputs("sam3", threshold=0.5)
    (folder / "sam3" / "note.txt").write_text("new")
    assert detector_state("sam3") != state and detector_state("absent") == ""


def test_folders_of_an_author_are_listed(folder: Path) -> None:
    save_detector(folder / "google" / "owl", "owlvit")
    assert "google/owl" in detector_names()
    assert load_detector("google/owl", EVERYTHING, "fp32").count(images(), ["cats"]).numbers.shape == (1, 1)


def test_no_folder_at_all(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(folder_paths.folder_names_and_paths, FOLDER, ([str(tmp_path)], set()))
    assert detector_names() == [NO_FOLDER]
    for name in (NO_FOLDER, "../secret", None):
        with pytest.raises(CountError) as error:
            load_detector(name, EVERYTHING, "fp32")
        assert str(error.value).startswith(
            f"there is no detector {name!r} in {tmp_path}. Download all files of one, such as "
        )
        assert "IDEA-Research/grounding-dino-base (Apache-2.0)" in str(error.value)


def broken(folder: Path, kind: str = "owlvit") -> Path:
    copy = folder / "broken"
    shutil.rmtree(copy, ignore_errors=True)
    return Path(shutil.copytree(folder / kind, copy))


def refused(match: str) -> None:
    with pytest.raises(CountError, match=match):
        load_detector("broken", EVERYTHING, "fp32")


def test_only_safetensors(folder: Path) -> None:
    copy = broken(folder)
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    refused(r"^broken has no \.safetensors file; other files of weights can run programs")


def test_damaged_files(folder: Path) -> None:
    copy = broken(folder)
    (copy / "model.safetensors").write_bytes((copy / "model.safetensors").read_bytes()[:1000])
    refused(r"^broken cannot be read as OWL-ViT: .* Download all of its files again, such as those of google/owlvit")
    copy = broken(folder)
    (copy / "config.json").write_text("<html>")
    refused(r"^config\.json of broken names no model_type\. Download it again$")


def test_weights_that_are_missing(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    copy = broken(folder)
    weights = load_file(copy / "model.safetensors")
    weights.pop(next(name for name in weights if name.startswith("box_head")))
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    refused(r"^broken lacks 1 weights of OWL-ViT, such as .*box_head.*\. Download it again$")


def write_config(copy: Path, **changes: Any) -> None:
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, **changes}))


def test_models_that_are_no_detector_and_remote_code(folder: Path) -> None:
    write_config(broken(folder), model_type="llama")
    refused(
        r"^broken is a model of type 'llama', which is not a detector known here: Grounding DINO, MM Grounding DINO or"
    )
    copy = broken(folder)
    write_config(copy, auto_map={"AutoModelForZeroShotObjectDetection": "run_me.Model", "AutoConfig": "run_me.Config"})
    (copy / "run_me.py").write_text("raise SystemExit('the code of a folder was run')")
    assert load_detector("broken", EVERYTHING, "fp32").count(images(), ["cats"]).numbers.shape == (1, 1)


def test_a_backbone_from_elsewhere(folder: Path) -> None:
    write_config(broken(folder, "grounding-dino"), backbone="resnet50", backbone_config=None)
    refused(
        r"^config\.json of broken names a backbone that is not in the folder, 'resnet50', and nothing is downloaded"
    )


def test_an_older_library(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(folder, "sam3")
    monkeypatch.setitem(ARCHITECTURES, "sam3", replace(ARCHITECTURES["sam3"], model="AClassOfTomorrow"))
    refused(
        r"^broken is of kind SAM3, which needs transformers 5\.0 or newer; installed is .*\. Update it in ComfyUI's Python$"
    )


def test_an_empty_noun() -> None:
    with pytest.raises(CountError, match=r"^Detector Counter cannot count '\.': it is not a noun"):
        count("owlvit", ["."])
