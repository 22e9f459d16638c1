"""Tensors that autograd has saved for backward and the model overwrites afterwards, as ComfyUI does with a ControlNet's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor
from torch.autograd.graph import allow_mutation_on_saved_tensors


class _Clones(WeakKeyDictionary):
    """The clones of overwritten tensors, which also has PyTorch forget where those lay.

    PyTorch knows a saved tensor by its Python id, address and version, and goes on doing so when it has cloned it and let go of
    it: the next tensor that gets the same id and address is taken for the one before, and backward goes wrong silently
    (PyTorch 2.13; often where memory is reused at once).
    """

    def __init__(self, places: Any) -> None:
        super().__init__()
        self._places = places

    def __setitem__(self, handle: Any, clone: Tensor) -> None:
        super().__setitem__(handle, clone)
        for place in [place for place, at in self._places.items() if at is handle]:
            del self._places[place]


@contextmanager
def overwritten_tensors_kept() -> Iterator[None]:
    """Within the block, which forward and backward both run in, backward gets each saved tensor as it was when it was saved."""
    with allow_mutation_on_saved_tensors() as state:
        state.cloned = _Clones(state.tid_to_weakhandle)
        yield
