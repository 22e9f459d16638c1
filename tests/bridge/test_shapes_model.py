"""The Shapes model as ComfyUI's nodes see it. Nothing here depends on what its pictures look like."""

from __future__ import annotations

import random
from pathlib import Path

import comfy.latent_formats
import comfy.utils
import latent_preview
import pytest
import torch
from headcount.bridge.shapes.files import WEIGHTS, load_shapes_model
from headcount.bridge.shapes.model import build_shapes_model
from headcount.bridge.shapes.text_encoder import MAX_LENGTH, WIDTH
from headcount.core.errors import CountError
from safetensors.torch import save_file

import nodes as comfy_nodes
from demo.scenes import random_scene

from ..helpers.models import Run, random_state_after, sample, shapes, shapes_setup, weights_of

State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    return comfy.utils.load_torch_file(str(WEIGHTS), safe_load=True)


@pytest.fixture(scope="module")
def scene() -> torch.Tensor:
    """(1, 128, 128, 3) drawn picture in 0..1."""
    return torch.from_numpy(random_scene(random.Random(4)).picture).float().div(255).unsqueeze(0)


class TestLoader:
    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(CountError, match=r"model is missing: shapes\.safetensors .* Install the pack again"):
            load_shapes_model(tmp_path / "shapes.safetensors")

    @pytest.mark.parametrize(
        ("prefix", "message"),
        [
            ("latent.", "no latent statistics"),
            ("diffusion_model.", r"no weights under 'diffusion_model\.'"),
            ("text_encoder.", r"no weights under 'text_encoder\.'"),
            ("first_stage_model.", r"no weights under 'first_stage_model\.'"),
        ],
    )
    def test_a_file_of_something_else(self, prefix: str, message: str, state: State, tmp_path: Path) -> None:
        path = tmp_path / "other.safetensors"
        save_file({key: value for key, value in state.items() if not key.startswith(prefix)}, path)
        with pytest.raises(CountError, match=f"this is not a Shapes model: the file has {message}"):
            load_shapes_model(path)

    @pytest.mark.parametrize("prefix", ["diffusion_model.", "text_encoder.", "first_stage_model."])
    def test_wrong_shapes_missing_and_unknown_tensors(self, prefix: str, state: State) -> None:
        name = next(key for key, value in state.items() if key.startswith(prefix) and value.ndim > 1)
        wrong = [
            {**state, name: torch.zeros(1, 1)},
            {key: value for key, value in state.items() if key != name},
            {**state, f"{prefix}nonsense": torch.zeros(1)},
        ]
        for broken in wrong:
            with pytest.raises(CountError, match="not a Shapes model that this version of the pack can read"):
                build_shapes_model(broken)

    def test_two_loads_are_two_models(self) -> None:
        with torch.inference_mode():
            one = load_shapes_model()
        assert one.model.model is not shapes().model.model
        setup = shapes_setup()
        assert torch.equal(sample(one.model, setup, Run(steps=1)), sample(setup.model, setup, Run(steps=1)))

    def test_no_random_numbers(self) -> None:
        assert random_state_after(load_shapes_model) == random_state_after(lambda: None)

    def test_no_weight_is_left_as_it_was_made(self, state: State) -> None:
        """Everything in the model comes from the file, in full precision."""
        loaded = shapes()
        names = {f"diffusion_model.{name}" for name in loaded.model.model.diffusion_model.state_dict()}
        names |= {f"text_encoder.{name}" for name in loaded.clip.cond_stage_model.state_dict()}
        names |= {f"first_stage_model.{name}" for name in loaded.vae.first_stage_model.state_dict()}
        assert names == {name for name in state if not name.startswith("latent.")}
        assert {weight.dtype for weight in loaded.model.model.diffusion_model.parameters()} == {torch.float32}


class TestText:
    def encode(self, text: str) -> torch.Tensor:
        with torch.inference_mode():
            (((found, _),),) = comfy_nodes.CLIPTextEncode().encode(shapes().clip, text)
        return found

    def test_clip_text_encode(self) -> None:
        two, three = self.encode("two red circles"), self.encode("three red circles")
        assert two.shape == (1, MAX_LENGTH, WIDTH) and torch.isfinite(two).all()
        assert torch.equal(two, self.encode("two red circles"))
        assert not torch.allclose(two, three)

    def test_weights_change_the_encoding(self) -> None:
        assert not torch.allclose(self.encode("two (red:1.5) circles"), self.encode("two red circles"))

    def test_padding_is_zero(self) -> None:
        found = self.encode("two circles")
        assert not found[:, 4:].any() and found[:, 1:3].abs().sum() > 0

    def test_unknown_words_share_an_entry(self) -> None:
        assert torch.equal(self.encode("two dogs"), self.encode("two cats"))
        assert not torch.equal(self.encode("two dogs"), self.encode("two circles"))

    def test_prompts_longer_than_a_chunk(self) -> None:
        long = ", ".join(["two circles and three stars"] * 12)
        found = self.encode(long)
        assert found.shape[1] % MAX_LENGTH == 0 and found.shape[1] >= 2 * MAX_LENGTH
        setup = shapes_setup(long)
        samples = sample(setup.model, setup, Run(steps=1))
        assert torch.isfinite(samples).all()
        assert all(max(tokens.noun) > MAX_LENGTH for tokens in setup.counts.tokens["l"])


