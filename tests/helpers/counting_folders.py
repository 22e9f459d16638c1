"""Small data sets on disk, laid out as FSC-147, FSC-147-S and CARPK are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from .counting_sets import Squares

SPLITS = {"train": ["1.jpg", "2.jpg", "3.jpg"], "val": ["4.jpg"], "test": ["5.jpg", "6.jpg"]}


def write_fsc147(folder: Path, side: int = 60, nouns: tuple[str, ...] = ("squares", "dots", "lines")) -> Path:
    """Six pictures with one to four squares; the validation picture shows four."""
    pictures, densities, rest = (
        folder / name for name in ("images_384_VarV2", "gt_density_map_adaptive_384_VarV2", "FSC_147")
    )
    for part in (pictures, densities, rest):
        part.mkdir(parents=True)
    drawn, points, lines = Squares(6, side), {}, []
    for index in range(6):
        picture, _, density = drawn.sample(index)
        Image.fromarray(picture).save(pictures / f"{index + 1}.jpg", quality=95)
        np.save(densities / f"{index + 1}.npy", density.astype(np.float64))
        points[f"{index + 1}.jpg"] = {"points": [[1.0, 2.0]] * (1 + index % 4), "H": side}
        lines.append(f"{index + 1}.jpg\t{nouns[index % len(nouns)]}\n")
    (rest / "Train_Test_Val_FSC_147.json").write_text(json.dumps(SPLITS))
    (rest / "annotation_FSC147_384.json").write_text(json.dumps(points))
    (rest / "ImageClasses_FSC147.txt").write_text("".join(lines))
    return folder


def write_carpk(folder: Path) -> Path:
    """Two test pictures with three cars and none."""
    for name in ("Images", "Annotations", "ImageSets"):
        (folder / name).mkdir(parents=True)
    for name, cars in (("first", 3), ("second", 0)):
        Image.new("RGB", (100, 60), "grey").save(folder / "Images" / f"{name}.png")
        (folder / "Annotations" / f"{name}.txt").write_text("10 10 20 20 1\n" * cars)
    (folder / "ImageSets" / "test.txt").write_text("first\nsecond\n")
    return folder
