"""One small model with random weights for every video architecture that the pack reads, made of ComfyUI's own classes."""

from __future__ import annotations

import atexit
from dataclasses import dataclass
from functools import cache
from typing import Any

import comfy.ops
import comfy.supported_models as supported
import torch
from comfy.ldm.anima.model import LLMAdapter

from benchmarks.lab import models as lab

from .families import POOLED, POOLED_TEXT, T5, WIDTH, Options, Small, Text, TextOf, build
from .models import Setup

VISION = 16
PICTURES = 5  # tokens of a start picture


def _anima_text(generator: torch.Generator, side: int) -> Text:
    """Qwen's features, and the ids and weights of T5's tokens."""
    text, options = TextOf(9)(generator, side)
    return text, {**options, "t5xxl_ids": torch.arange(7, dtype=torch.int) + 10 * side, "t5xxl_weights": torch.ones(7)}


def _with_small_adapter(anima: Any) -> None:
    size = {"source_dim": WIDTH, "target_dim": WIDTH, "model_dim": WIDTH, "num_layers": 1, "num_heads": 2}
    adapter = LLMAdapter(**size, dtype=torch.float32, operations=comfy.ops.disable_weight_init)

    def weigh_words(loaded: Any, _: Any) -> None:
        loaded.embed.weight.mul_(20)  # as in trained models a word's own embedding says more than its neighbours'

    adapter.register_load_state_dict_post_hook(weigh_words)
    anima.llm_adapter = adapter


def _both(blocks: int) -> tuple[tuple[str, str], ...]:
    return tuple((f"block.{index}", kind) for index in range(blocks) for kind in ("self", "cross"))


@dataclass(frozen=True)
class SmallVideo(Small):
    """A small model that makes videos.

    Attributes:
        frames: F, that the model's tokens have.
        calls: (layer, kind) of the attention calls that are read of one model call, in order.
        unread: how many of its attention calls are not read.
        frame_patch: how many frames of the latent a token stands for.
    """

    grid: tuple[int, int] = (4, 6)
    frames: int = 3
    calls: tuple[tuple[str, str], ...] = _both(2)
    unread: int = 0
    frame_patch: int = 1

    @property
    def tokens(self) -> int:
        """F * h * w."""
        return self.frames * self.grid[0] * self.grid[1]


