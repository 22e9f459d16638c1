"""Node: Detector Counter."""

from __future__ import annotations

from comfy_api.latest import io

from ..bridge.counters.detector import PRECISIONS, detector_counter
from ..bridge.counters.detector_files import FOLDER, detector_names, detector_state
from ._detection_inputs import detection_inputs
from ._types import CounterType


class DetectorCounterNode(io.ComfyNode):
    """Makes a counter of a zero-shot detector of the transformers library."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadcountDetectorCounter",
            display_name="Detector Counter",
            category="Headcount",
            description=(
                "A counter for photos and generated images: a detector that finds what a text names, such as Grounding DINO, "
                f"LLMDet, OWLv2 or OmDet-Turbo. Put all files of one into a folder of its own in models/{FOLDER}; nothing is "
                "downloaded. Connect COUNTER to Object Counter, Count Search or any node with a counter input."
            ),
            search_aliases=["count", "grounding dino", "owl", "omdet", "llmdet", "transformers", "headcount"],
            inputs=[
                io.Combo.Input(
                    "detector",
                    options=detector_names(),
                    tooltip=f"A folder in models/{FOLDER} with config.json, model.safetensors and the files of its processor.",
                ),
                *detection_inputs(
                    0.3,
                    "Minimum score of an object. Grounding DINO, LLMDet and OmDet-Turbo: about 0.3; OWLv2: 0.2. Lower it "
                    "when objects are missed, raise it when it counts objects that are not there.",
                ),
                io.Combo.Input(
                    "precision",
                    options=list(PRECISIONS),
                    default="fp32",
                    tooltip="bf16 and fp16 take half the memory; scores change a little.",
                    advanced=True,
                ),
            ],
            outputs=[
                CounterType.Output(
                    display_name="COUNTER",
                    tooltip="For Object Counter, Count Search and every other input for a counter. It can be asked for 'red "
                    "cats' as well as for 'cats'.",
                )
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, detector, **settings) -> str:  # noqa: ANN001, ANN003 - ComfyUI's
        return detector_state(detector)

    @classmethod
    def execute(cls, detector, threshold, merge_overlap, tiles, precision) -> io.NodeOutput:  # noqa: ANN001 - ComfyUI's
        return io.NodeOutput(
            detector_counter(
                detector, threshold=threshold, merge_overlap=merge_overlap, tiles=tiles, precision=precision
            )
        )
