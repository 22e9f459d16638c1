"""Node: Load T2ICount Model."""

from __future__ import annotations

from comfy_api.latest import io

from ..bridge.t2icount.files import file_state, model_files
from ..bridge.t2icount.loaded import PRECISIONS, load_counter
from ._types import T2ICountType


class LoadT2ICountModel(io.ComfyNode):
    """Loads a network that counts what a text names."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadcountLoadT2ICountModel",
            display_name="Load T2ICount Model",
            category="Headcount",
            description=(
                "Loads a T2ICount model, which counts the objects that a text names. Put best_model_paper.pth, from the "
                "page of the T2ICount authors (github.com/cha15yq/T2ICount), into models/t2icount; its authors state no "
                "licence. shapes_counter.safetensors comes with Headcount and counts only the shapes of the Shapes demo "
                "model."
            ),
            search_aliases=["counter", "count objects", "counting", "t2icount", "headcount"],
            inputs=[
                io.Combo.Input(
                    "model_name",
                    options=model_files(),
                    tooltip="A file of models/t2icount: the authors' best_model_paper.pth, a checkpoint of your own training, "
                    "or shapes_counter.safetensors for the Shapes demo model.",
                ),
                io.Combo.Input(
                    "precision",
                    options=list(PRECISIONS),
                    default="fp32",
                    tooltip="Only fp32 gives the numbers of the authors. bf16 and fp16 halve the 4.3 GB of the authors' "
                    "model, and counts change a little; fp16 can fail.",
                    advanced=True,
                ),
            ],
            outputs=[T2ICountType.Output(display_name="T2ICOUNT", tooltip="For Object Counter and Count Search.")],
        )

    @classmethod
    def fingerprint_inputs(cls, model_name, precision) -> str:  # noqa: ANN001 - ComfyUI's
        return file_state(model_name)

    @classmethod
    def execute(cls, model_name, precision) -> io.NodeOutput:  # noqa: ANN001 - ComfyUI's
        return io.NodeOutput(load_counter(model_name, precision))
