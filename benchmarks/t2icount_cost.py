"""What does a count cost, in time, memory and operations, against the published way to count?

`python -m benchmarks.t2icount_cost` builds the network at its real size with random weights (what a count costs does not
depend on training) and counts a few nouns in one picture of a few windows, three ways in turns in one process:

- this pack: the windows are encoded once for all nouns, attention is fused and no map of it is made;
- noun by noun: every noun encodes the windows again;
- as published: besides, the text tower runs once per window, attention is computed with whole matrices and its mean over
  the heads is kept for every layer of the U-Net until the maps are fused, although a count does not read them.

Putting the windows together again is left out, it is the same for all.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from demo.comfy_host import import_comfyui

import_comfyui("--cpu")  # the network below runs on the device it is given, whatever ComfyUI uses
from headcount.bridge.t2icount.backbone import count_network  # noqa: E402
from headcount.core.t2icount.config import OFFICIAL, CounterConfig, EncoderConfig, TextConfig, UNetConfig  # noqa: E402
from headcount.core.t2icount.cross_attention import AttentionMaps, fused_attention  # noqa: E402
from headcount.core.t2icount.network import CountNetwork  # noqa: E402

from .cost_measures import Step, operations, peak_bytes, times  # noqa: E402

TINY = replace(
    OFFICIAL,
    name="tiny",
    text=TextConfig(vocabulary=512, width=64, layers=2, heads=4, inner=128),
    encoder=EncoderConfig(channels=32),
    unet=UNetConfig(channels=32),
    stages=(64, 32, 32),
    window=192,
)
SIZES = {"tiny": TINY, "full": OFFICIAL}
PUBLISHED_PARAMETERS = 1_065_648_553


@dataclass(frozen=True)
class Work:
    """A network and what it counts.

    Attributes:
        windows: (N, 3, S, S) pixels of one picture.
        tokens, mask: (K, T) of the nouns.
    """

    network: CountNetwork
    windows: Tensor
    tokens: Tensor
    mask: Tensor


def random_work(config: CounterConfig, windows: int, nouns: int, device: torch.device) -> Work:
    """Weights that keep activations at about 1, drawn on the device itself; no numbers at all on "meta"."""
    with torch.device("meta"):
        network = count_network(config)
    network = network.to_empty(device=device).requires_grad_(False).eval()
    generator = None if device.type == "meta" else torch.Generator(device).manual_seed(0)
    for module in network.modules():
        for name, weight in module.named_parameters(recurse=False):
            if isinstance(module, nn.GroupNorm | nn.LayerNorm):
                weight.fill_(1.0 if name == "weight" else 0.0)
            else:
                limit = (3 / weight[0].numel()) ** 0.5 if weight.ndim > 1 else 0.1
                weight.uniform_(-limit, limit, generator=generator)
    pixels = torch.empty(windows, 3, config.window, config.window, device=device).uniform_(-1, 1, generator=generator)
    tokens = torch.arange(nouns, device=device)[:, None] + torch.arange(config.text.positions, device=device)
    mask = torch.zeros(nouns, config.text.positions, device=device)
    mask[:, 1:3] = 1
    return Work(network, pixels, tokens, mask)


def this_pack(work: Work) -> Tensor:
    """(K, N) counts: one text pass, one latent for all nouns."""
    latent, text = work.network.encode(work.windows), work.network.embed_text(work.tokens, work.mask)
    found = [
        work.network.count_latent(latent, text[noun : noun + 1].each_repeated(len(latent))).density.sum((1, 2, 3))
        for noun in range(len(text))
    ]
    return torch.stack(found) / work.network.config.density_scale


def noun_by_noun(work: Work) -> Tensor:
    """(K, N) counts: every noun on its own."""
    found = []
    for tokens, mask in zip(work.tokens.split(1), work.mask.split(1), strict=True):
        text = work.network.embed_text(tokens, mask).each_repeated(len(work.windows))
        found.append(work.network(work.windows, text).density.sum((1, 2, 3)))
    return torch.stack(found) / work.network.config.density_scale


def as_published(work: Work) -> Tensor:
    """(K, N) counts: every noun on its own, with whole attention matrices and maps of all U-Net layers."""
    network, count, found = work.network, len(work.windows), []
    for tokens, mask in zip(work.tokens.split(1), work.mask.split(1), strict=True):
        with whole_matrices([]):
            text = network.embed_text(tokens.expand(count, -1), mask.expand(count, -1))
            latent = network.encode(work.windows)
        kept: list[Tensor] = []
        with whole_matrices(kept):
            maps = AttentionMaps()
            features = network.diffusion_model(latent, text.hidden, maps)
        with whole_matrices([]):
            decoded = network.decoder.decode(features, text.vector)
            density = network.decoder.regressor(decoded.features[-1])
        fused_attention(maps.per_token(), text.mask, network.config.attention_weights)
        found.append(density.sum((1, 2, 3)))
    return torch.stack(found) / network.config.density_scale


WAYS: dict[str, Callable[[Work], Tensor]] = {
    "this pack": this_pack,
    "noun by noun": noun_by_noun,
    "as published": as_published,
}


@contextmanager
def whole_matrices(kept: list[Tensor]) -> Iterator[None]:
    """Within the block, attention is a softmax over a whole matrix, whose mean over the heads goes into `kept`."""
    own = functional.scaled_dot_product_attention

    def attention(q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None = None, **_options: Any) -> Tensor:
        logits = q @ k.mT * q.shape[-1] ** -0.5
        if attn_mask is not None:
            logits = logits + attn_mask
        matrix = logits.softmax(-1)
        kept.append(matrix.mean(1))
        return matrix @ v

    functional.scaled_dot_product_attention = attention
    try:
        yield
    finally:
        functional.scaled_dot_product_attention = own


def layers(network: nn.Module) -> dict[str, nn.Module]:
    """Modules with weights of their own, by name; without the table of positions, which ComfyUI reads and does not run."""
    modules = {name: module for name, module in network.named_modules() if list(module.parameters(recurse=False))}
    return {name: module for name, module in modules.items() if not name.endswith(".position_embedding")}


def idle_parts(work: Work) -> list[str]:
    """Names of the layers that a count of this pack does not run."""
    leaves = layers(work.network)
    executed: set[str] = set()
    hooks = [module.register_forward_hook(lambda *_, name=name: executed.add(name)) for name, module in leaves.items()]
    this_pack(work)
    for hook in hooks:
        hook.remove()
    return sorted(set(leaves) - executed)


@dataclass(frozen=True)
class Row:
    """One way's figures; memory in bytes beyond the weights, `windows_per_second` for each noun."""

    way: str
    seconds: float
    windows_per_second: float
    peak: int
    operations: float


