"""Layers that cast their weights: the same gradient, and no copy of a weight waits for backward."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import comfy.model_management
import comfy.ops
import comfy.weight_adapter
import pytest
import torch
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.model_patcher import LowVramPatch, ModelPatcher
from comfy.quant_ops import QuantizedTensor
from headcount.bridge.gradients.autograd_weights import autograd_weights
from headcount.bridge.gradients.differentiable import differentiable, training_kernels
from headcount.bridge.gradients.recast_weights import recast_weights
from headcount.core.errors import CountError
from torch import Tensor, nn

from ..helpers.gradients import counted_saves, gradient_of, latent
from ..helpers.models import CPU, TINY_UNET, random_weights, tiny_setup

PLAIN, CAST = comfy.ops.disable_weight_init, comfy.ops.manual_cast
FP8 = torch.float8_e4m3fn


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def unet(dtype: torch.dtype, operations: Any) -> UNetModel:
    with torch.inference_mode():
        network = UNetModel(**{**TINY_UNET, "dtype": dtype}, device=CPU, operations=operations)
        network.load_state_dict({key: value.to(dtype) for key, value in random_weights(network).items()})
        return network.eval().requires_grad_(False)


def input_gradient(network: nn.Module, compute: torch.dtype, *ways: Any) -> tuple[Tensor, int]:
    """The gradient of a sum of squares with respect to the latent, and how many bytes were saved for it."""
    sizes: list[int] = []
    with torch.inference_mode():
        x, text = random(1, 4, 16, 16).to(compute), random(1, 7, TINY_UNET["context_dim"], seed=1).to(compute)
        with ExitStack() as stack:
            for way in ways:
                stack.enter_context(way(list(network.modules())))
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.enable_grad())
            x, text = x.clone().requires_grad_(), text.clone()
            with counted_saves(sizes):
                out = network(x, torch.tensor([500.0]), context=text)
            (gradient,) = torch.autograd.grad(out.float().square().sum(), x)
    return gradient, sum(sizes)


def size_of(network: nn.Module, dtype: torch.dtype) -> int:
    return sum(weight.numel() for weight in network.parameters()) * dtype.itemsize


CASES = {
    "fp32": (torch.float32, CAST, torch.float32),
    "bf16": (torch.bfloat16, CAST, torch.bfloat16),
    "fp16 to fp32": (torch.float16, CAST, torch.float32),
    "fp16 to bf16": (torch.float16, CAST, torch.bfloat16),
    "fp8 to fp32": (FP8, CAST, torch.float32),
    "fp8 to bf16": (FP8, CAST, torch.bfloat16),
}


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_is_that_of_plain_autograd(name: str) -> None:
    dtype, operations, compute = CASES[name]
    network = unet(dtype, operations)
    expected, plain_size = input_gradient(network, compute, autograd_weights)
    found, size = input_gradient(network, compute, autograd_weights, recast_weights)
    assert torch.equal(found, expected) and expected.abs().max() > 0
    assert not any("forward" in module.__dict__ for module in network.modules())
    # Layers whose input needs no gradient, of the text and the time, save nothing either way: not all weights count.
    assert plain_size - size > 0.8 * size_of(network, compute)


def test_layers_that_do_not_cast_are_left_alone() -> None:
    with recast_weights(unet(torch.float32, PLAIN).modules()) as number:
        assert number == 0


@contextmanager
def with_lora(lowvram: bool) -> Iterator[nn.Module]:
    """A network under a LoRA: patched into its weights, or applied in every call because weights stay in RAM."""
    network = unet(torch.bfloat16, CAST if lowvram else PLAIN)
    with torch.inference_mode():
        whole = nn.Module()
        whole.diffusion_model, whole.device = network, CPU
        patcher = ModelPatcher(whole, CPU, CPU)
        patches = {}
        for name, module in whole.named_modules():
            if isinstance(module, nn.Linear) and "attn" in name:
                rows, columns = module.weight.shape
                factors = (random(rows, 4) * 0.1, random(4, columns, seed=1) * 0.1, 4.0, None, None, None)
                patches[f"{name}.weight"] = comfy.weight_adapter.LoRAAdapter(set(), factors)
        assert len(patcher.add_patches(patches, 1.0)) == len(patches) > 0
        patcher.patch_model(CPU, lowvram_model_memory=1 if lowvram else 0)
    yield network
    patcher.unpatch_model()


@pytest.mark.parametrize("lowvram", [False, True])
def test_lora(lowvram: bool) -> None:
    unpatched, _ = input_gradient(unet(torch.bfloat16, CAST), torch.bfloat16, autograd_weights)
    with with_lora(lowvram) as network:
        on_the_fly = [
            function
            for module in network.modules()
            for function in getattr(module, "weight_function", [])
            if isinstance(function, LowVramPatch)
        ]
        assert bool(on_the_fly) == lowvram
        expected, _ = input_gradient(network, torch.bfloat16, autograd_weights)
        found, _ = input_gradient(network, torch.bfloat16, autograd_weights, recast_weights)
    assert torch.equal(found, expected)
    assert not torch.allclose(found.float(), unpatched.float(), rtol=0.05), "the LoRA does something"


def with_weight(layer: Any, weight: Tensor, **more: Tensor) -> Any:
    layer.weight = nn.Parameter(weight, requires_grad=False)
    layer.bias = nn.Parameter(torch.zeros(len(weight)), requires_grad=False)
    for name, value in more.items():
        setattr(layer, name, nn.Parameter(value, requires_grad=False))
    return layer.requires_grad_(False)


def quantised() -> Any:
    layers = {"it": {"format": "float8_e4m3fn"}}
    operations = comfy.ops.mixed_precision_ops(layers, torch.float32, full_precision_mm=False)
    layer = operations.Linear(64, 48, device="cpu", dtype=torch.float32)
    weight = QuantizedTensor.from_float(random(48, 64) / 8, "TensorCoreFP8Layout", scale=None)
    layer.layout_type = "TensorCoreFP8Layout"
    return with_weight(layer, weight, input_scale=torch.tensor(0.02)), weight.dequantize()


@pytest.mark.parametrize("tokens", [8, 200])  # scaled layers scale the smaller of weight and input
def test_quantised_layers(tokens: int) -> None:
    with torch.inference_mode():
        layer, weight = quantised()
    gradient = random(1, tokens, 48, seed=2)
    with training_kernels(), differentiable(layer, ()), torch.enable_grad():
        x = random(1, tokens, 64, seed=1).requires_grad_()
        out = layer(x)
        (found,) = torch.autograd.grad(out, x, gradient)
    torch.testing.assert_close(out.detach(), x.detach() @ weight.clone().T, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found, gradient @ weight.clone(), rtol=1e-5, atol=1e-5)
    assert getattr(layer, "_full_precision_mm", False) is False and "forward" not in layer.__dict__


CONVOLUTIONS = {
    "1d": (CAST.Conv1d, (9,), {"stride": 2, "padding": 1}),
    "2d": (CAST.Conv2d, (9, 8), {"stride": (2, 1), "padding": (1, 0), "dilation": 2, "groups": 2}),
    "3d": (CAST.Conv3d, (4, 9, 8), {"padding": 1}),
    "2d, padded by name": (CAST.Conv2d, (9, 8), {"padding": "same"}),
    "2d, padded by reflection": (CAST.Conv2d, (9, 8), {"padding": 1, "padding_mode": "reflect"}),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name: str) -> None:
    kind, size, settings = CONVOLUTIONS[name]
    layer = kind(4, 6, 3, **settings, device="cpu", dtype=torch.float16)
    layer.load_state_dict(random_weights(layer))
    layer.requires_grad_(False)
    found = []
    for ways in ((), (recast_weights,)):
        with ExitStack() as stack:
            for way in ways:
                stack.enter_context(way(layer.modules()))
            x = random(2, 4, *size).requires_grad_()
            found.append(torch.autograd.grad(layer(x).square().sum(), x)[0])
    assert torch.equal(found[0], found[1])


@pytest.mark.parametrize(
    "norm",
    [
        CAST.GroupNorm(2, 8, device="cpu", dtype=torch.float16),
        CAST.LayerNorm(8, device="cpu", dtype=torch.float16),
        CAST.RMSNorm(8, device="cpu", dtype=torch.float16),
    ],
    ids=lambda norm: type(norm).__name__,
)
def test_norms_do_not_keep_what_was_cast(norm: Any) -> None:
    """Newer ComfyUI may use the memory of a cast weight for the next layer before backward comes."""
    norm.load_state_dict({key: random(*value.shape).half() for key, value in norm.state_dict().items()})
    norm.requires_grad_(False)
    x = random(4, 8).requires_grad_()
    (expected,) = torch.autograd.grad(norm(x).square().sum(), x)
    cast, given = comfy.ops.cast_bias_weight, []

    def in_reused_memory(*args: Any, **kwargs: Any) -> Any:
        found = cast(*args, **kwargs)
        given.extend(value for value in found[:2] if value is not None)
        return found

    with pytest.MonkeyPatch.context() as patch, recast_weights(norm.modules()):
        patch.setattr(comfy.ops, "cast_bias_weight", in_reused_memory)
        loss = norm(x).square().sum()
        for value in given:
            value.data.fill_(7.0)  # behind autograd's back, as another stream does
        assert given and torch.equal(torch.autograd.grad(loss, x)[0], expected)


def test_a_weight_in_reused_memory_is_cast_again() -> None:
    layer = CAST.Linear(8, 8, device="cpu", dtype=torch.float16)
    layer.load_state_dict(random_weights(layer))
    layer.requires_grad_(False)
    x = random(4, 8).requires_grad_()
    (expected,) = torch.autograd.grad(layer(x).square().sum(), x)
    with recast_weights(layer.modules()):
        out = layer(x)
        saved = [name for name in dir(out.grad_fn) if name.startswith("_saved") or name == "saved_tensors"]
        assert all(not getattr(out.grad_fn, name) for name in saved)
        assert torch.equal(torch.autograd.grad(out.square().sum(), x)[0], expected)


class Packed(Tensor):
    """A weight in a format of its own, as GGUF's loader makes them: it is unpacked by the layer."""


