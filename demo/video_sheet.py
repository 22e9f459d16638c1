"""Looks at a trained Shapes video model: samples clips, counts every picture exactly, and draws them in rows.

`python -m demo.video_sheet --model output/shapes_video/shapes_video.safetensors --clips 24 --sheet output/sheet.png`
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import torch

from .comfy_host import import_comfyui
from .contact_sheet import captioned
from .report import Ask, count_picture, shapes_seen
from .sampling import sampled_pixels
from .video_scenes import FRAMES, random_clip_kinds, write_clip_prompt

CFG = 3.0
_ROWS = 12  # clips on the sheet


def asks(clips: int, seed: int) -> list[Ask]:
    """What random clips would hold, with prompts for them."""
    rng = random.Random(seed)
    kinds = [random_clip_kinds(rng) for _ in range(clips)]
    return [Ask(write_clip_prompt(one, rng), one) for one in kinds]


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    given = _parser().parse_args(arguments)
    import_comfyui("--cpu" if given.device == "cpu" else "--use-pytorch-cross-attention")
    from headcount.bridge.demo_models.files import load_shapes_video_model

    lines, pictures_right, clips_right = [], 0, 0
    with torch.inference_mode():
        loaded, shape = load_shapes_video_model(given.model), (8, given.frames, 16, 16)
        for number, ask in enumerate(asks(given.clips, given.seed)):
            (pictures,) = sampled_pixels(loaded, ask.prompt, shape, [given.seed + number], given.steps, CFG)
            counts = [count_picture(ask, shapes_seen(picture)) for picture in pictures]
            right = sum(count.is_right for count in counts)
            pictures_right, clips_right = pictures_right + right, clips_right + (right == len(counts))
            print(f"{ask.prompt}: {ask.wanted} asked, {' '.join(map(str, counts))} made", flush=True)
            captions = [f"{ask.wanted} asked: {counts[0]}", *map(str, counts[1:])]
            lines.append(list(zip(captions, pictures, strict=True)))
    total = given.clips * given.frames
    print(f"right: {pictures_right} of {total} pictures, all pictures of {clips_right} of {given.clips} clips")
    if given.sheet:
        captioned(lines[:_ROWS]).save(given.sheet)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--sheet", type=Path, help="where the picture goes")
    return parser


if __name__ == "__main__":
    main()
