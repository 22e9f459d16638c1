"""Widgets of nodes that sample as the user's sampler does."""

from __future__ import annotations

from comfy_api.latest import io

from ..bridge.seed_search.settings import SamplerSettings, sampler_names, scheduler_names

SAME = "The same as in the sampler that makes the image."
AS_IN_KSAMPLER = "As in ComfyUI's KSampler."


def seed_input(tooltip: str) -> io.Input:
    """seed, as ComfyUI's samplers have it."""
    return io.Int.Input("seed", default=0, min=0, max=0xFFFFFFFFFFFFFFFF, control_after_generate=True, tooltip=tooltip)


def sampling_inputs(default: SamplerSettings, tooltip: str = SAME) -> list[io.Input]:
    """steps, cfg, sampler_name, scheduler and denoise, with the defaults of a node's settings."""
    return [
        io.Int.Input("steps", default=default.steps, min=1, max=10000, tooltip=tooltip),
        io.Float.Input("cfg", default=default.cfg, min=0.0, max=100.0, step=0.1, tooltip=tooltip),
        io.Combo.Input("sampler_name", options=sampler_names(), default=default.sampler, tooltip=tooltip),
        io.Combo.Input("scheduler", options=scheduler_names(), default=default.scheduler, tooltip=tooltip),
        io.Float.Input("denoise", default=default.denoise, min=0.01, max=1.0, step=0.01, tooltip=tooltip),
    ]
