"""Runs methods as an artist connects them: nodes before the sampler, one that chooses its noise, and the sampler.

Import this after `demo.comfy_host.import_comfyui`, which decides what ComfyUI runs on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from headcount.bridge.seed_search.settings import ALGORITHM_2
from torch import Tensor

from .node_methods import KINDS, Method
from .sampling import Sampling


def connected(
    sampling: Sampling, method: Method, links: Mapping[str, Any] | None = None
) -> tuple[Sampling, dict[str, Any]]:
    """The sampling with the nodes that steer and guide its model, and the MAPS of each, by "steers" and "guides".

    Args:
        links: `counter` and `vae`, for nodes that count.

    Raises:
        CountError: the method cannot work with this model, or a node refuses a setting.
    """
    maps = {}
    for does in ("steers", "guides"):
        if part := method.part(does):
            name, settings = part
            given = links or {} if KINDS[name].counts else {}
            model, maps[does], *_ = KINDS[name].node.execute(model=sampling.model, **settings, **given).args
            sampling = replace(sampling, model=model)
    return sampling, maps


def with_chosen_noise(sampling: Sampling, method: Method, links: Mapping[str, Any]) -> Sampling:
    """The sampling with the seed and noise that the method's node chooses; as it is where none does.

    Args:
        links: `counter` and `vae`, for nodes that count.

    Raises:
        CountError: the node refuses a setting, or cannot work with this model or prompt.
    """
    if (part := method.part("chooses")) is None:
        return sampling
    name, settings = part
    latent, seed, *others = KINDS[name].node.execute(
        model=sampling.model, positive=sampling.positive, negative=sampling.negative,
        latent_image={"samples": sampling.latent}, seed=sampling.seed, denoise=1.0, **sampling.settings.inputs,
        **(links if KINDS[name].counts else {}), **settings,
    ).args  # fmt: skip
    if settings.get("score") == ALGORITHM_2:
        return replace(sampling, samples=latent["samples"])
    model = others[-1] if name == "search" else sampling.model
    return replace(sampling, model=model, seed=seed, noise=latent.get("batch_index", [0])[0])


def losses_of(maps: Any, samples: Tensor) -> list[float]:
    """Of the steered steps that made these samples; none where nothing was steered."""
    record, is_its_own = maps.record_for(samples) if maps else (None, False)
    steps = getattr(record, "steps", ()) if is_its_own else ()
    return [float(one.instance_loss + one.semantic_loss) for one in steps if one.instance_loss is not None]


@torch.inference_mode()
def run_method(sampling: Sampling, method: Method) -> Tensor:
    """The sampled latent (1, C, h, w) of a method that asks no counter.

    Raises:
        CountError: as above.
    """
    return with_chosen_noise(connected(sampling, method)[0], method, {}).run()