def measured(work: Work, rounds: int) -> list[Row]:
    """Every way's time, memory and operations for the whole picture and all nouns."""
    device = work.windows.device
    wait: Callable[[], None] = (lambda: None) if device.type == "cpu" else torch.accelerator.synchronize
    steps: dict[str, Step] = {name: lambda way=way: way(work) for name, way in WAYS.items()}
    shapes = random_work(work.network.config, len(work.windows), len(work.tokens), torch.device("meta"))
    counted = len(work.windows) * len(work.tokens)
    found = times(steps, rounds, wait)
    return [
        Row(
            name,
            found[name],
            counted / found[name],
            peak_bytes(step, work.network),
            operations(lambda name=name: WAYS[name](shapes)),
        )
        for name, step in steps.items()
    ]


def table(rows: list[Row]) -> str:
    """Markdown; ratios are to the first row."""
    first = rows[0]
    lines = ["| way | time | against this pack | windows a second | peak | against this pack | operations |"]
    lines.append("|" + " --- |" * 7)
    lines += [
        f"| {row.way} | {row.seconds:.2f} s | {row.seconds / first.seconds:.2f}x | {row.windows_per_second:.2f} "
        f"| {row.peak / 1e9:.2f} GB | {row.peak / first.peak:.2f}x | {row.operations / 1e12:.3f} TFLOP |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=tuple(SIZES), default="full")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--windows", type=int, default=2, help="of the picture")
    parser.add_argument("--nouns", type=int, default=2, help="counted in the picture")
    parser.add_argument("--rounds", type=int, default=3, help="that times are the median of, after one not counted")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    given = parser.parse_args()
    config = SIZES[given.size]
    with torch.inference_mode():
        work = random_work(config, given.windows, given.nouns, torch.device(given.device))
        idle, rows = idle_parts(random_work(config, 1, 1, torch.device("meta"))), measured(work, given.rounds)
    built = sum(weight.numel() for weight in work.network.parameters())
    how = "bytes of live tensors" if given.device == "cpu" else "the accelerator's allocated memory"
    print(f"## A count, {given.size}, {given.windows} windows, {given.nouns} nouns, float32, {given.device}\n")
    print(f"Median of {given.rounds}. Peak: {how}, beyond the weights ({4 * built / 1e9:.2f} GB).\n\n{table(rows)}\n")
    print(
        f"Layers with weights: {len(layers(work.network))}, of which a count leaves idle: {len(idle)}. Parameters: {built:,}",
        end="",
    )
    print(f" of the checkpoint's {PUBLISHED_PARAMETERS:,}." if config is OFFICIAL else ".")
    if given.json:
        report: dict[str, Any] = {"size": given.size, "device": given.device, "torch": torch.__version__, "idle": idle}
        given.json.write_text(json.dumps({**report, "rows": [vars(row) for row in rows]}, indent=1))


if __name__ == "__main__":
    main()
