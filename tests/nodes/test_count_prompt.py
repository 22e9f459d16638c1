"""Count Prompt with a real, small CLIP."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path
from typing import Any

import comfy.sd
import comfy.supported_models_base
import pytest
import torch
from headcount.bridge.counters.answers import counts_from_text
from headcount.bridge.demo_models.text_encoder import MAX_LENGTH, ShapesTextEncoder, ShapesTokenizer
from headcount.bridge.prompts.conditionings import carried_counts
from headcount.bridge.prompts.own_text import KEY as OWN_TEXT
from headcount.core.counting import Counted
from headcount.core.errors import CountError
from headcount.core.prompts import CONDITIONING_KEY, CountedObject, Counts, ObjectTokens
from headcount.nodes._types import CountsType, MapsType
from headcount.nodes.count_prompt import CountPrompt

import nodes as comfy_nodes

PROMPT = "a photo of three (red:1.3) circles and two stars"
TOO_MANY = "objects are asked for; the methods are designed for up to 8, so fewer images will be right"
NONE_OF = "0 red circles cannot be steered: put it into the negative prompt"


@pytest.fixture(scope="module")
def clip() -> comfy.sd.CLIP:
    target = comfy.supported_models_base.ClipTarget(ShapesTokenizer, ShapesTextEncoder)
    made = comfy.sd.CLIP(target, model_options={"dtype": torch.float32})
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in made.cond_stage_model.parameters():
            weight.copy_(0.1 * torch.randn(weight.shape, generator=generator))
    return made


def run(clip: Any, text: str, objects: str = "") -> tuple[list[Any], Counts, str]:
    return CountPrompt.execute(clip, text, objects).args


class TestReader:
    """What a language model says that the prompt asks for."""

    TEXT = "The circles, red and alone in their three-ness, watch as many stars as a hand has fingers"

    @staticmethod
    def counted(*answers: str) -> Counted:
        return counts_from_text(answers, None, ("",)).counted

    def test_it_is_read_in_place_of_rules(self, clip: comfy.sd.CLIP) -> None:
        reader = self.counted("circles: 3, stars: 5, squares: 0")
        assert CountPrompt.execute(clip, self.TEXT, "", reader).args[2] == "3 circles, 5 stars"
        assert CountPrompt.execute(clip, self.TEXT, "2 stars", reader).args[2] == "2 stars"

    def test_its_nouns_stand_in_the_prompt(self, clip: comfy.sd.CLIP) -> None:
        with pytest.raises(CountError, match="'hearts' is not in the prompt"):
            CountPrompt.execute(clip, self.TEXT, "", self.counted("3 hearts"))

    def test_it_is_of_one_text_and_counts_something(self, clip: comfy.sd.CLIP) -> None:
        with pytest.raises(CountError, match="reader has the counts of 2 texts; a prompt needs those of one"):
            CountPrompt.execute(clip, self.TEXT, "", self.counted("3 stars", "2 stars"))
        with pytest.raises(CountError, match="reader counts nothing: stars are 0"):
            CountPrompt.execute(clip, self.TEXT, "", self.counted("no stars"))


def test_counts_and_summary(clip: comfy.sd.CLIP) -> None:
    conditioning, counts, summary = run(clip, PROMPT)
    assert summary == "3 red circles, 2 stars"
    assert counts.prompt == "a photo of three red circles and two stars"
    assert counts.objects == (CountedObject("circles", 3, ("red",)), CountedObject("stars", 2))
    assert counts.tokens == {"l": (ObjectTokens((6,), ((5,),)), ObjectTokens((9,)))}
    assert counts.lengths == {"l": MAX_LENGTH}
    assert counts.lengths["l"] == conditioning[0][0].shape[1]


@pytest.mark.parametrize("text", [PROMPT, "", "two stars, " * 20])
def test_same_conditioning_as_clip_text_encode(clip: comfy.sd.CLIP, text: str) -> None:
    ((ours, options),) = run(clip, text)[0]
    (((theirs, their_options),),) = comfy_nodes.CLIPTextEncode().encode(clip, text)
    assert torch.equal(ours, theirs)
    assert set(options) == set(their_options) | {CONDITIONING_KEY, OWN_TEXT}


def test_conditioning_carries_the_counts(clip: comfy.sd.CLIP) -> None:
    conditioning, counts, _ = run(clip, PROMPT)
    assert [carried_counts(options) for _, options in conditioning] == [counts]


def test_conditioning_is_saved_and_loaded_again(clip: comfy.sd.CLIP, tmp_path: Path) -> None:
    """ComfyUI's dataset nodes save conditionings, and load them without running what a file names."""
    conditioning, counts, _ = run(clip, PROMPT)
    torch.save(conditioning, tmp_path / "conditioning.pt")
    ((cross, options),) = torch.load(tmp_path / "conditioning.pt", weights_only=True)
    assert torch.equal(cross, conditioning[0][0]) and set(options) == set(conditioning[0][1])
    assert carried_counts(options) == counts
    assert carried_counts(json.loads(json.dumps({CONDITIONING_KEY: options[CONDITIONING_KEY]}))) == counts