WAN = {
    **lab.WAN,
    "dim": 48,
    "ffn_dim": 64,
    "num_heads": 4,
    "num_layers": 2,
    "text_dim": WIDTH,
    "freq_dim": 32,
}
HUNYUAN = {
    "image_model": "hunyuan_video",
    "in_channels": 16,
    "out_channels": 16,
    "vec_in_dim": POOLED,
    "context_in_dim": WIDTH,
    "hidden_size": 48,
    "mlp_ratio": 2.0,
    "num_heads": 2,
    "depth": 2,
    "depth_single_blocks": 1,
    "axes_dim": [8, 8, 8],
    "theta": 256,
    "patch_size": [1, 2, 2],
    "qkv_bias": True,
    "guidance_embed": True,
    "use_cond_type_embedding": False,
    "vision_in_dim": None,
    "byt5": False,
    "meanflow": False,
    "meanflow_sum": False,
}
HUNYUAN_15 = {
    **HUNYUAN,
    "in_channels": 65,
    "out_channels": 32,
    "vec_in_dim": None,
    "patch_size": [1, 1, 1],
    "guidance_embed": False,
    "depth_single_blocks": 0,
    "use_cond_type_embedding": True,
    "vision_in_dim": VISION,
    "byt5": True,
}
HUNYUAN_IMAGE = {
    **HUNYUAN,
    "in_channels": 64,
    "out_channels": 64,
    "vec_in_dim": None,
    "patch_size": [1, 1],
    "axes_dim": [12, 12],
    "byt5": True,
}
HUNYUAN_CALLS = (("double.0", "joint"), ("double.1", "joint"), ("single.0", "joint"))
LTX = {
    "image_model": "ltxv",
    "in_channels": 128,
    "cross_attention_dim": 48,
    "attention_head_dim": 24,
    "num_attention_heads": 2,
    "caption_channels": WIDTH,
    "num_layers": 2,
}
LTX_2 = {
    **LTX,
    "image_model": "ltxav",
    "audio_cross_attention_dim": 48,
    "audio_attention_head_dim": 24,
    "audio_num_attention_heads": 2,
    "connector_attention_head_dim": WIDTH // 2,
    "connector_num_attention_heads": 2,
    "connector_num_layers": 1,
}
LTX_23 = {
    **LTX_2,
    "caption_proj_before_connector": True,
    "caption_projection_first_linear": False,
    "cross_attention_adaln": True,
    "apply_gated_attention": True,
    "connector_apply_gated_attention": True,
    "connector_attention_head_dim": 24,
}
MINIMAX = {
    "image_model": "minimax_h3",
    "hidden_size": 48,
    "num_layers": 2,
    "token_refiner_num_layers": 1,
    "num_attention_heads": 2,
    "attention_head_dim": 96,  # its positions take as many channels as the real one's
    "ffn_hidden_size": 64,
    "text_dim": WIDTH,
    "timestep_input_dim": 32,
    "time_embed_hidden_size": 48,
    "time_embed_dim": 24,
}
MOCHI = {
    "image_model": "mochi_preview",
    "depth": 2,
    "patch_size": 2,
    "num_heads": 2,
    "hidden_size_x": 48,
    "hidden_size_y": 24,
    "mlp_ratio_x": 256.0,  # ComfyUI's block insists on the width of the real one's MLP
    "mlp_ratio_y": 2.0,
    "learn_sigma": False,
    "in_channels": 12,
    "qk_norm": True,
    "qkv_bias": False,
    "out_bias": True,
    "patch_embed_bias": True,
    "timestep_mlp_bias": True,
    "attend_to_padding": False,
    "timestep_scale": 1000.0,
    "use_t5": True,
    "t5_feat_dim": WIDTH,
    "t5_token_length": 9,
    "rope_theta": 10000.0,
}
COGVIDEOX = {
    "image_model": "cogvideox",
    "num_attention_heads": 2,
    "attention_head_dim": 16,
    "in_channels": 16,
    "out_channels": 16,
    "time_embed_dim": 24,
    "text_embed_dim": WIDTH,
    "num_layers": 2,
    "use_rotary_positional_embeddings": True,
}
COSMOS = {
    "image_model": "cosmos",
    "max_img_h": 32,
    "max_img_w": 32,
    "max_frames": 16,
    "in_channels": 16,
    "out_channels": 16,
    "patch_spatial": 2,
    "patch_temporal": 1,
    "model_channels": 48,
    "num_blocks": 2,
    "num_heads": 2,
    "block_config": "FA-CA-MLP",
    "concat_padding_mask": True,
    "crossattn_emb_channels": WIDTH,
    "pos_emb_cls": "rope3d",
    "pos_emb_interpolation": "crop",
    "block_x_format": "THWBD",
    "affline_emb_norm": True,
    "use_adaln_lora": True,
    "adaln_lora_dim": 8,
    "extra_per_block_abs_pos_emb": True,
    "extra_per_block_abs_pos_emb_type": "learnable",
}
PREDICT2 = {
    **{key: COSMOS[key] for key in COSMOS if key not in ("block_config", "block_x_format", "affline_emb_norm")},
    "image_model": "cosmos_predict2",
    "extra_per_block_abs_pos_emb": False,
}
del PREDICT2["extra_per_block_abs_pos_emb_type"]

ANIMA = {**PREDICT2, "image_model": "anima"}

