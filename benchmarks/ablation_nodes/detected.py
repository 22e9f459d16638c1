"""NUMINA's method *paper* with the layout of a detector in place of the attention's (the first row of Table 2).

A first video is sampled as it comes and decoded; the boxes that a counter gives in its frames are the instances, each frame's
are corrected to the counts as the paper corrects what attention shows, and the result guides a second video from the same
noise. The paper does not say how boxes become cells: here those whose middle lies in a box are its instance's.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from comfy.model_management import load_models_gpu
from comfy.patcher_extension import WrappersMP
from comfy_api.latest import io
from torch import Tensor

from . import pack

NODE_ID = "HeadcountNuminaDetected"
NAME = "NUMINA with a detector's layout"
_KEY = "headcount_numina_detected"


class NuminaDetected(io.ComfyNode):
    """Stands where NUMINA Count Guide stands."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id=NODE_ID,
            display_name=NAME,
            category="Headcount/Benchmarks",
            description="NUMINA Count Guide with method paper, its layout from the boxes of a counter in a first video.",
            inputs=[
                io.Model.Input("model"),
                io.Vae.Input("vae"),
                io.Custom("HEADCOUNT_COUNTER").Input(
                    "counter", tooltip="One that gives boxes, such as Detector Counter."
                ),
            ],
            outputs=[io.Model.Output()],
        )

    @classmethod
    def execute(cls, model, vae, counter) -> io.NodeOutput:
        """MODEL.

        Raises:
            CountError: the model is of a family whose attention cannot be guided.
        """
        families, numina = pack("bridge.families.table"), pack("bridge.numina.node")
        family = families.family_of(model, NAME, numina.GUIDED_FAMILIES)
        patched = model.clone()
        patched.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, _KEY, partial(_sample, family, vae, counter))
        return io.NodeOutput(patched)


def _sample(family, vae, counter, executor, guider, sigmas, extra_args, callback, noise, *rest):  # noqa: ANN001, ANN202
    """Both videos; ComfyUI's signature behind the first three."""
    plain = executor(guider, sigmas, extra_args, callback, noise.clone(), *rest)
    counted = pack("bridge.prompts.conditionings").counted_conditionings(guider.conds["positive"], NAME, family, None)
    if not counted:
        return plain
    settings, model = pack("bridge.numina.settings").NuminaSettings(method="paper"), guider.inner_model
    is_wan = family is pack("bridge.families.wan").WAN
    percent, by_noise = settings.reference_percent, settings.by_noise(is_wan)
    clock = pack("bridge.numina.clock").clock_of(model.model_sampling, sigmas, percent, by_noise, is_wan)
    frames = noise.shape[2] if noise.ndim > 4 else 1
    videos = [_frames_of(vae.decode(model.process_latent_out(one[None].float())), frames) for one in plain]
    grid = _grid_of(model.diffusion_model, noise)
    setup = pack("bridge.numina.settings").RunSetup(family, clock, settings, tuple(noise.shape))
    run = pack("bridge.numina.guided_run").GuidedRun(counted, setup)
    see = partial(detected_layouts, counter=counter, grid=grid, preset=settings.preset)
    layouts = [[see(video, one.counts.objects) for video in videos] for one in counted]
    prompts = zip(counted, layouts, strict=True)
    run.follow({one.conditioning["uuid"]: _guides(one, own, settings.preset) for one, own in prompts})
    load_models_gpu([guider.model_patcher])  # decoding and counting may have put it aside
    options = run.options(extra_args["model_options"])
    return executor(guider, sigmas, {**extra_args, "model_options": options}, callback, noise.clone(), *rest)


def _frames_of(video: Tensor, frames: int) -> Tensor:
    """(F, H, W, C) of a decoded video: one image for each frame of the latent, evenly spread from the first to the last."""
    images = video.reshape(-1, *video.shape[-3:])[..., :3]
    return images[torch.linspace(0, len(images) - 1, frames).round().long()]


def _grid_of(diffusion: Any, latent: Tensor) -> tuple[int, int]:
    """(h, w) of the attention in a frame; of the latent, where the model has no patches of one size."""
    patch = getattr(diffusion, "patch_size", 1)
    patch = patch if isinstance(patch, int) else patch[-1]
    return -(-latent.shape[-2] // patch), -(-latent.shape[-1] // patch)


def _guides(counted: Any, layouts: Sequence[Any], preset: Any) -> dict[int, Any]:
    """The guide of each item of the batch, by its layouts."""
    make = partial(pack("bridge.numina.guided_rows").PictureGuide, tokens=counted.target.tokens)
    length = counted.text_layout.length
    return {item: make(each, length=length, preset=preset, strength=1.0) for item, each in enumerate(layouts)}


def detected_layouts(images: Tensor, objects: Sequence[Any], counter: Any, grid: tuple[int, int], preset: Any) -> Any:
    """`Layouts` of what a counter sees in the frames of a video, each corrected as the paper does.

    Args:
        images: (F, H, W, 3).
        objects: of the prompt, K of them.
        grid: (h, w) of the layouts.

    Raises:
        CountError: the counter gives no boxes.
    """
    found = counter.count(images, [item.noun for item in objects])
    if found.boxes is None:
        raise pack("core.errors").CountError(
            f"{NAME} needs boxes, and this counter gives none: connect Detector Counter or SAM3 Counter"
        )
    size = images.shape[1], images.shape[2]
    counting = pack("core.counting")
    seen = counting.read_boxes(list(found.boxes), len(images))
    frames = [counting.boxes_by_noun(boxes, found.nouns)[:-1] for boxes in seen]
    nouns = [torch.stack([_cells(boxes, size, grid) for boxes in own]) for own in zip(*frames, strict=True)]
    numina, published = pack("core.numina"), preset.layout.published
    after = torch.stack(
        [numina.refine_frames(own, item.count, published) for own, item in zip(nouns, objects, strict=True)]
    )
    before, asked = torch.stack(nouns), tuple(item.count for item in objects)
    heads = torch.full((len(images),), numina.AVERAGED)
    return numina.Layouts(before, after, before.amax((-1, -2)).long(), asked, heads, grid)


def _cells(boxes: Sequence[Any], size: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """(h, w) int16: 0 background, 1 to 99 instances; a cell of two boxes is that of the first."""
    height, width = size
    cells, unit_box = torch.zeros(grid, dtype=torch.int16), pack("core.counting").UnitBox
    for number, box in reversed(list(enumerate(boxes[: pack("core.numina").MAX_INSTANCES], 1))):
        right, bottom = box.x + box.width, box.y + box.height
        cells[unit_box(box.x / width, box.y / height, right / width, bottom / height).cells(grid)] = number
    return cells
