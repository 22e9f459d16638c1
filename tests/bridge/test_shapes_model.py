"""The Shapes model as ComfyUI's nodes see it. Nothing here depends on what its pictures look like."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import comfy.latent_formats
import comfy.utils
import latent_preview
import pytest
import torch
from headcount.bridge.demo_models.files import WEIGHTS, load_shapes_model
from headcount.bridge.demo_models.model import build_shapes_model
from headcount.bridge.demo_models.text_encoder import MAX_LENGTH, WIDTH
from headcount.core.errors import CountError
from safetensors.torch import save_file

import nodes as comfy_nodes
from demo.scenes import random_scene

from ..helpers.models import (
    WITHOUT_A_PART,
    Run,
    random_state_after,
    sample,
    shapes,
    shapes_setup,
    weight_names,
    weights_of,
)

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
        with pytest.raises(CountError, match=r"file is missing: shapes\.safetensors .* Reinstall the pack"):
            load_shapes_model(tmp_path / "shapes.safetensors")

    @pytest.mark.parametrize(("prefix", "message"), WITHOUT_A_PART)
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
        assert weight_names(loaded) == {name for name in state if not name.startswith("latent.")}
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


def damaged_files() -> Iterator[tuple[str, bytes]]:
    """Ways in which the shipped file can be damaged: 44 of them and a name for each."""
    whole = WEIGHTS.read_bytes()
    size = int.from_bytes(whole[:8], "little")
    header, body = whole[8 : 8 + size], whole[8 + size :]
    cuts = (0, 1, 7, 8, 9, 100, size, size + 8, size + 9, len(whole) // 2, len(whole) - 1)
    yield from ((f"cut off at {cut}", whole[:cut]) for cut in cuts)
    yield "pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:0123456789abcdef\nsize 1234567\n"
    yield from (
        (f"page {start!r}", start + b" not found" * 9)
        for start in (b"<!DOCTYPE html>", b"404:", b"PK\x03\x04", b"\x80\x02")
    )
    yield from (
        (f"header of {length}", length.to_bytes(8, "little") + whole[8:])
        for length in (0, 1, size - 1, size + 1, 2**40, 2**64 - 1)
    )
    names = json.loads(header)
    first = next(name for name in names if name.startswith("diffusion_model.") and len(names[name]["shape"]) > 1)

    def rewritten(about: dict[str, Any]) -> bytes:
        text = json.dumps(about).encode()
        return len(text).to_bytes(8, "little") + text + body

    for field, value in (
        ("dtype", "I64"), ("dtype", "BOOL"), ("dtype", "F8_E4M3"), ("dtype", "nope"), ("dtype", 5),
        ("shape", [1]), ("shape", [-1]), ("shape", []), ("shape", "x"), ("shape", [2**40, 2**40]),
        ("data_offsets", [0, 0]), ("data_offsets", [-4, 4]), ("data_offsets", [0, 2**50]), ("data_offsets", None),
    ):  # fmt: skip
        yield f"{field} {value}", rewritten({**names, first: {**names[first], field: value}})
    for prefix in ("diffusion_model.", "text_encoder.", "first_stage_model.", "latent."):
        yield f"no {prefix}", rewritten({name: about for name, about in names.items() if not name.startswith(prefix)})
    yield "not even JSON", len(b"{not").to_bytes(8, "little") + b"{not" + body
    yield "a list", len(b"[1, 2]").to_bytes(8, "little") + b"[1, 2]" + body
    yield "no numbers", whole[: 8 + size] + b"\xff" * len(body)
    yield "other bytes", bytes(255 - byte for byte in whole[:4096]) + whole[4096:]


class TestDamagedFiles:
    def test_each_is_a_sentence(self, tmp_path: Path) -> None:
        path, said = tmp_path / "shapes.safetensors", {}
        for way, content in damaged_files():
            path.write_bytes(content)
            with pytest.raises(CountError, match=r"^shapes\.safetensors is|^this is not a Shapes model") as raised:
                load_shapes_model(path)
            said[way] = str(raised.value)
        assert len(said) >= 44
        assert "run `git lfs pull` in the pack's folder" in said["pointer"]
        assert "is damaged or incomplete: it has 100 bytes" in said["cut off at 100"]
        assert "holds values that are not numbers" in said["no numbers"]

    def test_statistics_of_other_channels(self, state: State) -> None:
        with pytest.raises(CountError, match="the file's latent statistics do not fit each other: mean"):
            build_shapes_model({**state, "latent.std": torch.ones(7)})