UMT5, LLAMA = {"umt5xxl": 7}, {"l": 5, "llama": 7 + 95}
ODD, EVEN, CELLS = (16, 3, 7, 12), (16, 3, 8, 12), (128, 3, 4, 6)
PICTURE_TEXT = TextOf(pictures=(PICTURES, 1280))
QWEN_VL = {"qwen25_7b": 7 + 98}
OF_PICTURES: Options = {"text": PICTURE_TEXT, "unread": 2}
OF_HUNYUAN: Options = {"text": POOLED_TEXT, "start": 95, "calls": HUNYUAN_CALLS, "unread": 2}
OF_HUNYUAN_15: Options = {
    "text": TextOf(pooled=True, pictures=(PICTURES, VISION), lettering=3),
    "start": 98,
    "calls": HUNYUAN_CALLS[:2],
    "unread": 2,
}
OF_LTX_2, OF_LTX_23 = (TextOf(width=width, more={"unprocessed_ltxav_embeds": True}) for width in (WIDTH, 48 + 48))
SOUND: Options = {"text_length": 1024, "sound": (8, 5, 16), "unread": 8}

VIDEOS = (
    SmallVideo("Wan 2.1", supported.WAN21_T2V, WAN, UMT5, ODD),
    SmallVideo(
        "Wan 2.1 image to video",
        supported.WAN21_I2V,
        {**WAN, "model_type": "i2v", "in_dim": 36},
        UMT5,
        EVEN,
        **OF_PICTURES,
    ),
    SmallVideo(
        "Wan 2.1 VACE",
        supported.WAN21_Vace,
        {**WAN, "model_type": "vace", "num_layers": 4, "vace_layers": 2, "vace_in_dim": 96},
        UMT5,
        EVEN,
        calls=_both(4),
        unread=4,
    ),
    SmallVideo(
        "Wan 2.1 Fun",
        supported.WAN21_FunControl2V,
        {**WAN, "model_type": "i2v", "in_dim": 48, "in_dim_ref_conv": 16},
        UMT5,
        EVEN,
        **OF_PICTURES,
    ),
    SmallVideo(
        "Wan 2.1 camera",
        supported.WAN21_Camera,
        {**WAN, "model_type": "camera", "in_dim": 32},
        UMT5,
        EVEN,
        **OF_PICTURES,
    ),
    SmallVideo("Wan 2.2 5B", supported.WAN22_T2V, {**WAN, "in_dim": 48, "out_dim": 48}, UMT5, (48, 3, 7, 12)),
    SmallVideo(
        "Wan 2.2 Animate",
        supported.WAN22_Animate,
        {**WAN, "model_type": "animate", "in_dim": 36, "num_layers": 5},
        UMT5,
        EVEN,
        text=PICTURE_TEXT,
        calls=_both(5),
        unread=5,
    ),
    SmallVideo(
        "Wan 2.1 SCAIL", supported.WAN21_SCAIL, {**WAN, "model_type": "scail", "in_dim": 20}, UMT5, EVEN, **OF_PICTURES
    ),
    SmallVideo(
        "Wan 2.1 SCAIL 2",
        supported.WAN21_SCAIL2,
        {**WAN, "model_type": "scail2", "in_dim": 20},
        UMT5,
        EVEN,
        **OF_PICTURES,
    ),
    SmallVideo("Wan 2.1 HuMo", supported.WAN21_HuMo, {**WAN, "model_type": "humo", "in_dim": 36}, UMT5, EVEN),
    SmallVideo("Wan 2.2 S2V", supported.WAN22_S2V, {**WAN, "model_type": "s2v"}, UMT5, EVEN),
    SmallVideo("HunyuanVideo 1", supported.HunyuanVideo, HUNYUAN, LLAMA, EVEN, **OF_HUNYUAN),
    SmallVideo("HunyuanVideo 1.5", supported.HunyuanVideo15, HUNYUAN_15, QWEN_VL, (32, 3, 4, 6), **OF_HUNYUAN_15),
    SmallVideo(
        "HunyuanImage 2.1",
        supported.HunyuanImage21,
        HUNYUAN_IMAGE,
        {"qwen25_7b": 7 + 34},
        (64, 4, 6),
        text=TextOf(pooled=True, lettering=3),
        start=34,
        frames=1,
        calls=HUNYUAN_CALLS,
        unread=2,
    ),
    SmallVideo("LTX-Video", supported.LTXV, LTX, T5, CELLS, text=TextOf(read=6)),
    SmallVideo("LTX-2", supported.LTXAV, LTX_2, {"gemma3_12b": 7}, CELLS, text=OF_LTX_2, **SOUND),
    SmallVideo("LTX-2.3", supported.LTXAV, LTX_23, {"gemma3_12b": 7}, CELLS, text=OF_LTX_23, **SOUND),
    SmallVideo(
        "MiniMax H3",
        supported.MiniMaxH3,
        MINIMAX,
        {"qwen3vl_32b": 7},
        (24, 3, 7, 12),
        calls=(("block.0", "joint"), ("block.1", "joint")),
        sound=(32, 2, 5),
        alone=True,
    ),
    SmallVideo(
        "Mochi",
        supported.GenmoMochi,
        MOCHI,
        {"t5xxl": 9},
        (12, 3, 8, 12),
        text=TextOf(length=9, read=7),
        calls=(("block.0", "joint"), ("block.1", "joint")),
    ),
    SmallVideo(
        "CogVideoX", supported.CogVideoX_T2V, COGVIDEOX, T5, EVEN, calls=(("block.0", "joint"), ("block.1", "joint"))
    ),
    SmallVideo(
        "CogVideoX 1.5",
        supported.CogVideoX_T2V,
        {**COGVIDEOX, "patch_size_t": 2},
        T5,
        (16, 4, 7, 12),
        calls=(("block.0", "joint"), ("block.1", "joint")),
        frames=2,
        frame_patch=2,
    ),
    SmallVideo("Cosmos 1", supported.CosmosT2V, COSMOS, T5, EVEN),
    SmallVideo("Cosmos Predict2", supported.CosmosT2IPredict2, PREDICT2, T5, EVEN),
    SmallVideo(
        "Anima",
        supported.Anima,
        ANIMA,
        {"qwen3_06b": 9, "t5xxl": 7},
        (16, 1, 7, 12),
        text=_anima_text,
        text_length=512,
        shrink=_with_small_adapter,
        frames=1,
    ),
)
# Classes of ComfyUI's own around the same diffusion models; each differs in what its diffusion model gets beside the text.
VIDEO_RELATIVES = (
    SmallVideo(
        "HunyuanVideo 1 image to video",
        supported.HunyuanVideoI2V,
        {**HUNYUAN, "in_channels": 33},
        LLAMA,
        EVEN,
        **OF_HUNYUAN,
    ),
    SmallVideo(
        "HunyuanVideo 1 SkyReels",
        supported.HunyuanVideoSkyreelsI2V,
        {**HUNYUAN, "in_channels": 32},
        LLAMA,
        EVEN,
        **OF_HUNYUAN,
    ),
    SmallVideo(
        "HunyuanVideo 1.5 super-resolution",
        supported.HunyuanVideo15_SR_Distilled,
        {**HUNYUAN_15, "in_channels": 98},
        QWEN_VL,
        (32, 3, 4, 6),
        **OF_HUNYUAN_15,
    ),
    SmallVideo("Wan 2.1 FlowRVS", supported.WAN21_FlowRVS, WAN, UMT5, EVEN),
    SmallVideo("Wan 2.2 camera", supported.WAN22_Camera, {**WAN, "model_type": "camera_2.2", "in_dim": 36}, UMT5, EVEN),
    SmallVideo(
        "CogVideoX image to video",
        supported.CogVideoX_I2V,
        {**COGVIDEOX, "in_channels": 32},
        T5,
        EVEN,
        calls=(("block.0", "joint"), ("block.1", "joint")),
    ),
    SmallVideo("Cosmos 1 image to video", supported.CosmosI2V, {**COSMOS, "in_channels": 17}, T5, EVEN),
    SmallVideo(
        "Cosmos Predict2 image to video", supported.CosmosI2VPredict2, {**PREDICT2, "in_channels": 17}, T5, EVEN
    ),
)


def video(name: str) -> SmallVideo:
    """The small model of that name."""
    return next(one for one in (*VIDEOS, *VIDEO_RELATIVES) if one.name == name)


@cache
def built_video(name: str) -> Setup:
    """`build` made once."""
    return build(video(name))


atexit.register(built_video.cache_clear)  # ComfyUI's patchers cannot be taken down once its modules are gone