class TestPictures:
    def test_encode_and_decode(self, scene: torch.Tensor) -> None:
        with torch.inference_mode():
            (latent,) = comfy_nodes.VAEEncode().encode(shapes().vae, scene)
            assert latent["samples"].shape == (1, 8, 16, 16)
            (picture,) = comfy_nodes.VAEDecode().decode(shapes().vae, latent)
        assert picture.shape == scene.shape and picture.min() >= 0 and picture.max() <= 1
        assert float((picture - scene).abs().mean()) < 0.05

    def test_other_sizes(self) -> None:
        with torch.inference_mode():
            pictures = torch.rand(2, 96, 200, 3)
            latent = shapes().vae.encode(pictures)
            assert latent.shape == (2, 8, 12, 25)
            assert shapes().vae.decode(latent).shape == pictures.shape

    def test_empty_latent_image(self) -> None:
        """The ordinary graph: Empty Latent Image, KSampler, VAE Decode."""
        setup = shapes_setup()
        with torch.inference_mode():
            (latent,) = comfy_nodes.EmptyLatentImage().generate(128, 128, 2)
            (out,) = comfy_nodes.KSampler().sample(
                setup.model, 5, 2, 3.0, "euler", "normal", setup.positive, setup.negative, latent, 1.0
            )
            (picture,) = comfy_nodes.VAEDecode().decode(shapes().vae, out)
        assert out["samples"].shape == (2, 8, 16, 16)
        assert picture.shape == (2, 128, 128, 3)
        assert not torch.equal(picture[0], picture[1])

    def test_latents_are_scaled_to_unit_variance(self) -> None:
        rng = random.Random(0)
        drawn = torch.stack([torch.from_numpy(random_scene(rng).picture) for _ in range(12)]).float() / 255
        with torch.inference_mode():
            scaled = shapes().model.model.process_latent_in(shapes().vae.encode(drawn))
        assert scaled.mean().abs() < 0.3 and 0.7 < scaled.std() < 1.4

    def test_scaling_there_and_back(self) -> None:
        form: comfy.latent_formats.LatentFormat = shapes().model.model.latent_format
        latent = torch.randn(2, 8, 4, 4)
        torch.testing.assert_close(form.process_out(form.process_in(latent)), latent, rtol=1e-4, atol=1e-4)

    def test_latent_preview_shows_the_picture(self, scene: torch.Tensor) -> None:
        form = shapes().model.model.latent_format
        previewer = latent_preview.Latent2RGBPreviewer(form.latent_rgb_factors, form.latent_rgb_factors_bias)
        with torch.inference_mode():
            scaled = form.process_in(shapes().vae.encode(scene))
            preview = previewer.decode_latent_to_preview(scaled)
        assert preview.size == (16, 16)
        shown = torch.tensor(list(preview.convert("RGB").getdata())).view(16, 16, 3).float() / 255
        small = torch.nn.functional.avg_pool2d(scene.movedim(-1, 1), 8)[0].movedim(0, -1)
        assert float((shown - small).abs().mean()) < 0.08

    def test_ksampler_finds_a_preview(self) -> None:
        form = shapes().model.model.latent_format
        method = latent_preview.LatentPreviewMethod.Auto
        latent_preview.args.preview_method, before = method, latent_preview.args.preview_method
        try:
            assert latent_preview.get_previewer(torch.device("cpu"), form) is not None
        finally:
            latent_preview.args.preview_method = before


def test_a_run_leaves_the_weights_alone() -> None:
    setup = shapes_setup()
    sample(setup.model, setup, Run(steps=1))
    before = weights_of(setup.model)
    sample(setup.model, setup, Run(steps=1))
    assert weights_of(setup.model) == before


def test_small_enough_to_ship() -> None:
    assert WEIGHTS.stat().st_size < 25_000_000
