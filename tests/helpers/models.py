"""Real small models on a CPU, loaded as ComfyUI loads them, and runs of ComfyUI's own samplers."""

from __future__ import annotations

import atexit
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import comfy.model_base
import comfy.model_patcher
import comfy.sample
import comfy.samplers
import comfy.supported_models
import numpy as np
import torch
from comfy_extras.nodes_custom_sampler import BasicScheduler, CFGGuider, KSamplerSelect, SamplerCustomAdvanced
from headcount.bridge.comfyui.streams import video_of
from headcount.bridge.demo_models.files import load_shapes_model
from headcount.bridge.demo_models.model import ShapesModel
from headcount.bridge.prompts.token_positions import encode_count_prompt
from headcount.core.prompts import CONDITIONING_KEY, Counts
from headcount.core.prompts.carried import from_carried
from torch import Tensor

from benchmarks.lab.models import TINY_UNET, Config, configured, counted_prompt, model_of

Conditioning = list[list[Any]]
CPU = torch.device("cpu")
PROMPT = "a photo of three red circles and two stars"
SMALLEST_UNET = {
    **TINY_UNET,
    "channel_mult": [1],
    "num_res_blocks": [1],
    "transformer_depth": [1],
    "transformer_depth_output": [1, 1],
}
"""Of one level: for what is compiled, and where many samplers are tried and no layer is looked at."""
TINY_TOKENS, TINY_WIDTH = 7, TINY_UNET["context_dim"]


@dataclass(frozen=True)
class Setup:
    """A model and the two conditionings of a run; `sound` is the shape of a latent's sound, without the batch."""

    model: comfy.model_patcher.ModelPatcher
    positive: Conditioning
    negative: Conditioning
    channels: int
    sound: tuple[int, ...] = ()

    @property
    def counts(self) -> Counts:
        """What the positive prompt counts."""
        return from_carried(self.positive[0][1][CONDITIONING_KEY])


WITHOUT_A_PART = [
    ("latent.", "no latent statistics"),
    ("diffusion_model.", r"no weights under 'diffusion_model\.'"),
    ("text_encoder.", r"no weights under 'text_encoder\.'"),
    ("first_stage_model.", r"no weights under 'first_stage_model\.'"),
]
"""What is missing in a demo model's file, and what the error says of it."""


@cache
def shapes() -> ShapesModel:
    """The model that ships with the pack, loaded in inference mode as ComfyUI's executor does; shared by all tests."""
    with torch.inference_mode():
        return load_shapes_model()


@cache
def shapes_setup(prompt: str = PROMPT) -> Setup:
    """The Shapes model with a prompt of Count Prompt and an empty negative one."""
    loaded = shapes()
    with torch.inference_mode():
        positive, _ = encode_count_prompt(loaded.clip, prompt)
        negative = loaded.clip.encode_from_tokens_scheduled(loaded.clip.tokenize(""))
    return Setup(loaded.model, positive, negative, 8)


def tiny_counts(count: int = 2) -> Counts:
    """Two nouns at tokens 2 and 5 of 7: as many of the first as asked, one of the second."""
    return counted_prompt({"l": TINY_TOKENS}, (2, 5), (count, 1))


def tiny_setup(
    flow: bool = False, inference: bool = True, counts: Counts | None = None, unet: Config = TINY_UNET
) -> Setup:
    """A small Stable Diffusion 1.5 with random weights, the same in every call; eps or flow prediction."""
    config = configured(comfy.supported_models.SD15, unet)
    if flow:
        config.sampling_settings = {"shift": 3.0}
    kind = comfy.model_base.ModelType.FLOW if flow else comfy.model_base.ModelType.EPS
    generator = torch.Generator().manual_seed(1)
    with torch.inference_mode(inference):
        base = model_of(config, CPU, kind)
        base.diffusion_model.load_state_dict(random_weights(base.diffusion_model))
        patcher = comfy.model_patcher.ModelPatcher(base, CPU, CPU)
        texts = torch.randn(2, 1, TINY_TOKENS, TINY_WIDTH, generator=generator)
        positive = [[texts[0], {CONDITIONING_KEY: counts or tiny_counts()}]]
        return Setup(patcher, positive, [[texts[1], {}]], 4)


@cache
def shared_tiny(flow: bool = False) -> Setup:
    """`tiny_setup` made once, for tests that only sample."""
    return tiny_setup(flow)


@cache
def smallest(flow: bool = False) -> Setup:
    """`tiny_setup` of one level made once, for tests that only sample."""
    return tiny_setup(flow, unet=SMALLEST_UNET)


