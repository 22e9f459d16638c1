"""Drawn scenes kept in files, since drawing takes longer than reading: `python -m demo.emoji.drawn --out FOLDER --chunks 24`.

Scene 1000 k + i of a collection is scene i of its chunk k. A chunk that is there is kept.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.files import write_whole

from .scenes import scene
from .vocabulary import NOUNS

CHUNK = 1000


@dataclass(frozen=True)
class DrawnScenes:
    """Drawn scenes.

    Attributes:
        pictures: (S, 128, 128, 3) uint8.
        prompts: S of them.
        objects: (M, 6) of all objects: the scene's place here, the noun's in `NOUNS`, and left, top, width, height in pixels.
    """

    pictures: NDArray[np.uint8]
    prompts: list[str]
    objects: NDArray[np.integer]


def draw_scenes(collection: str, first: int, count: int) -> DrawnScenes:
    """Draw scenes `first` to `first + count - 1` of a collection."""
    drawn = [scene(collection, number) for number in range(first, first + count)]
    objects = [
        (number, NOUNS.index(thing.noun), *thing.box) for number, one in enumerate(drawn) for thing in one.objects
    ]
    pictures = np.stack([one.picture for one in drawn])
    return DrawnScenes(pictures, [one.prompt for one in drawn], np.array(objects, dtype=np.int16))


def chunk(folder: Path, collection: str, number: int, size: int = CHUNK) -> DrawnScenes:
    """A chunk from its file in `folder`, or drawn and then written there.

    Raises:
        ValueError: the file holds a chunk of another size.
    """
    file = folder / f"{collection.replace(' ', '_')}_{number:03}.npz"
    if file.is_file():
        with np.load(file) as kept:
            read = DrawnScenes(kept["pictures"], kept["prompts"].tolist(), kept["objects"])
        if len(read.pictures) != size:
            raise ValueError(f"{file} holds {len(read.pictures)} scenes, not {size}: take another folder")
        return read
    drawn = draw_scenes(collection, number * size, size)
    arrays = {"pictures": drawn.pictures, "prompts": np.array(drawn.prompts), "objects": drawn.objects}
    write_whole(file, lambda path: np.savez(path, **arrays))
    return drawn


def chunk_options(parser: argparse.ArgumentParser, chunks: int) -> None:
    """How many drawn scenes are used."""
    parser.add_argument("--chunks", type=int, default=chunks, help="of drawn scenes to train on")
    parser.add_argument("--chunk", type=int, default=CHUNK, help="scenes in a chunk")


def all_scenes(folder: Path, collection: str, chunks: int, size: int = CHUNK) -> DrawnScenes:
    """The scenes of the first chunks, as one."""
    read = [chunk(folder, collection, number, size) for number in range(chunks)]
    shift = np.array([1, 0, 0, 0, 0, 0], dtype=np.int64) * size
    objects = [one.objects + number * shift for number, one in enumerate(read)]
    prompts = [prompt for one in read for prompt in one.prompts]
    return DrawnScenes(np.concatenate([one.pictures for one in read]), prompts, np.concatenate(objects))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--collection", default="training")
    parser.add_argument("--chunks", type=int, default=24, help="of 1000 scenes each")
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    with ProcessPoolExecutor(given.processes) as pool:
        list(pool.map(partial(_draw, given.out, given.collection), range(given.chunks)))


def _draw(folder: Path, collection: str, number: int) -> None:
    chunk(folder, collection, number)


if __name__ == "__main__":
    main()
