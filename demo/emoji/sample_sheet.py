"""Draws a contact sheet with an Emoji model: `python -m demo.emoji.sample_sheet unet --model FILE --sheet PICTURE`.

A row a noun or prompt, the same noise in each column, as KSampler does it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from ..comfy_host import import_comfyui
from ..contact_sheet import captioned
from ..sampling import sampled_pixels
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
        loaded = (load_emoji_transformer if given.kind == "transformer" else load_emoji_unet)(given.model)
        shape = (loaded.model.model.latent_format.latent_channels, 16, 16)
        for prompt in given.prompts or noun_prompts():
            pictures = sampled_pixels(loaded, prompt, shape, range(given.columns), *STEPS_AND_CFG[given.kind])
            lines.append([(prompt if column == 0 else "", picture) for column, picture in enumerate(pictures)])
    half = -(-len(lines) // 2)
    rows = [left + right for left, right in zip(lines[:half], [*lines[half:], []], strict=False)]
    captioned(rows).save(given.sheet)


if __name__ == "__main__":
    main()
