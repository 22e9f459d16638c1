"""The Emoji video model as ComfyUI's nodes see it, with random weights: nothing here depends on what its videos look like."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from pathlib import Path

import comfy.ops
import comfy.sd
import comfy.utils
import latent_preview
import pytest
import torch
from comfy.ldm.wan.model import WanModel
from comfy_extras.nodes_hunyuan import EmptyHunyuanLatentVideo
from headcount.bridge.attention.capture import Capture
from headcount.bridge.attention.hook import hooked_options, users_own
from headcount.bridge.demo_models.emoji import AUTOENCODER_WEIGHTS, UNET_WEIGHTS, load_emoji_unet
from headcount.bridge.demo_models.emoji_video import EMOJI_VIDEO_CONFIG, build_emoji_video, load_emoji_video
from headcount.bridge.demo_models.model import ShapesModel
from headcount.bridge.demo_models.text_encoder import MAX_LENGTH, WIDTH
from headcount.bridge.families.table import VIDEO_FAMILIES, family_of
from headcount.bridge.prompts.conditionings import counted_conditionings
from headcount.bridge.prompts.token_positions import encode_count_prompt
from headcount.core.emoji.autoencoder import LATENT_CHANNELS
from headcount.core.errors import CountError

import nodes as comfy_nodes
from demo.emoji.clips import random_clip

from ..helpers.models import WITHOUT_A_PART, Run, Setup, random_state_after, random_weights, sample

State = dict[str, torch.Tensor]
PROMPT = "two red apples and three cups"
ENCODER = "umt5xxl"
FRAMES = 3
LAYERS, WIDTH_OF_A_TOKEN = EMOJI_VIDEO_CONFIG["num_layers"], EMOJI_VIDEO_CONFIG["dim"]


def state_of_files() -> State:
    """Random tensors for the transformer, those of the other Emoji models for the rest."""
    files = [comfy.utils.load_torch_file(str(path), safe_load=True) for path in (UNET_WEIGHTS, AUTOENCODER_WEIGHTS)]
    state = {name: value for file in files for name, value in file.items() if not name.startswith("diffusion_model.")}
    transformer = WanModel(**EMOJI_VIDEO_CONFIG, dtype=torch.float32, operations=comfy.ops.disable_weight_init)
    return {**state, **{f"diffusion_model.{name}": value for name, value in random_weights(transformer).items()}}


@pytest.fixture(scope="module")
def state() -> State:
    return state_of_files()


@cache
def videos() -> ShapesModel:
    """Shared by all tests; loaded in inference mode as ComfyUI's executor does."""
    with torch.inference_mode():
        return build_emoji_video(state_of_files())


@cache
def pictures() -> ShapesModel:
    """The U-Net, whose autoencoder and text encoder these are."""
    with torch.inference_mode():
        return load_emoji_unet()


@cache
def setup_of() -> Setup:
    loaded = videos()
    with torch.inference_mode():
        positive, _ = encode_count_prompt(loaded.clip, PROMPT)
        negative = loaded.clip.encode_from_tokens_scheduled(loaded.clip.tokenize(""))
    return Setup(loaded.model, positive, negative, LATENT_CHANNELS)


@pytest.fixture(scope="module", autouse=True)
def given_back():
    """ComfyUI's patchers cannot be taken down once its modules are gone."""
    yield
    videos.cache_clear()
    pictures.cache_clear()
    setup_of.cache_clear()


RUN = Run(size=(FRAMES, 16, 16), steps=2)


@pytest.fixture(scope="module")
def clip() -> torch.Tensor:
    """(F, 128, 128, 3) drawn pictures in 0..1."""
    return torch.from_numpy(random_clip(random.Random(4), frames=FRAMES).pictures).float().div(255)


