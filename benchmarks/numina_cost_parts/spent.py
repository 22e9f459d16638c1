"""How long named functions take within a block."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

Parts = dict[str, tuple[tuple[Any, str], ...]]


@contextmanager
def seconds_in(parts: Parts, wait: Callable[[], None]) -> Iterator[dict[str, float]]:
    """Within the block, adds up the seconds of each part.

    Args:
        parts: label to the functions that make it up, each as its owner and its name there.
        wait: returns when the device has nothing to do.
    """
    spent = dict.fromkeys(parts, 0.0)
    with ExitStack() as stack:
        for label, functions in parts.items():
            for owner, name in functions:
                stack.enter_context(patch.object(owner, name, _timed(getattr(owner, name), spent, label, wait)))
        yield spent


def _timed(own: Callable[..., Any], spent: dict[str, float], label: str, wait: Callable[[], None]) -> Any:
    def timed(*args: Any, **kwargs: Any) -> Any:
        wait()
        start = time.perf_counter()
        try:
            return own(*args, **kwargs)
        finally:
            wait()
            spent[label] += time.perf_counter() - start

    return timed
