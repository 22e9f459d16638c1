"""Writes the trained autoencoder as the file that all Emoji models share.

`python -m demo.emoji.export_autoencoder --out .cache/emoji --file demo/weights/emoji_autoencoder.safetensors`. Says how crisp
held-out scenes come back from the half-precision weights; accept it before any diffusion model is trained on its latents.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file

from ..train_shapes import halved
from .bank import statistics_of_scenes
from .drawn import CHUNK, chunk
from .train_autoencoder import HELD_OUT, signal_to_noise

# demo.train_shapes has put the pack on the import path
from headcount.core.emoji.autoencoder import EmojiAutoencoder  # isort: skip
from headcount.core.shapes.autoencoder import to_pixels  # isort: skip


@torch.no_grad()
def comparison(autoencoder: EmojiAutoencoder, pictures: torch.Tensor) -> Image.Image:
    """Pictures (S, 128, 128, 3) uint8 above, what comes back of each below."""
    back = autoencoder.decode(autoencoder.encode(to_pixels(pictures))).clamp(-1, 1)
    shown = ((back + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1)
    rows = [torch.cat(list(some), 1) for some in (pictures, shown)]
    return Image.fromarray(torch.cat(rows).numpy())


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder of the training run")
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--chunk", type=int, default=CHUNK, help="scenes in a chunk")
    given = parser.parse_args(arguments)
    state = torch.load(given.out / "autoencoder_training.pt", weights_only=True, map_location="cpu")
    averaged = {name.removeprefix("module."): value for name, value in state["average"].items() if "module." in name}
    weights = halved(averaged)
    autoencoder = EmojiAutoencoder().eval()
    autoencoder.load_state_dict({name: value.float() for name, value in weights.items()})
    statistics = statistics_of_scenes(autoencoder, given.out / "drawn", given.chunk)
    pictures = chunk(given.out / "drawn", HELD_OUT, 0, given.chunk).pictures
    found = signal_to_noise(autoencoder, torch.from_numpy(pictures))
    print(f"step {state['step']}: PSNR mean {found.mean():.2f} dB, 5 % are below {found.quantile(0.05):.2f} dB")
    comparison(autoencoder, torch.from_numpy(pictures[:10])).save(given.out / "autoencoder.png")
    named = {f"first_stage_model.{name}": value for name, value in weights.items()}
    save_file({**named, **{name: value.contiguous() for name, value in statistics.items()}}, given.file)


if __name__ == "__main__":
    main()
