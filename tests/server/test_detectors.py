"""ComfyUI's own detectors and box nodes, connected to Headcount in the real server; the models have random weights."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from io import BytesIO
from typing import Any

import pytest
from comfy_execution.validation import validate_node_input
from PIL import Image

from demo.server import ComfyServer, PromptError

pytestmark = pytest.mark.server

GIVE_BOXES = ("RTDETR_detect", "SAM3_Detect", "CreateBoundingBoxes", "MediaPipeFaceLandmarker")
TAKE_BOXES = ("DrawBBoxes", "CropByBBoxes", "SAM3_Detect")  # all call their input and output `bboxes`
OURS_TAKE = ("HeadcountCountCheck", "HeadcountCountSearchPick")
OURS_GIVE = ("HeadcountInstanceMasks", "HeadcountT2ICountCounter")
SEEDS = 2


def type_given(info: dict[str, Any], node: str, name: str | None = None) -> str:
    """The type of a node's output of boxes, as its class says it."""
    names, types = info[node]["output_name"], info[node]["output"]
    return types[names.index(name)] if name else next(kind for kind in types if "BOUNDING" in kind)


def type_taken(info: dict[str, Any], node: str, name: str) -> str:
    """The type of a node's input, as its class says it."""
    return {**info[node]["input"].get("required", {}), **info[node]["input"].get("optional", {})}[name][0]


def test_types_of_core_connect_to_ours_and_ours_to_core(object_info: dict[str, Any]) -> None:
    """By ComfyUI's own check of a link."""
    for theirs in GIVE_BOXES:
        for ours in OURS_TAKE:
            given, taken = type_given(object_info, theirs, "bboxes"), type_taken(object_info, ours, "boxes")
            assert validate_node_input(given, taken), f"{theirs} to {ours}: {given} to {taken}"
    for ours in OURS_GIVE:
        for theirs in TAKE_BOXES:
            given, taken = type_given(object_info, ours), type_taken(object_info, theirs, "bboxes")
            assert validate_node_input(given, taken), f"{ours} to {theirs}: {given} to {taken}"
        assert type_given(object_info, ours) == type_given(object_info, "RTDETR_detect", "bboxes")


def test_links_of_saved_workflows_connect(object_info: dict[str, Any]) -> None:
    for old in ("BOUNDING_BOXES", "SEGS", "BBOX", "STRING", "JSON"):
        assert all(validate_node_input(old, type_taken(object_info, ours, "boxes")) for ours in OURS_TAKE), old
    assert not validate_node_input("IMAGE", type_taken(object_info, "HeadcountCountCheck", "boxes"))


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def candidates() -> dict[str, Any]:
    """Pictures of two seeds, for a detector to look at."""
    settings = {"seed": 1, "steps": 4, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "seeds": SEEDS}
    settings |= {"decide_at": 0.5, "look": "draft", "denoise": 1.0, "frames": 1, "at_once": 1}
    return {
        "model": node("HeadcountLoadShapesDemoModel"),
        "prompt": node("HeadcountCountPrompt", clip=["model", 1], text="two circles", objects=""),
        "latent": node("EmptyLatentImage", width=128, height=128, batch_size=1),
        "seen": node(
            "HeadcountCountSearchCandidates",
            **{
                "model": ["model", 0],
                "positive": ["prompt", 0],
                "negative": ["prompt", 0],
                "latent_image": ["latent", 0],
            },
            **{"vae": ["model", 2], **settings},
        ),
    }


def checked(boxes: list[Any], objects: str, **settings: Any) -> dict[str, Any]:
    """Count Check and Count Search Pick on the same boxes of the candidates' pictures, and their tables."""
    own = {"boxes": boxes, "objects": objects, **settings}
    return {
        "check": node("HeadcountCountCheck", image=["seen", 0], tolerance=0, if_none_right="best picture", **own),
        "pick": node("HeadcountCountSearchPick", candidates=["seen", 1], **own),
        "check table": node("PreviewAny", source=["check", 5]),
        "pick table": node("PreviewAny", source=["pick", 2]),
        "boxes": node("PreviewAny", source=boxes),
    }


def shown(outputs: dict[str, Any], name: str) -> str:
    return outputs[name]["text"][0]