class UnpackingLinear(CAST.Linear):
    """A layer of another pack."""

    differentiates = True

    def forward(self, x: Tensor) -> Tensor:
        weight = (self.weight.as_subclass(Tensor).to(x.dtype) - 128) / 64
        if self.differentiates:
            return nn.functional.linear(x, weight)
        with torch.no_grad():
            return nn.functional.linear(x, weight)


def unpacking(setup: Any, differentiates: bool) -> Tensor:
    """Puts a packed layer into the first block of a model, and gives its weight, unpacked."""
    block = setup.model.model.diffusion_model.input_blocks[1][1].transformer_blocks[0]
    with torch.inference_mode():
        layer = UnpackingLinear(32, 32, bias=False, device="cpu")
        codes = torch.randint(0, 256, (32, 32), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
        del layer._parameters["weight"]
        layer.register_buffer("weight", codes.as_subclass(Packed))
        layer.differentiates = differentiates
    block.attn1.to_q = layer
    return (codes.float() - 128) / 64


def test_layers_of_other_packs_run_as_they_are() -> None:
    setup, reference = tiny_setup(), tiny_setup(inference=False)
    weight = unpacking(setup, True)
    reference.model.model.diffusion_model.input_blocks[1][1].transformer_blocks[0].attn1.to_q.weight.data.copy_(weight)
    with torch.inference_mode():
        found = gradient_of(setup, latent(setup), 0.7).gradient
    torch.testing.assert_close(found, gradient_of(reference, latent(setup), 0.7).gradient, rtol=1e-5, atol=1e-7)


def test_layers_without_a_way_back_are_said_so() -> None:
    setup = tiny_setup()
    unpacking(setup, False)
    with torch.inference_mode(), pytest.raises(CountError, match=r"cannot take gradients.*Noise Picker"):
        gradient_of(setup, latent(setup), 0.7)


def test_a_replaced_forward_is_left_alone() -> None:
    layer = CAST.Linear(4, 4, device="cpu")
    layer.forward = lambda x: x * 2
    with recast_weights(layer.modules()) as number:
        assert number == 0


def test_kernels_without_backward_are_off_for_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comfy.model_management, "in_training", False)
    own = comfy.ops.fp8_linear
    with pytest.raises(KeyError), training_kernels():
        assert comfy.ops.fp8_linear(None, None) is None and comfy.model_management.in_training is True
        raise KeyError
    assert comfy.ops.fp8_linear is own and comfy.model_management.in_training is False
