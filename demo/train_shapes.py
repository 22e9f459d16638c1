"""Trains the Shapes diffusion model and its text encoder: `python -m demo.train_shapes --out FOLDER --steps 4500`.

Needs FOLDER/autoencoder.pt from `python -m demo.train_autoencoder`. `--start FILE` begins with the weights of a finished model,
its autoencoder included, and a fresh optimiser.
Objective: rectified flow (Liu et al. 2022; logit-normal times as in Esser et al. 2024, section 3.1), prompts dropped for
classifier-free guidance.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .comfy_host import import_comfyui
from .scenes import Scene, random_scene
from .step_training import Plan, StepTraining, changed, deadline_of, generator_of, new_parser

import_comfyui("--cpu", "--use-pytorch-cross-attention")  # what runs on other devices, too, where a model lies there
import comfy.ops  # noqa: E402
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel  # noqa: E402
from headcount.bridge.demo_models.model import UNET_CONFIG  # noqa: E402
from headcount.bridge.demo_models.text_encoder import (  # noqa: E402
    CLIP_CONFIG,
    MAX_LENGTH,
    VOCABULARY_SIZE,
    ShapesTextTransformer,
    ShapesTokenizer,
)
from headcount.core.shapes.autoencoder import ShapesAutoencoder, to_pixels  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

END_TOKEN = CLIP_CONFIG["eos_token_id"]
_ENCODER = "text_encoder.clip_l."
_TEXT = f"{_ENCODER}transformer."
"""Beginning of the text encoder's weights in a file of a Shapes or Emoji model."""
PROMPT_DROPOUT = 0.1
SHIFT = 0.4
PLAN = Plan(steps=4500, batch=32, rate=1e-3, ema_decay=0.9985, betas=(0.9, 0.95), weight_decay=1e-3)


@dataclass(frozen=True)
class Bank:
    """Training scenes, encoded once.

    Attributes:
        latents: (S, C, 16, 16) normalised, fp16; C is 8 for Shapes, 12 for Emoji. Of clips (S, C, F, 16, 16).
        tokens: (S, 32) CLIP ids.
        empty: (32,) CLIP ids of the empty prompt.
        statistics: `latent.mean`, `latent.std` (C,) and `latent.rgb_factors` (C + 1, 3).
    """

    latents: Tensor
    tokens: Tensor
    empty: Tensor
    statistics: dict[str, Tensor]

    def batch(self, generator: torch.Generator, size: int) -> tuple[Tensor, Tensor]:
        """`size` latents, in float32, and their tokens, drawn at random."""
        chosen = torch.randint(len(self.latents), (size,), generator=generator, device=self.latents.device)
        return self.latents[chosen].float(), self.tokens[chosen]

    def to(self, device: str | torch.device) -> Bank:
        """The bank with all that a batch is made of there."""
        moved = (part.to(device) for part in (self.latents, self.tokens, self.empty))
        return Bank(*moved, self.statistics)


def tokenise(prompts: list[str]) -> Tensor:
    """(S, 32) CLIP token ids; a prompt that needs a second chunk loses its end."""
    tokenizer = ShapesTokenizer()
    chunks = [tokenizer.tokenize_with_weights(prompt)["l"][0] for prompt in prompts]
    return torch.tensor([[token for token, _ in chunk] for chunk in chunks])


def known_words(tokens: Tensor, room: int = VOCABULARY_SIZE) -> Tensor:
    """CLIP ids of every word in (S, 32) prompts, and of a prompt's beginning and end, in rising order.

    Raises:
        ValueError: the text encoder's table, with `room` rows, cannot hold them.
    """
    known = torch.unique(tokens)
    if len(known) >= room:
        raise ValueError(f"the prompts use {len(known)} tokens; the embedding table holds {room - 1}")
    return known


def latent_statistics(latents: Tensor, pictures: Tensor) -> dict[str, Tensor]:
    """`Bank.statistics` of latents (S, C, h, w) and their pictures scaled down to (S, 3, h, w)."""
    mean, std = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    scaled = ((latents - mean.view(1, -1, 1, 1)) / std.view(1, -1, 1, 1)).movedim(1, -1).flatten(0, 2)
    with_constant = torch.cat([scaled, torch.ones(len(scaled), 1)], dim=1)
    factors = torch.linalg.lstsq(with_constant, pictures.movedim(1, -1).flatten(0, 2)).solution
    return {"latent.mean": mean, "latent.std": std, "latent.rgb_factors": factors}