for _made_once in (shapes, shapes_setup, shared_tiny, smallest):
    atexit.register(_made_once.cache_clear)  # ComfyUI's patchers cannot be taken down once its modules are gone


def random_weights(module: torch.nn.Module) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for name, value in module.state_dict().items():
        if value.ndim > 1:
            weights[name] = torch.randn(value.shape, generator=generator) / value[0].numel() ** 0.5
        else:
            weights[name] = torch.full(value.shape, 1.0 if name.endswith(("weight", "scale")) else 0.0)
    return weights


@dataclass(frozen=True)
class Run:
    """How to sample."""

    sampler: str = "euler"
    steps: int = 3
    cfg: float = 3.0
    seed: int = 3
    batch: int = 1
    size: tuple[int, int] = (16, 16)
    denoise: float = 1.0
    scheduler: str = "normal"
    latent: Tensor | None = field(default=None, compare=False)
    noise_mask: Tensor | None = field(default=None, compare=False)


def start(setup: Setup, run: Run) -> tuple[Tensor, Tensor]:
    """Latent and noise of a run."""
    latent = torch.zeros(run.batch, setup.channels, *run.size) if run.latent is None else run.latent
    return latent, comfy.sample.prepare_noise(latent, run.seed)


def sample(model: comfy.model_patcher.ModelPatcher, setup: Setup, run: Run = Run(), **options: Any) -> Tensor:
    """What KSampler does; of a video with sound the video alone. See `sample_latent`."""
    return video_of(sample_latent(model, setup, run, **options))


def sample_latent(
    model: comfy.model_patcher.ModelPatcher,
    setup: Setup,
    run: Run = Run(),
    *,
    inference: bool = True,
    callback: Callable[..., None] | None = None,
    positive: Conditioning | None = None,
    negative: Conditioning | None = None,
) -> Any:
    """What KSampler does: the samples of its LATENT."""
    with torch.inference_mode(inference):
        latent, noise = start(setup, run)
        return comfy.sample.sample(
            model,
            noise,
            run.steps,
            run.cfg,
            run.sampler,
            run.scheduler,
            positive or setup.positive,
            negative or setup.negative,
            latent,
            denoise=run.denoise,
            noise_mask=run.noise_mask,
            disable_pbar=True,
            seed=run.seed,
            callback=callback,
        )


class FixedNoise:
    """A NOISE object, as RandomNoise gives."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def generate_noise(self, latent: dict[str, Tensor]) -> Tensor:
        return comfy.sample.prepare_noise(latent["samples"], self.seed)


def sample_advanced(model: comfy.model_patcher.ModelPatcher, setup: Setup, run: Run = Run()) -> Tensor:
    """What the graph of SamplerCustomAdvanced does."""
    with torch.inference_mode():
        (guider,) = CFGGuider.execute(model, setup.positive, setup.negative, run.cfg).args
        (sampler,) = KSamplerSelect.execute(run.sampler).args
        (sigmas,) = BasicScheduler.execute(model, run.scheduler, run.steps, run.denoise).args
        latent = {"samples": start(setup, run)[0]}
        before = sampler.sampler_function
        out = SamplerCustomAdvanced.execute(FixedNoise(run.seed), guider, sampler, sigmas, latent).args[0]
        assert sampler.sampler_function is before, "the SAMPLER object is cached: it must come back as it was"
        return out["samples"]


def weights_of(model: comfy.model_patcher.ModelPatcher) -> dict[str, tuple[int, int]]:
    """Every parameter and buffer of a model: its name to the identity of the tensor and of what it holds."""
    tensors = [*model.model.named_parameters(), *model.model.named_buffers()]
    return {name: (id(value), value._version if not value.is_inference() else 0) for name, value in tensors}


def weight_names(loaded: Any) -> set[str]:
    """What the weights of a demo model are called in its file."""
    parts = {
        "diffusion_model": loaded.model.model.diffusion_model,
        "text_encoder": loaded.clip.cond_stage_model,
        "first_stage_model": loaded.vae.first_stage_model,
    }
    return {f"{prefix}.{name}" for prefix, part in parts.items() for name in part.state_dict()}


def random_state_after(action: Callable[[], object]) -> tuple[Any, ...]:
    """State of the global random number generators after `action`, from a fixed start. ComfyUI itself seeds them."""
    torch.manual_seed(99)
    np.random.seed(99)
    random.seed(99)
    action()
    return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()
