"""A custom node for a test server: core's own RT-DETR and SAM3 classes, small and with random weights.

It lies in the server's custom_nodes and knows nothing of this pack; only the sizes of the models are its own.
"""

from __future__ import annotations

import comfy.model_patcher
import comfy.sd
import comfy.supported_models
import comfy.supported_models_base
import comfy.text_encoders.sam3_clip as sam3_clip
import torch
from comfy.ldm.sam3.tracker import pack_masks
from comfy_api.latest import ComfyExtension, io

CPU = torch.device("cpu")
WIDTH = 64  # of SAM3's image and text encoders
SAM3_SIZES = {
    **{"embed_dim": WIDTH, "depth": 2, "num_heads": 4, "global_att_blocks": (1,), "d_model": WIDTH, "num_queries": 12},
    **{"patch_size": 56, "window_size": 6},  # 18 x 18 cells instead of 72 x 72
}
SAM3_TEXT_SIZES = {"hidden_size": WIDTH, "intermediate_size": WIDTH, "num_attention_heads": 4, "num_hidden_layers": 1}
SAM3_FULL_TEXT_SIZES = {size: sam3_clip.SAM3_CLIP_CONFIG[size] for size in SAM3_TEXT_SIZES}
RT_DETR_SIZES = {"enc_h": 32, "dec_h": 32, "enc_ff": 64, "dec_ff": 64, "num_queries": 20}


def _loaded(
    config: type[comfy.supported_models_base.BASE], sizes: dict[str, object]
) -> comfy.model_patcher.ModelPatcher:
    """A model of core's with weights drawn anew, as a loader of core's hands it on."""
    settings = config({**config.unet_config, **sizes})
    settings.set_inference_dtype(torch.float32, torch.float32)
    model = settings.get_model({}, device=CPU)
    _draw(model)
    model.eval()
    return comfy.model_patcher.ModelPatcher(model, CPU, CPU)


def _draw(model: torch.nn.Module) -> None:
    """New weights: core leaves them undrawn until a file is loaded."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if weights.ndim > 1:
                weights.copy_(torch.randn(weights.shape, generator=generator) / weights[0].numel() ** 0.5)
            elif name.endswith(("weight", "bias")):  # the others have values of their own
                weights.fill_(float(name.endswith("weight")))


class RandomRtDetr(io.ComfyNode):
    """Core's RT-DETR, untrained."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(node_id="TestRandomRtDetr", category="test", inputs=[], outputs=[io.Model.Output()])

    @classmethod
    def execute(cls) -> io.NodeOutput:
        return io.NodeOutput(_loaded(comfy.supported_models.RT_DETR_v4, RT_DETR_SIZES))


class RandomSam3(io.ComfyNode):
    """Core's SAM3 with its own tokenizer and text encoder, untrained."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs = [io.Boolean.Input("full_size", default=False, optional=True)]
        outputs = [io.Model.Output(), io.Clip.Output()]
        return io.Schema(node_id="TestRandomSam3", category="test", inputs=inputs, outputs=outputs)

    @classmethod
    def execute(cls, full_size: bool = False) -> io.NodeOutput:
        return io.NodeOutput(*untrained_sam3(full_size=full_size))


def untrained_sam3(
    kind: type[comfy.supported_models.SAM3] = comfy.supported_models.SAM3, full_size: bool = False
) -> tuple[comfy.model_patcher.ModelPatcher, comfy.sd.CLIP]:
    """MODEL and CLIP of SAM3, or of SAM3.1."""
    sam3_clip.SAM3_CLIP_CONFIG.update(SAM3_FULL_TEXT_SIZES if full_size else SAM3_TEXT_SIZES)
    clip = comfy.sd.CLIP(kind(kind.unet_config).clip_target(), parameters=1, model_options={"dtype": torch.float32})
    _draw(clip.cond_stage_model)
    return _loaded(kind, {} if full_size else SAM3_SIZES), clip


class Tracks(io.ComfyNode):
    """What core's SAM3 Video Track gives, as asked: its tracker alone, at its fixed size, takes minutes a frame on a CPU."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        inputs = [io.String.Input("frames", tooltip="Per frame, the objects in it: '0,1;0;1'.")]
        outputs = [io.Custom("SAM3_TRACK_DATA").Output()]
        return io.Schema(node_id="TestTracks", category="test", inputs=inputs, outputs=outputs)

    @classmethod
    def execute(cls, frames: str) -> io.NodeOutput:
        present = [[int(one) for one in frame.split(",") if one] for frame in frames.split(";")]
        masks = torch.full((len(present), 1 + max(map(max, filter(None, present))), 72, 72), -1.0)
        for frame, objects in enumerate(present):
            for at in objects:
                masks[frame, at, 9 * at : 9 * at + 8, frame : frame + 18] = 1
        packed, scores = torch.stack([pack_masks(one) for one in masks]), [0.9] * masks.shape[1]
        return io.NodeOutput(
            {"packed_masks": packed, "n_frames": len(masks), "scores": scores, "orig_size": (144, 144)}
        )


class Detectors(ComfyExtension):
    """All of them."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [RandomRtDetr, RandomSam3, Tracks]


async def comfy_entrypoint() -> Detectors:
    """What ComfyUI asks a pack for."""
    return Detectors()
