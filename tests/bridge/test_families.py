"""Every architecture of the table, on a small model of ComfyUI's own classes: what is text, what is image, and where.

Each claim is made of the first layers of the real forward pass, so that a change of ComfyUI's token order turns it red.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import comfy.model_base
import comfy.model_patcher
import comfy.samplers
import pytest
import torch
from comfy.ldm.pixart.pixartms import PixArtMS
from headcount.bridge.attention.capture import Capture
from headcount.bridge.attention.hook import hooked_options, users_own
from headcount.bridge.demo_models.files import load_shapes_model
from headcount.bridge.families.qwen_image_21 import QWEN_IMAGE_21
from headcount.bridge.families.table import FAMILIES, family_of
from headcount.bridge.gradients.attention_gradient import GradientPass
from headcount.bridge.gradients.differentiable import differentiable, training_kernels
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.prompts.conditionings import counted_conditionings
from headcount.bridge.recording.recorder import with_recorder
from headcount.core.attention.calls import AttentionCall, head_probabilities
from headcount.core.errors import CountError
from headcount.core.isac.differentiate import ObjectiveStep, PlainStep, StepLosses
from headcount.core.prompts import CONDITIONING_KEY
from headcount.core.prompts.context import context_positions, context_words
from torch import Tensor, nn

from ..helpers.families import NEWER, SMALL, WIDTH, Small, build, built, newer, small
from ..helpers.family_calls import (
    NODE,
    SIGMA,
    first_with_text,
    given,
    most_changed,
    noise,
    positive_of,
    random,
    record,
    with_moved_cell,
    with_other_noun,
)
from ..helpers.models import CPU, Setup, sample

every_model = pytest.mark.parametrize("one", SMALL, ids=lambda one: one.name)
every_transformer = pytest.mark.parametrize("one", [one for one in SMALL if one.grid], ids=lambda one: one.name)


def values_and_outputs(setup: Setup, x: Tensor) -> tuple[Capture, dict[int, tuple[Tensor, Tensor]]]:
    """Every attention call's values (B, H, K, d) and output (B, N, H * d), by the call's place."""
    if isinstance(setup.model.model.diffusion_model, PixArtMS):
        return _of_pixart(setup, x)
    found: list[tuple[Tensor, Tensor]] = []

    def keep(function: Any, q: Tensor, k: Tensor, v: Tensor, heads: int, *args: Any, **kwargs: Any) -> Tensor:
        value = v if kwargs.get("skip_reshape") else v.reshape(*v.shape[:2], heads, -1).transpose(1, 2)
        output = function(q, k, v, heads, *args, **kwargs)
        found.append((value.clone(), output.clone()))
        return output

    return record(setup, x, keep), dict(enumerate(found, start=1))


def _of_pixart(setup: Setup, x: Tensor) -> tuple[Capture, dict[int, tuple[Tensor, Tensor]]]:
    """PixArt's attention is seen by no override: its values and outputs are taken from the layers around it."""
    found: list[list[Tensor]] = []
    hooks = []
    for block in setup.model.model.diffusion_model.blocks:
        for module, maker in ((block.attn, block.attn.qkv), (block.cross_attn, block.cross_attn.kv_linear)):
            heads, width = module.num_heads, module.proj.in_features

            def value(_: nn.Module, __: Any, made: Tensor, heads: int = heads, width: int = width) -> None:
                tokens = made.view(len(x), -1, made.shape[-1])[..., -width:]
                found.append([tokens.unflatten(-1, (heads, -1)).transpose(1, 2)])

            hooks.append(maker.register_forward_hook(value))
            hooks.append(module.proj.register_forward_pre_hook(lambda _, made: found[-1].append(made[0])))
    capture = record(setup, x)
    for hook in hooks:
        hook.remove()
    return capture, {place: (value, output) for place, (value, output) in enumerate(found, start=1)}


def assert_is_the_models(call: AttentionCall, value: Tensor, output: Tensor) -> None:
    """The call's probabilities, applied to the values, give what the model's own attention gave for these queries."""
    heads = [head_probabilities(call, head) @ value[:, head] for head in range(value.shape[1])]
    rows = output[:, call.rows(output.shape[1])]
    torch.testing.assert_close(rows, torch.cat(heads, -1), rtol=1e-3, atol=1e-4)


