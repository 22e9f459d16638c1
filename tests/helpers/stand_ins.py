"""ComfyUI's loaders give small models with random weights under the names of real files: for a server of its own.

Tokenizers, diffusion classes, sampling and nodes are ComfyUI's own; text encoders are tables of random rows. Where a workflow
loads its parts one by one, the decoder shows the latent itself, for pictures, videos and sound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import comfy.sd
import comfy.sd1_clip
import comfy.sdxl_clip
import comfy.supported_models
import comfy.supported_models_base
import comfy.taesd.taesd
import comfy.text_encoders.flux
import comfy.text_encoders.krea2
import comfy.text_encoders.lt
import comfy.text_encoders.minimax
import comfy.text_encoders.qwen_image
import comfy.text_encoders.sd3_clip
import comfy.text_encoders.wan
import comfy.text_encoders.z_image
import torch
from comfy.ldm.sam3.tracker import pack_masks
from comfy_api.latest import io
from safetensors.torch import save_file
from torch import Tensor, nn

from .detector_pack import untrained_sam3
from .families import NEWER, POOLED, SMALL, WIDTH, Small, TextOf, build, small
from .models import random_weights
from .pieces import pieces_model
from .video_models import video

_VOCABULARY = 50_000
_HELPERS = Path(__file__).resolve().parent
# What a custom node pack of that content does: it makes the helpers importable, and installs the stand-ins.
PACK = f"""import sys, types
sys.path.append({str(_HELPERS.parent.parent)!r})
from training.pack import register_pack
register_pack()
helpers = types.ModuleType("headcount_test_helpers")
helpers.__path__ = [{str(_HELPERS)!r}]
sys.modules[helpers.__name__] = helpers
from headcount_test_helpers.stand_ins import install
install()
NODE_CLASS_MAPPINGS = {{}}
"""


@dataclass(frozen=True)
class StandIn:
    """What is loaded instead of a file.

    Attributes:
        model: its name in `families.SMALL` or `video_models.VIDEOS`.
        tokenizer: the real model's.
        read: the tokenizer's keys whose tokens the model sees, one after the other.
        halved: keys whose features fill the lower half of the width only, as SD3's CLIP.
        filling: id of the token that fills up a text from the left, which the model never sees; None for none.
    """

    model: str
    tokenizer: Callable[..., Any]
    read: tuple[str, ...]
    halved: tuple[str, ...] = ()
    filling: int | None = None

    @property
    def small(self) -> Small:
        """The small model."""
        return model_of(self.model)


LTX = "ltx-2.3-22b-dev-fp8.safetensors"
STAND_INS = {
    "v1-5-pruned-emaonly-fp16.safetensors": StandIn("Stable Diffusion 1.5", comfy.sd1_clip.SD1Tokenizer, ("l",)),
    "sd_xl_base_1.0.safetensors": StandIn("SDXL", comfy.sdxl_clip.SDXLTokenizer, ("l",)),
    "sd3.5_large_fp8_scaled.safetensors": StandIn(
        *("Stable Diffusion 3", comfy.text_encoders.sd3_clip.SD3Tokenizer, ("l", "t5xxl"), ("l",))
    ),
    "flux1-dev-fp8.safetensors": StandIn("Flux 1", comfy.text_encoders.flux.FluxTokenizer, ("t5xxl",)),
}
SAM3 = "sam3.1_multiplex_fp16.safetensors"
DIFFUSION_MODELS = {
    "krea2_turbo_fp8_scaled.safetensors": "Krea 2",
    "z_image_turbo_bf16.safetensors": "Z-Image",
    "qwen_image_2512_fp8_e4m3fn.safetensors": "Qwen-Image",
    "minimax_h3_fl2va_pruned_int8_convrot.safetensors": "MiniMax H3",
    "wan2.2_t2v_high_noise_14B_fp8_scaled.safetensors": "Wan 2.1",
    "wan2.2_t2v_low_noise_14B_fp8_scaled.safetensors": "Wan 2.1",
    LTX: "LTX-2.3",
}
"""File -> name of the small model; the two parts of Wan 2.2 14B are of Wan 2.1's architecture."""
TEXT_ENCODERS = {
    "qwen3vl_4b_fp8_scaled.safetensors": StandIn("Krea 2", comfy.text_encoders.krea2.Krea2Tokenizer, ("qwen3vl_4b",)),
    "qwen_3_4b.safetensors": StandIn("Z-Image", comfy.text_encoders.z_image.ZImageTokenizer, ("qwen3_4b",)),
    "qwen_2.5_vl_7b_fp8_scaled.safetensors": StandIn(
        "Qwen-Image", comfy.text_encoders.qwen_image.QwenImageTokenizer, ("qwen25_7b",)
    ),
    "qwen3vl_32b_minimax_h3_nvfp4_awq.safetensors": StandIn(
        "MiniMax H3", comfy.text_encoders.minimax.MiniMaxH3Tokenizer, ("qwen3vl_32b",)
    ),
    "umt5_xxl_fp8_e4m3fn_scaled.safetensors": StandIn("Wan 2.1", comfy.text_encoders.wan.WanT5Tokenizer, ("umt5xxl",)),
    "gemma_3_12B_it_fp4_mixed.safetensors": StandIn(
        "LTX-2.3", comfy.text_encoders.lt.LTXAVGemmaTokenizer, ("gemma3_12b",), filling=0
    ),
}
DECODERS = (
    "qwen_image_vae.safetensors",
    "ae.safetensors",
    "minimax_h3_video_vae_int8_convrot.safetensors",
    "minimax_h3_audio_vae_fp32.safetensors",
    "wan_2.1_vae.safetensors",
    "qwen_image_2.1_vae_bf16.safetensors",
)
if NEWER["Qwen-Image 2.1"] in vars(comfy.supported_models):
    from comfy.text_encoders.qwen_image21 import QwenImage21Tokenizer

    DIFFUSION_MODELS["qwen_image_2.1_int8_convrot.safetensors"] = "Qwen-Image 2.1"
    TEXT_ENCODERS["qwen3vl_8b_int8_convrot.safetensors"] = StandIn(
        "Qwen-Image 2.1", QwenImage21Tokenizer, ("qwen3vl_8b",)
    )
