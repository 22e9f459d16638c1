"""In a real server, the page hears in which node a run was left alone, and why."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import pytest

from demo.server import ComfyServer

from .test_expectations_server import DECODER, PATCHES, SAMPLER, graph

pytestmark = pytest.mark.server

SECONDS = 300
ISAC, NUMINA = "4", "N"


def two_nodes(text: str, steps: int, isac: str = ISAC) -> dict[str, Any]:
    """A picture of a model with ISAC, under that id, and NUMINA."""
    prompt = graph(PATCHES["isac"])
    prompt[isac] = prompt.pop("4")
    kind, widgets = PATCHES["numina"]
    prompt[NUMINA] = {"class_type": kind, "inputs": {"model": [isac, 0], **widgets}}
    prompt["2"]["inputs"]["text"] = text
    prompt[SAMPLER]["inputs"] |= {"model": [NUMINA, 0], "steps": steps}
    prompt["end"] = {"class_type": "PreviewImage", "inputs": {"images": [DECODER, 0]}}
    return {name: prompt[name] for name in ("1", "2", "3", isac, NUMINA, SAMPLER, DECODER, "end")}


def heard(address: str, client: str, prompts: list[dict[str, Any]]) -> list[list[dict[str, str]]]:
    """See `listen`; in a thread, since the browser tests leave an event loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, asyncio.wait_for(listen(address, client, prompts), SECONDS)).result()


async def listen(address: str, client: str, prompts: list[dict[str, Any]]) -> list[list[dict[str, str]]]:
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
    prompts = [two_nodes("some hearts", 3), two_nodes("two hearts", 1), two_nodes("two hearts", 3)]
    every = heard(server.address, "a page of a test", prompts)
    uncounted, one_step, right = ({note["node"]: note["text"] for note in notes} for notes in every)
    assert set(uncounted) == {ISAC, NUMINA}
    assert set(uncounted.values()) == {"the prompt counts nothing: this image is not steered"}
    assert one_step[ISAC] == "" and "it has one step" in one_step[NUMINA]
    assert right[NUMINA] == "" and right.get(ISAC, "") == ""


def test_a_node_that_ran_under_another_id(server: ComfyServer) -> None:
    """The second graph gets what the first one's node made, and its page must not write into whatever is called 8 there."""
    prompts = [two_nodes("some moons", 3, "8"), two_nodes("some moons", 2)]
    every = heard(server.address, "another page", prompts)
    first, second = ([note["node"] for note in notes if note["text"]] for notes in every)
    assert (set(first), set(second)) == ({"8", NUMINA}, {ISAC, NUMINA})
