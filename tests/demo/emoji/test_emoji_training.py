"""The training scripts of the Emoji models run at tiny size, save, and go on as if they had never stopped."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from headcount.bridge.demo_models.emoji import load_emoji_autoencoder, load_emoji_transformer, load_emoji_unet
from headcount.bridge.demo_models.emoji_text import VOCABULARY_SIZE
from headcount.bridge.gradients.differentiable import training_kernels
from headcount.core.emoji.autoencoder import DOWNSCALE, LATENT_CHANNELS, EmojiAutoencoder
from headcount.core.emoji.detector import Detection, detections
from headcount.core.shapes.autoencoder import to_pixels
from safetensors import safe_open

from demo.emoji import bank, drawn, recipes, train_autoencoder, train_detector, train_model
from demo.emoji.export_autoencoder import main as export_autoencoder
from demo.emoji.parts import gradient_in_parts
from demo.emoji.scenes import scene
from demo.emoji.vocabulary import NOUNS
from demo.train_shapes import END_TOKEN, tokenise

from ...helpers.models import Run, Setup, sample

SCENES = 6  # in a chunk
LOADERS = {"unet": load_emoji_unet, "transformer": load_emoji_transformer}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With drawn scenes and an autoencoder of four steps, exported."""
    out = tmp_path_factory.mktemp("emoji")
    train_the_autoencoder(out, 4)
    weights = torch.load(out / "autoencoder_training.pt", weights_only=True)
    assert weights["step"] == 4
    export_autoencoder(["--out", str(out), "--file", str(out / "autoencoder.safetensors"), "--chunk", str(SCENES)])
    return out


def train_the_autoencoder(out: Path, *runs: int, more: tuple[str, ...] = ()) -> dict[str, torch.Tensor]:
    for steps in runs:
        size = ["--chunk", str(SCENES), "--chunks", "2", "--batch", "4"]
        train_autoencoder.main(["--out", str(out), "--steps", str(steps), *size, *more])
    return torch.load(out / "autoencoder_training.pt", weights_only=True)["model"]


class TestDrawn:
    def test_kept_and_in_order(self, tmp_path: Path) -> None:
        first = drawn.chunk(tmp_path, "held out", 1, 3)
        wanted = [scene("held out", number) for number in (3, 4, 5)]
        assert first.prompts == [one.prompt for one in wanted]
        assert np.array_equal(first.pictures, np.stack([one.picture for one in wanted]))
        (file,) = tmp_path.iterdir()
        written = file.stat().st_mtime_ns
        again = drawn.chunk(tmp_path, "held out", 1, 3)
        assert np.array_equal(first.pictures, again.pictures) and first.prompts == again.prompts
        assert np.array_equal(first.objects, again.objects)
        boxes = [(0, NOUNS.index(one.noun), *one.box) for one in wanted[0].objects]
        assert first.objects[first.objects[:, 0] == 0].tolist() == [list(box) for box in boxes]
        assert file.stat().st_mtime_ns == written


def test_gradient_in_parts_is_the_gradient_of_the_mean() -> None:
    torch.manual_seed(0)
    layer = torch.nn.Linear(3, 2).double()
    unused = torch.nn.Parameter(torch.zeros(2))
    batches = torch.randn(2, 5, 3, dtype=torch.float64)

    def loss_of(batch: torch.Tensor) -> torch.Tensor:
        return layer(batch).square().mean()

    parameters = [*layer.parameters(), unused]
    with ThreadPoolExecutor(2) as pool:
        found = gradient_in_parts(pool, parameters, [partial(loss_of, batch) for batch in batches])
    gradients = [parameter.grad for parameter in layer.parameters()]
    whole = loss_of(batches.flatten(0, 1))
    wanted = torch.autograd.grad(whole, list(layer.parameters()))
    assert found == pytest.approx(whole.item())
    assert unused.grad is None
    for one, other in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(one, other)


