"""In a real server, the page hears in which node a run was left alone, and why."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from demo.server import ComfyServer

pytestmark = pytest.mark.server

SECONDS = 120
ISAC, NUMINA = "isac", "numina"


def graph(text: str, steps: int, seed: int) -> dict[str, Any]:
    """Shapes model, Count Prompt, ISAC and NUMINA, KSampler, and an output."""
    nodes = {
        "model": ("HeadcountLoadShapesDemoModel", {}),
        "words": ("HeadcountCountPrompt", {"clip": ["model", 1], "text": text, "objects": ""}),
        "none": ("CLIPTextEncode", {"clip": ["model", 1], "text": ""}),
        ISAC: (
            "HeadcountIsacAttentionControl",
            {
                "model": ["model", 0],
                "strength": 1.0,
                "start_percent": 0.0,
                "end_percent": 1.0,
                "step_mode": "relative",
                "step_size": 0.08,
                "objective": "anchored",
                "spacing": 0.25,
            },
        ),
        NUMINA: (
            "HeadcountNuminaCountGuide",
            {
                "model": [ISAC, 0],
                "strength": 1.0,
                "reference_percent": 0.4,
                "method": "robust",
                "when": "auto",
                "reference_layer": -1,
                "cache": False,
            },
        ),
        "latent": ("EmptyLatentImage", {"width": 64, "height": 64, "batch_size": 1}),
        "sampler": (
            "KSampler",
            {
                "model": [NUMINA, 0],
                "positive": ["words", 0],
                "negative": ["none", 0],
                "latent_image": ["latent", 0],
                "seed": seed,
                "steps": steps,
                "cfg": 3.0,
                "sampler_name": "euler",
                "scheduler": "simple",
                "denoise": 1.0,
            },
        ),
        "image": ("VAEDecode", {"samples": ["sampler", 0], "vae": ["model", 2]}),
        "end": ("PreviewImage", {"images": ["image", 0]}),
    }
    return {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()}


async def heard(address: str, client: str, prompts: list[dict[str, Any]]) -> list[list[dict[str, str]]]:
    """For each prompt, the notes that a page with that id is sent while it runs."""
    found = []
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{address}/ws?clientId={client}", max_msg_size=0) as page,
    ):
        for prompt in prompts:
            await session.post(f"{address}/prompt", json={"prompt": prompt, "client_id": client})
            notes: list[dict[str, str]] = []
            async for message in page:
                if message.type != aiohttp.WSMsgType.TEXT:
                    continue
                told = json.loads(message.data)
                if told["type"] == "headcount.note":
                    notes.append(told["data"])
                assert told["type"] != "execution_error", told
                if told["type"] == "execution_success":
                    break
            found.append(notes)
    return found


def test_notes_reach_the_page(server: ComfyServer) -> None:
    prompts = [graph("some hearts", 3, 1), graph("two hearts", 1, 2), graph("two hearts", 3, 3)]
    every = asyncio.run(asyncio.wait_for(heard(server.address, "a page of a test", prompts), SECONDS))
    uncounted, one_step, right = ({note["node"]: note["text"] for note in notes} for notes in every)
    assert set(uncounted) == {ISAC, NUMINA}
    assert set(uncounted.values()) == {"the prompt counts nothing: this picture is not steered"}
    assert one_step[ISAC] == "" and "it has one step" in one_step[NUMINA]
    assert right[NUMINA] == "" and right.get(ISAC, "") == ""
