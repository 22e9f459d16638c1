"""All numbers of a T2ICount network in one place: the authors' (OFFICIAL) and the demo worlds' (SHAPES, EMOJI)."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class TextConfig:
    """The CLIP text tower.

    Attributes:
        vocabulary: rows of the embedding table.
        positions: tokens per prompt, start and end token included.
        activation: "quick_gelu" or "gelu".
        short_table: the embedding table holds the known CLIP ids only, row 0 stands for every other one.
        zero_padding: hidden states after the first end token are set to 0.
    """

    vocabulary: int = 49408
    positions: int = 77
    width: int = 768
    layers: int = 12
    heads: int = 12
    inner: int = 3072
    activation: str = "quick_gelu"
    short_table: bool = False
    zero_padding: bool = False


@dataclass(frozen=True)
class EncoderConfig:
    """The autoencoder's encoder.

    Attributes:
        kind: "ldm", Stable Diffusion's KL encoder, or "shapes" or "emoji", a demo model's with its latent statistics.
        channels, multipliers, blocks: of the "ldm" encoder.
        latent_channels: channels of the latent.
    """

    kind: str = "ldm"
    channels: int = 128
    multipliers: tuple[int, ...] = (1, 2, 4, 4)
    blocks: int = 2
    latent_channels: int = 4


@dataclass(frozen=True)
class UNetConfig:
    """The denoising U-Net, with CompVis' names and order of blocks.

    Attributes:
        channels: at the first level; level i has `channels * multipliers[i]`.
        heads: of every attention layer; None where `head_channels` is given.
        head_channels: channels of one head; None where `heads` is given.
        attention_levels: whether the blocks of a level have a transformer; the middle block always has.
        linear_projections: a transformer's way in and out is a linear layer rather than a 1x1 convolution.
    """

    channels: int = 320
    multipliers: tuple[int, ...] = (1, 2, 4, 4)
    blocks: int = 2
    heads: int | None = 8
    head_channels: int | None = None
    attention_levels: tuple[bool, ...] = (True, True, True, False)
    linear_projections: bool = False

    @property
    def output_widths(self) -> list[int]:
        """Channels after each output block."""
        return [self.channels * m for m in reversed(self.multipliers) for _ in range(self.blocks + 1)]


@dataclass(frozen=True)
class CounterConfig:
    """A whole T2ICount network.

    Attributes:
        name: how errors and the model list call it.
        feature_blocks: output blocks of the U-Net whose results the decoder reads, coarse to fine (F4, F3, F2, F1).
        stages: channels of the three decoder stages; the last one's are also the counter head's.
        middle: channels of the counter head's last hidden layer.
        heads: of the decoder's attention layers.
        attention_weights: for each downscaling of the finest grid (1, 2, 4), the weight of its cross-attention in the
            fused map; they sum to 1.
        window: side of the square windows that a picture is counted in, pixels.
        cell: side of the pixel square that one density cell stands for.
        density_scale: the density is trained and predicted times this.
        semantic: stages read the text and correct themselves by similarity (HSCM); False is the plain backbone.
    """

    name: str = "official"
    text: TextConfig = TextConfig()
    encoder: EncoderConfig = EncoderConfig()
    unet: UNetConfig = UNetConfig()
    feature_blocks: tuple[int, int, int, int] = (1, 4, 7, 11)
    stages: tuple[int, int, int] = (640, 320, 256)
    middle: int = 128
    heads: int = 8
    attention_weights: tuple[tuple[int, float], ...] = ((4, 0.6), (2, 0.3), (1, 0.1))
    window: int = 384
    cell: int = 8
    density_scale: float = 60.0
    semantic: bool = True

    @property
    def grid(self) -> int:
        """Side of the density map of one window, in cells."""
        return self.window // self.cell


OFFICIAL = CounterConfig()

SHAPES = CounterConfig(
    name="shapes",
    text=TextConfig(
        vocabulary=96,
        positions=32,
        width=128,
        layers=3,
        heads=4,
        inner=512,
        activation="gelu",
        short_table=True,
        zero_padding=True,
    ),
    encoder=EncoderConfig(kind="shapes", latent_channels=8),
    unet=UNetConfig(
        channels=64,
        multipliers=(1, 2),
        heads=None,
        head_channels=32,
        attention_levels=(True, True),
        linear_projections=True,
    ),
    feature_blocks=(0, 1, 3, 5),
    stages=(96, 64, 64),
    middle=64,
    attention_weights=((2, 0.6), (1, 0.4)),
    window=128,
)

EMOJI = replace(
    SHAPES,
    name="emoji",
    text=replace(SHAPES.text, vocabulary=160),
    encoder=EncoderConfig(kind="emoji", latent_channels=12),
)


def plain_backbone(config: CounterConfig) -> CounterConfig:
    """The same without the semantic correction, for ablations (Table 4, row B)."""
    return replace(config, name=f"{config.name} backbone", semantic=False)
