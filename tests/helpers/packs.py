"""What other nodes do to a MODEL, as patches of the tiny model: ComfyUI's own nodes, and what well-known packs do by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import comfy.patcher_extension
import comfy_extras.nodes_differential_diffusion as differential
import comfy_extras.nodes_easycache as caching
import comfy_extras.nodes_eps as eps
import comfy_extras.nodes_freelunch as freelunch
import comfy_extras.nodes_hypertile as hypertile
import comfy_extras.nodes_model_advanced as advanced
import comfy_extras.nodes_pag as pag
import comfy_extras.nodes_sag as sag
import comfy_extras.nodes_tcfg as tcfg
import comfy_extras.nodes_tomesd as tomesd
import comfy_extras.nodes_torch_compile as compiling
import torch
from comfy.ldm.modules.attention import attention_pytorch, optimized_attention

Patch = Callable[[Any], Any]
Ours = Callable[[Any], tuple[Any, Any]]
ORDERS = ("before", "after")


def beside(pack: Patch, ours: Ours, model: Any, order: str) -> tuple[Any, Any]:
    """The MODEL of two nodes, the other pack's before or after ours, and our maps."""
    if order == "before":
        return ours(pack(model))
    patched, maps = ours(model)
    return pack(patched), maps


def first(output: Any) -> Any:
    """The MODEL that a node of either kind gives."""
    return (output.args if hasattr(output, "args") else output)[0]


def lora(model: Any, strength: float = 0.5, seed: int = 8) -> Any:
    """A LoRA-style patch: differences of the weights of some layers."""
    patched = model.clone()
    assert patched.add_patches(differences(model, seed), strength)
    return patched


def differences(model: Any, seed: int = 8) -> dict[str, Any]:
    """Of every layer that makes keys, a difference."""
    generator = torch.Generator().manual_seed(seed)
    weights = {name: value for name, value in model.model.named_parameters() if name.endswith("to_k.weight")}
    return {name: ("diff", (torch.randn(value.shape, generator=generator),)) for name, value in weights.items()}


def attn2_input(model: Any) -> Any:
    """IPAdapter's first way: more text tokens."""

    def more(n: torch.Tensor, context: torch.Tensor, value: torch.Tensor, extra: Any) -> tuple[torch.Tensor, ...]:
        return n, torch.cat([context, context[:, :2] * 0.5], 1), torch.cat([value, value[:, :2] * 0.5], 1)

    patched = model.clone()
    patched.set_model_attn2_patch(more)
    return patched


def attn2_replace(model: Any) -> Any:
    """IPAdapter's second way: attention in each block, plus attention to a picture."""

    def ip_attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, extra: dict[str, Any]) -> torch.Tensor:
        heads = extra["n_heads"]
        return optimized_attention(q, k, v, heads) + 0.3 * optimized_attention(q, k[:, :3], v[:, :3], heads)

    patched = model.clone()
    for block in (("input", 1), ("middle", 0), ("output", 0)):
        patched.set_model_attn2_replace(ip_attention, *block)
    return patched


def attn1_replace(model: Any) -> Any:
    """Self-attention of one block is something else."""
    patched = model.clone()
    patched.set_model_attn1_replace(lambda q, k, v, extra: v * 0.9, "middle", 0)
    return patched


def attn1_input(model: Any) -> Any:
    """Reference-style: self-attention sees more than the picture."""
    patched = model.clone()
    patched.set_model_attn1_patch(lambda q, k, v, extra: (q, torch.cat([k, k], 1), torch.cat([v, v], 1)))
    return patched


def attn2_output(model: Any) -> Any:
    """The result of cross-attention is changed."""
    patched = model.clone()
    patched.set_model_attn2_output_patch(lambda n, extra: n * 1.1)
    return patched


def nag(model: Any) -> Any:
    """Normalized attention guidance: cross-attention twice, the second time to other words, in place."""

    def guided(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, extra: dict[str, Any]) -> torch.Tensor:
        heads = extra["n_heads"]
        good = optimized_attention(q, k, v, heads)
        bad = optimized_attention(q, k.flip(1) * 0.5, v.flip(1) * 0.5, heads)
        pushed = good * 2 - bad
        return pushed * (good.norm(dim=-1, keepdim=True) / pushed.norm(dim=-1, keepdim=True)).clamp(max=1)

    patched = model.clone()
    patched.set_model_attn2_replace(guided, "middle", 0)
    return patched


def backend(model: Any) -> Any:
    """An attention-backend node: assigns the one slot, without looking."""

    def other(function: Callable[..., Any], *args: Any, **kwargs: Any) -> torch.Tensor:
        return attention_pytorch(*args, **kwargs)

    patched = model.clone()
    patched.model_options["transformer_options"]["optimized_attention_override"] = other
    return patched


