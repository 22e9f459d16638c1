"""Turns a T2ICount checkpoint into a safetensors file, which loads faster, without a copy in memory, and runs nothing.

  python -m training.convert best_model_paper.pth t2icount.safetensors
  python -m training.convert best_model_paper.pth t2icount_fp16.safetensors --precision fp16

Weights that no count depends on are left out. The file is read back and compared before it gets its name.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch
from headcount.core.errors import CountError
from headcount.core.t2icount.checkpoint import CONFIG_ENTRY, load_network
from headcount.core.t2icount.network import CountNetwork
from headcount.core.weights import not_finite
from safetensors import safe_open

from .comfyui import network_builder
from .options import ends_with_errors
from .run_folder import write_checkpoint
from .start import read_weights

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def convert(source: Path, target: Path, dtype: torch.dtype) -> None:
    """Write the T2ICount network of `source` as safetensors.

    Raises:
        CountError: the file is missing or holds another model, the target is no .safetensors file in a folder that is there,
            a weight is too large for `dtype`, or what was written is not what was meant.
    """
    if target.suffix != ".safetensors" or not target.parent.is_dir():
        raise CountError(f"{target} cannot be written; name a .safetensors file in a folder that is there")
    network = load_network(read_weights(source), network_builder()).to(dtype)
    too_large = not_finite(network.state_dict())
    if too_large:
        raise CountError(
            f"{len(too_large)} weights are too large for {dtype}, such as {too_large[0]}; take bf16 or fp32"
        )
    beside = target.with_name(target.name + ".part")
    try:
        write_checkpoint(network, beside)
        _verify(network, beside)
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)


def _verify(network: CountNetwork, path: Path) -> None:
    expected = network.state_dict()
    with safe_open(path, "pt") as file:
        name, stored = (file.metadata() or {}).get(CONFIG_ENTRY), list(file.keys())
        is_same = name == network.config.name and set(stored) == set(expected)
        is_same = is_same and all(torch.equal(file.get_tensor(key), expected[key]) for key in stored)
    if not is_same:
        raise CountError(f"{path} does not hold what was written to it; is the disk full or faulty?")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m training.convert", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="best_model_paper.pth, a resume file (.tar), or .safetensors")
    parser.add_argument("target", type=Path, help="the .safetensors file to write")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32", help="default %(default)s")
    given = parser.parse_args()
    with ends_with_errors("convert"):
        convert(given.source, given.target, PRECISIONS[given.precision])
    print(f"{given.target}: {given.target.stat().st_size / 2**20:.0f} MiB, read back and compared")


if __name__ == "__main__":
    main()
