"""The Emoji U-Net as ComfyUI's nodes see it. Nothing here depends on what its pictures look like, but for the autoencoder's."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import comfy.utils
import latent_preview
import numpy as np
import pytest
import torch
from headcount.bridge.demo_models.emoji import (
    AUTOENCODER_WEIGHTS,
    UNET_WEIGHTS,
    build_emoji_unet,
    load_emoji_autoencoder,
    load_emoji_transformer,
    load_emoji_unet,
)
from headcount.bridge.demo_models.model import ShapesModel
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.prompts.token_positions import encode_count_prompt
from headcount.bridge.recording.recorder import with_recorder
from headcount.core.errors import CountError
from safetensors.torch import save_file

import nodes as comfy_nodes
from demo.emoji import recipes
from demo.emoji.scenes import scene
from demo.train_shapes import named_weights

from ..helpers.models import Run, Setup, random_state_after, sample, weight_names

State = dict[str, torch.Tensor]
PROMPT = "a photo of three red apples and two cats"
CRISP = 26.0  # decibels, on average over held-out scenes


@cache
def emoji() -> ShapesModel:
    with torch.inference_mode():
        return load_emoji_unet()


@cache
def setup() -> Setup:
    with torch.inference_mode():
        positive, _ = encode_count_prompt(emoji().clip, PROMPT)
        negative = emoji().clip.encode_from_tokens_scheduled(emoji().clip.tokenize(""))
    return Setup(emoji().model, positive, negative, 12)


@cache
def pictures() -> torch.Tensor:
    """(24, 128, 128, 3) held-out scenes in 0..1."""
    return torch.from_numpy(np.stack([scene("held out", number).picture for number in range(24)])).float() / 255


@pytest.fixture(scope="module")
def state() -> State:
    files = (UNET_WEIGHTS, AUTOENCODER_WEIGHTS)
    return {name: value for file in files for name, value in comfy.utils.load_torch_file(str(file)).items()}


class TestLoader:
    def test_missing_files(self, tmp_path: Path) -> None:
        with pytest.raises(CountError, match=r"file is missing: emoji_unet\.safetensors .* Reinstall the pack"):
            load_emoji_unet(tmp_path / "emoji_unet.safetensors")
        with pytest.raises(CountError, match=r"file is missing: other\.safetensors"):
            load_emoji_autoencoder(tmp_path / "other.safetensors")

    @pytest.mark.parametrize("prefix", ["latent.", "diffusion_model.", "text_encoder.", "first_stage_model."])
    def test_a_file_of_something_else(self, prefix: str, state: State) -> None:
        with pytest.raises(CountError, match="this is not an Emoji model"):
            build_emoji_unet({key: value for key, value in state.items() if not key.startswith(prefix)})

    def test_the_shapes_model_is_not_one(self, tmp_path: Path) -> None:
        save_file({"diffusion_model.x": torch.zeros(1), "text_encoder.x": torch.zeros(1)}, tmp_path / "x.safetensors")
        with pytest.raises(CountError, match="that this version of the pack can read"):
            load_emoji_unet(tmp_path / "x.safetensors")

    def test_no_random_numbers(self) -> None:
        assert random_state_after(load_emoji_unet) == random_state_after(lambda: None)

    def test_no_weight_is_left_as_it_was_made(self, state: State) -> None:
        assert weight_names(emoji()) == {name for name in state if not name.startswith("latent.")}

    def test_small(self) -> None:
        assert UNET_WEIGHTS.stat().st_size < 15_000_000 and AUTOENCODER_WEIGHTS.stat().st_size < 6_000_000


class TestText:
    def encode(self, text: str) -> torch.Tensor:
        with torch.inference_mode():
            (((found, _),),) = comfy_nodes.CLIPTextEncode().encode(emoji().clip, text)
        return found

    def test_words(self) -> None:
        assert not torch.allclose(self.encode("two red apples"), self.encode("three red apples"))
        assert not torch.allclose(self.encode("two cats"), self.encode("two dogs"))
        assert torch.equal(self.encode("two lions"), self.encode("two birds")), "unknown words share an entry"

    def test_count_prompt_finds_the_words(self) -> None:
        counts = setup().counts
        assert [(one.noun, one.count) for one in counts.objects] == [("apples", 3), ("cats", 2)]
        apples, cats = counts.tokens["l"]
        # start, a, photo, of, three, red, apples, and, two, cats
        assert list(apples.noun) == [6] and list(cats.noun) == [9]


class TestPictures:
    def test_they_come_back_crisp(self) -> None:
        with torch.inference_mode():
            back = emoji().vae.decode(emoji().vae.encode(pictures()))
        found = -10 * torch.log10((back - pictures()).square().mean((1, 2, 3)))
        assert float(found.mean()) > CRISP

    def test_other_sizes(self) -> None:
        with torch.inference_mode():
            latent = emoji().vae.encode(torch.rand(1, 96, 200, 3))
            assert latent.shape == (1, 12, 12, 25)
            assert emoji().vae.decode(latent).shape == (1, 96, 200, 3)

    def test_latents_are_scaled_to_unit_variance(self) -> None:
        with torch.inference_mode():
            scaled = emoji().model.model.process_latent_in(emoji().vae.encode(pictures()))
        assert scaled.mean().abs() < 0.15 and 0.8 < scaled.std() < 1.2

    def test_latent_preview_shows_the_picture(self) -> None:
        form = emoji().model.model.latent_format
        previewer = latent_preview.Latent2RGBPreviewer(form.latent_rgb_factors, form.latent_rgb_factors_bias)
        with torch.inference_mode():
            scaled = form.process_in(emoji().vae.encode(pictures()[:1]))
            preview = previewer.decode_latent_to_preview(scaled)
        assert preview.size == (16, 16)
        shown = torch.frombuffer(bytearray(preview.convert("RGB").tobytes()), dtype=torch.uint8).view(16, 16, 3) / 255
        small = torch.nn.functional.avg_pool2d(pictures()[:1].movedim(-1, 1), 8)[0].movedim(0, -1)
        assert float((shown - small).abs().mean()) < 0.08

    def test_the_ordinary_graph(self) -> None:
        """Empty Latent Image, KSampler, VAE Decode."""
        with torch.inference_mode():
            (latent,) = comfy_nodes.EmptyLatentImage().generate(128, 128, 1)
            (out,) = comfy_nodes.KSampler().sample(
                setup().model, 5, 2, 3.0, "euler", "simple", setup().positive, setup().negative, latent, 1.0
            )
            (picture,) = comfy_nodes.VAEDecode().decode(emoji().vae, out)
        assert out["samples"].shape == (1, 12, 16, 16) and picture.shape == (1, 128, 128, 3)

    def test_sampling(self) -> None:
        one, again = (sample(setup().model, setup(), Run(steps=1)) for _ in range(2))
        assert torch.isfinite(one).all() and torch.equal(one, again)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    torch.manual_seed(0)
    trainee = recipes.transformer_trainee()
    with torch.no_grad():
        for parameter in trainee.diffusion_model.parameters():
            if not parameter.any():  # fresh blocks change nothing
                parameter.normal_(std=0.02)
    file = tmp_path_factory.mktemp("emoji") / "emoji_transformer.safetensors"
    save_file(named_weights(trainee), file)
    with torch.inference_mode():
        loaded = load_emoji_transformer(file)
        positive, _ = encode_count_prompt(loaded.clip, PROMPT)
        negative = loaded.clip.encode_from_tokens_scheduled(loaded.clip.tokenize(""))
    return Setup(loaded.model, positive, negative, 12)


class TestTransformer:
    """The network of Z-Image's kind, with weights that are not trained."""

    def test_it_is_read_and_steered(self, untrained: Setup) -> None:
        run = Run(steps=2)
        plain = sample(untrained.model, untrained, run)
        recorded, maps = with_recorder(untrained.model)
        assert torch.equal(sample(recorded, untrained, run), plain)
        record, belongs = maps.record_for(plain)
        assert belongs and record.grid == (16, 16) and record.nouns == ("red apples", "cats")
        steered, _ = with_isac(untrained.model, IsacSettings())
        samples = sample(steered, untrained, run)
        assert torch.isfinite(samples).all() and not torch.equal(samples, plain)

    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(CountError, match=r"file is missing: emoji_transformer\.safetensors"):
            load_emoji_transformer(tmp_path / "emoji_transformer.safetensors")
