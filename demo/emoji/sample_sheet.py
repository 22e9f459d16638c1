"""Draws a contact sheet with an Emoji model: `python -m demo.emoji.sample_sheet unet --model FILE --sheet PICTURE`.

A row a noun or prompt, the same noise in each column, as KSampler does it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..comfy_host import import_comfyui
from ..contact_sheet import captioned
from .vocabulary import NOUNS, PLURALS

STEPS_AND_CFG = {"unet": (20, 3.0), "transformer": (20, 3.0), "few_step": (8, 1.0)}
WORDS = ("a", "two", "three", "four")


def noun_prompts() -> list[str]:
    """A prompt for each noun, with one to four of it."""
    prompts = []
    for number, noun in enumerate(NOUNS):
        count = number % len(WORDS)
        article = "an" if noun[0] in "aeiou" else "a"
        prompts.append(f"{article} {noun}" if count == 0 else f"{WORDS[count]} {PLURALS[noun]}")
    return prompts


def make_pictures(loaded, prompt: str, seeds: Sequence[int], steps: int, cfg: float) -> NDArray[np.uint8]:
    """(S, 128, 128, 3) pictures that a loaded model makes of a prompt, one a seed.

    Args:
        loaded: `ShapesModel` of the bridge.
    """
    import comfy.sample

    texts = (loaded.clip.encode_from_tokens_scheduled(loaded.clip.tokenize(text)) for text in (prompt, ""))
    channels = loaded.model.model.latent_format.latent_channels
    noise = torch.cat([comfy.sample.prepare_noise(torch.zeros(1, channels, 16, 16), seed) for seed in seeds])
    latent = torch.zeros(len(seeds), channels, 16, 16)
    samples = comfy.sample.sample(loaded.model, noise, steps, cfg, "euler", "simple", *texts, latent, disable_pbar=True)
    return (loaded.vae.decode(samples).float().cpu().numpy() * 255).round().astype(np.uint8)


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=tuple(STEPS_AND_CFG), help="of model")
    parser.add_argument("--model", type=Path, required=True, help="its weights")
    parser.add_argument("--sheet", type=Path, required=True)
    parser.add_argument("--prompts", nargs="*", help="default: one for each noun")
    parser.add_argument("--columns", type=int, default=4)
    given = parser.parse_args(arguments)
    import_comfyui("--cpu")
    from headcount.bridge.demo_models.emoji import load_emoji_transformer, load_emoji_unet

    lines = []
    with torch.inference_mode():
        loaded = (load_emoji_unet if given.kind == "unet" else load_emoji_transformer)(given.model)
        for prompt in given.prompts or noun_prompts():
            pictures = make_pictures(loaded, prompt, range(given.columns), *STEPS_AND_CFG[given.kind])
            lines.append([(prompt if column == 0 else "", picture) for column, picture in enumerate(pictures)])
    half = -(-len(lines) // 2)
    rows = [left + right for left, right in zip(lines[:half], [*lines[half:], []], strict=False)]
    captioned(rows).save(given.sheet)


if __name__ == "__main__":
    main()
