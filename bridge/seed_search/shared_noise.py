"""Gives every candidate of a batch the noise that a sampler draws for a picture of its own.

Samplers such as euler_ancestral and dpmpp_2m_sde draw new noise at each step for the batch as a whole. A candidate would
be judged by noise that the picture made from it never gets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class SharedNoise(TorchFunctionMode):
    """While this is entered, normal noise for `batch` pictures is drawn for one and repeated. Nothing else changes."""

    def __init__(self, batch: int) -> None:
        super().__init__()
        self._batch = batch

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        if func is torch.randn:
            size = options.pop("size", args[0] if args and not isinstance(args[0], int) else args)
            if len(size) and size[0] == self._batch:
                return self._repeated(torch.randn(1, *size[1:], **options))
        if func is torch.randn_like and len(args[0]) == self._batch:
            return self._repeated(torch.randn_like(args[0][:1], **options))
        return func(*args, **(kwargs or {}))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """For the model's calls, which are none of this one's business; compiled models would notice."""
        self.__exit__(None, None, None)
        try:
            yield
        finally:
            self.__enter__()

    def _repeated(self, one: Tensor) -> Tensor:
        return one.repeat(self._batch, *[1] * (one.ndim - 1))
