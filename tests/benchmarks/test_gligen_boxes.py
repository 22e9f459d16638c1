"""Boxes of each prompt in a workflow with GLIGEN: read, put in, and drawn with on a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from headcount.core.errors import CountError
from PIL import Image

from benchmarks import intracomp
from benchmarks.lab.gligen_boxes import read_boxes, require_box_node, with_boxes
from demo.server import ComfyServer

from .test_countbench_making import shapes_workflow

PROMPTS = """meta_prompt,vanilla_prompt,n1,obj1,n2,obj2,synthetic_prompt
"x, y",2 circle,2,circle,1,star,two circles and a star
"x, y",2 square,2,square,0,,two squares
"""
BOXES = {
    "two circles and a star": {"circle": [[0, 8, 24, 32], [32, 8, 60, 32]], "star": [[16, 36, 48, 64]]},
    "two squares": {"square": [[0, 0, 32, 32], [32, 32, 64, 64]]},
}


def gligen_workflow() -> dict[str, Any]:
    """The Shapes model with an untrained GLIGEN between Count Prompt and the sampler."""
    workflow = shapes_workflow("SaveImage")
    workflow["4"]["inputs"].update(batch_size=1, width=64, height=64)
    inputs = {"conditioning_to": ["2", 0], "clip": ["1", 1], "gligen_textbox_model": ["11", 0], "text": ""}
    inputs |= {"x": 0, "y": 0, "width": 64, "height": 64}
    workflow["10"] = {"class_type": "GLIGENTextBoxApply", "inputs": inputs, "_meta": {"title": "box"}}
    workflow["11"] = {"class_type": "TestRandomGligen", "inputs": {"model": ["1", 0]}, "_meta": {"title": "GLIGEN"}}
    workflow["5"]["inputs"]["positive"] = ["10", 0]
    return workflow


def written(folder: Path, boxes: dict[str, Any] = BOXES) -> Path:
    """The file of boxes."""
    file = folder / "boxes.jsonl"
    file.write_text("".join(json.dumps({"prompt": text, "boxes": one}) + "\n" for text, one in boxes.items()))
    return file


def test_a_node_for_each_box(tmp_path: Path) -> None:
    boxes = read_boxes(written(tmp_path))["two circles and a star"]
    assert boxes == [("circle", (0, 8, 24, 32)), ("circle", (32, 8, 60, 32)), ("star", (16, 36, 48, 64))]
    workflow = gligen_workflow()
    made = with_boxes(workflow, boxes)
    assert set(made) - set(workflow) == {"10_box_1", "10_box_2", "10_box_3"} and "10" not in made
    chain = [made[f"10_box_{number}"]["inputs"] for number in (1, 2, 3)]
    assert [one["conditioning_to"] for one in chain] == [["2", 0], ["10_box_1", 0], ["10_box_2", 0]]
    assert [one["text"] for one in chain] == ["circle", "circle", "star"]
    assert chain[1].items() >= {"x": 32, "y": 8, "width": 28, "height": 24, "clip": ["1", 1]}.items()
    assert made["5"]["inputs"]["positive"] == ["10_box_3", 0]
    assert with_boxes(workflow, [])["5"]["inputs"]["positive"] == ["2", 0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{}", "has not the layout that is read: 'prompt'"),
        ("owl", "has not the layout"),
        ('{"prompt": "an owl", "boxes": {"owl": [[8, 8, 12, 40]]}}', "is no box of at least 8 pixels"),
        ('{"prompt": "an owl", "boxes": {"owl": [[-8, 8, 12, 40]]}}', "is no box"),
        ('{"prompt": "an owl", "boxes": [[8, 8, 12, 40]]}', "has not the layout"),
        (None, "cannot be read"),
    ],
)
def test_other_files(tmp_path: Path, text: str | None, told: str) -> None:
    file = tmp_path / "boxes.jsonl"
    if text is not None:
        file.write_text(text)
    with pytest.raises(CountError, match=told):
        read_boxes(file)


def test_what_a_workflow_needs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CountError, match="has 0 nodes GLIGEN Textbox Apply"):
        require_box_node(shapes_workflow("SaveImage"))
    with pytest.raises(SystemExit):
        intracomp.main(["--shapes", "--boxes", "boxes.jsonl"])
    assert "give --workflow FILE.json" in capsys.readouterr().err


@pytest.mark.server
def test_on_a_server(tmp_path: Path, server: ComfyServer, capsys: pytest.CaptureFixture[str]) -> None:
    """GLIGEN alone and with ISAC, on HRS-Bench's prompts; other boxes are other images, and missing ones are said."""
    (tmp_path / "workflow.json").write_text(json.dumps(gligen_workflow()))
    (tmp_path / "counting.csv").write_text(PROMPTS)
    line = ["--cpu", "--workflow", str(tmp_path / "workflow.json"), "--servers", server.address, "--out", str(tmp_path)]
    line += ["--prompts", str(tmp_path / "counting.csv"), "--images", "1", "--steps", "2", "--output-node", "9"]
    line += ["--method", "none", "--method", "isac-paper", "--detector", "shapes"]
    moved = {text: {noun: boxes[::-1][:1] for noun, boxes in one.items()} for text, one in BOXES.items()}
    for boxes in (BOXES, moved):
        intracomp.main([*line, "--boxes", str(written(tmp_path, boxes))])
        printed = capsys.readouterr()
        assert "drawn 4 of 4" in printed.err and "| F1 | isac-paper |" in printed.out
    images = [Image.open(file).tobytes() for file in sorted((tmp_path / "pictures").rglob("*.png"))]
    assert len(images) == len(set(images)) == 8
    with pytest.raises(SystemExit):
        intracomp.main([*line, "--boxes", str(written(tmp_path, {"two squares": BOXES["two squares"]}))])
    assert "--boxes has none for 1 of the prompts, such as 'two circles and a star'" in capsys.readouterr().err
