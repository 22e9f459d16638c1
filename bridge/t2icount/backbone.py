"""The text-to-image model that T2ICount looks through, out of ComfyUI's own classes: encoder, U-Net and text tower.

Reference: Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models" (arXiv 2112.10752). ComfyUI's
classes and the authors' checkpoints name the weights alike. What a count does not read is not built.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import comfy.ops
import torch
from comfy.clip_model import CLIPTextModel_
from comfy.ldm.modules import attention
from comfy.ldm.modules.diffusionmodules.model import Encoder, pytorch_attention
from comfy.ldm.modules.diffusionmodules.openaimodel import ResBlock, UNetModel
from einops import rearrange
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ...core.emoji.autoencoder import EmojiAutoencoder
from ...core.shapes.autoencoder import ShapesAutoencoder
from ...core.t2icount.config import CounterConfig, EncoderConfig, TextConfig
from ...core.t2icount.cross_attention import AttentionMaps
from ...core.t2icount.network import Backbone, CountNetwork
from ...core.t2icount.tokens import END
from ..demo_models.text_encoder import KnownWordsEmbedding


class _Layers(comfy.ops.disable_weight_init):
    """ComfyUI's layers, which have their weights from the start.

    Under dynamic VRAM its own get them when a file is read; a network is compared with its file before that.
    """

    class Linear(comfy.ops.disable_weight_init.Linear):
        def _load_from_state_dict(self, *arguments: Any) -> None:
            super()._load_from_state_dict(*arguments)

    class Embedding(comfy.ops.disable_weight_init.Embedding):
        def _load_from_state_dict(self, *arguments: Any) -> None:
            super()._load_from_state_dict(*arguments)


_CASTABLE = {
    nn.Linear: _Layers.Linear,
    nn.Conv2d: _Layers.Conv2d,
    nn.GroupNorm: _Layers.GroupNorm,
    nn.LayerNorm: _Layers.LayerNorm,
}
_DEMO_AUTOENCODERS: dict[str, type[ShapesAutoencoder] | type[EmojiAutoencoder]] = {
    "shapes": ShapesAutoencoder,
    "emoji": EmojiAutoencoder,
}


def count_network(config: CounterConfig) -> CountNetwork:
    """A counter of this configuration. Its backbone has no start weights; it may be built on torch's meta device."""
    vae = (KlLatent if config.encoder.kind == "ldm" else DemoLatent)(config.encoder)
    return CountNetwork(config, Backbone(vae, FeatureUNet(config), TextTower(config.text)))


def make_castable(module: nn.Module) -> None:
    """Turn torch's layers into ComfyUI's, which compute the same: their weights may lie elsewhere until they are needed."""
    for layer in module.modules():
        layer.__class__ = _CASTABLE.get(type(layer), type(layer))


class FeatureUNet(UNetModel):
    """The denoising U-Net as a feature extractor: one pass at timestep 0, without its output head."""

    def __init__(self, config: CounterConfig) -> None:
        unet = config.unet
        super().__init__(
            image_size=config.grid,
            in_channels=config.encoder.latent_channels,
            model_channels=unet.channels,
            out_channels=config.encoder.latent_channels,
            num_res_blocks=unet.blocks,
            channel_mult=unet.multipliers,
            num_heads=unet.heads or -1,
            num_head_channels=unet.head_channels or -1,
            use_spatial_transformer=True,
            transformer_depth=[int(has) for has in unet.attention_levels for _ in range(unet.blocks)],
            transformer_depth_middle=1,
            transformer_depth_output=[int(has) for has in unet.attention_levels for _ in range(unet.blocks + 1)],
            context_dim=config.text.width,
            use_linear_in_transformer=unet.linear_projections,
            legacy=False,
            operations=_Layers,
        )
        self.feature_blocks = config.feature_blocks
        del self.output_blocks[max(config.feature_blocks) + 1 :]
        self.out = nn.Identity()

    def forward(
        self, latent: Tensor, context: Tensor, maps: AttentionMaps | None = None, is_checkpointed: bool = False
    ) -> list[Tensor]:
        """See `Backbone.diffusion_model`."""
        features: dict[int, Tensor] = {}

        def keep(x: Tensor, skip: Tensor, options: dict[str, Any]) -> tuple[Tensor, Tensor]:
            before = options["block"][1] - 1
            if before in self.feature_blocks:
                features[before] = x
            return x, skip

        patches: dict[str, Any] = {"output_block_patch": [keep]}
        options: dict[str, Any] = {"patches": patches, "optimized_attention_override": _attend}
        if maps is not None:
            outer = [("input", index) for index in range(len(self.input_blocks))]
            outer += [("output", index) for index in range(len(self.output_blocks))]
            options["patches_replace"] = {"attn2": dict.fromkeys(outer, partial(_attend_watched, maps))}
        if is_checkpointed:
            patches["forward_timestep_embed_patch"] = [
                (ResBlock, lambda layer, x, embedding, *_: _twice(layer, x, embedding)),
                (
                    attention.SpatialTransformer,
                    lambda layer, x, _embedding, text, options, *_: _twice(layer, x, text, options),
                ),
            ]
        last = super().forward(latent, latent.new_zeros(len(latent)), context, transformer_options=options)
        features[len(self.output_blocks) - 1] = last
        return [features[index] for index in self.feature_blocks]