class TestAutoencoder:
    def test_a_resumed_run_is_the_uninterrupted_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(train_autoencoder, "learning_rate", lambda step, steps: 1e-3)
        whole, twice = (
            train_the_autoencoder(tmp_path / name, *runs) for name, runs in (("one", (4,)), ("two", (2, 4)))
        )
        assert all(torch.equal(value, twice[name]) for name, value in whole.items())

    def test_decoder_only(self, tmp_path: Path) -> None:
        before = train_the_autoencoder(tmp_path, 1)
        after = train_the_autoencoder(tmp_path, 2, more=("--decoder-only",))
        for name, value in before.items():
            assert torch.equal(value, after[name]) == name.startswith("encoder."), name

    def test_it_learns(self, folder: Path) -> None:
        learnt = EmojiAutoencoder()
        learnt.load_state_dict(torch.load(folder / "autoencoder_training.pt", weights_only=True)["model"])
        torch.manual_seed(0)
        pictures = drawn.chunk(folder / "drawn", "held out", 0, SCENES).pictures
        after, before = (train_autoencoder.signal_to_noise(one, pictures) for one in (learnt, EmojiAutoencoder()))
        assert after.mean() > before.mean()

    def test_signal_to_noise(self) -> None:
        class Off:
            """Comes back 0.02 too light everywhere."""

            encode = staticmethod(lambda pixels: pixels)
            decode = staticmethod(lambda latent: latent + 0.02)

        pictures = np.full((3, 8, 8, 3), 90, dtype=np.uint8)
        found = train_autoencoder.signal_to_noise(Off(), pictures)
        torch.testing.assert_close(found, torch.full((3,), 40.0))

    def test_one_part_of_a_picture_does_not_change_another(self) -> None:
        """No normalisation works over the picture: what is far away leaves a latent as it is."""
        torch.manual_seed(0)
        model, pixels = EmojiAutoencoder(), torch.rand(1, 3, 128, 128)
        other = pixels.clone()
        other[..., 100:, 100:] = 1
        with torch.no_grad():
            assert torch.equal(model.encode(pixels)[..., :4, :4], model.encode(other)[..., :4, :4])
            latent = model.encode(pixels)
            assert latent.shape == (1, LATENT_CHANNELS, 16, 16)
            assert model.decode(latent).shape == pixels.shape == (1, 3, 16 * DOWNSCALE, 16 * DOWNSCALE)


class TestBank:
    def test_pictures_and_their_mirror_images(self, folder: Path) -> None:
        autoencoder, statistics = load_emoji_autoencoder(folder / "autoencoder.safetensors")
        named = {f"latent.{name}": value for name, value in statistics.items()}
        found = bank.latent_bank(autoencoder, named, folder, 1, SCENES)
        assert found.latents.shape == (2 * SCENES, LATENT_CHANNELS, 16, 16)
        assert torch.equal(found.tokens[:SCENES], found.tokens[SCENES:])
        scenes = drawn.chunk(folder / "drawn", "training", 0, SCENES)
        assert torch.equal(found.tokens[:SCENES], tokenise(scenes.prompts))
        pixels = to_pixels(torch.from_numpy(scenes.pictures[2:3])).flip(3)
        scaled = bank.encode(autoencoder, pixels) - statistics["mean"].view(1, -1, 1, 1)
        scaled /= statistics["std"].view(1, -1, 1, 1)
        torch.testing.assert_close(found.latents[SCENES + 2].float(), scaled[0], atol=2e-2, rtol=2e-2)
        longer = bank.latent_bank(autoencoder, named, folder, 2, SCENES)
        assert torch.equal(longer.latents[: 2 * SCENES], found.latents) and len(longer.latents) == 4 * SCENES

    def test_words(self) -> None:
        known = bank.known_words()
        assert len(known) < VOCABULARY_SIZE and END_TOKEN in known
        rows = tokenise([scene("test", number).prompt for number in range(40)])
        assert rows.shape == (40, 32) and ((rows == END_TOKEN).sum(1) > 0).all(), "every prompt fits a chunk"
        assert torch.isin(rows, known).all()


