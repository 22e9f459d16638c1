"""Counts K nouns in one picture: windows in batches, each encoded once for all nouns, and put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional

from ..counting import Point
from ..errors import CountError
from .network import CountNetwork
from .peaks import peaks
from .text import ClassText
from .windows import Corner, Joined, cut_windows, window_corners

SHORT_SIDE, NATIVE = "short side", "native"
SCALES = (SHORT_SIDE, NATIVE)
_LONGEST = 16  # windows along a side that is only there because a narrow picture was enlarged

OnWindows = Callable[[int, int], None]
"""Called with passes of the network done and passes in all. What it raises ends the count."""


@dataclass(frozen=True)
class CountSettings:
    """How a picture is counted.

    Attributes:
        scale: "short side": the picture is scaled so that its shorter side is one window, as the pictures of FSC-147 are.
            "native": counted at its own size, as CARPK is; smaller pictures are enlarged to one window.
        batch: windows times nouns that go through the network at once.
        stride: pixels from window to window, the window at most; None for windows side by side, as published.
        attention: whether to hand out the fused cross-attention, too.
    """

    scale: str = SHORT_SIDE
    batch: int = 8
    stride: int | None = None
    attention: bool = False

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise CountError(f"scale is {self.scale!r}; it can be {' or '.join(map(repr, SCALES))}")
        if self.batch < 1:
            raise CountError(f"{self.batch} windows at once; it must be at least 1")
        if self.stride is not None and self.stride < 1:
            raise CountError(f"stride is {self.stride}; it must be at least 1 pixel")


@dataclass(frozen=True)
class PictureCount:
    """Counts of K nouns in a picture of H x W pixels. Everything is on the CPU, float32.

    Attributes:
        numbers: (K,) how many there are, not whole.
        density: (K, H, W) objects per pixel; each map sums to its number.
        similarity: (K, H, W) cosine between picture and noun, -1 to 1.
        points: per noun, as many (x, y) in pixels as its rounded number, halves up, strongest first.
        attention: (K, H, W) fused cross-attention to the noun, 0 to 1 in each window; None unless asked for.
    """

    numbers: Tensor
    density: Tensor
    similarity: Tensor
    points: tuple[tuple[Point, ...], ...]
    attention: Tensor | None = None


@torch.no_grad()
def count_picture(
    network: CountNetwork,
    picture: Tensor,
    text: ClassText,
    settings: CountSettings,
    on_windows: OnWindows | None = None,
) -> PictureCount:
    """Count in one picture.

    Besides the results, memory holds two maps of the scaled picture per noun and one batch of windows.

    Args:
        picture: (H, W, 3), of any size; values outside 0..1 count as 0 and 1.
        text: K nouns, on the device and of the type that the network computes with.

    Raises:
        CountError: the picture holds numbers that are no colours, or the network's results are none.
    """
    if (
        not torch.stack(picture.aminmax()).isfinite().all()
    ):  # either is NaN where a pixel is; isfinite of all would copy them
        raise CountError("the image has pixels that are not numbers (NaN or infinite); whatever made it failed")
    height, width = picture.shape[:2]
    config = network.config
    seen = picture.float().cpu().clamp(0, 1)  # as Save Image, previews and the overlay show it
    pixels = _scaled(rearrange(seen, "h w c -> c h w"), config.window, settings.scale)
    tall, wide = pixels.shape[1:]
    corners = window_corners(tall, wide, config.window, settings.stride)
    density, similarity, *attention = (
        Joined(len(text), tall, wide, config.window, settings.stride) for _ in range(3 if settings.attention else 2)
    )
    for some, (cells, likeness, *seen_at) in _passes(network, pixels, text, corners, settings, on_windows):
        density.add(some, cells / config.cell**2)
        similarity.add(some, likeness)
        for joined, one in zip(attention, seen_at, strict=True):
            joined.add(some, one)
    counted = density.mean().div_(config.density_scale)
    numbers = _sums(counted)
    if not torch.isfinite(numbers).all():
        raise CountError(
            f"the network's results are not numbers at {text.hidden.dtype}. Load the model with precision fp32"
        )
    points = tuple(
        tuple((x * width / wide, y * height / tall) for x, y in peaks(one, int(number + 0.5), config.cell))
        for one, number in zip(counted, numbers.tolist(), strict=True)
    )
    size = (height, width)
    fused = _fitted(attention[0].mean(), size) if attention else None
    density_map = _conserved(counted, size, numbers)
    return PictureCount(numbers.float(), density_map, _fitted(similarity.mean(), size), points, fused)


def _passes(
    network: CountNetwork,
    pixels: Tensor,
    text: ClassText,
    corners: list[Corner],
    settings: CountSettings,
    on_windows: OnWindows | None,
) -> Iterator[tuple[list[Corner], Tensor]]:
    """Per group of W windows: their corners, and (M, W, K, g, g) densities, similarities and what else is asked for."""
    window, nouns, batch = network.config.window, len(text), settings.batch
    shared = max(1, batch // nouns)  # windows of one pass
    at_once = max(1, batch // shared)  # nouns of one pass
    passes, done = -(-len(corners) // shared) * -(-nouns // at_once), 0
    for first in range(0, len(corners), shared):
        some = corners[first : first + shared]
        latent = network.encode(cut_windows(pixels, some, window).to(text.hidden) * 2 - 1)
        found: list[Tensor] = []
        for noun in range(0, nouns, at_once):
            asked = text[noun : noun + at_once]
            latents, words = latent.repeat(len(asked), 1, 1, 1), asked.each_repeated(len(some))
            maps = network.count_latent(latents, words, settings.attention)
            kinds = [maps.density, maps.fine_similarity]
            if maps.attention is not None:  # on the cells of the density
                kinds.append(functional.interpolate(maps.attention, size=maps.density.shape[-2:], mode="bilinear"))
            found.append(
                rearrange(torch.stack([one.float() for one in kinds]), "m (k w) 1 h v -> m w k h v", w=len(some))
            )
            done += 1
            if on_windows is not None:
                on_windows(done, passes)
        yield some, torch.cat(found, 2)


def counting_size(height: int, width: int, window: int, scale: str) -> tuple[int, int]:
    """Height and width at which a picture is counted; both are at least `window`.

    The shape of the picture is kept, but for very narrow ones: enlarged a thousand times they would have millions of pixels.
    """
    factor = window / min(height, width)
    if factor <= 1 and scale == NATIVE:
        return height, width
    longest = max(_LONGEST * window, height, width)
    tall, wide = (max(window, min(longest, round(side * factor))) for side in (height, width))
    return tall, wide


def _scaled(picture: Tensor, window: int, scale: str) -> Tensor:
    """(3, H, W) at its counting size, resized as Pillow's bicubic does."""
    height, width = picture.shape[1:]
    size = counting_size(height, width, window, scale)
    if size == (height, width):
        return picture
    return functional.interpolate(picture[None], size=size, mode="bicubic", antialias=True)[0].clamp(0, 1)


def _fitted(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """(K, h, w) to (K, H, W)."""
    if maps.shape[1:] == size:
        return maps
    is_smaller = any(new < old for new, old in zip(size, maps.shape[1:], strict=True))
    return functional.interpolate(maps[None], size=size, mode="area" if is_smaller else "bilinear")[0]


def _conserved(density: Tensor, size: tuple[int, int], numbers: Tensor) -> Tensor:
    """Densities at another size, with the same sums."""
    if density.shape[1:] == size:
        return density
    fitted = _fitted(density, size)
    sums = _sums(fitted)
    return fitted.mul_(torch.where(sums > 0, numbers / sums, 0.0).float()[:, None, None])


def _sums(maps: Tensor) -> Tensor:
    """(K,) float64; by rows first, since torch would make a float64 copy of the maps."""
    return maps.sum(2).sum(1, dtype=torch.float64)