def _twice(layer: nn.Module, *inputs: Any) -> Tensor:
    """Run a layer whose results are computed again when their gradient is; nothing in it is random."""
    # ComfyUI writes into the options which block is being run: the second time needs them as they are now.
    copies = (dict(value) if isinstance(value, dict) else value for value in inputs)
    return checkpoint(layer, *copies, use_reentrant=False, preserve_rng_state=False)


def _attend(
    usual: Callable[..., Tensor], q: Tensor, k: Tensor, v: Tensor, heads: int, *rest: Any, **options: Any
) -> Tensor:
    """Attention as the user set ComfyUI up, at half precision on a graphics card; else torch's own.

    Flash and Sage attention refuse float32, and what ComfyUI takes on a CPU runs a U-Net in twice the time.
    """
    is_full = q.dtype == torch.float32 or q.device.type == "cpu"
    return (attention.attention_pytorch if is_full else usual)(q, k, v, heads, *rest, **options)


def _attend_watched(maps: AttentionMaps, q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any]) -> Tensor:
    """Cross-attention whose queries and keys (B, P or T, H c) go into the maps."""
    heads = options["n_heads"]
    maps.add(*(rearrange(part, "b n (h c) -> b h n c", h=heads) for part in (q, k)))
    precision = options["attn_precision"]
    return attention.optimized_attention(q, k, v, heads, attn_precision=precision, transformer_options=options)


class KlLatent(nn.Module):
    """Stable Diffusion's encoder: the posterior's mean, neither scaled nor noised (T2ICount)."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        channels = config.latent_channels
        self.encoder = Encoder(
            ch=config.channels,
            out_ch=3,
            ch_mult=config.multipliers,
            num_res_blocks=config.blocks,
            attn_resolutions=(),
            in_channels=3,
            resolution=256,
            z_channels=channels,
        )
        self.encoder.mid.attn_1.optimized_attention = pytorch_attention  # the other ones keep whole matrices
        self.quant_conv = _Layers.Conv2d(2 * channels, 2 * channels, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, 8h, 8w) in -1..1 to (B, Z, h, w)."""
        return self.quant_conv(self.encoder(pixels)).chunk(2, dim=1)[0]


class DemoLatent(nn.Module):
    """A demo model's encoder, its latents scaled as its U-Net knows them."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.encoder = _DEMO_AUTOENCODERS[config.kind]().encoder
        self.register_buffer("mean", torch.zeros(config.latent_channels))
        self.register_buffer("std", torch.ones(config.latent_channels))

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, 8h, 8w) in -1..1 to (B, Z, h, w)."""
        latent: Tensor = self.encoder(pixels)
        mean, std = (part.to(latent).view(1, -1, 1, 1) for part in (self.mean, self.std))
        return (latent - mean) / std


class TextTower(CLIPTextModel_):
    """Causal, pre-norm transformer over CLIP tokens; padding is not masked (as the authors have it)."""

    def __init__(self, config: TextConfig) -> None:
        described = {
            "num_hidden_layers": config.layers,
            "hidden_size": config.width,
            "num_attention_heads": config.heads,
            "intermediate_size": config.inner,
            "hidden_act": config.activation,
            "max_position_embeddings": config.positions,
            "eos_token_id": END,
        }
        super().__init__(described, dtype=None, device=None, operations=_Layers)
        self.has_zero_padding = config.zero_padding
        table = _Layers.Embedding(config.vocabulary, config.width)
        self.embeddings.token_embedding = KnownWordsEmbedding(table) if config.short_table else table

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T) CLIP ids to (B, T, W) hidden states."""
        hidden = super().forward(tokens, dtype=self.final_layer_norm.weight.dtype)[0]
        if self.has_zero_padding:
            ends = (tokens == END).cumsum(1)
            is_said = (ends == 0) | ((ends == 1) & (tokens == END))
            hidden = hidden * is_said.unsqueeze(-1)
        return hidden