class TestLoader:
    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(
            CountError, match=r"file is missing: x\.safetensors is not in the pack's demo/weights folder"
        ):
            load_emoji_video(tmp_path / "x.safetensors")

    @pytest.mark.parametrize(("prefix", "message"), WITHOUT_A_PART)
    def test_a_file_of_something_else(self, prefix: str, message: str, state: State) -> None:
        without = {key: value for key, value in state.items() if not key.startswith(prefix)}
        with pytest.raises(CountError, match=f"this is not an Emoji video model: the file has {message}"):
            build_emoji_video(without)

    def test_the_image_model(self) -> None:
        with pytest.raises(CountError, match="not an Emoji video model that this version of the pack can read"):
            load_emoji_video(UNET_WEIGHTS)

    @pytest.mark.parametrize("prefix", ["diffusion_model.", "text_encoder.", "first_stage_model."])
    def test_wrong_shapes_missing_and_unknown_tensors(self, prefix: str, state: State) -> None:
        name = [key for key, value in state.items() if key.startswith(prefix) and value.ndim > 1][-1]
        wrong = [
            {**state, name: torch.zeros(1, 1)},
            {key: value for key, value in state.items() if key != name},
            {**state, f"{prefix}nonsense": torch.zeros(1)},
        ]
        for broken in wrong:
            with pytest.raises(CountError, match="not an Emoji video model that this version of the pack can read"):
                build_emoji_video(broken)

    def test_no_weight_is_left_as_it_was_made(self, state: State) -> None:
        """Everything in the model comes from the files, in full precision."""
        loaded = videos()
        made = {
            "diffusion_model.": loaded.model.model.diffusion_model,
            "text_encoder.": loaded.clip.cond_stage_model,
            "first_stage_model.": loaded.vae.first_stage_model,
        }
        found = {
            prefix + name.replace(f"{ENCODER}.", "clip_l."): value
            for prefix, part in made.items()
            for name, value in part.state_dict().items()
        }
        assert set(found) == {name for name in state if not name.startswith("latent.")}
        assert all(torch.equal(value.float(), state[name].float()) for name, value in found.items())
        assert {weight.dtype for weight in loaded.model.model.diffusion_model.parameters()} == {torch.float32}

    def test_no_random_numbers(self, state: State) -> None:
        assert random_state_after(lambda: build_emoji_video(state)) == random_state_after(lambda: None)


class TestSampling:
    def test_an_unmodified_graph(self) -> None:
        """Empty HunyuanVideo Latent, KSampler, VAE Decode: every latent frame is a picture."""
        setup = setup_of()
        with torch.inference_mode():
            (latent,) = EmptyHunyuanLatentVideo.execute(128, 128, 4 * FRAMES - 3, 2).args
            (out,) = comfy_nodes.KSampler().sample(
                setup.model, 5, 2, 3.0, "euler", "simple", setup.positive, setup.negative, latent, 1.0
            )
            (pictures,) = comfy_nodes.VAEDecode().decode(videos().vae, out)
        assert out["samples"].shape == (2, LATENT_CHANNELS, FRAMES, 16, 16) and bool(
            torch.isfinite(out["samples"]).all()
        )
        assert pictures.shape == (2 * FRAMES, 128, 128, 3)
        assert pictures.min() >= 0 and pictures.max() <= 1
        assert not torch.equal(pictures[:FRAMES], pictures[FRAMES:])

    def test_the_same_noise_gives_the_same_video(self) -> None:
        setup = setup_of()
        one, same, other = (sample(setup.model, setup, run) for run in (RUN, RUN, replace(RUN, seed=4)))
        assert torch.equal(one, same) and not torch.allclose(one, other)

    def test_the_sampler_s_noise_levels_are_shifted(self) -> None:
        sampling = videos().model.model.model_sampling
        middle = sampling.percent_to_sigma(0.5)
        assert middle == pytest.approx(2 / 3, abs=1e-3), "2 / (1 + 2) instead of 1 / 2"

    def test_the_prompt_and_the_order_of_frames_matter(self) -> None:
        setup = setup_of()
        plain, unasked = (sample(setup.model, setup, RUN, positive=text) for text in (None, setup.negative))
        assert not torch.allclose(plain, unasked)
        assert not torch.allclose(plain[:, :, 0], plain[:, :, 1])

    def test_lora(self) -> None:
        """By the names that LoRAs for Wan use; taken off again without a trace."""
        setup = setup_of()
        width = WIDTH_OF_A_TOKEN
        lora = {
            "diffusion_model.blocks.1.cross_attn.v.lora_A.weight": torch.ones(2, width) / 8,
            "diffusion_model.blocks.1.cross_attn.v.lora_B.weight": torch.ones(width, 2) / 8,
        }
        before = sample(setup.model, setup, RUN)
        with torch.inference_mode():
            patched, _ = comfy.sd.load_lora_for_models(setup.model, None, lora, 1.0, 0.0)
        assert len(patched.patches) == 1
        assert not torch.allclose(sample(patched, setup, RUN), before)
        assert torch.equal(sample(setup.model, setup, RUN), before)


