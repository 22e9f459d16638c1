"""Count Check as a node: widgets, outputs, what is blocked, and the same inside ComfyUI's executor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from comfy_execution.graph_utils import ExecutionBlocker
from headcount.core.counting.counted import Counted
from headcount.core.errors import CountError
from headcount.core.prompts import Counts, parse_prompt
from headcount.nodes.count_check import CountCheck

from demo.server import ComfyServer

PAGE = Path(__file__).resolve().parents[2] / "web" / "docs" / "HeadcountCountCheck" / "en.md"
PROMPT = "three red cats and a dog"
COUNTS = Counts(PROMPT, parse_prompt(PROMPT))
NAMES = ("any", "right", "best", "best_index", "number", "table")


def pictures(count: int) -> torch.Tensor:
    """(count, 8, 12, 3), each of one grey of its own."""
    return torch.linspace(0.1, 0.9, count).reshape(-1, 1, 1, 1).expand(-1, 8, 12, 3)


def counted(*rows: tuple[float, float]) -> Counted:
    return Counted(("cats", "dogs"), torch.tensor(rows), tuple(((), ()) for _ in rows))


def run(image: torch.Tensor, **inputs: Any) -> dict[str, Any]:
    found = CountCheck.execute(image, inputs.pop("tolerance", 0), inputs.pop("if_none_right", "best picture"), **inputs)
    return dict(zip(NAMES, found.args, strict=True)) | {"ui": found.ui}


def test_keeps_the_right_pictures() -> None:
    image = pictures(4)
    found = run(image, counted=counted((3, 1), (2, 1), (3.3, 0.6), (9, 9)), counts=COUNTS)
    assert (found["any"], found["best_index"], found["number"]) == (True, 0, 2)
    assert torch.equal(found["right"], image[[0, 2]]) and torch.equal(found["best"], image[:1])
    assert found["table"].splitlines()[3] == "image 3: 3 cats (3.3), 1 dog (0.6): right"
    [result] = found["ui"]["headcount_result"]
    assert (result["verdict"], result["right"]) == ("2 of 4 right; best: image 1", True)
    assert result["marks"] == [True, False, True, False]
    assert result["table"].splitlines() == found["table"].splitlines()[:-1]
    assert len(found["ui"]["images"]) == 2 and "text" not in found["ui"], "no text widget of ComfyUI's own beside it"


def test_none_right_hands_on_the_best() -> None:
    image = pictures(3)
    found = run(image, counted=counted((0, 1), (2, 1), (9, 9)), counts=COUNTS)
    assert (found["any"], found["best_index"], found["number"]) == (False, 1, 0)
    assert torch.equal(found["right"], image[1:2]) and torch.equal(found["best"], image[1:2])
    assert found["ui"]["headcount_result"][0]["verdict"] == "0 of 3 right; passed on the nearest, image 2"


def test_none_right_stops_every_picture() -> None:
    found = run(pictures(3), counted=counted((0, 1), (2, 1), (9, 9)), counts=COUNTS, if_none_right="stop")
    assert (found["any"], found["number"]) == (False, 0)
    for name in ("right", "best", "best_index"):
        assert isinstance(found[name], ExecutionBlocker), name
        assert found[name].message is None, "with a message the page opens an error over the graph"
    [result] = found["ui"]["headcount_result"]
    assert (result["verdict"], result["right"]) == ("0 of 3 right; nothing passed on", False)
    assert len(found["ui"]["images"]) == 1, "the node itself still shows the nearest"


def test_stop_does_not_stop_right_pictures() -> None:
    found = run(pictures(2), counted=counted((3, 1), (2, 1)), counts=COUNTS, if_none_right="stop")
    assert torch.equal(found["right"], pictures(2)[:1])


def test_tolerance_and_objects_line() -> None:
    seen = counted((3, 1), (2, 2), (4, 0))
    assert run(pictures(3), counted=seen, counts=COUNTS, tolerance=1)["number"] == 3
    assert run(pictures(3), counted=seen, counts=COUNTS, objects="2 cats")["best_index"] == 1
    assert run(pictures(3), counted=seen, objects="4 cats")["best_index"] == 2, "without COUNTS"


def test_a_table_in_the_objects_line_is_none() -> None:
    """Older pages of ComfyUI saved the node's own table there."""
    seen = counted((3, 1), (2, 2))
    table = run(pictures(2), counted=seen, counts=COUNTS)["table"]
    assert run(pictures(2), counted=seen, counts=COUNTS, objects=table)["table"] == table


