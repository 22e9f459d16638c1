"""CountBench's counters and CLIP. Models of the transformers library are small, with random weights, saved as users do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from headcount.core.drawing import image_of
from headcount.core.errors import CountError
from PIL import Image
from transformers import (
    AutoProcessor,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    CLIPTokenizer,
    GroundingDinoForObjectDetection,
)

from benchmarks.countbench import main
from benchmarks.lab.counters import ExactShapes, T2ICountFile
from benchmarks.lab.detectors import GroundingDino, GroundingSettings
from benchmarks.lab.pretrained import ClipScorer
from demo.comfy_host import comfyui_folder

from ..helpers.detectors import save_detector
from .test_countbench import NOISE, results, scene, write_files, write_video

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")
SIDES = (128, 192)  # shortest and longest, to which the saved processor scales


def counts(counter: Any, frames: np.ndarray, nouns: list[str]) -> list[list[int]]:
    found = counter.count(image_of(frames), nouns)
    assert found.nouns == tuple(nouns)
    return found.rounded.tolist()


@pytest.fixture(scope="module")
def dino(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny Grounding DINO with random weights."""
    return save_detector(tmp_path_factory.mktemp("detectors") / "dino", "grounding-dino")


def dino_scores(folder: Path, frame: np.ndarray, noun: str) -> list[float]:
    """Scores of all boxes, as the library's own processor gives them for one frame and one caption."""
    processor = AutoProcessor.from_pretrained(folder)
    inputs = processor(images=Image.fromarray(frame), text=f"{noun} .", return_tensors="pt")
    with torch.no_grad():
        outputs = GroundingDinoForObjectDetection.from_pretrained(folder)(**inputs)
    (found,) = processor.post_process_grounded_object_detection(
        outputs, inputs["input_ids"], threshold=-1.0, text_threshold=0.25, target_sizes=[frame.shape[:2]]
    )
    return found["scores"].tolist()


def test_grounding_dino_counts_as_the_library(dino: Path) -> None:
    """Frames of a batch and nouns one after the other, against one frame and one caption at a time."""
    nouns = ["cat", "hot dog"]
    scores = [[dino_scores(dino, frame, noun) for noun in nouns] for frame in NOISE]
    assert all(len(one) == 12 for row in scores for one in row)
    ordered = sorted(score for row in scores for one in row for score in one)
    assert ordered[0] < ordered[-1]
    middle = len(ordered) // 2
    threshold = (ordered[middle - 1] + ordered[middle]) / 2  # lies between two scores, not on one
    expected = [[sum(score > threshold for score in one) for one in row] for row in scores]
    assert 0 < sum(map(sum, expected)) < 72
    settings = GroundingSettings(str(dino), threshold, *SIDES)
    counter = GroundingDino(settings, CPU)
    assert counts(counter, NOISE, nouns) == expected
    assert counts(counter, NOISE, ["Cat"]) == [row[:1] for row in expected]
    every = GroundingDino(GroundingSettings(str(dino), 0.0, *SIDES), CPU)
    assert counts(every, NOISE, nouns) == [[12, 12]] * 3
    assert GroundingSettings(str(dino)).threshold == 0.32 and counter.name.startswith("dino ")


