"""What a training run begins with: weights of text-to-image models under the network's names, or a whole T2ICount."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from headcount.bridge.demo_models.emoji import load_emoji_autoencoder
from headcount.core.errors import CountError
from headcount.core.t2icount.config import EMOJI, SHAPES
from headcount.core.t2icount.network import CountNetwork
from safetensors.torch import load_file, save_file

from training.run_folder import write_checkpoint
from training.start import EMOJI_MODEL, STABLE_DIFFUSION, name_in_file, read_weights, start_network, taken_over

from ..helpers.counting_sets import TINY, tiny_network

SHAPES_FILE = Path(__file__).parents[2] / "demo" / "weights" / "shapes.safetensors"


def stable_diffusion() -> dict[str, torch.Tensor]:
    """A very small one, as its files name and store the weights, with what else they hold."""
    network = tiny_network(seed=3)
    weights = {
        name_in_file(name, STABLE_DIFFUSION): value.half().contiguous()
        for name, value in network.state_dict().items()
        if not name.startswith("decoder.")
    }
    weights["model.diffusion_model.out.2.bias"] = torch.zeros(4)
    weights["cond_stage_model.transformer.text_model.embeddings.position_ids"] = torch.arange(6)[None]
    weights["alphas_cumprod"] = torch.ones(1000)
    return weights


@pytest.mark.parametrize(
    ("own", "theirs"),
    [
        ("vae.encoder.down.0.block.0.norm1.weight", "first_stage_model.encoder.down.0.block.0.norm1.weight"),
        ("vae.quant_conv.bias", "first_stage_model.quant_conv.bias"),
        ("unet.unet.diffusion_model.time_embed.0.weight", "model.diffusion_model.time_embed.0.weight"),
        (
            "clip.transformer.text_model.encoder.layers.3.mlp.fc1.bias",
            "cond_stage_model.transformer.text_model.encoder.layers.3.mlp.fc1.bias",
        ),
    ],
)
def test_names_of_stable_diffusion(own: str, theirs: str) -> None:
    assert name_in_file(own, STABLE_DIFFUSION) == theirs


def test_takes_over_all_but_the_decoder() -> None:
    weights = stable_diffusion()
    network = taken_over(replace(STABLE_DIFFUSION, config=TINY), weights, Path("sd.safetensors"), seed=0)
    for name, value in network.state_dict().items():
        assert value.dtype == torch.float32 and not value.is_meta
        if not name.startswith("decoder."):
            assert torch.equal(value, weights[name_in_file(name, STABLE_DIFFUSION)].float()), name
    again, other = (
        taken_over(replace(STABLE_DIFFUSION, config=TINY), weights, Path("sd"), seed=seed).decoder.state_dict()
        for seed in (0, 1)
    )
    own, key = network.decoder.state_dict(), "upsample1.conv1.0.weight"
    assert torch.equal(own[key], again[key]) and not torch.equal(own[key], other[key])


def test_the_shapes_model_becomes_a_shapes_network() -> None:
    network = start_network(SHAPES_FILE, seed=0)
    weights = load_file(SHAPES_FILE)
    assert network.config == SHAPES
    ids = "embeddings.token_embedding.ids"
    assert torch.equal(
        network.text_tower.state_dict()[ids], weights[f"text_encoder.clip_l.transformer.text_model.{ids}"]
    )
    assert torch.equal(network.vae.std, weights["latent.std"])
    assert torch.equal(
        network.diffusion_model.time_embed[0].weight, weights["diffusion_model.time_embed.0.weight"].float()
    )


def test_the_emoji_model_becomes_an_emoji_network() -> None:
    unet, autoencoder = (
        load_file(SHAPES_FILE.with_name(f"emoji_{part}.safetensors")) for part in ("unet", "autoencoder")
    )
    network = taken_over(EMOJI_MODEL, {**unet, **autoencoder}, SHAPES_FILE, seed=0)
    assert network.config == EMOJI and torch.equal(network.vae.mean, autoencoder["latent.mean"])
    pixels = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0)) * 2 - 1
    mean, std = (autoencoder[f"latent.{name}"].float().view(1, -1, 1, 1) for name in ("mean", "std"))
    with torch.no_grad():
        expected = (load_emoji_autoencoder()[0].float().encode(pixels) - mean) / std
        assert torch.allclose(network.vae(pixels), expected, atol=1e-5)


def test_a_counter_is_trained_on(tmp_path: Path) -> None:
    """Also from a half-precision file, and from the resume file of the authors' training."""
    network = start_network(SHAPES_FILE, seed=1)
    state = network.state_dict()
    write_checkpoint(network, tmp_path / "counter.safetensors")
    save_file({k: v.half() if v.is_floating_point() else v for k, v in state.items()}, tmp_path / "half.safetensors")
    torch.save({"epoch": 3, "model_state_dict": state, "optimizer_state_dict": {}}, tmp_path / "3_ckpt.tar")
    for name, tolerance in (("counter.safetensors", 0), ("half.safetensors", 1e-3), ("3_ckpt.tar", 0)):
        found = start_network(tmp_path / name, seed=2).state_dict()
        assert list(found) == list(state)
        for key, value in state.items():
            assert found[key].dtype == value.dtype
            assert torch.allclose(found[key], value, rtol=tolerance, atol=tolerance), key


def test_a_ckpt_gives_the_same_as_safetensors(tmp_path: Path) -> None:
    weights = stable_diffusion()
    torch.save({"state_dict": weights, "callbacks": {CountNetwork: 1}}, tmp_path / "sd.ckpt")
    found = read_weights(tmp_path / "sd.ckpt")
    assert list(found) == list(weights)
    assert all(torch.equal(found[name], value) for name, value in weights.items())


def test_another_stable_diffusion_is_refused() -> None:
    weights = stable_diffusion()
    del weights["first_stage_model.quant_conv.bias"]
    weights["model.diffusion_model.input_blocks.1.1.proj_in.weight"] = torch.zeros(3, 3)
    message = (
        r"sd is not Stable Diffusion 1.5: 1 weights are missing and 1 have another size, .*proj_in.weight \(3, 3\)"
    )
    with pytest.raises(CountError, match=message):
        taken_over(replace(STABLE_DIFFUSION, config=TINY), weights, Path("sd"), seed=0)


def test_other_files_are_refused(tmp_path: Path) -> None:
    save_file({"lora_up": torch.zeros(1), "alpha": torch.zeros(1)}, tmp_path / "lora.safetensors")
    with pytest.raises(CountError, match=r"holds neither Stable Diffusion 1.5.* begin with alpha, lora_up"):
        start_network(tmp_path / "lora.safetensors", seed=0)
    (tmp_path / "half.safetensors").write_bytes((tmp_path / "lora.safetensors").read_bytes()[:20])
    with pytest.raises(CountError, match=r"half.safetensors is not a whole safetensors file"):
        start_network(tmp_path / "half.safetensors", seed=0)
    with pytest.raises(CountError, match=r"there is no file"):
        start_network(tmp_path / "nothing.safetensors", seed=0)
