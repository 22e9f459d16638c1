"""What every node does beside its work: it lets go of what it held when it fails."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
from comfy_api.latest import io
from headcount.nodes._checked import checked


class Clone:
    """Of a model."""


def test_a_failed_run_holds_nothing_while_its_error_lives() -> None:
    made: list[weakref.ref[Clone]] = []

    def sample(model: Clone) -> None:
        made.append(weakref.ref(model))
        raise RuntimeError("out of memory")

    @checked
    class Failing(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> io.Schema:
            return io.Schema(node_id="Failing", inputs=[], outputs=[])

        @classmethod
        def execute(cls, **inputs: Any) -> io.NodeOutput:
            model = Clone()
            sample(model)
            return io.NodeOutput()

    with pytest.raises(RuntimeError, match="out of memory") as caught:
        Failing.execute()
    assert caught.traceback[-1].name == "sample" and made[0]() is None