def changed_by(tokens: Tensor, others: Tensor) -> Tensor:
    """(N,) how far each token moved, over pictures, heads and channels."""
    return (tokens - others).square().sum((0, 1, 3)).sqrt()


@pytest.mark.parametrize("name", newer(*NEWER))
def test_models_that_a_newer_comfyui_has(name: str) -> None:
    """Every test of this file is of them, too, where they are there."""
    assert family_of(built(name).model, NODE) in FAMILIES


@every_model
def test_family_is_found(one: Small) -> None:
    assert family_of(built(one.name).model, NODE) in FAMILIES


@every_model
@pytest.mark.parametrize("batch", [1, 2])
def test_recorded_probabilities_are_those_of_the_model(one: Small, batch: int) -> None:
    """Slices, bias, scale and heads are right: nothing else reproduces the model's own output."""
    capture, seen = values_and_outputs(built(one.name), noise(one, batch))
    assert {kind for call in capture.sink.calls for kind in ("self", "cross") if call.columns(kind)} == {
        "self",
        "cross",
    }
    for call in capture.sink.calls:
        assert call.queries.shape[0] == batch and call.queries.shape[2] == call.grid[0] * call.grid[1]
        assert_is_the_models(call, *seen[call.place])


@every_transformer
def test_grid_and_length_of_the_text(one: Small) -> None:
    for call in record(built(one.name), noise(one)).sink.calls:
        assert call.grid == one.grid
        if (columns := call.columns("self")) is not None:
            assert call.keys[:, :, columns].shape[2] == one.grid[0] * one.grid[1]
        if (columns := call.columns("cross")) is not None:
            assert call.keys[:, :, columns].shape[2] == one.text_length


