"""Counting with the transformers library's own detectors, small and with random weights, saved and loaded as users do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    GroundingDinoForObjectDetection,
    GroundingDinoProcessor,
    OwlViTForObjectDetection,
    OwlViTProcessor,
)

from benchmarks.intracomp import main
from benchmarks.intracomp_parts.pictures import Store
from benchmarks.lab.counters import images_of
from benchmarks.lab.detectors import Detector, DetectorCounter, DetectorSettings

from ..helpers.detectors import save_detector
from .test_intracomp import picture_row

CPU = torch.device("cpu")
NOUNS = ("cat", "hot dog", "baseball bat")
PICTURE = np.random.default_rng(0).integers(0, 255, (80, 128, 3), dtype=np.uint8)
IMAGES = images_of(PICTURE[None])
KINDS = ("owlv2", "owlvit", "grounding-dino")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Kind of detector -> folder as `save_pretrained` writes it."""
    root = tmp_path_factory.mktemp("detectors")
    return {kind: save_detector(root / kind, kind) for kind in KINDS}


def detector(folder: Path, threshold: float = 0.0, most_overlap: float = 1.0) -> Detector:
    return Detector(DetectorSettings(str(folder), threshold, most_overlap), CPU)


@pytest.mark.parametrize("kind", KINDS)
def test_detections(folders: dict[str, Path], kind: str) -> None:
    found = detector(folders[kind]).detect(PICTURE, NOUNS)
    # Every query or patch at threshold 0; OWLv2 also looks below the picture, which it fills up to a square.
    most = 12 if kind == "grounding-dino" else 16
    assert 0 < len(found) < most if kind == "owlv2" else len(found) == most
    assert {item.noun for item in found} <= set(NOUNS) and len({item.noun for item in found}) > 1
    scores = [item.score for item in found]
    assert scores == sorted(scores, reverse=True) and 0 < scores[-1] < scores[0] <= 1
    for item in found:
        left, top, right, bottom = item.box
        assert 0 <= left <= right <= 128 and 0 <= top <= bottom <= 80

    middle = float(np.median(scores))
    fewer = detector(folders[kind], threshold=middle).detect(PICTURE, NOUNS)
    assert fewer == [item for item in found if item.score > middle]
    without_doubles = detector(folders[kind], most_overlap=0.1).detect(PICTURE, NOUNS)
    assert 0 < len(without_doubles) < len(found)


def library_boxes(folder: Path, nouns: tuple[str, ...], **arguments: float) -> list[list[float]]:
    """All boxes of a Grounding DINO as the library's own processor gives them, cut at the picture's edge."""
    processor = GroundingDinoProcessor.from_pretrained(folder)
    inputs = processor(images=Image.fromarray(PICTURE), text=[list(nouns)], return_tensors="pt")
    with torch.no_grad():
        outputs = GroundingDinoForObjectDetection.from_pretrained(folder)(**inputs)
    (found,) = processor.post_process_grounded_object_detection(
        outputs, inputs["input_ids"], threshold=-1.0, target_sizes=[PICTURE.shape[:2]], **arguments
    )
    limits = torch.tensor([128.0, 80.0, 128.0, 80.0])
    return torch.minimum(found["boxes"].clamp_min(0), limits).tolist()


def test_grounding_dino_boxes_are_the_librarys(folders: dict[str, Path]) -> None:
    ours = [item.box for item in detector(folders["grounding-dino"]).detect(PICTURE, NOUNS)]
    theirs = library_boxes(folders["grounding-dino"], NOUNS, text_threshold=0.0)
    np.testing.assert_allclose(sorted(ours), sorted(theirs), atol=1e-4)