def test_rt_detr_into_count_check_and_pick(server: ComfyServer) -> None:
    graph = candidates() | {
        "detector": node("TestRandomRtDetr"),
        "found": node(
            "RTDETR_detect", model=["detector", 0], image=["seen", 0], threshold=0.3, class_name="all", max_detections=7
        ),
    }
    seen = json.loads(shown(server.run(graph | {"boxes": node("PreviewAny", source=["found", 0])}), "boxes"))
    counts = [Counter(box["label"] for box in boxes) for boxes in seen]
    assert len(seen) == SEEDS and all(sum(count.values()) == 7 for count in counts)
    label, number = counts[0].most_common(1)[0]
    outputs = server.run(graph | checked(["found", 0], f"{number} {label}", merge_overlap=1.0))
    lines = shown(outputs, "check table").splitlines()
    assert lines[1].startswith(f"image 1: {number} {label}") and lines[1].endswith(": right")
    right = sum(count[label] == number for count in counts)
    assert lines[-1].startswith(f"{right} of {SEEDS} right; best: image 1")
    assert shown(outputs, "pick table").splitlines()[-1] == f"{right} of {SEEDS} tried look right"
    strict = shown(server.run(graph | checked(["found", 0], f"{number} {label}", minimum_score=1.0)), "check table")
    assert f"0 {label}" in strict and "boxes not counted: 14 below the minimum score of 1" in strict


def test_tracks_of_sam3_become_counts_of_frames(server: ComfyServer) -> None:
    """In the form of core's tracker, which core's own node turns into masks; two nouns are chained, and checked."""
    graph = {
        "frames": node("EmptyImage", width=144, height=144, batch_size=4, color=0),
        "cats": node("TestTracks", frames="0,1;0,1;0;0,1"),
        "dogs": node("TestTracks", frames="0;0;0;"),
        "asked": node("HeadcountCountsFromTracks", track_data=["cats", 0], objects="2 cats", minimum_share=0.1),
        "both": node(
            "HeadcountCountsFromTracks",
            track_data=["dogs", 0],
            objects="1 dog",
            counted=["asked", 0],
            minimum_share=0.1,
        ),
        "masks": node("SAM3_TrackToMask", track_data=["cats", 0], object_indices=""),
        "seen": node("MaskPreview", mask=["masks", 0]),
        "table": node("PreviewAny", source=["both", 3]),
        "right": node("PreviewAny", source=["asked", 2]),
        "check": node(
            "HeadcountCountCheck",
            image=["frames", 0],
            counted=["both", 0],
            objects="2 cats, 1 dog",
            tolerance=0,
            if_none_right="best picture",
        ),
        "check table": node("PreviewAny", source=["check", 5]),
    }
    outputs = server.run(graph)
    [result] = outputs["asked"]["headcount_result"]
    assert result["verdict"] == "3 of 4 frames right; 2 cats in all, 1.8 in a frame on average"
    assert result["right"] is True and shown(outputs, "right").lower() == "true"
    assert shown(outputs, "table").splitlines() == [
        "frames 1 to 2: 2 cats, 1 dog",
        "frame 3: 1 cat, 1 dog",
        "frame 4: 2 cats, 0 dogs",
    ]
    assert shown(outputs, "check table").splitlines()[-1] == "2 of 4 right; best: image 1"
    assert len(outputs["seen"]["images"]) == 4


def test_sam3_into_count_check_and_pick(server: ComfyServer) -> None:
    def found(text: str) -> dict[str, Any]:
        inputs = {"threshold": 0.0, "refine_iterations": 0, "individual_masks": False}
        return candidates() | {
            "detector": node("TestRandomSam3"),
            "text": node("CLIPTextEncode", clip=["detector", 1], text=text),
            "found": node("SAM3_Detect", model=["detector", 0], image=["seen", 0], conditioning=["text", 0], **inputs),
        }

    outputs = server.run(found("circle:5") | checked(["found", 1], "5 circles", merge_overlap=1.0))
    assert {key for boxes in json.loads(shown(outputs, "boxes")) for box in boxes for key in box} >= {"x", "score"}
    assert shown(outputs, "check table").splitlines()[1:3] == [f"image {n}: 5 circles: right" for n in (1, 2)]
    assert shown(outputs, "pick table").splitlines()[-1] == "2 of 2 tried look right"
    one = server.run(found("circle") | checked(["found", 1], "5 circles"))
    for table in ("check table", "pick table"):
        assert "SAM3 Detect keeps one box unless its text says how many to keep at most" in shown(one, table)
    with pytest.raises(PromptError, match="a box without a label could be any of them: 'circles' and 'stars'"):
        server.run(found("circle:5") | checked(["found", 1], "5 circles, 2 stars"))


