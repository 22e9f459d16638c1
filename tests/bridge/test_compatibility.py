"""What ComfyUI newer than 0.30.0 does differently, as stand-ins for what is new: the pack reads it, or leaves it alone."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import comfy.cli_args
import comfy.model_management
import comfy.ops
import comfy.sample
import pytest
import torch
from comfy.ldm.modules.attention import attention_pytorch
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.model_patcher import ModelPatcher
from headcount.bridge.attention import arguments as call_arguments
from headcount.bridge.attention.arguments import both_as_heads, is_known_form, model_attention
from headcount.bridge.attention.capture import Capture
from headcount.bridge.attention.hook import override_of
from headcount.bridge.comfyui import compatibility as newer_comfyui
from headcount.bridge.families.unet import UNetReader
from headcount.bridge.gradients.autograd_weights import autograd_weights
from headcount.bridge.gradients.differentiable import differentiable
from headcount.bridge.gradients.recast_weights import recast_weights
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.recording.recorder import with_recorder
from headcount.bridge.sampling.own_call import without_compile
from headcount.bridge.sampling.step_tracker import StepTracker, known_name
from headcount.bridge.seed_search.search import initial_latent
from headcount.bridge.seed_search.settings import SearchSettings
from torch import Tensor, nn

from ..helpers.models import CPU, TINY_UNET, Run, Setup, random_weights, sample, tiny_setup

RUN = Run(steps=2, size=(8, 8))
SETTINGS = SearchSettings(0, 2, 1.0, "euler", "normal", seeds=2)
PIXELS, HEADS, GROUPS, WIDTH = 16, 4, 2, 8


@pytest.fixture
def tiny() -> Setup:
    return tiny_setup()


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Container:
    """Holds a tensor for one owner, as attention calls of ComfyUI 0.32 and newer do."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor: Tensor | None = tensor

    def peek(self) -> Tensor:
        assert self.tensor is not None
        return self.tensor

    def take(self) -> Tensor:
        tensor, self.tensor = self.peek(), None
        return tensor


# --- attention calls ---


def as_called(tokens: Tensor, form: str) -> Tensor:
    """(B, H, N, d) as a model hands it over."""
    if form == "heads":
        return tokens
    return tokens.transpose(1, 2) if form == "split" else tokens.transpose(1, 2).flatten(2)


