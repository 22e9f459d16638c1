"""What does a look of Count Search cost, decoding and counting included: `python -m benchmarks.look_cost --model sd15`.

Operations on shapes alone, at real configurations: of the model's calls up to *decide_at*, of decoding the expected image with
the model's own VAE and with TAESD, and of T2ICount's count of one window; as shares of a finished image, which is decoded once.
"""

from __future__ import annotations

import math

import torch

from demo.comfy_host import import_comfyui

import_comfyui("--cpu")
from comfy.ldm.models.autoencoder import AutoencoderKL  # noqa: E402
from comfy.taesd.taesd import TAESD  # noqa: E402
from headcount.bridge.seed_search.preview_plan import MIN_CALLS  # noqa: E402
from headcount.core.t2icount.config import OFFICIAL  # noqa: E402

from .lab.command import new_parser, positive  # noqa: E402
from .lab.count_ways import WAYS, random_work  # noqa: E402
from .lab.measures import FUSED, operations, without_numbers  # noqa: E402
from .lab.real_models import KINDS, cost_model  # noqa: E402
from .lab.steps import model_calls  # noqa: E402
from .lab.tables import table  # noqa: E402

_MODELS = ("sd15", "sdxl")  # whose VAE the configuration below is
_VAE = {
    "double_z": True,
    "z_channels": 4,
    "resolution": 256,
    "in_channels": 3,
    "out_ch": 3,
    "ch": 128,
    "ch_mult": [1, 2, 4, 4],
    "num_res_blocks": 2,
    "attn_resolutions": [],
    "dropout": 0.0,
}


@torch.no_grad()
def step_operations(name: str) -> float:
    """Of a plain step."""
    model = cost_model(name, torch.device("meta"), torch.float16)
    return operations(lambda: model_calls(model, FUSED))


@torch.no_grad()
def decoder_operations(side: int) -> dict[str, float]:
    """Of decoding one latent of `side` x `side` cells."""
    with torch.device("meta"):
        own, small, latent = (
            AutoencoderKL(embed_dim=4, ddconfig=_VAE),
            TAESD(latent_channels=4),
            torch.zeros(1, 4, side, side),
        )
    return {"VAE": operations(lambda: own.decode(latent)), "TAESD": operations(lambda: small.taesd_decoder(latent))}


@torch.no_grad()
def count_operations(nouns: int) -> float:
    """Of counting so many nouns in a square image, which is one window."""
    work = random_work(OFFICIAL, 1, nouns, torch.device("meta"))
    return operations(lambda: WAYS["this pack"](work))


def main() -> None:
    """Count and print."""
    parser = new_parser(__doc__)
    parser.add_argument("--model", choices=_MODELS, required=True)
    parser.add_argument("--steps", type=positive, default=20)
    parser.add_argument("--decide-at", type=float, default=0.3)
    parser.add_argument("--nouns", type=positive, default=2)
    given = parser.parse_args()
    looked = min(given.steps, max(MIN_CALLS, round(given.decide_at * given.steps)))
    with without_numbers():
        step = step_operations(given.model)
        decoders = decoder_operations(KINDS[given.model].size // KINDS[given.model].cell)
        count = count_operations(given.nouns)
    image = given.steps * step + decoders["VAE"]
    rows = []
    for name, decoder in decoders.items():
        parts = looked * step, decoder, count
        rows.append([name, *(f"{part / image:.3f}" for part in parts), f"{math.fsum(parts) / image:.2f}"])
    print(f"A look at {given.model}, {looked} of {given.steps} steps, {given.nouns} nouns, in images:\n")
    print("\n".join(table(["decoder", "model", "decoding", "counting", "a look"], rows)))


if __name__ == "__main__":
    main()