def careless_backend(model: Any) -> Any:
    """One that calls the function without telling that it is inside of the wrapper."""

    def other(function: Callable[..., Any], *args: Any, **kwargs: Any) -> torch.Tensor:
        kwargs.pop("_inside_attn_wrapper", None)
        kwargs.pop("transformer_options", None)
        return attention_pytorch(*args, **kwargs)

    patched = model.clone()
    patched.model_options["transformer_options"]["optimized_attention_override"] = other
    return patched


def cfg_functions(model: Any) -> Any:
    """A cfg function of one's own, one before and one after it."""
    patched = model.clone()
    patched.set_model_sampler_cfg_function(lambda args: args["uncond"] + (args["cond"] - args["uncond"]) * 2.0)
    patched.set_model_sampler_pre_cfg_function(lambda args: [out * 0.99 for out in args["conds_out"]])
    patched.set_model_sampler_post_cfg_function(lambda args: args["denoised"] * 1.01)
    return patched


def batches(model: Any) -> Any:
    """A function around the model, which sees positive and negative in one batch."""
    patched = model.clone()
    patched.set_model_unet_function_wrapper(
        lambda apply, args: apply(args["input"] * 1.0, args["timestep"], **args["c"]) * 0.98
    )
    return patched


def tiles(model: Any) -> Any:
    """Tiled-diffusion packs: the model sees one half of the picture after the other."""

    def tiled(apply: Callable[..., torch.Tensor], args: dict[str, Any]) -> torch.Tensor:
        halves = args["input"].chunk(2, dim=-1)
        return torch.cat([apply(half, args["timestep"], **args["c"]) for half in halves], dim=-1)

    patched = model.clone()
    patched.set_model_unet_function_wrapper(tiled)
    return patched


def foreign_wrapper(model: Any) -> Any:
    """A wrapper around every model call."""

    def watch(executor: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        return executor(*args, **kwargs) * 0.97

    patched = model.clone()
    for kind in ("APPLY_MODEL", "DIFFUSION_MODEL", "CALC_COND_BATCH", "PREDICT_NOISE", "OUTER_SAMPLE"):
        value = getattr(comfy.patcher_extension.WrappersMP, kind)
        through = watch if kind in ("APPLY_MODEL", "DIFFUSION_MODEL") else lambda executor, *a, **k: executor(*a, **k)
        patched.add_wrapper_with_key(value, "foreign", through)
    return patched


# Nodes that leave attention readable: the picture is theirs, the maps and the steering are ours.
PACKS: dict[str, Patch] = {
    "lora": lora,
    "attn2 patch": attn2_input,
    "attn2 replace": attn2_replace,
    "attn2 output patch": attn2_output,
    "attn1 patch": attn1_input,
    "attn1 replace": attn1_replace,
    "NAG": nag,
    "PAG": lambda model: first(pag.PerturbedAttentionGuidance.execute(model, 3.0)),
    "SAG": lambda model: first(sag.SelfAttentionGuidance.execute(model, 0.5, 2.0)),
    "FreeU": lambda model: freelunch.FreeU().patch(model, 1.1, 1.2, 0.9, 0.2)[0],
    "FreeU_V2": lambda model: freelunch.FreeU_V2().patch(model, 1.3, 1.4, 0.9, 0.2)[0],
    "attention backend": backend,
    "careless backend": careless_backend,
    "model sampling": lambda model: advanced.ModelSamplingDiscrete().patch(model, "v_prediction", True)[0],
    "rescale cfg": lambda model: advanced.RescaleCFG().patch(model, 0.7)[0],
    "cfg functions": cfg_functions,
    "batches": batches,
    "differential diffusion": lambda model: first(differential.DifferentialDiffusion.execute(model, 1.0)),
    "epsilon scaling": lambda model: first(eps.EpsilonScaling.execute(model, 1.005)),
    "TCFG": lambda model: first(tcfg.TCFG.execute(model)),
    "wrappers": foreign_wrapper,
}
# Nodes that change which tokens attend, or which steps ask the model at all.
HYPERTILE: Patch = lambda model: first(hypertile.HyperTile.execute(model, 32, 2, 0, False))  # noqa: E731
TOME: Patch = lambda model: first(tomesd.TomePatchModel.execute(model, 0.5))  # noqa: E731
EASY: Patch = lambda model: first(caching.EasyCacheNode.execute(model, 2.0, 0.0, 1.0, False))  # noqa: E731
LAZY: Patch = lambda model: first(caching.LazyCacheNode.execute(model, 2.0, 0.0, 1.0, False))  # noqa: E731
COMPILED: Patch = lambda model: first(compiling.TorchCompileModel.execute(model, "eager"))  # noqa: E731
