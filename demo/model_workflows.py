"""The example workflows for well-known picture models, each with the file that ComfyUI's own templates offer for it.

Sizes, steps, cfg, samplers and addresses are those of ComfyUI's templates (comfyui-workflow-templates 0.7.25).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .workflow_file import NOTE, Group, Placed
from .workflow_parts import BLUE, GREY, PROMPTS, PURPLE, Sampling, read_prompt, side_by_side
from .workflow_views import FOUND_AND_AIMED_AT, isac_views, layout_view

_HUB = "https://huggingface.co"
_PROMPT = "a photo of three cats and two dogs sitting side by side on a red sofa in a bright living room"
_NEGATIVE = "blurry, deformed, text, watermark"


@dataclass(frozen=True)
class PictureModel:
    """A model in one file, and how ComfyUI's template samples from it.

    Attributes:
        name: what people call it.
        file: the address of its checkpoint.
        latent: the node that makes the empty latent.
        widgets: of KSampler: steps, cfg, sampler, scheduler.
        size: width and height in pixels.
        pictures: how many are drawn at once.
        negative: the negative prompt.
        guidance: of a model that was distilled with guidance and takes it as a number; None for others.
        remark: what an artist should know of this model, added to the note.
        isac_remark: the same for its workflow with ISAC alone, behind `remark`.
        numina_remark: the same for its workflow with NUMINA alone.
    """

    name: str
    file: str
    latent: str
    widgets: dict[str, Any]
    size: int
    pictures: int
    negative: str = _NEGATIVE
    guidance: float | None = None
    remark: str = ""
    isac_remark: str = ""
    numina_remark: str = ""


def _widgets(steps: int, cfg: float, scheduler: str) -> dict[str, Any]:
    return {"seed": 1, "steps": steps, "cfg": cfg, "sampler_name": "euler", "scheduler": scheduler}


SD15 = PictureModel(
    *(
        "Stable Diffusion 1.5",
        f"{_HUB}/Comfy-Org/stable-diffusion-v1-5-archive/resolve/main/v1-5-pruned-emaonly-fp16.safetensors",
    ),
    *("EmptyLatentImage", _widgets(20, 8.0, "normal"), 512, 4),
)
SDXL = PictureModel(
    *("SDXL", f"{_HUB}/stabilityai/stable-diffusion-xl-base-1.0/resolve/main/sd_xl_base_1.0.safetensors"),
    *("EmptyLatentImage", _widgets(25, 8.0, "normal"), 1024, 2),
)
SD35 = PictureModel(
    "Stable Diffusion 3.5 Large",
    f"{_HUB}/Comfy-Org/stable-diffusion-3.5-fp8/resolve/main/sd3.5_large_fp8_scaled.safetensors",
    *("EmptySD3LatentImage", _widgets(20, 4.0, "sgm_uniform"), 1024, 1),
    negative="",
    remark="The file has its text encoders in it. **3.5 Medium** works in the same graph, from a file that has them too.",
)
FLUX = PictureModel(
    "Flux 1 Dev",
    f"{_HUB}/Comfy-Org/flux1-dev/resolve/main/flux1-dev-fp8.safetensors",
    *("EmptySD3LatentImage", _widgets(20, 1.0, "simple"), 1024, 1),
    negative="",
    guidance=3.5,
    remark="""Flux takes its guidance from *FluxGuidance*, behind Count Prompt; cfg stays 1, the negative prompt is not used. \
The counts go through *FluxGuidance* with the CONDITIONING.""",
    isac_remark=" For **Schnell** choose its checkpoint, 4 steps and mode *exact*.",
    numina_remark=""" For **Schnell** choose its checkpoint and 4 steps: with reference_percent 0.4 \
the layout is then read in the third step.""",
)

_ISAC_NOTE = """# The right number of things, with {name}

1. The page offers the missing file when this workflow is opened.
2. Write into **Count Prompt** what you want, with numbers: *three cats and two dogs*.
3. Press **Run**. Both rows start from the same noise: the model as it is, and with *ISAC Attention Control*.

**mode** is *fast* here: the first 40 % of the steps are steered. *exact* steers them all and takes longer. Turn **strength** \
down when pictures look overdone, up when the count stays wrong; change the **seed** in both samplers alike.