def test_grounding_dino_scores_are_means_over_a_nouns_tokens(folders: dict[str, Path]) -> None:
    folder = folders["grounding-dino"]
    processor = GroundingDinoProcessor.from_pretrained(folder)
    inputs = processor(images=Image.fromarray(PICTURE), text="cat. hot dog. baseball bat.", return_tensors="pt")
    words = processor.tokenizer.convert_ids_to_tokens(inputs["input_ids"][0].tolist())
    assert words == "[CLS] cat . hot dog . base ##ball bat . [SEP]".split()
    with torch.no_grad():
        seen = GroundingDinoForObjectDetection.from_pretrained(folder)(**inputs).logits[0].sigmoid()
    by_noun = [seen[:, 1], (seen[:, 3] + seen[:, 4]) / 2, (seen[:, 6] + seen[:, 7] + seen[:, 8]) / 3]
    expected = sorted(
        max((float(scores[query]), noun) for scores, noun in zip(by_noun, NOUNS, strict=True)) for query in range(12)
    )
    found = sorted((item.score, item.noun) for item in detector(folder).detect(PICTURE, NOUNS))
    assert [noun for _, noun in found] == [noun for _, noun in expected]
    assert [score for score, _ in found] == pytest.approx([score for score, _ in expected], abs=1e-5)


def test_owl_is_asked_with_captions(folders: dict[str, Path]) -> None:
    """Scores are those of the library's processor for "a photo of a cat"."""
    folder = folders["owlvit"]
    processor, model = OwlViTProcessor.from_pretrained(folder), OwlViTForObjectDetection.from_pretrained(folder)
    texts = ["a photo of a cat", "a photo of a hot dog", "a photo of a baseball bat"]
    with torch.no_grad():
        outputs = model(**processor(images=Image.fromarray(PICTURE), text=[texts], return_tensors="pt"))
    expected = outputs.logits[0].sigmoid().max(-1).values.sort(descending=True).values.tolist()
    found = detector(folder).detect(PICTURE, NOUNS)
    assert [item.score for item in found] == pytest.approx(expected, abs=1e-5)


def test_counts(folders: dict[str, Path]) -> None:
    one = detector(folders["owlv2"])
    alone = DetectorCounter([one]).count(IMAGES, NOUNS)
    seen = one.detect(PICTURE, NOUNS)
    assert alone.numbers.tolist() == [[sum(item.noun == noun for item in seen) for noun in NOUNS]]
    assert [len(points) for points in alone.points[0]] == alone.numbers[0].tolist()
    best = next(item for item in seen if item.noun == NOUNS[0])
    assert alone.points[0][0][0] == ((best.box[0] + best.box[2]) / 2, (best.box[1] + best.box[3]) / 2)
    both = DetectorCounter([one, one]).count(IMAGES, NOUNS)
    assert both.numbers.equal(alone.numbers), "a detector agrees with itself"
    strict = DetectorCounter([one, detector(folders["grounding-dino"])], least_overlap=0.999)
    assert strict.count(IMAGES, NOUNS).numbers.sum() < 12
    names = {one.name, detector(folders["owlvit"]).name, detector(folders["owlv2"], threshold=0.2).name}
    assert len(names) == 3 and all(str(folders["owlv2"]) not in name for name in names)


def test_command_line(folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Pictures of any origin are counted, and counted again by other detectors, without a model."""
    store = Store(tmp_path)
    for index in range(3):
        row = picture_row(f"{index:02x}", prompt=f"a cat and a hot dog {index}", asked={"cat": 1, "hot dog": 1})
        store.add_picture(row, np.roll(PICTURE, 20 * index, axis=1))
    line = [
        "--cpu",
        "--skip-generate",
        "--out",
        str(tmp_path),
        "--threshold",
        "0.2",
        "--detector",
        str(folders["owlv2"]),
    ]
    main(line)
    assert "counted 3 of 3 pictures" in capsys.readouterr().err
    main(line)
    assert "counted" not in capsys.readouterr().err
    main([*line, "--detector", str(folders["grounding-dino"])])
    printed = capsys.readouterr()
    assert "counted 3 of 3 pictures" in printed.err
    assert printed.out.count("\n### multi-class") == 2 and "any two of: owlv2" in printed.out
    counters = {counter for _, counter in store.counts()}
    assert len(counters) == 2
    with pytest.raises(SystemExit):
        main([*line[:4], "--detector", str(tmp_path / "none")])
