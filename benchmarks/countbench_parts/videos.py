"""The videos of a folder: which belongs to which prompt, and their frames."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import numpy as np
from headcount.core.errors import CountError
from numpy.typing import NDArray
from PIL import Image, ImageSequence, UnidentifiedImageError

from ..lab.workflows import PICTURES, VIDEOS

Frame = NDArray[np.uint8]
"""(H, W, 3), red, green, blue."""

_NAMES = (re.compile(r"(\d{3,})(?:_|$)"), re.compile(r"video_(\d{3,})$"))


def match_videos(folder: Path, prompts: int) -> dict[int, Path]:
    """Which video belongs to which prompt, after the rules of CountBench's authors.

    A video is a file of `VIDEOS` or `PICTURES`, or a folder of pictures, its frames. Names that begin with the prompt's number
    ("007_two_cats.mp4") are looked for first, then "video_007.mp4"; without either, the i-th name in order is prompt i's.
    The rule is chosen once for the folder: where numbers are in the names, a missing video never gets another's place.

    Args:
        folder: where they are.
        prompts: how many prompts there are.

    Returns:
        number of the prompt, from 1 -> video; those that are missing are left out.

    Raises:
        CountError: there is no such folder, two videos have one number, or nothing says which belongs to which.
    """
    if not folder.is_dir():
        raise CountError(f"there is no folder {folder}. Give the folder of the videos")
    entries = sorted(filter(_is_video, folder.iterdir()), key=_natural)
    for pattern in _NAMES:
        numbered = [(int(match[1]), entry) for entry in entries if (match := pattern.match(entry.stem))]
        if numbered:
            return _by_number(numbered, prompts)
    if len(entries) > prompts:
        raise CountError(
            f"{folder} has {len(entries)} videos for {prompts} prompts, without numbers in their names. "
            "Name them 001_..., 002_..."
        )
    return dict(enumerate(entries, start=1))


def _by_number(numbered: Iterable[tuple[int, Path]], prompts: int) -> dict[int, Path]:
    found: dict[int, Path] = {}
    for number, entry in numbered:
        if number in found:
            raise CountError(
                f"{found[number].name} and {entry.name} are both of prompt {number}. Keep one, or put them into a folder "
                f"{number:03d}_frames where they are frames of one video"
            )
        found[number] = entry
    return {number: entry for number, entry in found.items() if 1 <= number <= prompts}


def _is_video(entry: Path) -> bool:
    if entry.name.startswith("."):
        return False
    return bool(frame_files(entry)) if entry.is_dir() else entry.suffix.lower() in VIDEOS | PICTURES


def frame_files(folder: Path) -> list[Path]:
    """The frames of a folder in order."""
    return sorted((path for path in folder.iterdir() if path.suffix.lower() in PICTURES), key=_natural)


def _natural(path: Path) -> tuple[list[str], list[int], str]:
    """Sorts "frame_2" before "frame_10"."""
    parts = re.split(r"(\d+)", path.name)
    return parts[::2], [int(digits) for digits in parts[1::2]], path.name


def frames_of(video: Path) -> Iterator[Frame]:
    """Every frame of a video, one at a time; a picture is a video of one frame.

    Raises:
        CountError: it is damaged or holds no frame.
    """
    frame = None
    try:
        for frame in _frames(video):
            yield frame
    except (av.FFmpegError, UnidentifiedImageError, OSError, IndexError) as error:
        raise CountError(f"{video} cannot be read: {error}. Make it anew") from error
    if frame is None:
        raise CountError(f"{video} holds no frame. Make it anew")


def _frames(video: Path) -> Iterator[Frame]:
    if video.is_dir():
        for file in frame_files(video):
            yield from _frames(file)
    elif video.suffix.lower() in PICTURES:
        with Image.open(video) as image:
            for picture in ImageSequence.Iterator(image):
                yield np.asarray(picture.convert("RGB"))
    else:
        with av.open(str(video)) as container:
            for frame in container.decode(video=0):
                yield frame.to_ndarray(format="rgb24")


def in_batches(frames: Iterable[Frame], size: int) -> Iterator[NDArray[np.uint8]]:
    """(N, H, W, 3) with N up to `size`; frames of another size begin a batch of their own."""
    waiting: list[Frame] = []
    for frame in frames:
        if waiting and (len(waiting) == size or frame.shape != waiting[0].shape):
            yield np.stack(waiting)
            waiting = []
        waiting.append(frame)
    if waiting:
        yield np.stack(waiting)
