"""Node: Attention Map Recorder."""

from __future__ import annotations

from comfy_api.latest import io

from ..bridge.recording.recorder import with_recorder
from ._types import MapsType, counts_input


class AttentionMapRecorder(io.ComfyNode):
    """Records where words and pixels look, and changes nothing."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadcountAttentionMapRecorder",
            display_name="Attention Map Recorder",
            category="Headcount",
            description=(
                "Records, while the image or video forms, which parts of it attend to each word of the prompt, and which "
                "pixels belong together. The result stays exactly the same. Put it between the model and the sampler, and "
                "connect MAPS to Attention Map Viewer or Object Masks."
            ),
            search_aliases=["attention", "heatmap", "daam", "cross attention", "headcount"],
            inputs=[
                io.Model.Input("model", tooltip="The model to watch."),
                counts_input(),
            ],
            outputs=[
                io.Model.Output(display_name="MODEL", tooltip="The same model, recorded; for any sampler."),
                MapsType.Output(
                    display_name="MAPS", tooltip="What the model attended to, for the viewer and Object Masks."
                ),
            ],
        )

    @classmethod
    def execute(cls, model, counts=None) -> io.NodeOutput:  # noqa: ANN001 - ComfyUI's
        return io.NodeOutput(*with_recorder(model, counts))
