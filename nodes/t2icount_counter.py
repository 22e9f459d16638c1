"""Node: T2ICount Counter."""

from __future__ import annotations

from comfy_api.latest import io

from ..bridge.comfyui.node_text import result_output
from ..bridge.comfyui.previews import image_preview
from ..bridge.t2icount.node_results import count_in_pictures
from ..core.t2icount.counting import SCALES, SHORT_SIDE, CountSettings
from ._types import BoxesType, CountedType, CountsType, counter_input

_FEATURES, _ATTENTION = "features", "attention"
_ORDER = "All nouns of the first image, then of the second, and so on."


class T2ICountCounter(io.ComfyNode):
    """Counts the things that a text names."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadcountT2ICountCounter",
            display_name="Object Counter (T2ICount)",
            category="Headcount",
            description=(
                "Counts the objects that a text names in every image of a batch, and marks them. T2ICount adds up a density "
                "rather than finding boxes, so it also counts crowds, and its counts have decimals; with any other COUNTER "
                "connected, that one counts."
            ),
            search_aliases=[
                "t2icount counter",
                "count objects",
                "how many",
                "number of objects",
                "density",
                "t2icount",
                "headcount",
            ],
            is_output_node=True,
            inputs=[
                counter_input(
                    "t2icount", display_name="counter", tooltip="T2ICOUNT of Load T2ICount Model, or any COUNTER."
                ),
                io.Image.Input("image", tooltip="The images to count in."),
                *_counting_inputs(),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def execute(cls, t2icount, image, text, scale, counts=None, stride=0, similarity_from=_FEATURES) -> io.NodeOutput:
        settings = CountSettings(scale=scale, stride=stride or None, attention=similarity_from == _ATTENTION)
        results = count_in_pictures(t2icount, image, text, counts, settings)
        shown = {**image_preview(results.overlays, cls), **result_output(results.result, cls)}
        return io.NodeOutput(
            results.rounded, results.numbers, results.density, results.overlays, results.similarity, results.boxes,
            results.counted, results.table, results.masks, ui=shown,
        )  # fmt: skip


def _counting_inputs() -> list[io.Input]:
    return [
        io.String.Input(
            "text",
            default="",
            multiline=True,
            placeholder="cats, dogs",
            tooltip="Plain nouns in the plural, separated by commas or lines: 'cats, dogs'. Sentences make it count "
            "badly. Empty: the objects that COUNTS asks for.",
        ),
        io.Combo.Input(
            "scale",
            options=list(SCALES),
            default=SHORT_SIDE,
            tooltip="short side: the image is scaled so that its shorter side is one window, as the authors do with "
            "photos. native: counted at its own size in many windows, slower; for many very small objects.",
        ),
        CountsType.Input(
            "counts", optional=True, tooltip="COUNTS of Count Prompt: its nouns are counted when text is empty."
        ),
        io.Int.Input(
            "stride",
            default=0,
            min=0,
            max=4096,
            optional=True,
            tooltip="Pixels from one window to the next. 0: side by side, as published. Less than a window (384 pixels "
            "with the authors' model): they overlap, which softens their borders and takes more passes.",
            advanced=True,
        ),
        io.Combo.Input(
            "similarity_from",
            options=[_FEATURES, _ATTENTION],
            default=_FEATURES,
            optional=True,
            tooltip="What the output similarity shows. features: how much a place looks like the noun to the counter. "
            "attention: where the cross-attention of the diffusion model looks at the noun, each window for itself.",
            advanced=True,
        ),
    ]


def _outputs() -> list[io.Output]:
    return [
        io.Int.Output(
            display_name="count", is_output_list=True, tooltip=f"Whole numbers, a list. {_ORDER} Halves go up."
        ),
        io.Float.Output(display_name="exact count", is_output_list=True, tooltip="The same, with decimals."),
        io.Mask.Output(display_name="density", tooltip=f"Objects per pixel; a mask's sum is the count. {_ORDER}"),
        io.Image.Output(display_name="overlay", tooltip=f"The images with what was counted on them. {_ORDER}"),
        io.Mask.Output(
            display_name="similarity",
            tooltip=f"How much each place looks like the noun to the model, 0 to 1. {_ORDER}",
        ),
        BoxesType.Output(
            display_name="boxes",
            tooltip="Per image, a small box around the middle of each object, with its noun as label, and as score "
            "how much that place looks like the noun, 0 to 1.",
        ),
        CountedType.Output(display_name="COUNTED", tooltip="For Count Check and Count Search Pick."),
        io.String.Output(display_name="table", tooltip="What was counted, one line per image."),
        io.Mask.Output(
            display_name="object masks",
            tooltip="A mask of each object, in the order of boxes, of a counter that gives masks, such as SAM3 "
            "Counter. One empty mask where there is none.",
        ),
    ]