def test_conditionings_of_older_versions_are_read(clip: comfy.sd.CLIP) -> None:
    """They hold `Counts` itself, pickled; of a second copy of the pack it is another class."""
    _, counts, _ = run(clip, PROMPT)
    options = {CONDITIONING_KEY: pickle.loads(pickle.dumps(counts))}
    assert carried_counts(options) == counts
    theirs = dataclasses.make_dataclass("Counts", [field.name for field in dataclasses.fields(Counts)])
    other = theirs(*(getattr(counts, field.name) for field in dataclasses.fields(Counts)))
    assert carried_counts({CONDITIONING_KEY: other}) == counts
    assert carried_counts({}) is None and carried_counts({CONDITIONING_KEY: None}) is None


@pytest.mark.parametrize("carried", [5, "two cats", {}, {"objects": 3}, [1], {"objects": [{"noun": "cats"}]}])
def test_counts_that_cannot_be_read(carried: object) -> None:
    with pytest.raises(
        CountError, match=r"holds counts that this version .* encode the prompt with Count Prompt again$"
    ):
        carried_counts({CONDITIONING_KEY: carried})


def test_objects_line(clip: comfy.sd.CLIP) -> None:
    assert run(clip, PROMPT, "1 star")[2] == "1 star"
    with pytest.raises(CountError, match=r"^'cats' is not in the prompt; the prompt has: circles, stars, photo$"):
        run(clip, PROMPT, "2 cats")


def test_nothing_counted(clip: comfy.sd.CLIP) -> None:
    _, counts, summary = run(clip, "")
    assert counts.objects == ()
    assert summary == "nothing is counted: write a number, such as 'three cats', or fill in objects"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("eight stars", ["8 stars"]),
        ("five circles and four stars", ["5 circles, 4 stars", f"9 {TOO_MANY}"]),
        ("99 red circles", ["99 red circles", f"99 {TOO_MANY}"]),
        ("0 red circles and two blue stars", ["2 blue stars", NONE_OF]),
        ("zero red circles, 12 stars, 0 red circles", ["12 stars", NONE_OF, f"12 {TOO_MANY}"]),
    ],
)
def test_remarks(text: str, lines: list[str], clip: comfy.sd.CLIP) -> None:
    assert run(clip, text)[2].splitlines() == lines


def test_what_is_said_travels_along(clip: comfy.sd.CLIP) -> None:
    """With COUNTS and the conditioning, so that other nodes can say why they did nothing; a line answers it."""
    conditioning, counts, summary = run(clip, "a few stars")
    said = "'a few stars' is not a number: write one, such as 'three stars'"
    assert counts.notes == (said,) and summary.splitlines()[1:] == [said]
    assert [carried_counts(options) for _, options in conditioning] == [counts]
    assert run(clip, "a few stars", "3 stars")[1].notes == ()


def test_no_clip() -> None:
    with pytest.raises(CountError, match=r"clip is missing: .* load one with Load CLIP"):
        run(None, "two cats")


def test_schema() -> None:
    info = CountPrompt.GET_NODE_INFO_V1()
    assert info["name"] == "HeadcountCountPrompt"
    assert info["category"] == "Headcount"
    assert info["input_order"] == {
        "required": ["clip", "text"], "optional": ["objects", "reader"], "hidden": ["prompt", "extra_pnginfo"]
    }  # fmt: skip
    assert info["output"] == ["CONDITIONING", "HEADCOUNT_COUNTS", "STRING"]
    text = info["input"]["required"]["text"][1]
    assert text["multiline"] and text["dynamicPrompts"]


def test_own_socket_types() -> None:
    assert (CountsType.io_type, MapsType.io_type) == ("HEADCOUNT_COUNTS", "HEADCOUNT_MAPS")
