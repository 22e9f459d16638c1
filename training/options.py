"""What the command lines share: options, what they are turned into, and errors as a line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from headcount.core.errors import CountError
from headcount.core.t2icount.config import CounterConfig
from headcount.core.t2icount.tokens import class_tokens
from torch import Tensor

from .texts import NounTokens
from .tokenizer import load_tokenizer

DEVICES = ("auto", "cuda", "mps", "cpu")


@contextmanager
def ends_with_errors(name: str) -> Iterator[None]:
    """A CountError ends the program with "NAME: what is wrong" instead of a traceback."""
    try:
        yield
    except CountError as error:
        sys.exit(f"{name}: {error}")


def add_common(parser: argparse.ArgumentParser) -> None:
    """--tokenizer and --device."""
    parser.add_argument(
        "--tokenizer",
        type=Path,
        metavar="FOLDER",
        help="folder with CLIP's vocab.json and merges.txt; found by itself in the ComfyUI around this pack, in "
        "COMFYUI_PATH, or in what `make setup` unpacked",
    )
    parser.add_argument("--device", choices=DEVICES, default="auto", help="auto takes CUDA, else MPS, else the CPU")


def chosen_device(name: str) -> torch.device:
    """The device that an option names.

    Raises:
        CountError: this machine has none, or torch was built without it.
    """
    is_there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(kind for kind, there in is_there.items() if there)
    if not is_there[name]:
        raise CountError(f"--device {name}: torch {torch.__version__} finds no such device here; take --device auto")
    return torch.device(name)


def noun_tokens(folder: Path | None, config: CounterConfig) -> NounTokens:
    """Nouns to CLIP ids, for a network of this configuration.

    Raises:
        CountError: the tokenizer's files are not there.
    """
    ids = load_tokenizer(folder)

    def tokens(noun: str) -> tuple[Tensor, Tensor]:
        return class_tokens(ids(noun), config.text, noun)

    return tokens