@torch.no_grad()
def build_bank(autoencoder: ShapesAutoencoder, size: int, seed: int) -> Bank:
    """Draw and encode `size` scenes."""
    rng = random.Random(seed)
    prompts, latents, small = [], [], []
    for start in range(0, size, 64):
        scenes: list[Scene] = [random_scene(rng) for _ in range(min(64, size - start))]
        pixels = to_pixels(torch.from_numpy(np.stack([scene.picture for scene in scenes])))
        with torch.autocast("cpu", torch.bfloat16):
            latents.append(autoencoder.encode(pixels).float())
        if start < 2000:
            small.append(nn.functional.avg_pool2d(pixels, 8))
        prompts += [scene.prompt for scene in scenes]
    raw, pictures = torch.cat(latents), torch.cat(small)
    statistics = latent_statistics(raw[: len(pictures)], pictures)
    mean, std = (statistics[key].view(1, -1, 1, 1) for key in ("latent.mean", "latent.std"))
    return Bank(((raw - mean) / std).half(), tokenise(prompts), tokenise([""])[0], statistics)


def start_weights(module: nn.Module) -> None:
    """Fresh weights: ComfyUI's layers come without any."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv2d):
            nn.init.kaiming_uniform_(part.weight, a=math.sqrt(5))
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.GroupNorm | nn.LayerNorm) and part.weight is not None:
            nn.init.ones_(part.weight)
            nn.init.zeros_(part.bias)
        elif isinstance(part, nn.Embedding):
            nn.init.normal_(part.weight, std=0.05 if part.num_embeddings == MAX_LENGTH else 0.3)


def fresh_unet(config: dict[str, Any] = UNET_CONFIG) -> UNetModel:
    """ComfyUI's U-Net with fresh weights; it predicts 0 at first."""
    unet = UNetModel(**config, dtype=torch.float32, device="cpu", operations=comfy.ops.disable_weight_init)
    start_weights(unet)
    nn.init.zeros_(unet.out[2].weight)
    return unet


class Trainee(nn.Module):
    """Diffusion model and text encoder, as ComfyUI runs them, but with gradients.

    Args:
        known_ids: CLIP ids of the words that the text encoder is to know, in rising order.
        diffusion_model: with fresh weights; the Shapes U-Net by default.
        clip_config: of the text encoder.
    """

    def __init__(
        self,
        known_ids: Tensor,
        diffusion_model: nn.Module | None = None,
        clip_config: Mapping[str, Any] = CLIP_CONFIG,
    ) -> None:
        super().__init__()
        self.diffusion_model = diffusion_model or fresh_unet()
        self.text = ShapesTextTransformer(dict(clip_config), torch.float32, "cpu", comfy.ops.disable_weight_init)
        for layer in self.text.text_model.encoder.layers:
            layer.forward = MethodType(out_of_place, layer)  # ComfyUI adds in place, which autograd cannot undo
        start_weights(self.text)
        self.text.text_model.embeddings.token_embedding.ids[: len(known_ids)] = known_ids

    def begin_with(self, file: Path) -> None:
        """Take over the weights of a finished model."""
        self.diffusion_model.load_state_dict(part_of(file, "diffusion_model."))
        self.text.load_state_dict(part_of(file, _TEXT))

    def read_with(self, file: Path) -> None:
        """Take over the text encoder of a finished model for good."""
        self.text.load_state_dict(part_of(file, _TEXT))
        self.text.requires_grad_(False)

    def forward(self, x: Tensor, sigma: Tensor, tokens: Tensor) -> Tensor:
        """Predicted velocity, noise minus latent: (B, C, 16, 16) of (B,) noise levels and (B, 32) prompts."""
        context = self.text.text_model(tokens, dtype=torch.float32)[0]
        ended = (tokens == END_TOKEN).cumsum(1)
        first_end_or_before = (ended == 0) | ((ended == 1) & (tokens == END_TOKEN))
        return self.predicted(x, sigma, context * first_end_or_before.unsqueeze(-1))

    def predicted(self, x: Tensor, sigma: Tensor, context: Tensor) -> Tensor:
        """What the diffusion model makes of a text context (B, 32, 128); called as ComfyUI calls it."""
        return self.diffusion_model(x, sigma * 1000, context=context)


