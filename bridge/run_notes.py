"""What a node says of the runs of a model that it patched: in the log, and in the node itself.

ComfyUI runs a sampler long after the node that patched its model, and shows an error of the run at the sampler.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from comfy.patcher_extension import CallbacksMP

from ..core.errors import CountError
from .node_text import running_node, show_note

_PASSED_OVER = (
    "another node behind this one has replaced what this node put on the model, so this node did nothing in this run. Put this "
    "node behind it"
)
_LOG = logging.getLogger(__name__)


class RunNotes:
    """Notes on the newest run of the model of one node; to be made while ComfyUI executes that node.

    Attributes:
        node: its name.
    """

    def __init__(self, node: str) -> None:
        self.node = node
        self._place = running_node()
        self._said: list[str] = []
        self._runs = 0
        show_note("", self._place)

    @contextmanager
    def run(self) -> Iterator[None]:
        """Around one run: what was said of an earlier one goes, and an error of this pack is said in the node, too."""
        self._runs += 1
        if self._said:
            self._said = []
            show_note("", self._place)
        try:
            yield
        except CountError as error:
            self._show(str(error))
            raise

    def warn(self, text: str) -> None:
        """Say something of the run that goes on, once."""
        if text not in self._said:
            _LOG.warning("%s: %s", self.node, text)
            self._show(text)

    def _show(self, text: str) -> None:
        self._said.append(text)
        show_note("\n".join(self._said), self._place)

    def watch(self, patched: Any, key: str) -> None:
        """Say it where a run of `patched`, a ModelPatcher, goes by without `run`: its wrapper was lost on the way.

        Args:
            key: name of the callbacks on the model.
        """
        begun = 0

        def before(_: Any) -> None:
            nonlocal begun
            begun = self._runs

        def after(_: Any) -> None:
            if self._runs == begun and sys.exc_info()[0] is None:  # a run that fails may do so before it gets here
                with self.run():
                    self.warn(_PASSED_OVER)

        patched.add_callback_with_key(CallbacksMP.ON_PRE_RUN, key, before)
        patched.add_callback_with_key(CallbacksMP.ON_CLEANUP, key, after)
