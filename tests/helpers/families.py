"""One small model with random weights for every architecture that the pack reads, made of ComfyUI's own classes.

The classes, their order of tokens and their sampling are those of the real models; only widths and depths are small.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import comfy.clip_vision
import comfy.model_base
import comfy.model_patcher
import comfy.supported_models as supported
import pytest
import torch
from comfy.nested_tensor import NestedTensor
from headcount.core.prompts import CONDITIONING_KEY, CountedObject, Counts, ObjectTokens
from headcount.core.prompts.counts import WordTokens
from torch import Tensor

from benchmarks.lab import models as lab

from .models import CPU, TINY_UNET, Run, Setup, random_weights

WIDTH, POOLED = 32, 8
Options = dict[str, Any]
Text = tuple[Tensor, Options]


@dataclass(frozen=True)
class TextOf:
    """Makes a conditioning.

    Attributes:
        length: of the text.
        read: how many of its tokens are no padding, said by a mask; None for no mask.
        pooled: whether there is a pooled vector.
        pictures: tokens of a start picture as CLIP Vision gives them, and their width.
        lettering: number of tokens of ByT5.
        more: further entries.
        width: of a token's features.
    """

    length: int = 7
    read: int | None = None
    pooled: bool = False
    pictures: tuple[int, int] | None = None
    lettering: int = 0
    more: Mapping[str, Any] = field(default_factory=dict)
    width: int = WIDTH

    def __call__(self, generator: torch.Generator, side: int) -> Text:
        options = dict(self.more)
        if self.read is not None:
            options["attention_mask"] = (torch.arange(self.length) < self.read).long()[None]
        if self.pooled:
            options["pooled_output"] = torch.randn(1, POOLED, generator=generator)
        if self.pictures is not None:
            seen = comfy.clip_vision.Output()
            seen.last_hidden_state = torch.randn(1, *self.pictures, generator=generator)
            seen.penultimate_hidden_states = seen.last_hidden_state
            options["clip_vision_output"] = seen
        if self.lettering:
            options["conditioning_byt5small"] = torch.randn(1, self.lettering, 1472, generator=generator)
        return torch.randn(1, self.length, self.width, generator=generator), options


ONCE = ((2,), (4,))
POOLED_TEXT = TextOf(pooled=True)


@dataclass(frozen=True)
class Small:
    """A small model of one architecture.

    Attributes:
        name: what the model stands for.
        config: ComfyUI's configuration class for such models.
        unet_config: its configuration of the diffusion model.
        lengths: per text encoder, the number of tokens of the prompt.
        shape: of a latent, without the batch.
        grid: of the image tokens; None for a U-Net, which has several.
        text: makes the conditioning's tensor and its further entries.
        nouns: where the two nouns lie in the text that the model reads.
        text_length: T, of that text.
        model_type: how the model predicts; None for what the configuration says.
        start: tokens in front of a prompt in its encoder's sequence, which the model never sees.
        sound: shape of the sound that lies in a latent beside the video, without the batch; () for none.
        alone: the model works on one video at a time.
        shrink: makes parts of ComfyUI's diffusion model smaller whose size no configuration sets.
    """

    name: str
    config: type
    unet_config: Mapping[str, Any]
    lengths: Mapping[str, int]
    shape: tuple[int, ...]
    grid: tuple[int, int] | None = None
    text: Callable[[torch.Generator, int], Text] = TextOf()
    nouns: tuple[tuple[int, ...], ...] = ONCE
    text_length: int = 7
    model_type: comfy.model_base.ModelType | None = None
    start: int = 0
    sound: tuple[int, ...] = ()
    alone: bool = False
    shrink: Callable[[Any], None] = lambda _: None

    def batch(self, wanted: int) -> int:
        """How many pictures or videos to make where a test wants so many."""
        return 1 if self.alone else wanted

    def counts(self) -> Counts:
        """Two cats with an attribute at tokens 2 and 1 of every encoder's prompt, one dog at its token 4."""
        cats, dogs = (2 + self.start,), (4 + self.start,)
        red = (1 + self.start,)
        tokens = (ObjectTokens(cats, (red,)), ObjectTokens(dogs))
        words = (WordTokens("red", red), WordTokens("cats", cats), WordTokens("dog", dogs))
        objects = (CountedObject("cats", 2, ("red",)), CountedObject("dog", 1))
        keys = dict.fromkeys(self.lengths)
        return Counts(
            "two red cats and a dog",
            objects,
            {key: tokens for key in keys},
            dict(self.lengths),
            {key: words for key in keys},
        )

    def latent(self, batch: int = 1) -> Tensor:
        """An empty latent."""
        batch = self.batch(batch)
        video = torch.zeros(batch, *self.shape)
        return NestedTensor([video, torch.zeros(batch, *self.sound)]) if self.sound else video

    def run(self, batch: int = 1, **options: Any) -> Run:
        """A short run."""
        return Run(
            latent=self.latent(batch),
            batch=self.batch(batch),
            **{"steps": 3, "cfg": 2.0, "scheduler": "simple", **options},
        )