@pytest.mark.parametrize("groups", [HEADS, GROUPS])
@pytest.mark.parametrize("form", ["heads", "split", "flat"])
def test_every_form_of_queries_and_keys(form: str, groups: int) -> None:
    q, k = numbers(2, HEADS, PIXELS, WIDTH), numbers(2, groups, 5, WIDTH, seed=1)
    kwargs = {"skip_reshape": form == "heads", "enable_gqa": groups != HEADS, "low_precision_attention": False}
    called = as_called(q, form), as_called(k, form)
    assert is_known_form(*called, HEADS, None, kwargs)
    queries, keys = both_as_heads(*called, HEADS, kwargs)
    assert torch.equal(queries, q)
    wanted = torch.stack([k[:, head * groups // HEADS] for head in range(HEADS)], 1)
    assert torch.equal(keys, wanted)
    attention = model_attention(*called, called[1], HEADS, None, kwargs)
    assert torch.equal(attention.keys, wanted) and torch.equal(attention.values, wanted)


@pytest.mark.parametrize("contained", [False, True])
@pytest.mark.parametrize("out_as_heads", [False, True])
@pytest.mark.parametrize("mask", [None, (PIXELS, PIXELS), (1, PIXELS, PIXELS), (1, HEADS, PIXELS, PIXELS)])
def test_a_call_is_recorded_and_computed(mask: tuple[int, ...] | None, out_as_heads: bool, contained: bool) -> None:
    q, k, v = (numbers(1, HEADS, PIXELS, WIDTH, seed=seed) for seed in range(3))
    kwargs = {"skip_reshape": True, "skip_output_reshape": out_as_heads, "some_new_argument": 1}
    bias = None if mask is None else numbers(*mask, seed=4)
    capture = Capture(UNetReader((4, 4)))
    given = [Container(one) if contained else one for one in (q, k, v)]
    out = override_of(capture)(attention_pytorch, *given, HEADS, mask=bias, **kwargs)
    assert torch.equal(out, attention_pytorch(q, k, v, HEADS, mask=bias, **kwargs))
    (call,) = capture.sink.calls
    assert torch.equal(call.queries, q) and torch.equal(call.keys, k)
    assert (call.bias is None) == (mask is None)
    assert not contained or all(one.tensor is None for one in given), "nothing keeps what the backend may free"


class Strange:
    """Something that no version of ComfyUI hands over yet."""

    shape = (1, PIXELS, HEADS * WIDTH)


FLAT = numbers(1, PIXELS, HEADS * WIDTH)
UNKNOWN: dict[str, tuple[Any, Any, int, dict[str, Any]]] = {
    "queries of a new kind": (Strange(), FLAT, HEADS, {}),
    "keys of a new kind": (FLAT, Strange(), HEADS, {}),
    "mask of a new kind": (FLAT, FLAT, HEADS, {"mask": Strange()}),
    "more heads than channels": (FLAT, FLAT, 5, {}),
    "keys of another width": (FLAT, FLAT[..., :-1], HEADS, {}),
    "flat tokens that are said to be heads": (FLAT, FLAT, HEADS, {"skip_reshape": True}),
    "five dimensions": (FLAT[None, None], FLAT[None, None], HEADS, {}),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_form_passes_through_unchanged(name: str) -> None:
    q, k, heads, kwargs = UNKNOWN[name]
    seen: list[Any] = []

    def attention(*args: Any, **options: Any) -> str:
        seen.extend([*args, options])
        return "what the model gets"

    capture = Capture(UNetReader((4, 4)))
    assert override_of(capture)(attention, q, k, k, heads, **kwargs) == "what the model gets"
    assert [id(one) for one in seen[:3]] == [id(q), id(k), id(k)] and seen[3:] == [heads, kwargs]
    assert (capture.sink.calls, capture.seen, capture.unknown) == ([], 1, 1)


def test_a_run_of_unknown_calls_is_the_plain_run_with_one_warning(
    tiny: Setup, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plain = sample(tiny.model, tiny, RUN)
    monkeypatch.setattr(call_arguments, "is_known_form", lambda *_: False)
    for patched, _ in (with_recorder(tiny.model), with_isac(tiny.model, IsacSettings("paper", "relative", 0.02))):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert torch.equal(sample(patched, tiny, RUN), plain)
        said = [record.getMessage() for record in caplog.records if "headcount" in record.name or "ISAC" in record.msg]
        assert 1 <= len(said) <= 2 and all("attention" in one for one in said), said


def test_layers_with_an_attention_of_their_own_are_named(tiny: Setup, caplog: pytest.LogCaptureFixture) -> None:
    """An override stands before them in ComfyUI 0.38: the picture is not quite the one without the node."""

    class ComfyAttention(nn.Module):
        function: Callable[..., Tensor] | None = None

    own = ComfyAttention()
    tiny.model.model.diffusion_model.comfy_attention = own
    patched, _ = with_recorder(tiny.model)
    with caplog.at_level(logging.WARNING):
        sample(patched, tiny, RUN)
        assert "INT8" not in caplog.text
        own.function = attention_pytorch
        sample(patched, tiny, RUN)
    assert caplog.text.count("INT8") == 1


# --- calls of the model ---


def test_recorded_calls_replay_no_graph(tiny: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CUDA graph that is replayed runs no Python; outside of the pack's own calls the user's setting holds."""
    monkeypatch.setattr(comfy.cli_args.args, "disable_comfy_compiler", False, raising=False)
    found: list[bool] = []
    watch = lambda *_: found.append(comfy.cli_args.args.disable_comfy_compiler)  # noqa: E731
    tiny.model.model.diffusion_model.register_forward_pre_hook(watch)
    for node in (lambda model: with_recorder(model)[0], lambda model: model):
        sample(node(tiny.model), tiny, RUN)
        assert found and set(found) == {node(tiny.model) is not tiny.model}
        assert comfy.cli_args.args.disable_comfy_compiler is False
        found.clear()
    with pytest.raises(ZeroDivisionError), newer_comfyui.without_graphs():
        raise ZeroDivisionError
    assert comfy.cli_args.args.disable_comfy_compiler is False


def test_a_gradient_stays_on_one_device() -> None:
    options = {"multigpu_clones": {"cuda:0": 1, "cuda:1": 2}, "transformer_options": {}}
    assert without_compile(options) == {"transformer_options": {}}


def test_a_model_whose_weights_move_is_recorded_and_steered(tiny: Setup) -> None:
    """With dynamic VRAM a MODEL is of another class, which its clones keep."""

    class Dynamic(ModelPatcher):
        def is_dynamic(self) -> bool:
            return True

        def get_non_dynamic_delegate(self) -> ModelPatcher:
            return tiny.model

    moving = Dynamic(tiny.model.model, CPU, CPU)
    for node in (with_recorder, lambda model: with_isac(model, IsacSettings("paper", "relative", 0.02))):
        ours, maps = node(moving)
        assert type(ours) is Dynamic
        expected = sample(node(tiny.model)[0], tiny, RUN)
        samples = sample(ours, tiny, RUN)
        assert torch.equal(samples, expected)
        assert len(maps.record_for(samples)[0].steps) == RUN.steps


# --- weights that lie in memory which is used again ---


class OfAnotherPack(comfy.ops.manual_cast.Linear):
    """A layer that this pack leaves to plain autograd."""


def casting_unet() -> UNetModel:
    with torch.inference_mode():
        network = UNetModel(**TINY_UNET, device=CPU, operations=comfy.ops.manual_cast)
        network.load_state_dict(random_weights(network))
        for name, module in network.named_modules():
            if name.endswith("to_k"):
                module.__class__ = OfAnotherPack
        return network.eval().requires_grad_(False)


def gradient(network: nn.Module, *ways: Callable[[list[nn.Module]], Any]) -> Tensor:
    with torch.inference_mode(False), torch.enable_grad():
        x, text = numbers(1, 4, 8, 8).requires_grad_(), numbers(1, 7, TINY_UNET["context_dim"], seed=1).clone()
        entered = [way(list(network.modules())) for way in ways]
        for one in entered:
            one.__enter__()
        out = network(x, torch.tensor([500.0]), context=text)
        (found,) = torch.autograd.grad(out.square().sum(), x)
        for one in reversed(entered):
            one.__exit__(None, None, None)
        return found


def one_buffer_for_all_casts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What dynamic VRAM does: a cast weight is valid until the next one, and its version counter says nothing of it."""
    buffers: dict[str, Tensor] = {}

    def in_buffer(kind: str, own: Tensor | None) -> Tensor | None:
        if own is None:
            return None
        if kind not in buffers:
            buffers[kind] = torch.empty(1 << 20)
        part = buffers[kind].data[: own.numel()].view(own.shape)
        part.copy_(own.detach())
        return part

    def cast(layer: nn.Module, *_: Any, offloadable: bool = False, **__: Any) -> tuple[Any, ...]:
        found = in_buffer("weight", layer.weight), in_buffer("bias", layer.bias)
        return (*found, None) if offloadable else found

    monkeypatch.setattr(comfy.ops, "cast_bias_weight", cast)


def test_the_gradient_is_right_where_casts_share_one_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    network = casting_unet()
    expected = gradient(network, autograd_weights)
    one_buffer_for_all_casts(monkeypatch)
    shared = comfy.ops.cast_bias_weight
    assert not torch.allclose(gradient(network, autograd_weights, recast_weights), expected), (
        "the stand-in does its harm"
    )
    found = gradient(network, lambda _: differentiable(network, ()))
    torch.testing.assert_close(found, expected)
    assert comfy.ops.cast_bias_weight is shared


@pytest.mark.parametrize("name", ["Linear", "MoEExperts"])
def test_quantised_layers_that_do_more_than_a_product(name: str) -> None:
    """Files of ModelOpt scale a layer's input; layers of experts only look like a linear one."""

    def forward(self: Any, x: Tensor) -> Tensor:
        return nn.functional.linear(x * self.pre_quant_scale, self.weight.detach() * (1 if name == "Linear" else 2))

    kind = type(name, (nn.Module,), {"__module__": comfy.ops.__name__, "forward": forward, "_full_precision_mm": False})
    layer = kind()
    layer.weight, layer.bias = nn.Parameter(numbers(5, 6), requires_grad=False), None
    layer.weight_function, layer.bias_function, layer.pre_quant_scale = [], [], numbers(6, seed=1).abs()
    x = numbers(3, 6, seed=2).requires_grad_()
    (expected,) = torch.autograd.grad(layer(x).square().sum(), x)
    with recast_weights(layer.modules()) as number:
        (found,) = torch.autograd.grad(layer(x).square().sum(), x)
    assert number == (name == "Linear")
    torch.testing.assert_close(found, expected)


# --- latents and samplers ---


def test_an_empty_latent_starts_as_the_samplers_start(tiny: Setup) -> None:
    """An empty latent carries what it was made for, and samplers resize it for the model."""
    latent = {"samples": torch.zeros(1, 4, 8, 8), "downscale_ratio_spacial": 16}
    assert initial_latent(tiny.model, latent, SETTINGS).samples.shape[-2:] == (16, 16)
    del latent["downscale_ratio_spacial"]
    assert initial_latent(tiny.model, latent, SETTINGS).samples.shape[-2:] == (8, 8)


def test_a_sampler_that_is_new_is_watched_before_it_is_trusted() -> None:
    def function(name: str, module: str = "comfy.k_diffusion.sampling") -> Any:
        return SimpleNamespace(__name__=name, __module__=module)

    assert known_name(function("sample_euler")) == "sample_euler"
    assert known_name(function("sample_cfgpp_ud10_ab")) == "sample_cfgpp_ud10_ab"
    assert known_name(function("sample_of_next_year")) == ""
    assert known_name(function("sample_euler", "some_pack.samplers")) == ""
    assert StepTracker(known_name(function("sample_of_next_year")), 5).beside
    slopes = StepTracker(known_name(function("sample_cfgpp_ud10_ab")), 5)
    for x in [numbers(1) for _ in range(3)]:
        assert slopes.is_state(x) and slopes.beside, "its state is never moved: it remembers slopes"
        slopes.step_done(x)
    gate = StepTracker(
        known_name(function("sample_exp_heun_2_x0")), 5
    )  # seeds_2: its state comes second from step 1 on
    calls = [numbers(1) for _ in range(3)]
    assert not gate.beside and gate.is_state(calls[0])
    gate.step_done(calls[0])
    assert [gate.is_state(one) for one in calls[1:]] == [False, True]


def test_every_sampler_of_comfyui_has_a_known_name_or_is_watched() -> None:
    names = {known_name(comfy.samplers.sampler_object(name).sampler_function) for name in comfy.samplers.SAMPLER_NAMES}
    assert {"sample_euler", "sample_dpmpp_2m_sde_heun", "sample_er_sde", "sample_unipc", "dpm_fast_function"} <= names