When memory runs short, set **memory** to *low*, draw one picture at a time, or use *ISAC Latent Selection*, which needs \
no gradient.

{remark}

ISAC's effect was measured on the Shapes demo model, not on this one. It helps often, not always."""

_NUMINA_NOTE = """# The right number of things, with {name}

1. The page offers the missing file when this workflow is opened.
2. Write into **Count Prompt** what you want, with numbers: *three cats and two dogs*.
3. Press **Run**. Both rows start from the same noise: the model as it is, and with *NUMINA Count Guide*.

The guide looks, 40 % of the way, how many of each thing are about to appear. Where that is right, the run goes on and costs \
nothing more. If not, it starts again with the layout put right. No gradient is taken, so it needs little memory.

{remark}

The guide's effect was measured on the Shapes demo model, not on this one. It helps often, not always."""


def _loaded(model: PictureModel) -> tuple[Placed, ...]:
    """Model, prompts, empty latent."""
    clip = {"clip": ("model", "CLIP")}
    unused = "Negative prompt (empty)" if model.negative == "" else "Negative prompt"
    size = {"width": model.size, "height": model.size, "batch_size": model.pictures}
    guidance = Placed(
        "guidance", "FluxGuidance", {"conditioning": ("prompt", "CONDITIONING")}, {"guidance": model.guidance}
    )
    return (
        Placed(
            *("model", "CheckpointLoaderSimple", {}, {"ckpt_name": model.file.split("/")[-1]}),
            files=(model.file,),
            folder="checkpoints",
        ),
        Placed("prompt", "HeadcountCountPrompt", clip, {"text": _PROMPT}),
        read_prompt(),
        *([guidance] if model.guidance is not None else []),
        Placed("negative", "CLIPTextEncode", clip, {"text": model.negative}, unused),
        Placed("latent", model.latent, {}, size),
    )


def _sampling(model: PictureModel) -> Sampling:
    guided = {"positive": ("guidance", "CONDITIONING")} if model.guidance is not None else {}
    return Sampling(model.widgets, {**PROMPTS, **guided})


def _start(model: PictureModel, note: str, remark: str) -> tuple[Group, Group]:
    text = note.format(name=model.name, remark=model.remark + remark).replace("\n\n\n\n", "\n\n")
    placed = Placed("note", NOTE, widgets={"text": text}, title="What to do", extra_height=480)
    return Group("Start here", GREY, (0, 0), ((380, (placed,)),)), Group(
        model.name, BLUE, (440, 0), ((380, _loaded(model)),)
    )


def _with_isac(model: PictureModel, file: str) -> tuple[Group, ...]:
    isac = Placed("isac", "HeadcountIsacAttentionControl", {"model": ("model", "MODEL")}, {"mode": "fast"})
    return (
        *_start(model, _ISAC_NOTE, model.isac_remark),
        *side_by_side("isac", isac, "ISAC", file, _sampling(model)),
        isac_views(),
    )


def sd15_isac() -> tuple[Group, ...]:
    """Stable Diffusion 1.5, the same noise without and with ISAC."""
    return _with_isac(SD15, "sd15_isac")


def sdxl_isac() -> tuple[Group, ...]:
    """SDXL, the same noise without and with ISAC."""
    return _with_isac(SDXL, "sdxl_isac")


def sd35_isac() -> tuple[Group, ...]:
    """Stable Diffusion 3.5 Large, the same noise without and with ISAC."""
    return _with_isac(SD35, "sd35_isac")


def flux_isac() -> tuple[Group, ...]:
    """Flux 1 Dev, the same noise without and with ISAC."""
    return _with_isac(FLUX, "flux_isac")


def flux_numina() -> tuple[Group, ...]:
    """Flux 1 Dev, the same noise without and with NUMINA."""
    guide = Placed("guide", "HeadcountNuminaCountGuide", {"model": ("model", "MODEL")})
    return (
        *_start(FLUX, _NUMINA_NOTE, FLUX.numina_remark),
        *side_by_side("guided", guide, "the guide", "flux_numina", _sampling(FLUX)),
        Group(
            *(FOUND_AND_AIMED_AT, PURPLE, (2090, 0)),
            ((420, layout_view("guide", "guided_sampler", "guided_decode")),),
        ),
    )