def _sd3_text(generator: torch.Generator, side: int) -> Text:
    """CLIP's features, which fill the lower half of the width only, then T5's."""
    text, options = TextOf(13, pooled=True)(generator, side)
    text[:, :6, WIDTH // 2 :] = 0
    return text, options


def _hidream_text(generator: torch.Generator, side: int) -> Text:
    text, options = POOLED_TEXT(generator, side)
    return text, {**options, "conditioning_llama3": torch.randn(1, 3, 6, WIDTH, generator=generator)}


UNET = {**TINY_UNET, "context_dim": WIDTH}
LINEAR_UNET = {**UNET, "use_linear_in_transformer": True}
SDXL_UNET = {
    **UNET,
    "transformer_depth": [0, 2],
    "transformer_depth_middle": 2,
    "transformer_depth_output": [0, 0, 2, 2],
    "use_linear_in_transformer": True,
    "num_classes": "sequential",
}
MMDIT = {
    **lab.MMDIT,
    "depth": 2,
    "num_blocks": 2,
    "mlp_ratio": 1.0,
    "adm_in_channels": POOLED,
    "pos_embed_max_size": 16,
    "num_patches": 256,
    "context_embedder_config": {"target": "torch.nn.Linear", "params": {"in_features": WIDTH, "out_features": 128}},
}
PIXART = {
    "input_size": 32,
    "patch_size": 2,
    "in_channels": 4,
    "hidden_size": 48,
    "depth": 2,
    "num_heads": 2,
    "mlp_ratio": 2.0,
    "caption_channels": WIDTH,
    "model_max_length": 120,
}
FLUX = {
    "in_channels": 16,
    "out_channels": 16,
    "vec_in_dim": POOLED,
    "context_in_dim": WIDTH,
    "hidden_size": 48,
    "mlp_ratio": 2.0,
    "num_heads": 2,
    "depth": 1,
    "depth_single_blocks": 2,
    "axes_dim": [8, 8, 8],
    "theta": 10000,
    "patch_size": 2,
    "qkv_bias": True,
    "guidance_embed": True,
    "txt_ids_dims": [],
}
FLUX_2 = {
    **FLUX,
    "image_model": "flux2",
    "in_channels": 128,
    "out_channels": 128,
    "vec_in_dim": None,
    "hidden_size": 64,
    "axes_dim": [8, 8, 8, 8],
    "theta": 2000,
    "patch_size": 1,
    "qkv_bias": False,
    "global_modulation": True,
    "mlp_silu_act": True,
    "ops_bias": False,
    "default_ref_method": "index",
    "ref_index_scale": 10.0,
    "txt_ids_dims": [3],
}
CHROMA = {
    **{key: FLUX[key] for key in FLUX if key not in ("vec_in_dim", "guidance_embed")},
    "image_model": "chroma",
    "in_channels": 64,
    "out_channels": 64,
    "in_dim": 64,
    "out_dim": 48,
    "hidden_dim": 32,
    "n_layers": 2,
    "vec_in_dim": None,
}
QWEN = {
    "image_model": "qwen_image",
    "patch_size": 2,
    "in_channels": 64,
    "out_channels": 16,
    "num_layers": 2,
    "attention_head_dim": 24,
    "num_attention_heads": 2,
    "joint_attention_dim": WIDTH,
    "pooled_projection_dim": POOLED,
    "axes_dims_rope": (8, 8, 8),
}
MAGE_FLOW = {
    "image_model": "mage_flow",
    "num_layers": 2,
    "attention_head_dim": 24,
    "num_attention_heads": 2,
    "joint_attention_dim": WIDTH,
    "axes_dims_rope": (8, 8, 8),
}
LUMINA = {
    "image_model": "lumina2",
    "patch_size": 2,
    "in_channels": 16,
    "dim": 48,
    "n_layers": 2,
    "n_refiner_layers": 1,
    "n_heads": 2,
    "n_kv_heads": 1,
    "multiple_of": 8,
    "cap_feat_dim": WIDTH,
    "axes_dims": [8, 8, 8],
    "axes_lens": [64, 64, 64],
    "qk_norm": True,
}
Z_IMAGE = {
    **LUMINA,
    "dim": 256,  # its modulation has that many channels at least
    "ffn_dim_multiplier": 1.0,
    "n_layers": 1,
    "n_heads": 4,
    "n_kv_heads": 4,
    "axes_dims": [16, 24, 24],
    "z_image_modulation": True,
    "time_scale": 1000.0,
    "pad_tokens_multiple": 32,
}
Z_IMAGE_PIXELS = {
    **Z_IMAGE,
    "image_model": "zimage_pixel",
    "in_channels": 3,
    "decoder_hidden_size": 32,
    "decoder_num_res_blocks": 1,
    "decoder_max_freqs": 2,
}
HIDREAM = {
    "image_model": "hidream",
    "patch_size": 2,
    "in_channels": 16,
    "out_channels": 16,
    "num_layers": 1,
    "num_single_layers": 1,
    "attention_head_dim": 24,
    "num_attention_heads": 2,
    "caption_channels": [WIDTH, WIDTH],
    "text_emb_dim": POOLED,
    "num_routed_experts": 2,
    "num_activated_experts": 1,
    "axes_dims_rope": (8, 8, 8),
    "max_resolution": [64, 64],
    "llama_layers": [0, 2],
}
RADIANCE = {
    **CHROMA,
    "image_model": "chroma_radiance",
    "in_channels": 3,
    "out_channels": 3,
    "patch_size": 4,
    "nerf_hidden_size": 16,
    "nerf_mlp_ratio": 2,
    "nerf_depth": 1,
    "nerf_max_freqs": 2,
    "nerf_tile_size": 0,
    "nerf_final_head_type": "conv",
    "nerf_embedder_dtype": None,
    "use_x0": False,
    "use_sequential_txt_ids": False,
}
QWEN_21 = {
    "image_model": "qwen_image21",
    "num_layers": 2,
    "attention_head_dim": 24,
    "num_attention_heads": 2,
    "context_in_dim": WIDTH,
    "axes_dims_rope": (8, 8, 8),
}
KREA_2 = {
    "image_model": "krea2",
    "features": 64,
    "tdim": 32,
    "txtdim": WIDTH // 2,
    "heads": 4,
    "kvheads": 2,
    "multiplier": 1,
    "layers": 2,
    "txtlayers": 2,
    "txtheads": 2,
    "txtkvheads": 2,
}
V_PREDICTION = comfy.model_base.ModelType.V_PREDICTION
ADM = POOLED + 6 * 256
FOUR, SIXTEEN = (4, 16, 12), (16, 16, 12)
T5, SD3_LENGTHS = {"t5xxl": 7}, {"l": 6, "g": 6, "t5xxl": 7}
OF_SD3: Options = {"text": _sd3_text, "nouns": ((2, 8), (4, 10)), "text_length": 13}
OF_KLEIN: Options = {"text": TextOf(512, pooled=True), "text_length": 512}

SMALL: tuple[Small, ...] = (
    Small("Stable Diffusion 1.5", supported.SD15, UNET, {"l": 7}, FOUR),
    Small("Stable Diffusion 2.1", supported.SD20, LINEAR_UNET, {"h": 7}, FOUR, model_type=V_PREDICTION),
    Small("SDXL", supported.SDXL, {**SDXL_UNET, "adm_in_channels": ADM}, {"l": 7, "g": 7}, FOUR, text=POOLED_TEXT),
    Small(
        "SDXL Refiner",
        supported.SDXLRefiner,
        {**SDXL_UNET, "adm_in_channels": POOLED + 5 * 256},
        {"g": 7},
        FOUR,
        text=POOLED_TEXT,
    ),
    Small("Stable Diffusion 3", supported.SD3, MMDIT, SD3_LENGTHS, SIXTEEN, (8, 6), **OF_SD3),
    Small(
        "Stable Diffusion 3.5 Medium",
        supported.SD3,
        {**MMDIT, "x_block_self_attn_layers": [0]},
        SD3_LENGTHS,
        (16, 15, 12),
        (8, 6),
        **OF_SD3,
    ),
    Small("PixArt Alpha", supported.PixArtAlpha, {**PIXART, "image_model": "pixart_alpha"}, T5, (4, 40, 28), (20, 14)),
    Small(
        "PixArt Sigma",
        supported.PixArtSigma,
        {**PIXART, "image_model": "pixart_sigma", "micro_condition": False},
        T5,
        (4, 40, 28),
        (20, 14),
    ),
    Small(
        "Flux 1",
        supported.Flux,
        {**FLUX, "image_model": "flux"},
        {"l": 5, **T5},
        (16, 15, 12),
        (8, 6),
        text=POOLED_TEXT,
    ),
    Small(
        "Flux 2",
        supported.Flux2,
        FLUX_2,
        {"mistral3_24b": 7},
        (128, 8, 6),
        (8, 6),
        text=POOLED_TEXT,
        nouns=((507,), (509,)),
        text_length=512,
    ),
    Small("Flux 2 Klein 4B", supported.Flux2, FLUX_2, {"qwen3_4b": 512}, (128, 8, 6), (8, 6), **OF_KLEIN),
    Small("Flux 2 Klein 9B", supported.Flux2, FLUX_2, {"qwen3_8b": 512}, (128, 8, 6), (8, 6), **OF_KLEIN),
    Small("Chroma", supported.Chroma, CHROMA, T5, SIXTEEN, (8, 6), text=POOLED_TEXT),
    Small("Qwen-Image", supported.QwenImage, QWEN, {"qwen25_7b": 41}, (16, 1, 15, 12), (8, 6), start=34),
    Small("Mage-Flow", supported.MageFlow, MAGE_FLOW, {"qwen3vl_4b": 41}, (128, 8, 6), (8, 6), start=34),
    Small("Lumina 2", supported.Lumina2, LUMINA, {"gemma2_2b": 7}, (16, 15, 12), (8, 6)),
    Small(
        "NewBie",
        supported.Lumina2,
        {**LUMINA, "clip_text_dim": POOLED},
        {"gemma": 7, "jina": 7},
        (16, 15, 12),
        (8, 6),
        text=POOLED_TEXT,
    ),
    Small("Z-Image", supported.ZImage, Z_IMAGE, {"qwen3_4b": 7}, SIXTEEN, (8, 6)),
    Small(
        "HiDream I1",
        supported.HiDream,
        HIDREAM,
        {"l": 5, "g": 5, "t5xxl": 7, "llama": 6},
        (16, 15, 12),
        (8, 6),
        text=_hidream_text,
        nouns=((2, 9, 15), (4, 11, 17)),
        text_length=19,
    ),
    Small("Chroma Radiance", supported.ChromaRadiance, RADIANCE, T5, (3, 30, 24), (8, 6), text=POOLED_TEXT),
    Small("Krea 2", supported.Krea2, KREA_2, {"qwen3vl_4b": 41}, (16, 1, 15, 12), (8, 6), start=34),
)
# What only a newer ComfyUI than the oldest supported one has: name of the model to the name of its entry in ComfyUI's list.
NEWER = {"Qwen-Image 2.1": "QwenImage21"}
if hasattr(supported, "QwenImage21"):
    SMALL += (
        Small("Qwen-Image 2.1", supported.QwenImage21, QWEN_21, {"qwen3vl_8b": 21}, (64, 8, 6), (8, 6), start=14),
    )
# Classes of ComfyUI's own around the same diffusion models; each differs in what its diffusion model gets beside the text.
RELATIVES = (
    Small(
        "Stable Diffusion 2.1 unCLIP",
        supported.SD21UnclipL,
        {**LINEAR_UNET, "num_classes": "sequential", "adm_in_channels": POOLED},
        {"h": 7},
        FOUR,
    ),
    Small(
        "Stable Diffusion x4 upscaler",
        supported.SD_X4Upscaler,
        {**LINEAR_UNET, "num_classes": 1000, "in_channels": 7},
        {"h": 7},
        FOUR,
    ),
    Small("InstructPix2Pix", supported.SD15_instructpix2pix, {**UNET, "in_channels": 8}, {"l": 7}, FOUR),
    Small(
        "InstructPix2Pix of SDXL",
        supported.SDXL_instructpix2pix,
        {**SDXL_UNET, "adm_in_channels": ADM, "in_channels": 8},
        {"l": 7, "g": 7},
        FOUR,
        text=POOLED_TEXT,
    ),
    Small("Z-Image, pixel space", supported.ZImagePixelSpace, Z_IMAGE_PIXELS, {"qwen3_4b": 7}, (3, 16, 12), (8, 6)),
    Small(
        "Lotus", supported.LotusD, {**LINEAR_UNET, "num_classes": "sequential", "adm_in_channels": 4}, {"h": 7}, FOUR
    ),
)


def newer(*names: str) -> list[Any]:
    """Names of models for `parametrize`, of which an older ComfyUI has not all."""
    there = {one.name for one in SMALL}
    absent = pytest.mark.skip(reason="this ComfyUI has no such model")
    return [name if name in there else pytest.param(name, marks=absent) for name in names]


def small(name: str) -> Small:
    """The small model of that name."""
    return next(one for one in (*SMALL, *RELATIVES) if one.name == name)


def build(one: Small, inference: bool = True) -> Setup:
    """The model with two conditionings, the same in every call; loaded in inference mode as ComfyUI's executor does."""
    generator = torch.Generator().manual_seed(1)
    with torch.inference_mode(inference):
        base = lab.model_of(lab.configured(one.config, one.unet_config), CPU, one.model_type)
        one.shrink(base.diffusion_model)
        base.diffusion_model.load_state_dict(random_weights(base.diffusion_model))
        patcher = comfy.model_patcher.ModelPatcher(base, CPU, CPU)
        (text, options), (other, others) = one.text(generator, 0), one.text(generator, 1)
        positive = [[text, {**options, CONDITIONING_KEY: one.counts()}]]
        return Setup(patcher, positive, [[other, others]], one.shape[0], one.sound)


@cache
def built(name: str) -> Setup:
    """`build` made once, for tests that only sample."""
    return build(small(name))


atexit.register(built.cache_clear)  # ComfyUI's patchers cannot be taken down once its modules are gone
