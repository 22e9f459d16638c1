"""Draws the pictures of IntraCompBench in running ComfyUI servers, by a workflow of the user's with whatever it loads."""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from headcount.core.errors import CountError

from demo.comfy_client import ComfyClient, Prompt
from training.files import read_picture

from ..lab.node_methods import Method
from ..lab.servers import spread
from ..lab.store import digest
from ..lab.workflow_methods import with_method
from ..lab.workflows import filled, prompt_input, read_workflow, shown_files
from .pictures import PictureRow, Store

_INPUTS = {"steps": ("steps",), "cfg": ("cfg", "guidance"), "sampler": ("sampler_name",), "scheduler": ("scheduler",),
           "size": ("width", "height")}  # fmt: skip
"""Option of the command line -> the inputs of a workflow's nodes that it replaces."""


@dataclass(frozen=True)
class WorkflowSource:
    """A workflow, and the servers that run it.

    Attributes:
        name: file name, and digest of what the workflow does.
        workflow: in the API format.
        place: (node, input) of the prompt.
        servers: addresses of running ComfyUI servers.
        output_node: id of the node that shows the picture; None where there is one only.
        timeout_s: longest time for one picture.
    """

    name: str
    workflow: Prompt
    place: tuple[str, str]
    servers: Sequence[str]
    output_node: str | None = None
    timeout_s: float = 3600.0

    @staticmethod
    def of(arguments: argparse.Namespace) -> WorkflowSource:
        """What the command line asks for.

        Raises:
            CountError: the file is no workflow, has no place for the prompt, or no server answers.
        """
        workflow = read_workflow(arguments.workflow, arguments.servers)
        place = prompt_input(workflow, arguments.prompt_node)
        name = f"{arguments.workflow.name} {digest(workflow)[:12]}"
        return WorkflowSource(name, workflow, place, arguments.servers, arguments.output_node, arguments.timeout)

    def draw(
        self,
        rows: Sequence[PictureRow],
        methods: Mapping[str, Method],
        sampling: Mapping[str, Any],
        store: Store,
        report: Callable[[str], None],
    ) -> None:
        """Draw the pictures of `rows`; what a node refuses is noted and left out.

        Args:
            sampling: options of the command line, which replace the workflow's own.

        Raises:
            CountError: a method does not fit the workflow, it shows several pictures, or no server answers.
            PromptError: ComfyUI refused the workflow, or the run was cancelled.
        """
        workflows = {name: with_method(self.workflow, self.place, method) for name, method in methods.items()}
        values = {name: value for option, value in sampling.items() for name in _INPUTS[option]}
        drawn: list[str] = []

        def draw(client: ComfyClient, row: PictureRow) -> None:
            prompt = filled(workflows[row.method], self.place, row.prompt, row.asked, row.seed, **values)
            start = time.perf_counter()
            files = shown_files(client.run(prompt, self.timeout_s), self.output_node)
            if len(files) != 1:
                raise CountError(f"the workflow makes {len(files)} pictures at once. Make one: set its batch to 1")
            pixels = read_picture(io.BytesIO(client.image(files[0])))
            store.add_picture(replace(row, seconds=round(time.perf_counter() - start, 3)), pixels)
            drawn.append(row.key)
            report(f"drawn {len(drawn)} of {len(rows)}: {row.method}, {row.prompt}")

        def refuse(row: PictureRow, why: str) -> None:
            store.add_refused(row, why)
            report(f"left out, {why}: {row.method}, {row.prompt}")

        spread(rows, self.servers, draw, refuse)
