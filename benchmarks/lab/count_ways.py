"""T2ICount's network with random weights, and three ways to count with it: this pack's, noun by noun, and as published.

Import this after `demo.comfy_host.import_comfyui`, which decides what ComfyUI runs on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from headcount.bridge.t2icount.backbone import count_network
from headcount.core.t2icount.config import CounterConfig
from headcount.core.t2icount.cross_attention import AttentionMaps, fused_attention
from headcount.core.t2icount.network import CountNetwork
from torch import Tensor, nn
from torch.nn import functional


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