def out_of_place(layer: nn.Module, x: Tensor, mask: Tensor | None = None, optimized_attention: Any = None) -> Tensor:
    """What ComfyUI's text layer `layer` computes, without adding in place."""
    x = x + layer.self_attn(layer.layer_norm1(x), mask, optimized_attention)
    return x + layer.mlp(layer.layer_norm2(x))


def training_loss(model: nn.Module, bank: Bank, generator: torch.Generator, batch: int) -> Tensor:
    """`flow_loss` of one random batch; bank, model and generator are of one device."""
    clean, tokens = bank.batch(generator, batch)
    return flow_loss(
        model, clean, torch.where(dropped_prompts(tokens, generator), bank.empty, tokens), generator, SHIFT
    )


def dropped_prompts(tokens: Tensor, generator: torch.Generator) -> Tensor:
    """(B, 1) which of (B, 32) prompts are left out, for classifier-free guidance."""
    return torch.rand(len(tokens), 1, generator=generator, device=tokens.device) < PROMPT_DROPOUT


def flow_loss(model: nn.Module, clean: Tensor, tokens: Tensor, generator: torch.Generator, shift: float) -> Tensor:
    """Mean squared error of the velocity that is predicted for latents (B, ...) and prompts (B, 32) at random noise levels.

    Args:
        shift: mean of the noise levels' logits.
    """
    x, sigma, noise = noised(clean, generator, shift)
    with torch.autocast(clean.device.type, torch.bfloat16):
        velocity = model(x, sigma, tokens)
    return (velocity.float() - (noise - clean)).square().mean()


def noised(clean: Tensor, generator: torch.Generator, shift: float) -> tuple[Tensor, Tensor, Tensor]:
    """Latents (B, ...) at random noise levels, the levels (B,), 0 to 1, and the noise (B, ...)."""
    where = {"generator": generator, "device": clean.device}
    noise = torch.randn(clean.shape, **where)
    sigma = torch.sigmoid(torch.randn(len(clean), **where) + shift)
    level = sigma.view(-1, *[1] * (clean.ndim - 1))
    return (1 - level) * clean + level * noise, sigma, noise


def part_of(path: Path, prefix: str) -> dict[str, Tensor]:
    """The weights under a prefix in a file that `export` wrote, in float32 where they are floats."""
    found = {name[len(prefix) :]: value for name, value in load_file(path).items() if name.startswith(prefix)}
    return {name: value.float() if value.is_floating_point() else value for name, value in found.items()}


def named_weights(model: Trainee) -> dict[str, Tensor]:
    """The weights under the names by which the models' files have them: `diffusion_model.*`, `text_encoder.*`."""
    out = {}
    for name, value in model.state_dict().items():
        out[f"{_TEXT}{name[5:]}" if name.startswith("text.") else name] = value
    out[f"{_ENCODER}logit_scale"] = torch.tensor(4.6055)
    return out


def halved(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same on the CPU, in half precision where they are floats."""
    return {name: (v.half() if v.is_floating_point() else v).cpu().contiguous() for name, v in weights.items()}


def export(model: Trainee, autoencoder: ShapesAutoencoder, bank: Bank, path: Path) -> None:
    """Write the fp16 safetensors file that Load Shapes Demo Model reads."""
    out = named_weights(model)
    out.update({f"first_stage_model.{name}": value for name, value in autoencoder.state_dict().items()})
    save_file({**halved(out), **{k: v.float().contiguous() for k, v in bank.statistics.items()}}, path)


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = new_parser(__doc__)
    parser.add_argument("--scenes", type=int, default=40000)
    parser.add_argument("--start", type=Path, help="a finished model, such as demo/weights/shapes.safetensors")
    given = parser.parse_args(arguments)
    torch.manual_seed(given.seed)
    until, plan = deadline_of(given), changed(PLAN, given)
    autoencoder = ShapesAutoencoder().eval()
    if given.start:
        autoencoder.load_state_dict(part_of(given.start, "first_stage_model."))
    else:
        autoencoder.load_state_dict(torch.load(given.out / "autoencoder.pt", weights_only=True))
    bank = build_bank(autoencoder, given.scenes, given.seed)
    model = Trainee(known_words(bank.tokens))
    if given.start:
        model.begin_with(given.start)
    run, there = StepTraining(model.to(given.device), given.out, "diffusion", plan), bank.to(given.device)
    run.train(lambda step: training_loss(model, there, generator_of(step, given), plan.batch), until)
    export(run.trainer.averaged, autoencoder, bank, given.out / "shapes.safetensors")


if __name__ == "__main__":
    main()
