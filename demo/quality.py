"""How much pictures look like drawn Shapes scenes, whatever they show: no reference model, only what the scenes promise.

A drawn scene has things of eight outlines in six plain colours on a plain light background. `python -m demo.quality
--pictures FOLDER` prints how far pictures keep to that, beside as many drawn scenes. Counts are no part of it.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.files import read_picture

from .counter import drawn_outlines, stretched
from .scenes import random_scene
from .shapes import COLOURS

Mask = NDArray[np.bool_]
Picture = NDArray[np.uint8]

_PALETTE = np.array(list(COLOURS.values()), float)
_FOREGROUND = 58.0  # RGB distance from the background, as in demo.counter
_NEAR = 20.0  # RGB distance up to which a pixel is background, or one of the six colours
_MIN_AREA = 10  # pixels; smaller regions are left to `stray`
# Drawn shapes reach 0.81 and 0.12 (1,957 of 1,957); below this, most generated ones are no plain shape to the eye either.
_GOOD_FIT, _CLEAR_MARGIN = 0.65, 0.03
_EVERY_NEIGHBOUR = np.ones((3, 3), bool)


@dataclass(frozen=True)
class Region:
    """A connected region that is no background.

    Attributes:
        fit: overlap with the outline that fits best, intersection over union, 0 to 1.
        margin: how much worse the next outline fits.
        colour_distance: RGB distance of its median colour from the nearest of the six colours, in levels of 0 to 255.
        colour_spread: root mean square RGB distance of its pixels from their mean, edge left out.
    """

    fit: float
    margin: float
    colour_distance: float
    colour_spread: float

    @property
    def is_clear(self) -> bool:
        """Whether it is plainly one of the eight shapes."""
        return self.fit >= _GOOD_FIT and self.margin >= _CLEAR_MARGIN


@dataclass(frozen=True)
class Features:
    """What is measured of one picture.

    Attributes:
        regions: its connected regions.
        background: mean level of the background, 0 to 255.
        background_spread: root mean square RGB distance of the background's pixels from their mean.
        stray: share of the pixels that are neither background nor one of the six colours, such as blurred edges.
    """

    regions: tuple[Region, ...]
    background: float
    background_spread: float
    stray: float

    @property
    def vector(self) -> NDArray[np.float64]:
        """(7,) share of unclear regions, mean fit, colour distance, colour spread, background, its spread, stray.

        In units that are about as easy to see as one another. A picture without regions has nothing clear.
        """
        values = [(not r.is_clear, r.fit, r.colour_distance, r.colour_spread) for r in self.regions] or [(1, 0, 0, 0)]
        mean = np.mean(np.array(values, float), axis=0)
        return np.array([*mean, self.background, self.background_spread, self.stray]) / _UNITS


_UNITS = np.array([0.1, 0.05, 5.0, 5.0, 10.0, 2.0, 0.01])


def _region(mask: Mask, pixels: NDArray[np.float64], from_background: NDArray[np.float64]) -> Region:
    inner = ndimage.binary_erosion(mask)
    inner = inner if inner.sum() >= 5 else mask
    # Half-way up its edge, so that a soft edge makes the outline neither wider nor narrower.
    seen = stretched(mask & (from_background >= np.median(from_background[inner]) / 2))
    fits = sorted(float(np.minimum(seen, t).sum() / np.maximum(seen, t).sum()) for t in drawn_outlines())
    colours = pixels[inner]
    distance = float(np.linalg.norm(_PALETTE - np.median(colours, axis=0), axis=1).min())
    spread = float(np.sqrt(np.square(colours - colours.mean(0)).sum(1).mean()))
    return Region(fits[-1], fits[-1] - fits[-2], distance, spread)


def features(picture: Picture) -> Features:
    """Measure one picture.

    Args:
        picture: (H, W, 3) uint8, about `scenes.SIZE` pixels wide.
    """
    pixels = picture.astype(float)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    from_background = np.linalg.norm(pixels - np.median(edge, axis=0), axis=-1)
    from_palette = np.linalg.norm(pixels[:, :, None] - _PALETTE, axis=-1).min(-1)
    labels, count = ndimage.label(from_background > _FOREGROUND, structure=_EVERY_NEIGHBOUR)
    masks = (labels == label for label in range(1, count + 1))
    regions = tuple(_region(mask, pixels, from_background) for mask in masks if mask.sum() >= _MIN_AREA)
    # Away from things, whose soft edges would count as spread.
    plain = ~ndimage.binary_dilation(from_background > _FOREGROUND, iterations=3)
    background = pixels[plain if plain.any() else np.ones_like(plain)]
    spread = float(np.sqrt(np.square(background - background.mean(0)).sum(1).mean()))
    stray = float(((from_background > _NEAR) & (from_palette > _NEAR)).mean())
    return Features(regions, float(background.mean()), spread, stray)


def summary(pictures: Sequence[Features]) -> dict[str, float]:
    """Figures of a set of pictures; those of regions are means over all regions.

    Returns:
        name -> figure: "clear" and "stray" are shares, the others levels of 0 to 255; see `Region` and `Features`.

    Raises:
        ValueError: there are no pictures.
    """
    if not pictures:
        raise ValueError("there are no pictures to measure")
    regions = [region for picture in pictures for region in picture.regions]

    def over_regions(values: list[float]) -> float:
        return float(np.mean(values)) if values else 0.0

    return {
        "clear": over_regions([float(region.is_clear) for region in regions]),
        "colour distance": over_regions([region.colour_distance for region in regions]),
        "colour spread": over_regions([region.colour_spread for region in regions]),
        "background": float(np.mean([picture.background for picture in pictures])),
        "background spread": float(np.mean([picture.background_spread for picture in pictures])),
        "stray": float(np.mean([picture.stray for picture in pictures])),
    }


def _root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Square root of a symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return (vectors * np.sqrt(values.clip(min=0))) @ vectors.T


def frechet_distance(one: Sequence[Features], other: Sequence[Features]) -> float:
    """Fréchet distance of two sets of pictures over `Features.vector`; see `distance_of_vectors`."""
    return distance_of_vectors(*(np.array([picture.vector for picture in side]) for side in (one, other)))


def distance_of_vectors(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Fréchet distance of two sets of (N, D) vectors, one a picture, as in FID, whose vectors are a network's features.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1^1/2 C2 C1^1/2)^1/2), in squared units. Sets of fewer than about 100 pictures look
    farther apart than they are; compare only sets of one size.

    Raises:
        ValueError: a set has fewer than two pictures.
    """
    if min(len(one), len(other)) < 2:
        raise ValueError(f"a distance needs two pictures on each side, not {len(one)} and {len(other)}")
    means, covariances = [side.mean(0) for side in (one, other)], [np.cov(side, rowvar=False) for side in (one, other)]
    root = _root(covariances[0])
    mixed = _root(root @ covariances[1] @ root)
    value = np.square(means[0] - means[1]).sum() + np.trace(covariances[0] + covariances[1] - 2 * mixed)
    return max(float(value), 0.0)


