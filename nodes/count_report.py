"""Node: Count Report."""

from __future__ import annotations

from comfy_api.latest import io

from ..bridge.comfyui.node_text import result_output, running_node
from ..bridge.comfyui.previews import image_preview
from ..bridge.report.report import METHODS, PROMPTS, ReportRequest, ReportSettings, count_report
from ._sampler_inputs import AS_IN_KSAMPLER, sampling_inputs
from ._types import counter_input

_DEFAULT = ReportSettings(seed=1, steps=20, cfg=8.0, sampler="euler", scheduler="normal")


class CountReport(io.ComfyNode):
    """Makes the same prompts from the same seeds without and with a method, counts, and says how sure the difference is."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadcountCountReport",
            display_name="Count Report",
            category="Headcount",
            description=(
                "Shows what a method does on your own model: makes 12 to 24 prompts without and with it, from the same seeds, "
                "counts, and gives the shares that are right with their intervals, as a table and as an image to share. A "
                "stopped report goes on where it was. It is as good as the counter."
            ),
            search_aliases=["count", "benchmark", "compare", "statistics", "evaluate", "proof", "headcount"],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
            inputs=[
                io.Model.Input(
                    "model", tooltip="The model as it is, with its LoRAs: makes the images without the method."
                ),
                io.Clip.Input("clip", tooltip="The model's text encoder."),
                io.Vae.Input("vae", tooltip="The model's own."),
                counter_input(
                    "counter",
                    tooltip="Counts every image, and is asked by the methods that count. It has to know the nouns.",
                ),
                io.Latent.Input("latent_image", tooltip="An empty latent: its size is that of the images."),
                io.Combo.Input(
                    "method",
                    options=list(METHODS),
                    default=_DEFAULT.method,
                    tooltip="What is compared to plain sampling. model_with: the model of the input of this name. Count Search "
                    "and Generate Until Right: these nodes at their best settings.",
                ),
                *_texts(),
                io.Int.Input(
                    "first_seed",  # the page would move one called seed on after each run
                    default=_DEFAULT.seed,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    tooltip="The seed of the first prompt; each further one has its own. The same seed continues the "
                    "same report.",
                ),
                *sampling_inputs(_DEFAULT, AS_IN_KSAMPLER)[:-1],
                io.String.Input(
                    "name",
                    default=_DEFAULT.name,
                    tooltip="The name of the folder in ComfyUI's output/headcount_reports that keeps the report and its "
                    "small images.",
                ),
                io.Model.Input(
                    "model_with",
                    optional=True,
                    tooltip="The model with what helps, such as MODEL of Count Control. All methods take it.",
                ),
                counter_input(
                    "judge",
                    tooltip="Another counter that judges all images, and that no method uses. Without it, counter "
                    "judges.",
                    optional=True,
                ),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def execute(
        cls, model, clip, vae, counter, latent_image, method, prompts, negative, first_seed, steps, cfg, sampler_name,
        scheduler, name, model_with=None, judge=None,
    ) -> io.NodeOutput:  # fmt: skip
        settings = ReportSettings(
            seed=first_seed, steps=steps, cfg=cfg, sampler=sampler_name, scheduler=scheduler, method=method, name=name
        )
        place, hidden = running_node(), cls.hidden
        request = ReportRequest(
            model=model, clip=clip, vae=vae, counter=counter, latent=latent_image, prompts=prompts, negative=negative,
            settings=settings, model_with=model_with, judge=judge, graph=None if hidden is None else hidden.prompt,
            node_id=None if place is None else place.id,
        )  # fmt: skip
        report = count_report(request)
        shown = {**image_preview(report.image, cls), **result_output(report.result, cls)}
        return io.NodeOutput(report.image, report.table, report.folder, ui=shown)


def _texts() -> list[io.Input]:
    return [
        io.String.Input(
            "prompts",
            multiline=True,
            default=PROMPTS,
            tooltip="One prompt a line, each with its numbers; 12 to 24 show a large difference, more a small one. Use "
            "nouns that the counter knows.",
        ),
        io.String.Input("negative", multiline=True, default="", tooltip="What the images should not show."),
    ]


def _outputs() -> list[io.Output]:
    return [
        io.Image.Output(display_name="IMAGE", tooltip="The report as one image: all pairs, the shares on top."),
        io.String.Output(display_name="table", tooltip="One line per prompt, then the shares and their intervals."),
        io.String.Output(display_name="folder", tooltip="Where the report and its small images are kept."),
    ]
