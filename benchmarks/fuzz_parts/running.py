"""Runs one graph on the server within a time limit, and says what became of it."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import Any
from urllib.error import URLError

from demo.comfy_client import Prompt
from demo.server import ComfyServer, PromptError

from .catalogue import Catalogue
from .graphs import Graph
from .plain import DECODED, without_pack

SUCCESS, OWN, REFUSED, CORE_TOO = "success", "pack's own message", "refused by ComfyUI", "plain ComfyUI too"
SLOW, CANCELLED = "over the time limit", "cancelled"
PACK_ALONE, HANG, DEATH = "raw error of the pack alone", "hang", "server death"
CLASSES = (SUCCESS, OWN, REFUSED, CORE_TOO, SLOW, CANCELLED, PACK_ALONE, HANG, DEATH)
FAULTS = frozenset({PACK_ALONE, HANG, DEATH})
OWN_ERROR = "headcount.CountError"
SAMPLERS = frozenset({"KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced"})
IDLE_SECONDS = 60.0  # after an interrupt, the server must be idle again within this time


@dataclass(frozen=True)
class Outcome:
    """What became of a graph.

    Attributes:
        kind: one of CLASSES.
        seconds: until it ended; idle_after: from the interrupt until the server was idle, where it was interrupted.
        node: the class of the node that failed; error and message: what it raised.
        plain: what the graph without the pack raised, where it was run.
        new_server: a new one had to be started.
        prompt: the graph, for faults and for what plain ComfyUI gives too.
    """

    number: int
    kind: str
    seconds: float
    wild: bool
    classes: tuple[str, ...]
    idle_after: float | None = None
    node: str | None = None
    error: str | None = None
    message: str | None = None
    plain: str | None = None
    new_server: bool = False
    prompt: Prompt | None = None

    def as_dict(self) -> dict[str, Any]:
        """For a JSON file, without what is empty."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class Runner:
    """Runs graphs on one long-lived server; starts a new one where it died or hangs.

    Args:
        limit_s: after so many seconds a graph is interrupted.
    """

    def __init__(self, server: ComfyServer, catalogue: Catalogue, limit_s: float) -> None:
        self._server = server
        self._catalogue = catalogue
        self._limit_s = limit_s

    def run(self, graph: Graph) -> Outcome:
        """What becomes of the graph. The server is idle afterwards, or a new one."""
        started, found = time.monotonic(), {"kind": SUCCESS}
        try:
            found = self._ran(graph)
        except PromptError as error:
            found = self._judged(graph.prompt, error)
        except TimeoutError:
            found = self._interrupted(SLOW)
        except (URLError, ConnectionError) as error:
            found = self._started_again(DEATH, str(error))
        if found["kind"] == HANG and self._hangs_too(graph.prompt):
            found = {**self._started_again(CORE_TOO, found["message"]), "plain": "hangs"}
        common = {"number": graph.number, "wild": graph.wild, "classes": tuple(sorted(graph.classes))}
        kept = {"prompt": graph.prompt} if found["kind"] in (*FAULTS, CORE_TOO, SLOW) else {}
        return Outcome(**common, **kept, seconds=round(time.monotonic() - started, 2), **found)

    def _ran(self, graph: Graph) -> dict[str, Any]:
        try:
            prompt_id = self._server.queue(graph.prompt)
        except json.JSONDecodeError:  # ComfyUI's own validation failed, and answered with a page
            return {"kind": REFUSED, "message": "500"}
        if graph.cancel_after is None:
            self._server.wait(prompt_id, self._limit_s, self._limit_s)
            return {"kind": SUCCESS}
        time.sleep(graph.cancel_after)
        self._server.cancel(prompt_id)
        return self._interrupted(CANCELLED)

    def _interrupted(self, kind: str) -> dict[str, Any]:
        """Wait until the server is idle after an interrupt; where it is not, there is a new one."""
        since = time.monotonic()
        while (passed := time.monotonic() - since) < IDLE_SECONDS:
            if self._server.is_idle():
                return {"kind": kind, "idle_after": round(passed, 2)}
            time.sleep(0.05)
        return self._started_again(HANG, f"not idle {IDLE_SECONDS:.0f} s after an interrupt")

    def _started_again(self, kind: str, message: str) -> dict[str, Any]:
        tail = self._server.log()[-2000:]
        self._server.stop()
        self._server.start()
        return {"kind": kind, "new_server": True, "message": f"{message}\n{tail}"}

    def _hangs_too(self, prompt: Prompt) -> bool:
        """Whether one of the samplers runs on without the pack: some solvers of noise never end on odd noise levels."""
        samplers = [place for place, node in prompt.items() if node["class_type"] in SAMPLERS]
        try:
            for plain in [without_pack(prompt, place, self._catalogue) for place in samplers]:
                if plain is not None:
                    self._error_of(plain)
        except TimeoutError:
            return True
        return False

    def _judged(self, prompt: Prompt, error: PromptError) -> dict[str, Any]:
        """Whose error it is: the pack's own message, ComfyUI's, or a raw one, of the pack alone or not."""
        said = {"node": error.node_type, "error": error.exception_type, "message": error.exception_message[:500]}
        if error.exception_type == "validation":
            return {"kind": REFUSED, **said}
        if error.exception_type == OWN_ERROR:
            return {"kind": OWN, **said}
        plain = without_pack(prompt, error.node_id, self._catalogue)
        if plain is None:
            return {"kind": PACK_ALONE, **said}
        again = self._error_of(plain)
        raw = again is not None and again.exception_type not in ("validation", OWN_ERROR)
        there = again is not None and again.node_id in (error.node_id, error.node_id + DECODED)
        return {"kind": CORE_TOO if raw and there else PACK_ALONE, **said, "plain": str(again)}

    def _error_of(self, prompt: Prompt) -> PromptError | None:
        try:
            self._server.wait(self._server.queue(prompt), self._limit_s, self._limit_s)
        except PromptError as error:
            return error
        return None
