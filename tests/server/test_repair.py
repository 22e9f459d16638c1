"""Count Repair, Generate Until Right and Count Report in a real server: they run, are cancelled, and run again."""

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
    names = [line.partition(":")[0] for line in result["table"].splitlines()]
    assert [name for name in names if "varying" not in name] == ["tried", "asked", "seed 3", "seed 4"]
    assert "at the cost of " in result["table"] and picture(server, shown).shape == (128, 128, 3)


def test_until_right_is_cancelled_and_runs_again(server: ComfyServer) -> None:
    waiting = server.queue(until_right(seed=50, steps=200, tries=64, pictures=64))
    for _ in range(3):  # the first may come before the run has begun
        time.sleep(2)
        server.interrupt()
    with pytest.raises(PromptError, match="interrupted"):
        server.wait(waiting)
    assert server.run(until_right(seed=50, tries=1))["2"]["headcount_result"]


def test_until_right_queued_five_times(server: ComfyServer) -> None:
    """Each has its own seed, result and picture; the same seed twice is the same picture."""
    waiting = [server.queue(until_right(seed=seed, tries=1, pictures=1, isac="off")) for seed in (60, 61, 62, 63, 64)]
    shown = [server.wait(one)["outputs"]["2"] for one in waiting]
    for seed, one in zip((60, 61, 62, 63, 64), shown, strict=True):
        assert f"seed {seed}" in one["headcount_result"][0]["table"]
    pictures = [picture(server, one) for one in shown]
    assert len({one.tobytes() for one in pictures}) == 5
    again = server.run(until_right(seed=62, tries=1, pictures=1, isac="off", if_none_right="stop"))["2"]
    assert np.array_equal(picture(server, again), pictures[2])


def report(**changes: Any) -> dict[str, Any]:
    inputs = {
        **OF_LOADER,
        **SAMPLER,
        "latent_image": ["1", 3],
        "model_with": ["1", 0],
        "method": "model_with",
        "first_seed": 1,
    }
    inputs |= {"prompts": "two cats\nthree apples", "negative": "", "name": "of a test", **changes}
    return {
        "1": LOADER,
        "2": {"class_type": "HeadcountCountReport", "inputs": inputs},
        "3": {"class_type": "PreviewAny", "inputs": {"source": ["2", 2]}},
    }


def test_a_report_is_cancelled_goes_on_and_is_shown(server: ComfyServer) -> None:
    slow = report(steps=60, prompts="\n".join(["two cats"] * 20))
    waiting = server.queue(slow)
    for _ in range(3):  # the first may come before the run has begun
        time.sleep(2)
        server.interrupt()
    with pytest.raises(PromptError, match="interrupted"):
        server.wait(waiting)
    outputs = server.run(report())
    [result] = outputs["2"]["headcount_result"]
    assert "difference: +0% (95 %: " in result["table"] and "no clear difference" in result["verdict"]
    assert picture(server, outputs["2"]).shape[0] > 200
    folder = server.base / "output" / "headcount_reports" / "of a test"
    assert outputs["3"]["text"] == [str(folder)] and len(list(folder.glob("*.jpg"))) >= 4


def test_repair_plans_without_rounds_and_paints_with_them(server: ComfyServer) -> None:
    plan = server.run(repair(0))
    assert plan["6"]["text"] == ["Add one dog. Add one dog."] and picture(server, plan["7"]).max() == 255
    assert len(np.unique(picture(server, plan["5"]).reshape(-1, 3), axis=0)) == 1, "nothing was painted"
    [result] = server.run(repair(2))["5"]["headcount_result"]
    assert "added" in result["table"] or "tried, none helped" in result["table"]
