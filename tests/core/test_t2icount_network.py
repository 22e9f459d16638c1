"""The network without recorded numbers: its parts agree with ComfyUI's, and every way to run it gives the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import comfy.utils
import pytest
import torch
from headcount.bridge.demo_models.files import WEIGHTS, load_shapes_model
from headcount.bridge.t2icount.backbone import count_network
from headcount.core.t2icount.config import EMOJI, SHAPES, CounterConfig, EncoderConfig, TextConfig, UNetConfig
from headcount.core.t2icount.cross_attention import AttentionMaps, fused_attention
from headcount.core.t2icount.network import CountMaps, CountNetwork
from headcount.core.t2icount.text import ClassText
from torch import Tensor, nn

from ..helpers.counting_sets import with_start_weights

SMALL = CounterConfig(
    name="small",
    text=TextConfig(vocabulary=64, positions=8, width=16, layers=2, heads=2, inner=32),
    encoder=EncoderConfig(channels=32, multipliers=(1, 1, 2, 2), blocks=1),
    unet=UNetConfig(channels=32, multipliers=(1, 2, 2, 2)),
    stages=(32, 16, 16),
    middle=8,
    heads=4,
    window=128,
)
PLAIN = replace(SMALL, name="plain", semantic=False)
SHAPES_PREFIXES = {
    "vae.encoder.": "first_stage_model.encoder.",
    "vae.": "latent.",
    "unet.unet.": "",
    "clip.": "text_encoder.clip_l.",
}


def random_network(config: CounterConfig) -> CountNetwork:
    """Start weights, larger biases in the head so that its ReLU lets some through."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = with_start_weights(count_network(config)).eval()
    nn.init.constant_(network.decoder.regressor.reg_head[4].bias, 0.5)
    return network


