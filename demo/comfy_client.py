"""Talks to a running ComfyUI over HTTP: which nodes it has, run a prompt and wait for it, cancel, fetch a picture."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

Prompt = dict[str, dict[str, Any]]  # ComfyUI's API format: node id -> {"class_type", "inputs"}

POLL_SECONDS = 0.05
ANSWER_SECONDS = 60.0  # ComfyUI answers nothing while a node holds Python's lock
LONGEST_SECONDS = 3600.0


class PromptError(RuntimeError):
    """A prompt was refused, failed in a node, or was cancelled.

    Attributes:
        node_id: id of the node at fault in the prompt, None where ComfyUI names none.
        node_type: its class, for example "KSampler".
        exception_type: for example "ValueError"; "validation" when refused, "interrupted" when cancelled.
        exception_message: what the node said.
    """

    def __init__(self, node_id: str | None, node_type: str | None, exception_type: str, exception_message: str) -> None:
        super().__init__(f"node {node_id} ({node_type}): {exception_type}: {exception_message}")
        self.node_id = node_id
        self.node_type = node_type
        self.exception_type = exception_type
        self.exception_message = exception_message


class ComfyClient:
    """Client of the ComfyUI at `address`, for example "http://127.0.0.1:8188"."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.client_id = uuid.uuid4().hex

    def object_info(self) -> dict[str, dict[str, Any]]:
        """Every node the server has: id -> schema in ComfyUI's V1 form."""
        return json.loads(self._request("/object_info"))

    def run(self, prompt: Prompt, timeout_s: float = 300.0) -> dict[str, dict[str, Any]]:
        """Queue a prompt and wait for its end.

        Returns:
            Node id -> what the node shows in the page, such as {"images": [{"filename", "subfolder", "type"}]}.

        Raises:
            PromptError: refused, failed or cancelled.
            TimeoutError: as wait() says.
        """
        prompt_id = self.queue(prompt)
        return self.wait(prompt_id, timeout_s)["outputs"]

    def queue(self, prompt: Prompt) -> str:
        """Queue a prompt without waiting. Returns its id for wait(). Raises PromptError when it is refused."""
        try:
            answer = json.loads(self._request("/prompt", {"prompt": prompt, "client_id": self.client_id}))
        except HTTPError as error:
            raise _refusal(json.loads(error.read())) from None
        if answer["node_errors"]:  # some outputs are valid and run all the same; a caller wants all of them
            self.cancel(answer["prompt_id"])
            raise _refusal(answer)
        return answer["prompt_id"]

    def wait(self, prompt_id: str, timeout_s: float = 300.0, longest_s: float | None = None) -> dict[str, Any]:
        """Wait for a queued prompt.

        Args:
            prompt_id: what queue() returned.
            timeout_s: longest time since the last change of sign_of_progress().
            longest_s: longest time of the whole run; None: the longer of `timeout_s` and LONGEST_SECONDS.

        Returns:
            ComfyUI's history entry: "outputs", "prompt", "status" with messages.

        Raises:
            PromptError: failed or cancelled.
            TimeoutError: a limit was passed; the prompt is cancelled.
        """
        start = since = time.monotonic()
        sign = self.sign_of_progress()
        if longest_s is None:
            longest_s = max(timeout_s, LONGEST_SECONDS)
        while (now := time.monotonic()) - since < timeout_s and now - start < longest_s:
            entry = self._history(prompt_id)
            if entry is not None:
                return _checked(entry)
            time.sleep(POLL_SECONDS)
            if (latest := self.sign_of_progress()) != sign:
                sign, since = latest, time.monotonic()
        with contextlib.suppress(TimeoutError):
            self.cancel(prompt_id)
        raise TimeoutError(
            f"the prompt was still running after {now - start:.0f} s; its last sign of progress was {now - since:.0f} s ago"
        )

    def sign_of_progress(self) -> int:
        """A number that changes while prompts run. Always 0 here: over HTTP, ComfyUI tells of a prompt's end only."""
        return 0

    def cancel(self, prompt_id: str) -> None:
        """Take a prompt out of the queue, or interrupt it if it runs."""
        self._request("/queue", {"delete": [prompt_id]})
        self._request("/interrupt", {"prompt_id": prompt_id})

    def interrupt(self) -> None:
        """Stop whatever runs, like the page's cancel button."""
        self._request("/interrupt", {})

    def is_idle(self) -> bool:
        """Whether no prompt runs or waits."""
        queue = json.loads(self._request("/queue"))
        return not queue["queue_running"] and not queue["queue_pending"]

    def forget_results(self) -> None:
        """Let ComfyUI drop the results that it keeps of earlier prompts, and unload the models, before the next prompt."""
        self._request("/free", {"free_memory": True})

    def image(self, reference: dict[str, str]) -> bytes:
        """The file behind one entry of outputs[node]["images"], as bytes (PNG unless the node chose another format)."""
        return self._request("/view?" + urlencode(reference))

    def _history(self, prompt_id: str) -> dict[str, Any] | None:
        """The entry of a prompt that has ended; None before, and when ComfyUI was too busy to answer."""
        with contextlib.suppress(TimeoutError):
            return json.loads(self._request(f"/history/{prompt_id}")).get(prompt_id)
        return None

    def _request(self, path: str, body: dict[str, Any] | None = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.address + path, data, {"Content-Type": "application/json"})
        with urlopen(request, timeout=ANSWER_SECONDS) as answer:
            return answer.read()


def _checked(entry: dict[str, Any]) -> dict[str, Any]:
    """The history entry itself; PromptError where it ended without success."""
    for kind, detail in entry["status"]["messages"]:
        if kind == "execution_error":
            message = detail["exception_message"].strip()
            raise PromptError(detail["node_id"], detail["node_type"], detail["exception_type"], message)
        if kind == "execution_interrupted":
            raise PromptError(detail["node_id"], detail["node_type"], "interrupted", "the run was cancelled")
    return entry


def _refusal(answer: dict[str, Any]) -> PromptError:
    """What validation said: the first node at fault with all its messages, else the overall message."""
    for node_id, fault in answer.get("node_errors", {}).items():
        messages = "; ".join(f"{error['message']}: {error['details']}" for error in fault["errors"])
        return PromptError(node_id, fault["class_type"], "validation", messages)
    error = answer["error"]
    return PromptError(None, None, "validation", f"{error['message']} {error['details']}".strip())