@every_model
def test_one_picture_cell_moves_its_own_query(one: Small) -> None:
    """A changed cell of the latent is found at its row and column of the first layer's queries, and keys."""
    setup, x = built(one.name), noise(one)
    row, column = x.shape[-2] // 2 + 1, x.shape[-1] // 3
    changed = x.clone()
    changed[..., row, column] += 4
    first, other = (record(setup, latent).sink.calls[0] for latent in (x, changed))
    height, width = first.grid
    patch = -(-x.shape[-2] // height)
    for tokens in ("queries", "keys"):
        one_side, other_side = getattr(first, tokens), getattr(other, tokens)
        if tokens == "keys":
            assert first.columns("self") is not None
            one_side, other_side = (side[:, :, first.columns("self")] for side in (one_side, other_side))
        place = divmod(int(changed_by(one_side, other_side).argmax()), width)
        # A U-Net's convolutions carry the change to its neighbours.
        reach = 0 if one.grid else 1
        assert max(abs(place[0] - row // patch), abs(place[1] - column // patch)) <= reach


@every_model
def test_one_text_token_moves_its_own_key(one: Small) -> None:
    """What is changed of the noun's embedding is found at the noun's positions, in the first layer that sees text."""
    setup, x = built(one.name), noise(one)
    before, after = (first_with_text(changed, x) for changed in (setup, with_other_noun(setup, one)))
    keys, others = (call.keys[:, :, call.columns("cross")] for call in (before, after))
    moved = changed_by(keys, others)
    found = set(torch.nonzero(moved > 1e-4 * keys.norm()).flatten().tolist())
    if one.name in (
        "Lumina 2",
        "NewBie",
        "Z-Image",
        "Krea 2",
        "Anima",
    ):  # their context refiner lets every token hear of every other
        assert set(one.nouns[0]) <= found
        assert int(moved.argmax()) == one.nouns[0][0]
    else:
        assert found == set(one.nouns[0])
    if before.kind == "joint":
        image = (call.keys[:, :, call.image] for call in (before, after))
        torch.testing.assert_close(*image)


@every_model
def test_positions_of_nouns_attributes_and_words(one: Small) -> None:
    setup = built(one.name)
    (counted,) = counted_conditionings([positive_of(setup, noise(one))], NODE, family_of(setup.model, NODE))
    cats, dogs = one.nouns
    assert counted.target.tokens == (cats, dogs) and counted.target.counts == (2, 1)
    assert counted.target.attributes == ((tuple(place - 1 for place in cats),), ())
    assert counted.text_layout.length == counted.text_layout.own == one.text_length
    words = {word.word: word.positions for word in context_words(counted.counts, counted.text_layout)}
    assert words["cats"] == cats and words["dog"] == dogs


@every_model
def test_recording_changes_no_bit_of_the_picture(one: Small) -> None:
    setup = built(one.name)
    model, maps = with_recorder(setup.model)
    plain, recorded = (sample(made, setup, one.run(batch=2)) for made in (setup.model, model))
    assert torch.equal(plain, recorded) and bool(torch.isfinite(plain).all()) and plain.std() > 0.1
    found, mine = maps.record_for(recorded)
    assert mine and len(found.steps) == 3 and found.noun_tokens == one.nouns
    assert found.cross_attention.shape[0] == 2 and found.cross_attention.shape[-1] == one.text_length
    assert one.grid in (None, found.grid)
    assert found.cross_attention.float().std() > 1e-4, "attention of a model with degenerate weights proves nothing"


@every_model
@pytest.mark.parametrize("objective", ["anchored", "paper"])
def test_isac_steers(one: Small, objective: str) -> None:
    setup, run = built(one.name), one.run(batch=2)
    plain = sample(setup.model, setup, run)
    mode = {} if objective == "anchored" else {"step_mode": "paper", "step_size": 0.01}
    model, maps = with_isac(setup.model, IsacSettings(objective=objective, **mode))
    steered = sample(model, setup, run)
    assert bool(torch.isfinite(steered).all())
    assert ((steered - plain).abs().amax(tuple(range(1, plain.ndim))) > 1e-4).all(), "both pictures are steered"
    assert all(step.instance_loss is not None for step in maps.record_for(steered)[0].steps)


@every_model
def test_isac_of_strength_0_changes_no_bit(one: Small) -> None:
    setup = built(one.name)
    model, _ = with_isac(setup.model, IsacSettings(step_size=0.0))
    assert torch.equal(sample(setup.model, setup, one.run()), sample(model, setup, one.run()))


class SquaredAttention:
    """An objective with a gradient in every probability, smooth, so that finite differences can be taken of it."""

    def select(self, calls: list[AttentionCall]) -> list[AttentionCall]:
        return calls

    def losses(self, calls: list[AttentionCall]) -> StepLosses:
        parts = [
            (head_probabilities(call, head)[..., columns] * weight).square().sum((1, 2))
            for call in calls
            for kind, weight in (("self", 3.0), ("cross", 5.0))
            if (columns := call.columns(kind)) is not None
            for head in range(call.queries.shape[1])
        ]
        total = torch.stack(parts).sum(0)
        return StepLosses(total, total, total)

    def start(self) -> ObjectiveStep:
        return PlainStep(self.losses)


@every_model
def test_gradient_is_that_of_finite_differences(one: Small) -> None:
    """In double precision, along a random direction: no in-place write and no missing path spoils the gradient."""
    setup = build(one, inference=False)
    setup.model.model.diffusion_model.double()
    for module in setup.model.model.diffusion_model.modules():  # ComfyUI's parts that cast to what they were made in
        if isinstance(getattr(module, "dtype", None), torch.dtype):
            module.dtype = torch.float64
    setup.model.model.current_patcher = setup.model
    x = noise(one).double()
    positive, objective = positive_of(setup, x), SquaredAttention()
    gradients = GradientPass(setup.model.model, family_of(setup.model, NODE), positive)

    def at(latent: Tensor) -> Any:
        with torch.inference_mode():
            return gradients(latent, torch.full((1,), SIGMA), setup.model.model_options, objective)

    gradient = at(x).gradient
    aside = torch.randn(x.shape, generator=torch.Generator().manual_seed(7), dtype=x.dtype)
    # Half along the gradient: across it the difference drowns in the rounding of what ComfyUI computes in float32.
    direction = gradient / gradient.norm() + aside / aside.norm()
    step = 1e-2
    ahead, behind = (float(at(x + sign * step * direction).losses.total) for sign in (1, -1))
    assert gradient.norm() > 1e-3
    assert float((gradient * direction).sum()) == pytest.approx((ahead - behind) / (2 * step), rel=5e-3)


@every_model
def test_recomputed_blocks_give_the_same_gradient(one: Small) -> None:
    """Where memory is short; the objective reads every call, so every block is run again."""
    setup, x = built(one.name), noise(one)
    setup.model.model.current_patcher = setup.model
    found = []
    for memory in ("fast", "low"):
        gradients = GradientPass(setup.model.model, family_of(setup.model, NODE), positive_of(setup, x), memory)
        with torch.inference_mode():
            found.append(gradients(x, torch.full((1,), SIGMA), setup.model.model_options, SquaredAttention()).gradient)
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5 * float(found[0].abs().max()))


@pytest.mark.parametrize("name", ["Flux 1", "Flux 2", "Chroma"])
def test_blocks_that_overwrite_their_input_let_gradients_through(name: str) -> None:
    """Without autograd's own copies of everything that is overwritten, and with no hook left on the model."""
    setup, x = build(small(name), inference=False), noise(small(name)).requires_grad_()
    setup.model.model.current_patcher = setup.model
    family, network = family_of(setup.model, NODE), setup.model.model.diffusion_model
    capture = Capture(family.reader((x.shape[-2], x.shape[-1])))
    capture.of_gradients = True
    run = hooked_options(setup.model.model_options, capture, users_own, keep_previous=False)
    positive = positive_of(setup, x.detach())
    texts = {name: value.cond.clone() for name, value in positive["model_conds"].items()}
    with training_kernels(), torch.enable_grad(), differentiable(network, (), family.overwritten):
        for name_of, value in texts.items():
            positive["model_conds"][name_of].cond = value
        comfy.samplers.calc_cond_batch(setup.model.model, [[positive]], x, torch.full((1,), SIGMA), run)
        (gradient,) = torch.autograd.grad(capture.sink.calls[-1].queries.square().mean(), x)
    assert bool(torch.isfinite(gradient).all()) and gradient.abs().max() > 0
    assert not any(module._forward_pre_hooks for module in network.modules())


@pytest.mark.parametrize("name", ["PixArt Alpha", "PixArt Sigma"])
def test_no_hook_stays_on_pixart(name: str) -> None:
    """Also after an error in the middle of the model."""
    setup, one = built(name), small(name)
    modules = list(setup.model.model.diffusion_model.modules())
    record(setup, noise(one))
    assert not any(module._forward_hooks for module in modules)

    def fail(*_: Any) -> None:
        raise RuntimeError("in the middle")

    hook = setup.model.model.diffusion_model.blocks[1].mlp.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        record(setup, noise(one))
    hook.remove()
    assert not any(module._forward_hooks for module in modules)


@pytest.mark.parametrize(
    ("name", "method"),
    [
        *((name, "index") for name in ("Flux 1", "Flux 2", "Qwen-Image", "Mage-Flow", "Krea 2")),
        *((one.name, "index") for one in SMALL if one.name == "Qwen-Image 2.1"),
        *((name, "index_timestep_zero") for name in ("Qwen-Image", "Krea 2")),
        ("Z-Image", "index"),
    ],
)
def test_reference_pictures_are_not_the_picture(name: str, method: str) -> None:
    """Kontext and the edit models see other pictures behind theirs: kept as keys of the softmax, never as image."""
    one = small(name)
    setup = built(name)
    reference = torch.randn(1, *one.shape, generator=torch.Generator().manual_seed(5))[..., :6, :4]
    text, options = setup.positive[0]
    setup = replace(
        setup, positive=[[text, {**options, "reference_latents": [reference], "reference_latents_method": method}]]
    )
    capture, seen = values_and_outputs(setup, noise(one))
    for call in capture.sink.calls:
        assert call.keys.shape[2] > one.text_length + one.grid[0] * one.grid[1] and call.grid == one.grid
        assert_is_the_models(call, *seen[call.place])
    model, maps = with_recorder(setup.model)
    assert maps.record_for(sample(model, setup, one.run()))[1]


TALL, WIDE = random(1, 16, 6, 4, seed=5), random(1, 16, 4, 8, seed=6)
ITS_TEXT, OTHER_TEXT = random(1, 33, WIDTH, seed=7), random(1, 5, WIDTH, seed=8)
SEEN = SimpleNamespace(image_sizes=[(3, 32, 48)], last_hidden_state=random(1, 6, 12, seed=9))
OF_TWO = {
    "reference_latents": [TALL, WIDE],
    "reference_latents_text_embeds": [ITS_TEXT, OTHER_TEXT, OTHER_TEXT],
    "clip_vision_outputs": [SEEN],
}


@pytest.mark.parametrize(
    ("more", "encoder", "length"),
    [
        # In multiples of 32: padding for its text, the text, the reference, the image of 48 tokens.
        ({"reference_latents": [TALL]}, {}, 32 + 32 + 32 + 64),
        (
            {"reference_latents": [TALL, WIDE], "reference_latents_text_embeds": [ITS_TEXT]},
            {},
            64 + 32 + 32 + 2 * 32 + 64,
        ),
        # A text for each, the text, one more; seen, not seen, the image; both references, the image.
        (OF_TWO, {"siglip_feat_dim": 12}, 64 + 32 + 32 + 32 + 3 * 32 + 2 * 32 + 64),
    ],
    ids=["reference", "text of one of two", "image encoder"],
)
def test_references_of_z_image(more: dict[str, Any], encoder: dict[str, int], length: int) -> None:
    """Their texts are in front of the prompt's, they themselves in front of the image.

    Reference Latent adds no texts and no encoder; ComfyUI's own node, which does, counts nothing.
    """
    one = small("Z-Image")
    one = replace(one, unet_config={**one.unet_config, **encoder})
    setup, x = given(build(one), **more), noise(one)
    moved, (_, row, column) = with_moved_cell(x)
    before, after, renamed = (
        first_with_text(which, latent)
        for which, latent in ((setup, x), (setup, moved), (with_other_noun(setup, one), x))
    )
    assert before.keys.shape[2] == length
    assert divmod(most_changed(before.queries, after.queries), before.grid[1]) == (row // 2, column // 2)
    image, text = before.columns("self"), before.columns("cross")
    assert most_changed(before.keys[:, :, image], after.keys[:, :, image]) == most_changed(
        before.queries, after.queries
    )
    assert most_changed(before.keys[:, :, text], renamed.keys[:, :, text]) in one.nouns[0]
    model, maps = with_recorder(setup.model)
    assert torch.equal(samples := sample(model, setup, one.run()), sample(setup.model, setup, one.run()))
    assert maps.record_for(samples)[1]
    steered = sample(with_isac(setup.model, IsacSettings())[0], setup, one.run())
    assert bool(torch.isfinite(steered).all()) and not torch.equal(steered, samples)


def test_references_that_krea_does_not_read() -> None:
    """Without a method ComfyUI's Krea 2 leaves them out."""
    one, setup = small("Krea 2"), built("Krea 2")
    text, options = setup.positive[0]
    setup = replace(setup, positive=[[text, {**options, "reference_latents": [noise(one)]}]])
    assert {call.keys.shape[2] for call in record(setup, noise(one)).sink.calls} == {one.text_length + 48}


def test_references_within_the_text_are_refused() -> None:
    """As ComfyUI's own edit node of Qwen-Image 2.1 gives them."""
    reference, text = torch.zeros(1, 64, 4, 4), torch.zeros(1, 7, 8)
    conditioning = {"cross_attn": text, "reference_latents": [reference], "image_slots": [3]}
    counts = replace(small("Krea 2").counts(), lengths={"qwen3vl_8b": 21})
    with pytest.raises(CountError, match="has its reference images within the text"):
        QWEN_IMAGE_21.text_layout(counts, conditioning)
    assert QWEN_IMAGE_21.text_layout(counts, {"cross_attn": text, "reference_latents": [reference]}).own == 7


@pytest.mark.parametrize("name", newer("Qwen-Image 2.1"))
def test_a_text_as_long_as_the_picture(name: str) -> None:
    one, setup = small(name), built(name)
    setup = replace(setup, positive=[[torch.randn(1, 48, 32), setup.positive[0][1]]])
    assert [call.kind for call in record(setup, noise(one)).sink.calls] == ["joint", "joint"]


def test_layers_of_a_picture_are_refused() -> None:
    one = replace(small("Qwen-Image"), shape=(16, 3, 16, 12))
    with pytest.raises(CountError, match="Qwen-Image-Layered makes several layers of an image at once"):
        record(built("Qwen-Image"), noise(one))


def test_image_only_attention_of_sd35_medium() -> None:
    calls = record(built("Stable Diffusion 3.5 Medium"), noise(small("Stable Diffusion 3.5 Medium"))).sink.calls
    assert [call.kind for call in calls] == ["joint", "self", "joint"]
    assert len({call.layer for call in calls}) == 3


def test_layers_that_refine_the_image_are_read_where_they_hold_no_padding() -> None:
    lumina, padded = (record(built(name), noise(small(name))).sink.calls for name in ("Lumina 2", "Z-Image"))
    assert [call.kind for call in lumina] == ["self", "joint", "joint"]
    assert [call.kind for call in padded] == ["joint"], "8 x 6 tokens are padded to 64"
    even = replace(small("Z-Image"), shape=(16, 16, 8))
    assert [call.kind for call in record(built("Z-Image"), noise(even)).sink.calls] == ["self", "joint"]


def test_an_area_is_read_on_its_own_grid() -> None:
    one = small("Flux 1")
    setup = built("Flux 1")
    text, options = setup.positive[0]
    area = {**options, "area": (8, 8, 2, 2), "strength": 1.0}
    calls = record(replace(setup, positive=[[text, area]]), noise(one)).sink.calls
    assert {call.grid for call in calls} == {(4, 4)}


def test_calls_with_other_tokens_are_left_out() -> None:
    """A node that adds tokens of its own: which ones would be a guess."""
    one = small("Flux 1")
    setup = built("Flux 1")
    model = setup.model.clone()

    def more(inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        twice = {name: torch.cat([inputs[name]] * 2, 1) for name in ("txt", "txt_ids")}
        return {**inputs, **twice}

    model.set_model_patch(more, "post_input")
    assert record(replace(setup, model=model), noise(one)).sink.calls == []


def test_hidream_edit_is_refused() -> None:
    one = small("HiDream I1")
    setup = built("HiDream I1")
    text, options = setup.positive[0]
    setup = replace(setup, positive=[[text, {**options, "concat_latent_image": torch.randn(1, *one.shape)}]])
    with pytest.raises(CountError, match="HiDream E1 lays the image to edit beside the new one"):
        record(setup, noise(one))


class TestMissingEncoders:
    """SD3 and HiDream run without some of their text encoders; ComfyUI then leaves features out, or puts zeros there."""

    def layout(self, name: str, text: Tensor, **options: Tensor) -> tuple[tuple[int, ...], ...]:
        one = small(name)
        family = family_of(built(name).model, NODE)
        layout = family.text_layout(one.counts(), {"cross_attn": text, **options})
        return tuple(found.noun for found in context_positions(one.counts(), layout))

    def sd3(self, *parts: str) -> tuple[tuple[int, ...], ...]:
        text = torch.cat([torch.randn(1, 6 if part == "clip" else 7, 8) for part in parts], 1)
        if parts[0] == "clip":
            text[:, :6, 4:] = 0
        return self.layout("Stable Diffusion 3", text)

    def test_sd3(self) -> None:
        assert self.sd3("clip", "t5") == ((2, 8), (4, 10))
        assert self.sd3("clip") == ((2,), (4,))
        assert self.sd3("t5") == ((2,), (4,))
        assert self.sd3("t5", "t5", "t5") == ((2,), (4,)), "behind the prompt stands another one"
        assert self.sd3("clip", "t5", "t5") == ((2, 8), (4, 10))

    def test_sd3_of_another_prompt(self) -> None:
        with pytest.raises(CountError, match="reads 5 text tokens, but the prompt of Count Prompt has 13"):
            self.layout("Stable Diffusion 3", torch.randn(1, 5, 8))

    def test_hidream(self) -> None:
        text, llama = torch.randn(1, 7, 8), torch.randn(1, 3, 6, 8)
        name = "HiDream I1"
        assert self.layout(name, text, conditioning_llama3=llama) == ((2, 9, 15), (4, 11, 17))
        assert self.layout(name, torch.zeros(1, 7, 8), conditioning_llama3=llama) == ((9, 15), (11, 17))
        assert self.layout(name, text, conditioning_llama3=torch.zeros(1, 3, 1, 8)) == ((2,), (4,))
        with pytest.raises(CountError, match="no features of Llama; connect the CLIP that belongs to HiDream"):
            self.layout(name, text)
        with pytest.raises(CountError, match="connect the conditioning of the same Count Prompt"):
            self.layout(name, torch.zeros(1, 7, 8), conditioning_llama3=torch.zeros(1, 3, 1, 8))


@pytest.mark.parametrize("name", ["Flux 1", "Chroma", "PixArt Sigma", "Qwen-Image", "Lumina 2", "Krea 2", "SDXL"])
def test_the_clip_of_another_model_is_refused_by_name(name: str) -> None:
    setup, one = built(name), small(name)
    other = {"q": ()} if name != "SDXL" else {"l": (), "t5xxl": ()}
    counts = replace(one.counts(), tokens={key: one.counts().tokens[next(iter(one.lengths))] for key in other})
    counts = replace(counts, lengths=dict.fromkeys(other, 7))
    setup = replace(setup, positive=[[setup.positive[0][0], {**setup.positive[0][1], CONDITIONING_KEY: counts}]])
    with pytest.raises(CountError, match="connect the CLIP that belongs to the model to Count Prompt"):
        counted_conditionings([positive_of(setup, noise(one))], NODE, family_of(setup.model, NODE))


def test_qwen_with_a_template_of_the_users_own_is_refused() -> None:
    one = small("Qwen-Image")
    counts = replace(one.counts(), prompt="<|im_start|>user\ntwo red cats and a dog<|im_end|>")
    with pytest.raises(CountError, match="the prompt brings its own template"):
        family_of(built("Qwen-Image").model, NODE).text_layout(counts, {"cross_attn": torch.zeros(1, 7, 8)})


@pytest.mark.parametrize("name", ["Qwen-Image", "Flux 1"])
def test_connected_counts_of_another_prompt_are_refused(name: str) -> None:
    """COUNTS that come over a wire must fit the conditioning exactly: nothing else says that they belong together."""
    setup, one = built(name), small(name)
    text, options = setup.positive[0]
    plain = {key: value for key, value in options.items() if key != CONDITIONING_KEY}
    for length, fits in ((one.text_length, True), (one.text_length + 1, False)):
        longer = torch.randn(1, length, text.shape[-1])
        conditioning = positive_of(replace(setup, positive=[[longer, plain]]), noise(one))
        family = family_of(setup.model, NODE)
        if fits:
            assert counted_conditionings([conditioning], NODE, family, one.counts())[0].target.tokens == one.nouns
        else:
            with pytest.raises(CountError, match="take both from the same Count Prompt"):
                counted_conditionings([conditioning], NODE, family, one.counts())


class WAN21(nn.Module):
    """A video model, as far as the nodes look at it."""

    def __init__(self) -> None:
        super().__init__()
        self.diffusion_model = nn.Linear(2, 2)


def test_other_families_are_refused_by_name() -> None:
    wan = comfy.model_patcher.ModelPatcher(WAN21(), load_device=CPU, offload_device=CPU)
    with pytest.raises(CountError, match=r"Count Control cannot read .*\(WAN21\).*SDXL.*HiDream"):
        with_isac(wan, IsacSettings())
    with pytest.raises(CountError, match=r"Attention Map Recorder cannot read .*\(WAN21\)") as refused:
        with_recorder(wan)
    assert all(family.name in str(refused.value) for family in FAMILIES)


def test_relatives_that_differ_are_refused() -> None:
    """Stable Video Diffusion works on frames and without a text."""
    video = comfy.model_base.SVD_img2vid.__new__(comfy.model_base.SVD_img2vid)
    nn.Module.__init__(video)
    video.diffusion_model = built("SDXL").model.model.diffusion_model
    assert not any(family.has(video) for family in FAMILIES)


def test_no_model_is_said_so() -> None:
    with pytest.raises(CountError, match="connect a loader's MODEL"):
        family_of(None, "Attention Map Recorder")


def test_the_shapes_model_is_a_u_net() -> None:
    assert family_of(load_shapes_model().model, "Attention Map Recorder") is FAMILIES[0]