class TestReading:
    """The Wan family reads it as it reads Wan."""

    def test_grids_frames_and_layers(self) -> None:
        setup = setup_of()
        family = family_of(setup.model, "a test", VIDEO_FAMILIES)
        capture, model = Capture(family.reader((16, 16))), setup.model.clone()
        model.model_options = hooked_options(model.model_options, capture, users_own, keep_previous=False)
        plain, recorded = (sample(made, setup, replace(RUN, steps=1, cfg=1.0)) for made in (setup.model, model))
        assert torch.equal(plain, recorded)
        side = 16
        expected = [(f"block.{index}", kind) for index in range(LAYERS) for kind in ("self", "cross")]
        assert [(call.layer, call.kind) for call in capture.sink.calls] == expected
        for call in capture.sink.calls:
            assert (call.grid, call.frames) == ((side, side), FRAMES)
            assert call.queries.shape[2] == FRAMES * side * side
            assert call.keys.shape[2] == (MAX_LENGTH if call.kind == "cross" else FRAMES * side * side)

    def test_columns_of_the_nouns(self) -> None:
        """They are where the prompt's tokens are those words."""
        setup = setup_of()
        family = family_of(setup.model, "a test", VIDEO_FAMILIES)
        ((cross, options),) = setup.positive
        (counted,) = counted_conditionings([{**options, "cross_attn": cross}], "a test", family)
        assert counted.target.counts == (2, 3) and counted.text_layout.length == MAX_LENGTH
        vocabulary = getattr(videos().clip.tokenizer, ENCODER).inv_vocab
        (chunk,) = videos().clip.tokenize(PROMPT)[ENCODER]
        nouns = [[vocabulary[chunk[at][0]] for at in places] for places in counted.target.tokens]
        assert nouns == [["apples</w>"], ["cups</w>"]]


class TestText:
    def test_it_is_the_emoji_text_encoder(self) -> None:
        """With the same weights, which these are."""
        with torch.inference_mode():
            texts = [
                loaded.clip.encode_from_tokens_scheduled(loaded.clip.tokenize(PROMPT))
                for loaded in (videos(), pictures())
            ]
        assert texts[0][0][0].shape == (1, MAX_LENGTH, WIDTH)
        assert torch.equal(texts[0][0][0], texts[1][0][0])

    def test_prompts_longer_than_a_chunk(self) -> None:
        setup, clip = setup_of(), videos().clip
        with torch.inference_mode():
            long, counts = encode_count_prompt(clip, ", ".join(["two apples and three cups"] * 12))
        assert long[0][0].shape[1] >= 2 * MAX_LENGTH and set(counts.lengths) == {ENCODER}
        assert bool(torch.isfinite(sample(setup.model, setup, RUN, positive=long)).all())


class TestPictures:
    def test_every_frame_is_a_picture_of_the_emoji_autoencoder(self, clip: torch.Tensor) -> None:
        with torch.inference_mode():
            latent = videos().vae.encode(clip)
            alone = torch.cat([pictures().vae.encode(frame[None]) for frame in clip])
            assert latent.shape == (1, LATENT_CHANNELS, FRAMES, 16, 16)
            torch.testing.assert_close(latent[0].movedim(1, 0), alone, rtol=1e-4, atol=1e-4)
            (decoded,) = comfy_nodes.VAEDecode().decode(videos().vae, {"samples": latent})
            again = pictures().vae.decode(alone)
        assert decoded.shape == clip.shape
        torch.testing.assert_close(decoded, again, rtol=1e-4, atol=1e-4)
        assert float((decoded - clip).abs().mean()) < 0.05

    def test_several_videos(self, clip: torch.Tensor) -> None:
        with torch.inference_mode():
            latent = videos().vae.encode(clip)
            both = videos().vae.decode(torch.cat([latent, latent.flip(2)]))
        torch.testing.assert_close(both[0], both[1].flip(0), rtol=1e-4, atol=1e-4)

    def test_in_tiles(self, clip: torch.Tensor) -> None:
        with torch.inference_mode():
            latent = videos().vae.encode(clip)
            whole = videos().vae.decode(latent)
            tiled = videos().vae.decode_tiled(latent, tile_x=12, tile_y=12, overlap=4, tile_t=2, overlap_t=1)
            encoded = videos().vae.encode_tiled(clip, tile_x=96, tile_y=96, overlap=32, tile_t=2, overlap_t=1)
        assert tiled.shape == whole.shape and encoded.shape == latent.shape
        assert float((tiled - whole).abs().mean()) < 0.02

    def test_scaling_there_and_back(self, clip: torch.Tensor) -> None:
        form = videos().model.model.latent_format
        with torch.inference_mode():
            latent = videos().vae.encode(clip)
            scaled = form.process_in(latent)
            frame = pictures().model.model.latent_format.process_in(latent[:, :, 1])
            torch.testing.assert_close(scaled[:, :, 1], frame)
            torch.testing.assert_close(form.process_out(scaled), latent, rtol=1e-4, atol=1e-4)

    def test_latent_preview_shows_the_first_picture(self, clip: torch.Tensor) -> None:
        form = videos().model.model.latent_format
        previewer = latent_preview.Latent2RGBPreviewer(form.latent_rgb_factors, form.latent_rgb_factors_bias)
        with torch.inference_mode():
            preview = previewer.decode_latent_to_preview(form.process_in(videos().vae.encode(clip)))
        shown = torch.tensor(list(preview.convert("RGB").getdata())).view(16, 16, 3).float() / 255
        small = torch.nn.functional.avg_pool2d(clip[:1].movedim(-1, 1), 8)[0].movedim(0, -1)
        assert float((shown - small).abs().mean()) < 0.08