LORAS = ("ltx_2.3_22b_distilled_1.1_lora_dynamic_fro09_avg_rank_111_bf16.safetensors",)
_SENTENCES = ("Three cats and two dogs are running across a sunny meadow", "blurry, low quality, deformed, static")


def model_of(name: str) -> Small:
    """A small model of pictures or videos."""
    return small(name) if name in {one.name for one in SMALL} else video(name)


class _Text(nn.Module):
    """A text encoder: a random row for each token id, and a pooled vector."""

    def __init__(self, stand_in: StandIn) -> None:
        super().__init__()
        self.stand_in, self.dtypes = stand_in, {torch.float32}
        text = stand_in.small.text
        self.width, self.further = (text.width, text.more) if isinstance(text, TextOf) else (WIDTH, {})
        rows = torch.randn(_VOCABULARY, self.width, generator=torch.Generator().manual_seed(2))
        self.rows = nn.Parameter(rows, requires_grad=False)

    def set_clip_options(self, options: dict[str, Any]) -> None:
        pass

    def reset_clip_options(self) -> None:
        pass

    def encode_token_weights(
        self, tokens: dict[str, list[list[tuple[Any, ...]]]]
    ) -> tuple[Tensor, Tensor, dict[str, Any]]:
        """(1, T, width) of all chunks, (1, POOLED), and further entries of the conditioning."""
        parts = []
        for key in self.stand_in.read:
            ids = [entry[0] for chunk in tokens[key] for entry in chunk if entry[0] != self.stand_in.filling]
            part = self.rows[[token % _VOCABULARY for token in ids[self.stand_in.small.start :]]]
            if key in self.stand_in.halved:
                part = torch.cat([part[:, : self.width // 2], torch.zeros_like(part[:, self.width // 2 :])], 1)
            parts.append(part)
        text = torch.cat(parts)
        return text[None], text.mean(0, keepdim=True)[:, :POOLED], dict(self.further)


class _LatentItself:
    """A decoder that shows the first channels of a latent; what it says of a sound's latent is what the small LTX-2.3 takes.

    `OF_SOUND` are the channels of LTX-2.3's and MiniMax H3's sound; Qwen-Image 2.1 has 16 pixels to a cell.
    """

    OF_SOUND, OF_QWEN_21 = (8, 32), 64
    latent_channels, audio_sample_rate = 8, 16_000
    latent_frequency_bins, output_sample_rate = 16, 16_000

    @property
    def first_stage_model(self) -> _LatentItself:
        return self

    def num_of_latents_from_frames(self, frames: int, rate: float) -> int:
        return max(1, round(frames / rate * 25))

    def decode(self, latent: Tensor) -> Tensor:
        """(B, h, w, 3) of pictures, (B, F, h, w, 3) of videos, 0 to 1; (B, samples, 2) of a sound."""
        if latent.ndim == 4 and latent.shape[1] in self.OF_SOUND:
            return latent.flatten(2).movedim(1, -1)[..., :2].tanh()
        side = 16 if latent.shape[1] == self.OF_QWEN_21 else 8
        larger = latent[:, :3].repeat_interleave(side, -1).repeat_interleave(side, -2)
        return larger.movedim(1, -1).sigmoid()


def load(name: str) -> tuple[Any, comfy.sd.CLIP, Any]:
    """MODEL, CLIP and VAE in the place of a file; SAM3 has no VAE, and LTX's text encoder is a file of its own."""
    if name == SAM3:
        return *untrained_sam3(comfy.supported_models.SAM31), None
    if name == LTX:
        return diffusion_model(name), None, _LatentItself()
    stand_in = STAND_INS[name]
    setup = build(stand_in.small)
    autoencoder = comfy.taesd.taesd.TAESD(latent_channels=setup.channels)
    weights = {**random_weights(autoencoder), "vae_scale": torch.tensor(1.0), "vae_shift": torch.tensor(0.0)}
    return setup.model, text_encoder_of(stand_in), comfy.sd.VAE(sd=weights)


def diffusion_model(name: str) -> Any:
    """MODEL in the place of a file."""
    return build(model_of(DIFFUSION_MODELS[name])).model


def text_encoder_of(stand_in: StandIn) -> comfy.sd.CLIP:
    """CLIP with the real tokenizer; one whose words are in the checkpoint has those of the workflows alone."""
    target = comfy.supported_models_base.ClipTarget(
        stand_in.tokenizer, lambda dtype, device, model_options: _Text(stand_in)
    )
    pieces = torch.tensor(list(pieces_model(_SENTENCES)), dtype=torch.uint8)
    return comfy.sd.CLIP(target, tokenizer_data={"spiece_model": pieces})


def install() -> None:
    """Let ComfyUI's loaders load stand-ins."""

    import nodes

    nodes.CheckpointLoaderSimple.load_checkpoint = lambda self, ckpt_name: load(ckpt_name)
    nodes.UNETLoader.load_unet = lambda self, unet_name, weight_dtype: (diffusion_model(unet_name),)
    nodes.CLIPLoader.load_clip = lambda self, clip_name, type, device="default": (
        text_encoder_of(TEXT_ENCODERS[clip_name]),
    )
    nodes.VAELoader.load_vae = lambda self, vae_name: (_LatentItself(),)
    known = nodes.NODE_CLASS_MAPPINGS
    known["LTXAVTextEncoderLoader"].execute = classmethod(lambda cls, **files: io.NodeOutput(_ltx_text(**files)))
    known["SAM3_VideoTrack"].execute = classmethod(lambda cls, images, **settings: io.NodeOutput(_tracked(images)))
    known["LTXVAudioVAELoader"].execute = classmethod(lambda cls, ckpt_name: io.NodeOutput(_LatentItself()))


def _ltx_text(text_encoder: str, ckpt_name: str, device: str) -> comfy.sd.CLIP:
    return text_encoder_of(TEXT_ENCODERS[text_encoder])


def _tracked(images: Tensor) -> dict[str, Any]:
    """Two objects, the second not in the last frame, in the form of core's tracker: at its fixed size it takes 30 s a frame."""
    masks = torch.full((len(images), 2, 72, 72), -1.0)
    masks[:, 0, 8:24, 8:24] = masks[:-1, 1, 40:56, 40:64] = 1
    packed = torch.stack([pack_masks(frame) for frame in masks])
    return {
        "packed_masks": packed,
        "n_frames": len(images),
        "scores": [0.9, 0.8],
        "orig_size": tuple(images.shape[1:3]),
    }


def furnish(base: Path) -> None:
    """Make a server's base folder one whose loaders list the real names and give stand-ins."""
    files = {
        "checkpoints": (*STAND_INS, SAM3, LTX),
        "diffusion_models": DIFFUSION_MODELS,
        "text_encoders": TEXT_ENCODERS,
        "vae": DECODERS,
        "loras": LORAS,
    }
    for folder, names in files.items():
        (base / "models" / folder).mkdir(parents=True)
        for name in names:
            save_file({}, base / "models" / folder / name)
    pack = base / "custom_nodes" / "stand_ins"
    pack.mkdir(parents=True)
    (pack / "__init__.py").write_text(PACK)
