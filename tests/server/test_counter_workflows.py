"""Workflows for counters that artists have, in the real server; SAM3 and the detector are small and untrained."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from demo.comfy_client import Prompt, PromptError
from demo.server import ComfyServer, workflow_to_prompt
from demo.workflow_runs import pictures_of, with_widgets

from ..helpers.detector_pack import SAM3_SIZES
from ..helpers.detectors import QUERIES, save_detector
from ..helpers.stand_ins import furnish

pytestmark = pytest.mark.server

FOLDER = Path(__file__).resolve().parent.parent.parent / "workflows"
EVERYTHING = {"threshold": 0.0, "merge_overlap": 1.0, "tiles": "never"}
SETTINGS = {
    "HeadcountSam3Counter": EVERYTHING,
    "HeadcountDetectorCounter": {**EVERYTHING, "detector": "dino"},
    "EmptyLatentImage": {"width": 96, "height": 128, "batch_size": 2},
    "KSampler": {"steps": 4},
    "HeadcountCountSearch": {"steps": 4, "seeds": 2, "stop_when_found": False},
}
SEEN = SAM3_SIZES["num_queries"]


@pytest.fixture(scope="module")
def stand_in_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server's folder with small models in the place of the real ones, and a detector's folder."""
    base = tmp_path_factory.mktemp("counters")
    furnish(base)
    save_detector(base / "models" / "headcount_detectors" / "dino", "grounding-dino")
    return base


@pytest.fixture(scope="module")
def stand_ins(stand_in_base: Path) -> Iterator[ComfyServer]:
    with ComfyServer(base=stand_in_base) as running:
        yield running


def prompt_of(server: ComfyServer, name: str, **more: dict[str, Any]) -> Prompt:
    workflow = json.loads((FOLDER / f"{name}.json").read_text())
    return with_widgets(workflow_to_prompt(workflow, server.object_info()), {**SETTINGS, **more})


def of(prompt: Prompt, kind: str, title: str = "") -> str:
    """The only node of a class, or of a class and title."""
    [found] = [
        node
        for node, placed in prompt.items()
        if placed["class_type"] == kind and placed["_meta"]["title"].startswith(title)
    ]
    return found


def shown(prompt: Prompt, outputs: dict[str, Any], title: str) -> list[str]:
    return outputs[of(prompt, "PreviewAny", title)]["text"][0].splitlines()


def test_count_a_photo_with_sam3(stand_ins: ComfyServer) -> None:
    prompt = prompt_of(stand_ins, "Count a photo with SAM3", HeadcountT2ICountCounter={"text": "cats, red dogs"})
    outputs = stand_ins.run(prompt)
    assert shown(prompt, outputs, "How many") == [f"image 1: {SEEN} cats, {SEEN} red dogs"]
    masks = outputs[of(prompt, "PreviewImage", "One mask")]["images"]
    assert len(masks) == 2 * SEEN
    (drawn,) = pictures_of(stand_ins, outputs[of(prompt, "PreviewImage", "Boxes")])
    assert pictures_of(stand_ins, {"images": masks[:1]})[0].shape == drawn.shape


def test_keep_only_right_images(stand_ins: ComfyServer) -> None:
    wrong = prompt_of(stand_ins, "SDXL - keep only right images with SAM3")
    outputs = stand_ins.run(wrong)
    assert shown(wrong, outputs, "Asked")[-1] == "0 of 2 right; best: image 1"
    assert of(wrong, "SaveImage") not in outputs, "nothing is saved"
    right = prompt_of(
        stand_ins,
        "SDXL - keep only right images with SAM3",
        HeadcountCountPrompt={"text": "twelve red cars and twelve blue cars"},
    )
    outputs = stand_ins.run(right)
    assert shown(right, outputs, "Asked")[:2] == [
        f"asked: {SEEN} red cars, {SEEN} blue cars",
        f"image 1: {SEEN} red cars, {SEEN} blue cars: right",
    ]
    assert len(outputs[of(right, "SaveImage")]["images"]) == 2


def test_find_a_seed_with_sam3(stand_ins: ComfyServer) -> None:
    one = {"width": 96, "height": 128, "batch_size": 1}
    prompt = prompt_of(stand_ins, "SDXL - find a seed with SAM3", EmptyLatentImage=one)
    outputs = stand_ins.run(prompt)
    lines = shown(prompt, outputs, "The seeds tried")
    assert lines[0] == "asked: 3 cats, 2 dogs" and lines[-1] == "0 of 2 tried look right"
    assert [line.split(": ", 1)[1] for line in lines[1:3]] == [f"{SEEN} cats, {SEEN} dogs: off by {2 * SEEN - 5}"] * 2
    assert len(outputs[of(prompt, "SaveImage")]["images"]) == 1


def test_count_a_video_with_sam3(stand_ins: ComfyServer, stand_in_base: Path) -> None:
    """Core's tracker is a stand-in that loses the second of two objects in the last of three frames."""
    folder = stand_in_base / "input"
    folder.mkdir(exist_ok=True)
    with av.open(str(folder / "video.mp4"), "w") as container:
        stream = container.add_stream("h264", rate=8, width=96, height=64)
        for shade in (0, 100, 200):
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), shade, np.uint8))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    prompt = prompt_of(
        stand_ins,
        "Count a video with SAM3",
        HeadcountCountsFromTracks={"objects": "2 cats"},
        LoadVideo={"file": "video.mp4"},
    )
    outputs = stand_ins.run(prompt)
    [result] = outputs[of(prompt, "HeadcountCountsFromTracks")]["headcount_result"]
    assert result["verdict"] == "2 of 3 frames right; 2 cats in all, 1.7 in a frame on average"
    assert result["table"].splitlines() == ["frames 1 to 2: 2 cats", "frame 3: 1 cat"] and result["right"] is True
    assert outputs[of(prompt, "SAM3_TrackPreview")]["images"][0]["filename"].endswith(".mp4")


def test_count_a_photo_with_a_detector(stand_ins: ComfyServer) -> None:
    prompt = prompt_of(stand_ins, "Count a photo with a detector")
    assert shown(prompt, stand_ins.run(prompt), "How many") == [f"image 1: {QUERIES} clouds"]
    prompt = prompt_of(
        stand_ins, "Count a photo with a detector", HeadcountDetectorCounter={**EVERYTHING, "detector": "none"}
    )
    with pytest.raises(PromptError, match=r"not in .*dino"):
        stand_ins.run(prompt)


def test_an_answer_is_read_and_checked(stand_ins: ComfyServer) -> None:
    """The language model's answer is written here; what follows it is the workflow's."""
    prompt = prompt_of(stand_ins, "Ask a language model how many")
    for node in (of(prompt, "TextGenerate"), of(prompt, "CLIPLoader")):
        del prompt[node]
    prompt["said"] = {"class_type": "PrimitiveStringMultiline", "inputs": {"value": "**Clouds: 2**, eyes: two"}}
    for placed in prompt.values():
        for name, value in placed["inputs"].items():
            if isinstance(value, list) and value[0] not in prompt:
                placed["inputs"][name] = ["said", 0]
    outputs = stand_ins.run(prompt)
    [result] = outputs[of(prompt, "HeadcountCountCheck")]["headcount_result"]
    assert result["verdict"] == "1 of 1 right; best: image 1"