@pytest.mark.slow
@pytest.mark.skipif("HEADCOUNT_FULL_SIZE" not in os.environ, reason="SAM3 at full size takes minutes")
def test_sam3_at_full_size(server: ComfyServer) -> None:
    """860 million random weights and 1008 x 1008 pixels: every query counts, and a cancel ends it within an image."""
    graph = {
        "images": node("EmptyImage", width=1280, height=720, batch_size=2, color=0x808080),
        "detector": node("TestRandomSam3", full_size=True),
        "counter": node(
            "HeadcountSam3Counter",
            **{
                "model": ["detector", 0],
                "clip": ["detector", 1],
                "threshold": 0.0,
                "merge_overlap": 1.0,
                "tiles": "never",
            },
        ),
        "counted": node(
            "HeadcountT2ICountCounter",
            **{"t2icount": ["counter", 0], "image": ["images", 0], "text": "red cats, dogs", "scale": "short side"},
        ),
        "boxes": node("PreviewAny", source=["counted", 5]),
        "table": node("PreviewAny", source=["counted", 7]),
        "masks": node("MaskToImage", mask=["counted", 8]),
        "size": node("GetImageSize", image=["masks", 0]),
        "number": node("PreviewAny", source=["size", 2]),
    }
    outputs = server.run(graph, timeout_s=1200)
    labels = [Counter(box["label"] for box in boxes) for boxes in json.loads(shown(outputs, "boxes"))]
    assert labels == [{"red cats": 200, "dogs": 200}] * 2 and shown(outputs, "number") == "800"
    assert shown(outputs, "table").splitlines() == [f"image {n}: 200 red cats, 200 dogs" for n in (1, 2)]

    graph["counted"]["inputs"]["text"] = "birds"
    prompt = server.queue(graph)
    time.sleep(8)
    assert not server.is_idle()
    server.cancel(prompt)
    cancelled = time.monotonic()
    with pytest.raises(PromptError, match="cancelled"):
        server.wait(prompt)
    assert time.monotonic() - cancelled < 15, "not at the end of an image, which takes a minute"


def test_our_boxes_into_draw_and_crop(server: ComfyServer) -> None:
    sampling = {"seed": 1, "steps": 8, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
    ends = {
        "model": ["recorder", 0],
        "positive": ["prompt", 0],
        "negative": ["prompt", 0],
        "latent_image": ["latent", 0],
    }
    masks = {
        "maps": ["recorder", 1],
        "samples": ["sampler", 0],
        "instances": "asked",
        "batch_index": 0,
        "threshold": 0.5,
    }
    crop = {"output_width": 64, "output_height": 64, "padding": 2, "keep_aspect": "stretch"}
    graph = {name: placed for name, placed in candidates().items() if name != "seen"} | {
        "recorder": node("HeadcountAttentionMapRecorder", model=["model", 0]),
        "sampler": node("KSampler", **ends, **sampling),
        "image": node("VAEDecode", samples=["sampler", 0], vae=["model", 2]),
        "masks": node("HeadcountInstanceMasks", **masks),
        "file": node("HeadcountLoadT2ICountModel", model_name="shapes_counter.safetensors", precision="fp32"),
        "counter": node(
            "HeadcountT2ICountCounter",
            t2icount=["file", 0],
            image=["image", 0],
            text="circles, stars",
            scale="short side",
        ),
        "plain": node("PreviewImage", images=["image", 0]),
        "masks boxes": node("PreviewAny", source=["masks", 2]),
        "counter boxes": node("PreviewAny", source=["counter", 5]),
    }
    for name, boxes in (("masks", ["masks", 2]), ("counter", ["counter", 5])):
        graph |= {
            f"{name} drawn": node("DrawBBoxes", image=["image", 0], bboxes=boxes),
            f"{name} cropped": node("CropByBBoxes", image=["image", 0], bboxes=boxes, **crop),
            f"{name} drawn shown": node("PreviewImage", images=[f"{name} drawn", 0]),
            f"{name} cropped shown": node("PreviewImage", images=[f"{name} cropped", 0]),
        }
    outputs = server.run(graph)

    def picture(name: str) -> Image.Image:
        (reference,) = outputs[name]["images"]
        return Image.open(BytesIO(server.image(reference))).convert("RGB")

    for name in ("masks", "counter"):
        (boxes,) = json.loads(shown(outputs, f"{name} boxes"))
        assert boxes and all(box["label"] in ("circles", "stars") and 0 <= box["score"] <= 1 for box in boxes), name
        assert picture(f"{name} drawn shown").tobytes() != picture("plain").tobytes(), "the boxes are on the picture"
        assert picture(f"{name} cropped shown").size == (64, 64)
