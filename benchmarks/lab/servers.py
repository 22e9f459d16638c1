"""Work that running ComfyUI servers share, each with one prompt at a time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.error import HTTPError, URLError

from headcount.core.errors import CountError

from demo.comfy_client import ComfyClient, PromptError

_NOT_OF_THE_PROMPT = ("validation", "interrupted")
Job = TypeVar("Job")


def spread(
    jobs: Sequence[Job],
    addresses: Sequence[str],
    work: Callable[[ComfyClient, Job], None],
    refused: Callable[[Job, str], None],
) -> None:
    """Give each server the next job as soon as it has finished one, until all are done.

    A server that answers no more gives its job back to the others.

    Args:
        work: does a job; called by a thread for each server.
        refused: told of a job at which a node failed, and what the node said; the run goes on.

    Raises:
        CountError: no server answers.
        PromptError: ComfyUI refused the workflow itself, or somebody cancelled it.
    """
    run = _Run(deque(jobs), work, refused)
    while run.waiting and not run.failures and (left := [one for one in addresses if one not in run.gone]):
        threads = [threading.Thread(target=run.serve, args=(address,), daemon=True) for address in left]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if run.failures:
        raise run.failures[0]
    if run.waiting:
        raise no_answer({one: run.gone[one] for one in addresses})  # as given: which is gone first is left to chance


@dataclass
class _Run(Generic[Job]):
    """What the threads share; `gone`: address -> why it answers no more."""

    waiting: deque[Job]
    work: Callable[[ComfyClient, Job], None]
    refused: Callable[[Job, str], None]
    gone: dict[str, str] = field(default_factory=dict)
    failures: list[Exception] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, address: str) -> None:
        """Do jobs at one server until there are none, one fails, or the server is gone."""
        client = ComfyClient(address)
        while not self.failures and address not in self.gone:
            with self.lock:
                if not self.waiting:
                    return
                job = self.waiting.popleft()
            try:
                self.work(client, job)
            except Exception as error:  # of a thread: raised by `spread`
                with self.lock:
                    self._take_in(address, job, error)

    def _take_in(self, address: str, job: Job, error: Exception) -> None:
        if isinstance(error, PromptError) and error.exception_type not in _NOT_OF_THE_PROMPT:
            self.refused(job, f"{error.node_type}: {error.exception_message}")
        elif _is_gone(error):
            self.waiting.appendleft(job)
            self.gone[address] = str(getattr(error, "reason", error))
        else:
            self.failures.append(error)


def _is_gone(error: Exception) -> bool:
    """Whether nothing answers: an HTTP error is an answer."""
    return isinstance(error, URLError | ConnectionError) and not isinstance(error, HTTPError)


def no_answer(reasons: Mapping[str, str]) -> CountError:
    """What is said where no server answers; `reasons` by address."""
    told = "; ".join(f"{address}: {reason}" for address, reason in reasons.items())
    return CountError(f"no ComfyUI answers at {told}. Start it, or give --servers. What is finished is kept")
