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

from ..lab.gligen_boxes import Boxes, read_boxes, require_box_node, with_boxes
from ..lab.node_methods import Method
from ..lab.servers import spread
from ..lab.store import digest, file_digest
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
        name: file name, and digest of what the workflow does; the same of the boxes, where there are some.
        workflow: in the API format.
        place: (node, input) of the prompt.
        servers: addresses of running ComfyUI servers.
        output_node: id of the node that shows the picture; None where there is one only.
        timeout_s: longest time for one picture.
        boxes: of each prompt, for GLIGEN; None where the workflow stays as it is.
    """

    name: str
    workflow: Prompt
    place: tuple[str, str]
    servers: Sequence[str]
    output_node: str | None = None
    timeout_s: float = 3600.0
    boxes: Mapping[str, Boxes] | None = None

    @staticmethod
    def of(arguments: argparse.Namespace) -> WorkflowSource:
        """What the command line asks for.

        Raises:
            CountError: a file is not what it should be, the workflow has no place for the prompt or its boxes, or no server
                answers.
        """
        workflow = read_workflow(arguments.workflow, arguments.servers)
        place = prompt_input(workflow, arguments.prompt_node)
        name, boxes = f"{arguments.workflow.name} {digest(workflow)[:12]}", None
        if arguments.boxes is not None:
            require_box_node(workflow)
            boxes = read_boxes(arguments.boxes)
            name += f", {arguments.boxes.name} {file_digest(arguments.boxes)}"
        return WorkflowSource(name, workflow, place, arguments.servers, arguments.output_node, arguments.timeout, boxes)

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
            CountError: a method does not fit the workflow, it shows several pictures, a prompt has no boxes where others
                have some, or no server answers.
            PromptError: ComfyUI refused the workflow, or the run was cancelled.
        """
        workflows = {name: with_method(self.workflow, self.place, method) for name, method in methods.items()}
        values = {name: value for option, value in sampling.items() for name in _INPUTS[option]}
        drawn: list[str] = []
        if self.boxes is not None and (missing := {row.prompt for row in rows} - self.boxes.keys()):
            raise CountError(
                f"--boxes has none for {len(missing)} of the prompts, such as {min(missing)!r}: add a line for each to its file"
            )

        def draw(client: ComfyClient, row: PictureRow) -> None:
            prompt = filled(workflows[row.method], self.place, row.prompt, row.asked, row.seed, **values)
            if self.boxes is not None:
                prompt = with_boxes(prompt, self.boxes[row.prompt])
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