def shapes_network() -> CountNetwork:
    """Random decoder on the demo model's own weights."""
    network, weights = random_network(SHAPES), comfy.utils.load_torch_file(str(WEIGHTS))
    state = network.state_dict()
    for key, value in state.items():
        for ours, theirs in SHAPES_PREFIXES.items():
            if key.startswith(ours):
                value.copy_(weights[theirs + key.removeprefix(ours)])
                break
    return network


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def inputs(config: CounterConfig, batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels, tokens and the marks of nouns of one and two tokens."""
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(1, 60, (batch, config.text.positions), generator=generator)
    mask = torch.zeros(batch, config.text.positions)
    mask[:, 1] = mask[1::2, 2] = 1
    return noise(batch, 3, config.window, config.window).clamp(-1, 1), tokens, mask


def run(network: CountNetwork, with_attention: bool = False, batch: int = 2) -> CountMaps:
    pixels, tokens, mask = inputs(network.config, batch)
    return network(pixels, network.embed_text(tokens, mask), with_attention)


@pytest.mark.parametrize("config", [SMALL, PLAIN, SHAPES, EMOJI], ids=lambda config: config.name)
def test_maps_have_one_value_per_cell(config: CounterConfig) -> None:
    with torch.no_grad():
        maps = run(random_network(config), with_attention=True)
    shape = (2, 1, config.grid, config.grid)
    assert all(part.shape == shape for part in vars(maps).values())
    assert maps.density.min() >= 0 and maps.density.std() > 0
    assert max(part.abs().max() for part in (maps.coarse_similarity, maps.fine_similarity)) <= 1 + 1e-5
    assert maps.attention.min() >= 0 and 0.5 < maps.attention.max() <= 1


@pytest.mark.parametrize("config", [SMALL, PLAIN, SHAPES, EMOJI], ids=lambda config: config.name)
def test_nothing_idle_is_built(config: CounterConfig) -> None:
    """Every part runs in a count, and training reaches every weight that it changes."""
    network, executed = random_network(config), set()
    leaves = {name: module for name, module in network.named_modules() if list(module.parameters(recurse=False))}
    for name, module in leaves.items():
        module.register_forward_hook(lambda *_, name=name: executed.add(name))
    maps = run(network)
    positions = "clip.transformer.text_model.embeddings.position_embedding"  # ComfyUI reads the table itself
    assert executed == set(leaves) - {positions}
    (maps.density.sum() + maps.coarse_similarity.sum() + maps.fine_similarity.sum()).backward()
    trained = {name for name, weight in network.named_parameters() if weight.grad is not None}
    frozen = {name for name, _ in network.named_parameters() if name.startswith(("vae.", "clip."))}
    assert trained == {name for name, _ in network.named_parameters()} - frozen


def test_attention_does_not_change_a_count() -> None:
    network = random_network(SMALL)
    with torch.no_grad():
        plain, watched = run(network), run(network, with_attention=True)
    assert plain.attention is None
    assert torch.equal(plain.density, watched.density)


def test_checkpointed_blocks_give_the_same_maps_and_gradients() -> None:
    found: list[tuple[CountMaps, dict[str, Tensor]]] = []
    for is_checkpointed in (False, True):
        network = random_network(SMALL)
        network.checkpoint_blocks(is_checkpointed)
        maps = run(network, with_attention=True)
        (maps.density * noise(*maps.density.shape)).sum().backward()
        found.append((maps, {name: w.grad for name, w in network.named_parameters() if w.grad is not None}))
    (maps, gradients), (again, same) = found
    assert torch.equal(maps.density, again.density) and torch.equal(maps.attention, again.attention)
    assert gradients.keys() == same.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(same[name], gradient, msg=lambda text, name=name: f"{name}: {text}")


def test_recomputed_layers_are_not_collected() -> None:
    maps, q, k = AttentionMaps(), noise(1, 2, 16, 4), noise(1, 2, 5, 4, seed=1)
    maps.add(q, k)
    before = maps.per_token()[4]
    maps.close()
    maps.add(-q, k)
    assert torch.equal(maps.per_token()[4], before)


def test_fused_attention_is_the_plain_definition() -> None:
    """Three grids of two layers each, written out for every picture and layer."""
    weights, mask = ((4, 0.6), (2, 0.3), (1, 0.1)), torch.tensor([[0.0, 1, 0, 0], [0, 1, 1, 0]])
    layers = [
        (side, noise(2, 3, side**2, 6, seed=side + i), noise(2, 3, 4, 6, seed=i)) for side in (2, 4, 8) for i in (0, 1)
    ]
    maps = AttentionMaps()
    for _, q, k in layers:
        maps.add(q, k)
    fused = fused_attention(maps.per_token(), mask, weights)
    for picture in range(2):
        total = torch.zeros(8, 8)
        for downscaling, weight in weights:
            side = 8 // downscaling
            found = []
            for grid, q, k in layers:
                if grid == side:
                    attention = torch.softmax(q[picture] @ k[picture].mT / 6**0.5, -1).mean(0)
                    found.append(attention[:, mask[picture] == 1].mean(1).view(1, 1, side, side))
            mean = torch.stack(found).mean(0)
            if downscaling > 1:
                mean = nn.functional.interpolate(mean, size=(8, 8), mode="bilinear")
            total += weight * ((mean - mean.min()) / (mean.max() - mean.min() + 1e-7))[0, 0]
        torch.testing.assert_close(fused[picture, 0], total)


def test_several_nouns_share_one_latent() -> None:
    """Batched over windows and nouns, a count is what each window and noun gives alone."""
    network = random_network(SMALL)
    pixels, tokens, mask = inputs(SMALL)
    with torch.no_grad():
        text, latent = network.embed_text(tokens, mask), network.encode(pixels)
        both = network.count_latent(latent.repeat(2, 1, 1, 1), text.each_repeated(2), with_attention=True)
        for noun in range(2):
            for window in range(2):
                alone = network(pixels[window : window + 1], text[noun : noun + 1], with_attention=True)
                row = 2 * noun + window
                for name, value in vars(alone).items():
                    torch.testing.assert_close(getattr(both, name)[row : row + 1], value, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(both.density[0], both.density[2]), "another noun is another count"


def test_a_noun_is_the_mean_of_its_own_tokens() -> None:
    network = random_network(SMALL)
    _, tokens, mask = inputs(SMALL)
    text = network.embed_text(tokens, mask)
    torch.testing.assert_close(text.vector[0], text.hidden[0, 1])
    torch.testing.assert_close(text.vector[1], text.hidden[1, 1:3].mean(0))
    later = tokens.clone()
    later[:, 3:] = 5
    assert torch.equal(network.embed_text(later, mask).vector, text.vector), "what follows a noun is not read"
    assert not text.vector.requires_grad and not network.encode(inputs(SMALL)[0]).requires_grad


def test_the_plain_backbone_reads_text_in_the_unet_only() -> None:
    network = random_network(PLAIN)
    pixels, tokens, mask = inputs(PLAIN)
    with torch.no_grad():
        text, latent = network.embed_text(tokens, mask), network.encode(pixels)
        here = network.count_latent(latent, text)
        other_vector = network.count_latent(latent, ClassText(text.hidden, text.vector.flip(0), text.mask))
        other_context = network.count_latent(latent, ClassText(text.hidden.flip(0), text.vector, text.mask))
    assert torch.equal(here.density, other_vector.density)
    assert not torch.allclose(here.coarse_similarity, other_vector.coarse_similarity)
    assert not torch.allclose(here.density, other_context.density)
    assert not [name for name, _ in network.named_modules() if "img_txt_fusion" in name]


def test_similarity_corrects_the_next_stage() -> None:
    """Against the paper's formula: what the third stage takes over of the second is weighed by its similarity."""
    network = random_network(SMALL)
    stage = network.decoder.upsample3
    low, high, similarity = noise(2, 16, 8, 8), noise(2, 32, 16, 16, seed=1), noise(2, 1, 16, 16, seed=2)
    with torch.no_grad():
        corrected, plain = stage(low, high, similarity), stage(low, high, None)
        lifted = stage.conv1(nn.functional.interpolate(low, scale_factor=2.0, mode="bilinear"))
    torch.testing.assert_close(corrected, plain + similarity * lifted)


@pytest.fixture(scope="module")
def demo() -> Any:
    with torch.inference_mode():
        return load_shapes_model()


@torch.inference_mode()
def test_shapes_unet_is_comfyuis(demo: Any) -> None:
    """Features of ComfyUI's own class with the same weights at timestep 0."""
    theirs, ours, seen = demo.model.model.diffusion_model.cpu(), shapes_network(), {}
    for index in SHAPES.feature_blocks:
        # ComfyUI calls a block's layers one by one, so a hook on the block itself would never run.
        theirs.output_blocks[index][-1].register_forward_hook(lambda *call, index=index: seen.update({index: call[-1]}))
    latent, context = noise(2, 8, 16, 16), noise(2, 12, 128, seed=1)
    theirs(latent, torch.zeros(2), context=context)
    features = ours.diffusion_model(latent, context)
    for index, feature in zip(SHAPES.feature_blocks, features, strict=True):
        torch.testing.assert_close(feature, seen[index], rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_shapes_text_is_comfyuis(demo: Any) -> None:
    tokens = demo.clip.tokenize("three red circles and a zebra")  # the last word shares the row of unknown ones
    theirs = demo.clip.encode_from_tokens(tokens)
    ids = torch.tensor([[token for token, _ in tokens["l"][0]]])
    ours = shapes_network().text_tower(ids)
    torch.testing.assert_close(ours, theirs.cpu(), rtol=1e-4, atol=1e-5)
    assert not ours[0, -1].any() and ours[0, 7].any()


@torch.inference_mode()
def test_shapes_latent_is_comfyuis(demo: Any) -> None:
    picture = torch.rand(1, 128, 128, 3, generator=torch.Generator().manual_seed(0))
    theirs = demo.model.model.process_latent_in(demo.vae.encode(picture))
    ours = shapes_network().encode(picture.movedim(-1, 1) * 2 - 1)
    torch.testing.assert_close(ours, theirs.cpu(), rtol=1e-4, atol=1e-4)