def test_boxes_of_a_detector() -> None:
    box = {"x": 1, "y": 1, "width": 2, "height": 2}
    found = run(pictures(3), boxes=[[box], [], [box, box]], objects="2 cats")
    assert (found["number"], found["best_index"]) == (1, 2)
    both = [[box | {"label": "cat"}, box | {"label": "dog"}, box | {"label": "cat"}]]
    assert run(pictures(1), boxes=both, objects="2 cats, 1 dog")["any"]


def test_pictures_with_an_alpha_channel_stay_as_they_are() -> None:
    image = torch.rand(1, 4, 4, 4)
    assert torch.equal(run(image, counted=counted((3, 1)), counts=COUNTS)["right"], image)


def _graph() -> dict[str, Any]:
    """The boxes of Object Masks, checked twice: "stop" with a number that cannot be, and with every number allowed."""
    sampling = {"seed": 1, "steps": 2, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
    positive, negative, latent = {"positive": ["2", 0]}, {"negative": ["2", 0]}, {"latent_image": ["3", 0]}
    found = {"maps": ["4", 1], "samples": ["5", 0], "instances": "found", "batch_index": 0, "threshold": 0.5}
    check = {"image": ["7", 0], "boxes": ["6", 2], "if_none_right": "stop", "objects": "900 circles"}
    nodes = {
        "1": ("HeadcountLoadShapesDemoModel", {}),
        "2": ("HeadcountCountPrompt", {"clip": ["1", 1], "text": "two circles", "objects": ""}),
        "3": ("EmptyLatentImage", {"width": 128, "height": 128, "batch_size": 1}),
        "4": ("HeadcountAttentionMapRecorder", {"model": ["1", 0]}),
        "5": ("KSampler", {"model": ["4", 0], **positive, **negative, **latent, **sampling}),
        "6": ("HeadcountInstanceMasks", found),
        "7": ("VAEDecode", {"samples": ["5", 0], "vae": ["1", 2]}),
        "8": ("HeadcountCountCheck", {**check, "tolerance": 0}),
        "9": ("HeadcountCountCheck", {**check, "tolerance": 1000}),
        **{
            save: ("SaveImage", {"images": [check, 1], "filename_prefix": "check"})
            for save, check in (("A", "8"), ("B", "9"))
        },
        **{text: ("PreviewAny", {"source": [check, 5]}) for text, check in (("C", "8"), ("D", "9"))},
    }
    return {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()}


@pytest.mark.server
def test_stop_in_the_real_executor(server: ComfyServer) -> None:
    outputs = server.run(_graph())
    assert "A" not in outputs and len(outputs["B"]["images"]) == 1, "only the right picture is saved"
    assert outputs["C"]["text"][0].endswith("0 of 1 right; best: image 1")
    assert outputs["D"]["text"][0].endswith("1 of 1 right; best: image 1")
    [result] = outputs["8"]["headcount_result"]
    assert result["verdict"] == "0 of 1 right; nothing passed on"
    assert outputs["C"]["text"][0].startswith(result["table"]) and len(outputs["8"]["images"]) == 1


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"counts": COUNTS}, "needs either COUNTED of a counter or BOUNDING_BOX .* and got neither"),
        ({"counts": COUNTS, "counted": counted((1, 1)), "boxes": []}, "got both; disconnect one"),
        (
            {"counted": counted((1, 1))},
            "does not know what was asked for. Connect COUNTS of Count Prompt, or write objects",
        ),
        ({"counted": counted((1, 1)), "counts": Counts("", ())}, "nothing is asked for"),
        (
            {"counted": counted((1, 1), (1, 1)), "counts": COUNTS},
            "got 1 image and counts of 2. Connect the IMAGE that",
        ),
        (
            {"counted": counted((1, 1)), "objects": "2 mice"},
            "'mice' was not counted. Asked for: mice; counted: cats, dogs",
        ),
        ({"counted": counted((1, 1)), "objects": "mice"}, "objects: 'mice' has no count"),
    ],
)
def test_what_it_says_to_wrong_inputs(inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(CountError, match=message):
        run(pictures(1), **inputs)


def test_the_help_page_names_every_input_and_output() -> None:
    page, info = PAGE.read_text(), CountCheck.GET_NODE_INFO_V1()
    names = [name for group in ("required", "optional") for name in info["input_order"][group]] + info["output_name"]
    assert [name for name in names if f"**{name}**" not in page] == []
    assert all(f"*{option}*" in page for option in ("best picture", "stop"))