def drawn_features(pictures: int, seed: int) -> list[Features]:
    """Features of as many random drawn scenes."""
    rng = random.Random(seed)
    return [features(random_scene(rng).picture) for _ in range(pictures)]


def quality_table(sets: Mapping[str, Sequence[Features]], drawn: Sequence[Features]) -> list[str]:
    """A Markdown table: one line per set of pictures, and its distance from `drawn` where both have two pictures."""
    lines = [
        "| pictures | n | clear shapes | colour off by | colour spread | background | its spread | stray pixels | distance |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, pictures in sets.items():
        figures = summary(pictures)
        enough = min(len(pictures), len(drawn)) > 1
        distance = f"{frechet_distance(pictures, drawn):.2f}" if enough else "-"
        lines.append(
            f"| {name} | {len(pictures)} | {figures['clear']:.1%} | {figures['colour distance']:.1f} "
            f"| {figures['colour spread']:.1f} | {figures['background']:.0f} | {figures['background spread']:.2f} "
            f"| {figures['stray']:.2%} | {distance} |"
        )
    return lines


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True, help="folder of PNG files, with its subfolders")
    parser.add_argument("--seed", type=int, default=0, help="of the drawn scenes")
    arguments = parser.parse_args()
    files = sorted(arguments.pictures.rglob("*.png"))
    if not files:
        parser.error(f"there are no PNG files in {arguments.pictures}")
    seen = [features(read_picture(file)) for file in files]
    drawn, others = (drawn_features(len(seen), arguments.seed + turn) for turn in range(2))
    print("\n".join(quality_table({"given": seen, "drawn": others}, drawn)))
    print("\nDistance: Fréchet distance from other drawn scenes, so that of drawn scenes is its floor.")


if __name__ == "__main__":
    main()
