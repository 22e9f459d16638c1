"""Count Repair and Generate Until Right in a real server: they run, are cancelled, and run again."""

from __future__ import annotations

import io
import time
from typing import Any

import numpy as np
import pytest
from PIL import Image

from demo.server import ComfyServer, PromptError

pytestmark = pytest.mark.server

SAMPLER = {"steps": 4, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple"}
LOADER = {"class_type": "HeadcountLoadDemoModel", "inputs": {"model": "emoji", "batch_size": 1}}
OF_LOADER = {"model": ["1", 0], "clip": ["1", 1], "vae": ["1", 2], "counter": ["1", 4]}


def until_right(**changes: Any) -> dict[str, Any]:
    inputs = {**OF_LOADER, **SAMPLER, "text": "two red apples", "negative": "", "width": 128, "height": 128, "seed": 3}
    inputs |= {"tries": 2, "pictures": 2, "isac": "fast", "rounds": 1, "repair_up_to": 2, "budget": 0.0}
    node = {
        "class_type": "HeadcountGenerateUntilRight",
        "inputs": {**inputs, "if_none_right": "best picture", **changes},
    }
    return {"1": LOADER, "2": node}


def repair(rounds: int) -> dict[str, Any]:
    """Of a picture of one grey, which shows none of the two dogs that are asked for."""
    settings = {"seed": 1, "denoise": 0.8, "rounds": rounds, "growth": 0.25, "feather": 8, "context": 2.5}
    prompts = {"positive": ["2", 0], "negative": ["3", 0], "image": ["4", 0]}
    return {
        "1": LOADER,
        "2": {"class_type": "HeadcountCountPrompt", "inputs": {"clip": ["1", 1], "text": "two dogs", "objects": ""}},
        "3": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": ""}},
        "4": {"class_type": "EmptyImage", "inputs": {"width": 128, "height": 128, "batch_size": 1, "color": 0x99AABB}},
        "5": {"class_type": "HeadcountCountRepair", "inputs": {**OF_LOADER, **prompts, **SAMPLER, **settings}},
        "6": {"class_type": "PreviewAny", "inputs": {"source": ["5", 5]}},
        "7": {"class_type": "MaskPreview", "inputs": {"mask": ["5", 2]}},
    }


def picture(server: ComfyServer, shown: dict[str, Any]) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(server.image(shown["images"][0]))).convert("RGB"))


def test_until_right_runs_and_says_what_it_did(server: ComfyServer) -> None:
    shown = server.run(until_right())["2"]
    [result] = shown["headcount_result"]
    assert [line.partition(":")[0] for line in result["table"].splitlines()] == ["asked", "seed 3", "seed 4"]
    assert "cost: " in result["verdict"] and picture(server, shown).shape == (128, 128, 3)


def test_until_right_is_cancelled_and_runs_again(server: ComfyServer) -> None:
    waiting = server.queue(until_right(seed=50, steps=200, tries=64, pictures=64))
    time.sleep(2)
    server.interrupt()
    with pytest.raises(PromptError, match="interrupted"):
        server.wait(waiting)
    assert server.run(until_right(seed=50, tries=1))["2"]["headcount_result"]


def test_repair_plans_without_rounds_and_paints_with_them(server: ComfyServer) -> None:
    plan = server.run(repair(0))
    assert plan["6"]["text"] == ["Add one dog. Add one dog."] and picture(server, plan["7"]).max() == 255
    assert len(np.unique(picture(server, plan["5"]).reshape(-1, 3), axis=0)) == 1, "nothing was painted"
    [result] = server.run(repair(2))["5"]["headcount_result"]
    assert "added" in result["table"] or "tried, none helped" in result["table"]
