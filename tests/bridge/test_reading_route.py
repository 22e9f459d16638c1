"""The route behind Count Prompt's chips: the same reading as a run's, bounded in size and number."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from headcount.bridge.comfyui.run_notes import RunNotes
from headcount.bridge.prompts import reading_route
from headcount.bridge.prompts.conditionings import CountedConditionings, warn_of_nothing
from headcount.bridge.prompts.reading_route import MAX_LINE, MAX_TEXT, PATH, answer, reading_of
from headcount.core.prompts import find_objects


def asked(*bodies: Any) -> list[tuple[int, dict[str, Any]]]:
    """Status and answer of each request, one after the other."""

    async def ask() -> list[tuple[int, dict[str, Any]]]:
        app = web.Application(client_max_size=2**30)
        app.router.add_post(PATH, answer)
        async with TestClient(TestServer(app)) as client:
            answers = []
            for body in bodies:
                sent = {"data": body} if isinstance(body, str) else {"json": body}
                response = await client.post(PATH, **sent)
                answers.append((response.status, await response.json()))
            return answers

    with ThreadPoolExecutor(1) as thread:  # a browser that another test keeps open has a loop in this one
        return thread.submit(asyncio.run, ask()).result()


@pytest.fixture(autouse=True)
def _rested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_route, "_RATE", reading_route._RateLimit(60, 20))


def test_what_a_run_would_count() -> None:
    ((status, read),) = asked({"text": "three (red:1.3) cats, a few dogs", "objects": ""})
    assert status == 200
    assert read["objects"] == [{"count": 3, "noun": "cats", "name": "red cats", "shown": "3 red cats"}]
    assert read["notes"] == ["'a few dogs' is not a number: write one, such as 'three dogs'"] and read["error"] == ""


@pytest.mark.parametrize(
    "text",
    [
        "three red cats and a dog",
        "三只黑猫和两只狗",
        "검은 고양이 세 마리와 흰 개 두 마리",
        "drei rote Katzen und ein Hund",
    ],
)
def test_a_line_of_the_answer_says_the_same(text: str) -> None:
    objects = reading_of(text, "")["objects"]
    line = ", ".join(f"{one['count']} {one['name']}" for one in objects)
    assert [(one.item.count, one.item.noun) for one in find_objects(text, line)] == [
        (one["count"], one["noun"]) for one in objects
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("trois chats noirs", "3 chats noirs"),
        ("3 red cats", "3 red cats"),
        ("one stars", "1 star"),
        ("黑猫三只", "3 黑猫"),
    ],
)
def test_adjectives_stand_where_the_prompt_has_them(text: str, shown: str) -> None:
    assert ", ".join(one["shown"] for one in reading_of(text, "")["objects"]) == shown


def test_a_line_that_cannot_be_read() -> None:
    read = reading_of("two cats", "2-3 cats")
    assert read["objects"] == [] and "'2-3 cats' gives no exact count" in read["error"]


def test_more_than_the_nodes_are_made_for() -> None:
    assert reading_of("99 cats", "")["notes"] == [
        "99 objects are asked for; the methods are designed for up to 8, so fewer images will be right"
    ]


def test_what_is_refused() -> None:
    answers = asked(
        "{", "[]", {"objects": ""}, {"text": 3}, {"text": "", "objects": None}, {"text": "a" * (MAX_TEXT + 1)},
        {"text": "", "objects": "a" * (MAX_LINE + 1)}, {"text": "a" * 10_000_000}, {"text": "a" * MAX_TEXT},
    )  # fmt: skip
    assert [status for status, _ in answers] == [400, 400, 400, 400, 400, 413, 413, 413, 200]
    assert all(read["error"] for _, read in answers[:-1])


def test_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page with 20 nodes may ask for all at once; then it has to wait."""
    now = [0.0]
    monkeypatch.setattr(reading_route.time, "monotonic", lambda: now[0])
    limit = reading_route._RateLimit(60, 20)
    assert [limit.takes() for _ in range(61)].count(True) == 60
    now[0] += 1
    assert [limit.takes() for _ in range(21)].count(True) == 20


def test_a_run_says_why_nothing_is_steered(caplog: pytest.LogCaptureFixture) -> None:
    notes = RunNotes("a test")
    warn_of_nothing(
        CountedConditionings([], ["'a few cats' is not a number: write one, such as 'three cats'"]), notes, "steered"
    )
    assert caplog.messages == [
        "a test: the prompt counts nothing: this image is not steered. 'a few cats' is not a number: write one, such as "
        "'three cats'"
    ]
