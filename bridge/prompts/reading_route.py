"""What Count Prompt shows while somebody types: the reading of a run, from a small route of ComfyUI's server."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

from ...core.errors import CountError
from ...core.prompts import line_of, read_prompt, shown_of, too_many
from .token_positions import prompt_without_weights

PATH = "/headcount/read"
MAX_TEXT, MAX_LINE = 10_000, 2_000  # characters; a longer prompt is read when it runs
_MAX_BODY = 8 * (MAX_TEXT + MAX_LINE)  # bytes
_BURST, _PER_SECOND = 60, 20.0  # readings; a page asks for all its nodes at once when it opens
_AT_ONCE = 2  # readings in threads, so that nobody's typing stops the server
_TOO_LONG = "too long to be read while typing"


def reading_of(text: str, line: str) -> dict[str, Any]:
    """What Count Prompt would count.

    Args:
        text: prompt, with weight syntax.
        line: the objects line, or empty.

    Returns:
        "objects": [{"count", "noun", "name": as the objects line writes it, "shown": in words}] in order;
        "notes": sentences on what is said rather than counted; "error": why the line cannot be read, or empty.
    """
    try:
        reading = read_prompt(prompt_without_weights(text), line)
    except CountError as error:
        return {"objects": [], "notes": [], "error": str(error)}
    remark = too_many(sum(found.item.count for found in reading.objects))
    return {
        "objects": [
            {"count": found.item.count, "noun": found.item.noun, "name": line_of(found), "shown": shown_of(found)}
            for found in reading.objects
        ],
        "notes": [*reading.sentences, *([remark] if remark else [])],
        "error": "",
    }


class _RateLimit:
    """Lets so many through a second, and more at once after a pause."""

    def __init__(self, burst: float, per_second: float) -> None:
        self._left, self._burst, self._per_second, self._then = burst, burst, per_second, time.monotonic()

    def takes(self) -> bool:
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._then) * self._per_second)
        self._then = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


_RATE = _RateLimit(_BURST, _PER_SECOND)
_SLOTS = asyncio.Semaphore(_AT_ONCE)


async def answer(request: Any) -> Any:
    """The route: {"text", "objects"} in, `reading_of` out; 400, 413 and 429 for what is none, too long or too often."""
    web: Any = sys.modules["aiohttp.web"]  # ComfyUI's server runs on it

    def refused(status: int, why: str) -> Any:
        return web.json_response({"error": why}, status=status)

    if not _RATE.takes():
        return refused(429, "too many readings at once")
    if (request.content_length or 0) > _MAX_BODY:
        return refused(413, _TOO_LONG)
    try:
        asked = await request.json()
        text, line = asked["text"], asked.get("objects", "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return refused(400, 'expected {"text": ..., "objects": ...}')
    if not isinstance(text, str) or not isinstance(line, str):
        return refused(400, "text and objects must be texts")
    if len(text) > MAX_TEXT or len(line) > MAX_LINE:
        return refused(413, _TOO_LONG)
    async with _SLOTS:
        return web.json_response(await asyncio.to_thread(reading_of, text, line))


def add_reading_route() -> None:
    """Called once, when the pack is loaded; ComfyUI takes its routes from there. Outside a server nothing happens."""
    module = sys.modules.get("server")
    server = None if module is None else getattr(module.PromptServer, "instance", None)
    if server is not None:
        server.routes.post(PATH)(answer)