class TestModels:
    def train(
        self, name: str, folder: Path, out: Path, *runs: int, more: tuple[str, ...] = ()
    ) -> dict[str, torch.Tensor]:
        out.mkdir(exist_ok=True)
        for part in ("drawn", "latents"):
            if not (out / part).exists():
                (out / part).symlink_to(folder / part)
        for steps in runs:
            size = ["--chunk", str(SCENES), "--chunks", "1", "--batch", "2", "--steps", str(steps)]
            file = ["--autoencoder", str(folder / "autoencoder.safetensors")]
            train_model.main([name, "--out", str(out), *size, *file, *more])
        return torch.load(out / f"{name}_training.pt", weights_only=True)

    @pytest.mark.parametrize("name", recipes.RECIPES)
    def test_resumed_exported_and_loaded(
        self, name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(train_model, "learning_rate", lambda step, steps, peak: 1e-3)
        (folder / "latents").mkdir(exist_ok=True)
        whole = self.train(name, folder, tmp_path / "whole", 2)
        twice = self.train(name, folder, tmp_path / "twice", 1, 2)
        assert whole["step"] == twice["step"] == 2
        assert all(torch.equal(value, twice["model"][key]) for key, value in whole["model"].items())
        assert all(torch.equal(one, other) for one, other in zip(whole["ema"], twice["ema"], strict=True))

        exported = tmp_path / "whole" / f"emoji_{name}.safetensors"
        with safe_open(exported, "pt") as kept:
            assert kept.metadata()["step"] == "2"
        further = self.train(name, folder, tmp_path / "further", 3, more=("--start", str(exported)))
        assert further["step"] == 3, "it goes on from the step that the file names"

        with torch.inference_mode():
            loaded = LOADERS[name](exported, folder / "autoencoder.safetensors")
            texts = [loaded.clip.encode_from_tokens_scheduled(loaded.clip.tokenize(text)) for text in ("a cat", "")]
        setup = Setup(loaded.model, *texts, LATENT_CHANNELS)
        assert torch.isfinite(sample(loaded.model, setup, Run(steps=1))).all()

    @pytest.mark.parametrize("name", recipes.RECIPES)
    def test_it_learns(self, name: str, folder: Path) -> None:
        """Some steps on one batch bring the loss down; every weight has a part in it."""
        recipe = recipes.RECIPES[name]
        autoencoder, statistics = load_emoji_autoencoder(folder / "autoencoder.safetensors")
        named = {f"latent.{key}": value for key, value in statistics.items()}
        scenes = bank.latent_bank(autoencoder, named, folder, 1, SCENES)
        training = train_model.new_training(recipe, 0)
        losses = []
        with training_kernels():
            for _ in range(5):
                loss = recipe.loss(training.model, scenes, torch.Generator().manual_seed(1), 4)
                losses.append(loss.item())
                training.take_step(loss, 1e-3)
        assert losses[-1] < losses[0]
        without = [name for name, value in training.model.named_parameters() if value.grad is None]
        assert all("projection" in name or "position" in name for name in without)


class TestDetector:
    def train(self, folder: Path, *runs: int) -> dict[str, torch.Tensor]:
        for steps in runs:
            size = ["--chunk", str(SCENES), "--chunks", "2", "--batch", "4", "--steps", str(steps)]
            train_detector.main(["--out", str(folder), "--autoencoder", str(folder / "autoencoder.safetensors"), *size])
        return torch.load(folder / "decider_training.pt", weights_only=True)

    def test_resumed_and_exported(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(train_detector, "learning_rate", lambda step, steps, peak: 1e-3)
        whole = self.train(folder, 3)
        (folder / "decider_training.pt").unlink()
        twice = self.train(folder, 1, 3)
        assert whole["step"] == twice["step"] == 3
        assert all(torch.equal(value, twice["model"][name]) for name, value in whole["model"].items())
        with safe_open(folder / "emoji_decider.safetensors", "pt") as kept:
            assert json.loads(kept.metadata()["nouns"]) == list(NOUNS)
        assert "held-out scenes drawn" in (folder / "decider.log").read_text()

    def test_accuracy_counts_missed_invented_and_misnamed_objects(self, monkeypatch: pytest.MonkeyPatch) -> None:
        objects = np.array([(0, 1, 0, 0, 9, 9), (0, 1, 9, 9, 9, 9), (1, 2, 0, 0, 9, 9), (2, 3, 0, 0, 9, 9)], np.int16)
        scenes = drawn.DrawnScenes(np.zeros((3, 8, 8, 3), np.uint8), ["", "", ""], objects)
        found = [[1, 1], [3], [3, 3]]  # right; misnamed; one too many
        answers = [[Detection(noun, 1.0, (0, 0, 1, 1)) for noun in nouns] for nouns in found]
        monkeypatch.setattr(train_detector, "detections", lambda output: answers)
        exact, wrong = train_detector.accuracy(lambda pixels: pixels, torch.zeros(3, 3, 8, 8), scenes)
        assert exact == pytest.approx(1 / 3) and wrong == pytest.approx(2 / 4)

    def test_a_right_detector_counts_every_scene_right(self) -> None:
        """The targets say enough: no two objects of the scenes are too near to be told apart."""
        scenes = drawn.draw_scenes("test", 0, 60)
        for number, (heat, wanted) in enumerate(train_detector.targets_of(scenes, torch.arange(60))):
            boxes = torch.zeros(4, *heat.shape[1:])
            output = torch.cat([torch.logit(heat.clamp(1e-6, 1 - 1e-6)), boxes]).unsqueeze(0)
            nouns = sorted(one.noun for one in detections(output)[0])
            assert nouns == sorted(scenes.objects[scenes.objects[:, 0] == number][:, 1].tolist())
            assert len(wanted) == len(nouns)