def test_grounding_dino_sees_frames_at_its_size(dino: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    counter = GroundingDino(GroundingSettings(str(dino)), CPU)
    monkeypatch.setattr(
        counter, "_boxes", lambda pictures, *_: seen.append(pictures["pixel_values"].shape) or torch.zeros(1)
    )
    counts(counter, NOISE[:1], ["cat"])
    counts(counter, np.zeros((1, 40, 100, 3), np.uint8), ["cat"])
    assert [tuple(shape[2:]) for shape in seen] == [(800, 1280), (533, 1333)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny CLIP with random weights."""
    folder = tmp_path_factory.mktemp("clip") / "clip"
    layers = {"num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 16, "intermediate_size": 32}
    text = {**layers, "vocab_size": 49408, "max_position_embeddings": 16, "eos_token_id": 49407}
    torch.manual_seed(0)
    model = CLIPModel(
        CLIPConfig(text_config=text, vision_config={**layers, "image_size": 32, "patch_size": 8}, projection_dim=16)
    )
    model.save_pretrained(folder)
    words = CLIPTokenizer.from_pretrained(comfyui_folder() / "comfy" / "sd1_tokenizer")
    images = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    CLIPProcessor(image_processor=images, tokenizer=words).save_pretrained(folder)
    return folder


def test_clip_scores(clip: Path) -> None:
    """100 times the cosine, cut at 0, whatever the batch; the model's own logits are the same cosines scaled."""
    scorer, prompts = ClipScorer(str(clip), CPU), ["three cats", "a lone dog", "one two three four " * 10]
    model, processor = CLIPModel.from_pretrained(clip), CLIPProcessor.from_pretrained(clip)
    signs = set()
    for prompt in prompts:
        inputs = processor(images=list(NOISE), text=[prompt], return_tensors="pt", truncation=True, max_length=16)
        with torch.no_grad():
            cosines = model(**inputs).logits_per_image[:, 0] / model.logit_scale.exp()
        assert scorer.score(NOISE, prompt) == pytest.approx((100 * cosines).clamp_min(0).tolist(), abs=1e-3)
        one_by_one = [scorer.score(NOISE[index : index + 1], prompt)[0] for index in range(3)]
        assert one_by_one == pytest.approx(scorer.score(NOISE, prompt), abs=1e-3)
        signs |= set(torch.sign(cosines).tolist())
    assert signs == {-1.0, 1.0}


def test_models_that_are_not_there(tmp_path: Path, clip: Path) -> None:
    with pytest.raises(CountError, match="--detector a folder"):
        GroundingDino(GroundingSettings(str(tmp_path / "none")), CPU)
    with pytest.raises(CountError, match="--detector"):
        GroundingDino(GroundingSettings(str(clip)), CPU)
    with pytest.raises(CountError, match="--clip a folder"):
        ClipScorer(str(tmp_path / "none"), CPU)
    with pytest.raises(CountError, match="t2icount:FILE"):
        T2ICountFile(tmp_path / "none.safetensors")
    with pytest.raises(CountError, match="does not know 'cats'"):
        counts(ExactShapes(), NOISE, ["circles", "cats"])


def test_t2icount_counts_frames() -> None:
    counter = T2ICountFile(ROOT / "demo" / "weights" / "t2icount" / "shapes_counter.safetensors")
    frames = np.stack([scene({"circle": 3}).picture, scene({"square": 2}).picture])
    assert counts(counter, frames, ["circle", "squares"]) == [[3, 0], [0, 2]]


def test_command_line_with_models(tmp_path: Path, dino: Path, clip: Path) -> None:
    """Counts of a video are kept: what is there is not counted again, with another threshold it is."""
    files = write_files(tmp_path, ["a cat"], [{"cat": 1}])
    (tmp_path / "videos").mkdir()
    write_video(tmp_path / "videos" / "video_001.mp4", list(NOISE[:2].reshape(2, 16, 160, 3)))
    folders = ["--videos", str(tmp_path / "videos"), "--out", str(tmp_path / "out")]
    models = ["--detector", str(dino), "--clip", str(clip), "--device", "cpu", "--batch", "1", "--box-threshold"]
    main([*files, *folders, *models, "0"])
    (row,) = results(tmp_path)["videos"]
    assert row["counted"] == {"cat": [12, 12]} and row["accuracy"] == 0 and row["consistency"] == 1
    assert 0 <= row["clip"] <= 100 and results(tmp_path)["clip"].startswith("clip ")
    kept = sorted((tmp_path / "out" / "measured").iterdir())
    main([*files, *folders, *models, "0"])
    assert sorted((tmp_path / "out" / "measured").iterdir()) == kept and len(kept) == 2
    main([*files, *folders, *models, "1"])
    assert results(tmp_path)["videos"][0]["counted"] == {"cat": [0, 0]}
