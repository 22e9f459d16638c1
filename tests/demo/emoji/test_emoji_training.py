"""The training scripts of the Emoji models run at tiny size, save, and go on as if they had never stopped."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import comfy.model_management
import numpy as np
import pytest
import torch
from headcount.bridge.demo_models.emoji import (
    load_emoji_autoencoder,
    load_emoji_few_step,
    load_emoji_transformer,
    load_emoji_unet,
)
from headcount.bridge.demo_models.emoji_counter import load_emoji_counter
from headcount.bridge.demo_models.emoji_text import VOCABULARY_SIZE
from headcount.bridge.demo_models.emoji_video import load_emoji_video
from headcount.bridge.gradients.differentiable import training_kernels
from headcount.core.emoji.autoencoder import DOWNSCALE, LATENT_CHANNELS, EmojiAutoencoder
from headcount.core.emoji.detector import Detection, detections, targets_of
from headcount.core.shapes.autoencoder import to_pixels
from safetensors import safe_open
from safetensors.torch import load_file

from demo.emoji import (
    bank,
    distilled,
    drawn,
    export_lora,
    judge,
    recipes,
    train_autoencoder,
    train_detector,
    train_model,
)
from demo.emoji.clips import FRAMES, clip
from demo.emoji.export_autoencoder import main as export_autoencoder
from demo.emoji.scenes import scene
from demo.emoji.vocabulary import NOUNS
from demo.step_training import StepTraining
from demo.train_shapes import END_TOKEN, Bank, tokenise

from ...helpers.models import Run, Setup, sample

SCENES = 6  # in a chunk
LOADERS = {"unet": load_emoji_unet, "transformer": load_emoji_transformer, "video": load_emoji_video}


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
    def test_a_chunk_of_another_size_is_refused(self, tmp_path: Path) -> None:
        drawn.chunk(tmp_path, "held out", 0, 3)
        with pytest.raises(ValueError, match=r"held_out_000.npz holds 3 scenes, not 2"):
            drawn.chunk(tmp_path, "held out", 0, 2)

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

    def test_chunks_as_one(self, tmp_path: Path) -> None:
        together = drawn.all_scenes(tmp_path, "held out", 2, 3)
        whole = drawn.draw_scenes("held out", 0, 6)
        assert np.array_equal(together.pictures, whole.pictures) and together.prompts == whole.prompts
        assert np.array_equal(together.objects, whole.objects)

    def test_several_processes_draw_the_same(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(drawn, "CHUNK", 2)
        monkeypatch.setattr(sys, "argv", ["drawn", "--out", str(tmp_path), "--chunks", "2", "--processes", "2"])
        monkeypatch.setattr(drawn, "_draw", _draw_two)
        drawn.main()
        assert drawn.chunk(tmp_path, "training", 1, 2).prompts == drawn.draw_scenes("training", 2, 2).prompts


def _draw_two(folder: Path, collection: str, number: int) -> None:
    """A chunk of two scenes; the other process has to find this by its name."""
    drawn.chunk(folder, collection, number, 2)


class TestAutoencoder:
    def test_a_resumed_run_is_the_uninterrupted_one(self, tmp_path: Path, steady: None) -> None:
        whole, twice = (
            train_the_autoencoder(tmp_path / name, *runs) for name, runs in (("one", (4,)), ("two", (2, 4)))
        )
        assert all(torch.equal(value, twice[name]) for name, value in whole.items())

    def test_decoder_only(self, tmp_path: Path, steady: None) -> None:
        before = train_the_autoencoder(tmp_path, 1)
        after = train_the_autoencoder(tmp_path, 2, more=("--decoder-only",))
        for name, value in before.items():
            assert torch.equal(value, after[name]) == name.startswith("encoder."), name

    def test_it_learns(self, folder: Path) -> None:
        learnt = EmojiAutoencoder()
        learnt.load_state_dict(torch.load(folder / "autoencoder_training.pt", weights_only=True)["model"])
        torch.manual_seed(0)
        pictures = torch.from_numpy(drawn.chunk(folder / "drawn", "held out", 0, SCENES).pictures)
        after, before = (train_autoencoder.signal_to_noise(one, pictures) for one in (learnt, EmojiAutoencoder()))
        assert after.mean() > before.mean()

    def test_signal_to_noise(self) -> None:
        class Off:
            """Comes back 0.02 too light everywhere."""

            encode = staticmethod(lambda pixels: pixels)
            decode = staticmethod(lambda latent: latent + 0.02)

        pictures = torch.full((3, 8, 8, 3), 90, dtype=torch.uint8)
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

    def test_clips_and_their_single_pictures(self, folder: Path) -> None:
        autoencoder, statistics = load_emoji_autoencoder(folder / "autoencoder.safetensors")
        named = {f"latent.{name}": value for name, value in statistics.items()}
        clips = bank.clip_bank(autoencoder, named, folder, 1, SCENES)
        assert clips.latents.shape == (2 * SCENES, LATENT_CHANNELS, FRAMES, 16, 16)
        second = clip("training", 1)
        assert torch.equal(clips.tokens[1], tokenise([second.prompt])[0])
        pixels = to_pixels(torch.from_numpy(second.pictures))
        scaled = bank.encode(autoencoder, pixels) - statistics["mean"].view(1, -1, 1, 1)
        scaled /= statistics["std"].view(1, -1, 1, 1)
        torch.testing.assert_close(clips.latents[1].movedim(1, 0).float(), scaled, atol=2e-2, rtol=2e-2)
        frames = bank.frame_bank(autoencoder, named, folder, 1, SCENES)
        assert torch.equal(frames.latents[FRAMES + 2], clips.latents[1, :, 2])
        assert torch.equal(frames.tokens[FRAMES + 2], clips.tokens[1])

    def test_words(self) -> None:
        known = bank.every_known_word()
        assert len(known) < VOCABULARY_SIZE and END_TOKEN in known
        rows = tokenise([scene("test", number).prompt for number in range(40)])
        assert rows.shape == (40, 32) and ((rows == END_TOKEN).sum(1) > 0).all(), "every prompt fits a chunk"
        assert torch.isin(rows, known).all()


class TestModels:
    def train(
        self, name: str, folder: Path, out: Path, *runs: int, more: tuple[str, ...] = ()
    ) -> dict[str, torch.Tensor]:
        out.mkdir(exist_ok=True)
        (folder / "latents").mkdir(exist_ok=True)
        for part in ("drawn", "latents"):
            if not (out / part).exists():
                (out / part).symlink_to(folder / part)
        for steps in runs:
            size = ["--chunk", str(SCENES), "--chunks", "1", "--batch", "2", "--steps", str(steps)]
            file = ["--autoencoder", str(folder / "autoencoder.safetensors")]
            train_model.main([name, "--out", str(out), *size, *file, *more])
        return torch.load(out / f"{name}_training.pt", weights_only=True)

    @pytest.mark.parametrize("name", ["unet", "transformer", "video"])
    def test_resumed_exported_and_loaded(self, name: str, folder: Path, tmp_path: Path, steady: None) -> None:
        whole = self.train(name, folder, tmp_path / "whole", 2)
        twice = self.train(name, folder, tmp_path / "twice", 1, 2)
        assert whole["step"] == twice["step"] == 2
        for part in ("model", "average"):
            assert all(torch.equal(value, twice[part][key]) for key, value in whole[part].items())

        exported = tmp_path / "whole" / f"emoji_{name}.safetensors"
        with safe_open(exported, "pt") as kept:
            assert kept.metadata()["step"] == "2"
        model = train_model.new_model(recipes.RECIPES[name], "cpu", exported)
        averaged = {key.removeprefix("module."): value for key, value in whole["average"].items()}
        for key, value in model.state_dict().items():
            torch.testing.assert_close(value, averaged[key], rtol=1e-3, atol=1e-3)

        with torch.inference_mode():
            loaded = LOADERS[name](exported, folder / "autoencoder.safetensors")
            texts = [loaded.clip.encode_from_tokens_scheduled(loaded.clip.tokenize(text)) for text in ("a cat", "")]
        setup = Setup(loaded.model, *texts, LATENT_CHANNELS)
        size = (2, 16, 16) if name == "video" else (16, 16)
        assert torch.isfinite(sample(loaded.model, setup, Run(size=size, steps=1))).all()

    def scenes(self, folder: Path, recipe: recipes.Recipe) -> Bank:
        autoencoder, statistics = load_emoji_autoencoder(folder / "autoencoder.safetensors")
        named = {f"latent.{key}": value for key, value in statistics.items()}
        return recipe.bank(autoencoder, named, folder, 1, SCENES).to("cpu")

    @pytest.mark.parametrize("name", ["unet", "transformer", "video"])
    def test_it_learns(self, name: str, folder: Path, tmp_path: Path, steady: None) -> None:
        """Some steps on one batch bring the loss down; every weight has a part in it."""
        recipe = recipes.RECIPES[name]
        scenes = self.scenes(folder, recipe)
        torch.manual_seed(0)
        run = StepTraining(train_model.new_model(recipe, "cpu"), tmp_path, name, recipe.plan)
        losses = []
        with training_kernels():
            for _ in range(5):
                loss = recipe.loss(run.model, scenes, torch.Generator().manual_seed(1), 4)
                losses.append(loss.item())
                run.trainer.take_step([loss])
        assert losses[-1] < losses[0]
        without = [name for name, value in run.model.named_parameters() if value.grad is None]
        assert all("projection" in name or "position" in name for name in without)

    def test_a_distilled_model_starts_as_its_teacher_and_takes_in_its_guided_path(
        self, folder: Path, tmp_path: Path, steady: None
    ) -> None:
        self.train("unet", folder, tmp_path, 2)
        file = tmp_path / "emoji_unet.safetensors"
        start = ["--start", str(file), "--teacher", str(file)]
        begun = self.train("few_step", folder, tmp_path, 0, more=start)
        teacher = train_model.new_model(recipes.RECIPES["unet"], "cpu", file)
        for key, value in teacher.state_dict().items():
            assert torch.equal(value, begun["model"][key])
        moved = self.train("few_step", folder, tmp_path, 3, more=start)["model"]
        assert any(not torch.equal(value, moved[key]) for key, value in teacher.state_dict().items())
        assert all(
            torch.equal(value, moved[key]) for key, value in teacher.state_dict().items() if key.startswith("text")
        )
        with pytest.raises(SystemExit, match="--start"):
            train_model.main(["few_step", "--out", str(tmp_path)])

    @pytest.mark.parametrize("name", ["taught_transformer", "taught_video"])
    def test_a_taught_model_reads_as_its_teacher_and_comes_nearer_to_it(
        self, name: str, folder: Path, tmp_path: Path, steady: None
    ) -> None:
        self.train("unet", folder, tmp_path, 2)
        file = tmp_path / "emoji_unet.safetensors"
        teacher = train_model.new_model(recipes.RECIPES["unet"], "cpu", file).requires_grad_(False)
        moved = self.train(name, folder, tmp_path, 3, more=["--teacher", str(file)])["model"]
        for key, value in teacher.state_dict().items():
            assert not key.startswith("text") or torch.equal(value, moved[key])
        recipe = recipes.RECIPES[name]
        scenes = self.scenes(folder, recipe)
        fresh = train_model.new_model(recipe, "cpu", teacher=file)
        student = train_model.new_model(recipe, "cpu", teacher=file)
        student.load_state_dict(moved)
        left, at_first = (
            recipe.loss(teacher, one, scenes, torch.Generator().manual_seed(1), 4) for one in (student, fresh)
        )
        assert left < at_first

    def test_only_the_network_is_compiled_and_only_if_asked(
        self, folder: Path, tmp_path: Path, steady: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        compiled: list[torch.nn.Module] = []
        monkeypatch.setattr(torch.nn.Module, "compile", lambda module: compiled.append(module))
        self.train("transformer", folder, tmp_path, 1)
        assert compiled == []
        self.train("transformer", folder, tmp_path, 2, more=["--compiled"])
        assert [type(one).__name__ for one in compiled] == ["NextDiT"]

    def test_a_lora_makes_the_teacher_its_student(
        self, folder: Path, tmp_path: Path, steady: None, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.train("unet", folder, tmp_path, 2)
        teacher, student = (tmp_path / f"emoji_{name}.safetensors" for name in ("unet", "few_step"))
        self.train("few_step", folder, tmp_path, 3, more=["--start", str(teacher), "--teacher", str(teacher)])
        files = ["--teacher", str(teacher), "--student", str(student), "--file", str(tmp_path / "lora.safetensors")]
        export_lora.main([*files, "--rank", "8"])
        export_lora.main([*files, "--rank", "999"])
        low, whole = (float(said) for said in re.findall(r"keeps ([\d.]+)%", capsys.readouterr().out))
        assert low < whole == pytest.approx(100, abs=0.1)
        with torch.inference_mode():
            loaded = load_emoji_few_step(tmp_path / "lora.safetensors", teacher)
            comfy.model_management.load_models_gpu([loaded.model])
        wanted = load_file(student)
        for name, value in loaded.model.model.diffusion_model.state_dict().items():
            torch.testing.assert_close(value, wanted[f"diffusion_model.{name}"].float(), atol=1e-4, rtol=1e-2)

    def test_guided_path_and_mean_velocity(self, folder: Path) -> None:
        """A teacher of velocity 1 where it is asked for something, and 0 where it is not: guided, 3 everywhere."""
        scenes = self.scenes(folder, recipes.RECIPES["few_step"])

        class Constant(torch.nn.Module):
            def __init__(self, empty: torch.Tensor) -> None:
                super().__init__()
                self.empty = empty

            def forward(self, x: torch.Tensor, sigma: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
                asked = (tokens != self.empty).any(1).to(x)
                return asked.view(-1, 1, 1, 1).expand_as(x)

        class Answer(torch.nn.Module):
            def forward(self, x: torch.Tensor, sigma: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
                return torch.full_like(x, 2.5)

        teacher, x = Constant(scenes.empty), torch.zeros(2, 1, 2, 2)
        start, end = torch.tensor([1.0, 0.5]), torch.tensor([0.875, 0.375])
        reached = distilled.guided_path(teacher, x, start, end, scenes.tokens[:2], scenes.empty)
        torch.testing.assert_close(reached, torch.full_like(x, -3 / 8))
        loss = distilled.distilled_loss(teacher, Answer(), scenes, torch.Generator().manual_seed(0), 3)
        torch.testing.assert_close(loss, torch.tensor(0.25), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", ["decider", "judge"])
class TestDetectors:
    def train(self, name: str, folder: Path, *runs: int, more: tuple[str, ...] = ()) -> dict[str, torch.Tensor]:
        for steps in runs:
            size = ["--chunk", str(SCENES), "--chunks", "2", "--batch", "4", "--steps", str(steps)]
            file = ["--autoencoder", str(folder / "autoencoder.safetensors")]
            train_detector.main([name, "--out", str(folder), *file, *size, *more])
        return torch.load(folder / f"{name}_training.pt", weights_only=True)

    def test_resumed_and_exported(self, name: str, folder: Path, steady: None) -> None:
        whole = self.train(name, folder, 3)
        (folder / f"{name}_training.pt").unlink()
        twice = self.train(name, folder, 1, 3)
        assert whole["step"] == twice["step"] == 3
        assert all(torch.equal(value, twice["model"][key]) for key, value in whole["model"].items())
        with safe_open(folder / f"emoji_{name}.safetensors", "pt") as kept:
            assert json.loads(kept.metadata()["nouns"]) == list(NOUNS)
        assert "held-out scenes drawn" in (folder / f"{name}.log").read_text()
        load = {"decider": load_emoji_counter, "judge": judge.load_judge}[name]
        counted = load(folder / f"emoji_{name}.safetensors").count(torch.zeros(1, 128, 128, 3), ["cats"])
        assert counted.numbers.tolist() == [[0.0]]

    def test_a_run_may_start_with_finished_weights(self, name: str, folder: Path, tmp_path: Path) -> None:
        self.train(name, folder, 1)
        (folder / f"{name}_training.pt").unlink()
        file = folder / f"emoji_{name}.safetensors"
        with safe_open(file, "pt") as kept:
            before = {key: kept.get_tensor(key) for key in kept.keys()}  # noqa: SIM118 - not a dictionary
        begun = self.train(name, folder, 0, more=("--start", str(file)))["model"]
        assert all(torch.equal(value.float(), begun[key].float()) for key, value in before.items())


class TestDetectorTargets:
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
        targets = targets_of(*train_detector.object_table(scenes), len(NOUNS), (32, 32))
        output = torch.cat([torch.logit(targets.heat.clamp(1e-6, 1 - 1e-6)), torch.zeros(60, 4, 32, 32)], 1)
        for number, found in enumerate(detections(output)):
            there = scenes.objects[scenes.objects[:, 0] == number][:, 1].tolist()
            assert sorted(one.noun for one in found) == sorted(there)
            assert int(targets.there[number].sum()) == len(there)

    def test_object_table_and_mirror_image(self) -> None:
        objects = np.array([(0, 5, 1, 2, 3, 4), (2, 6, 10, 20, 30, 40), (2, 7, 0, 0, 8, 8)], np.int16)
        scenes = drawn.DrawnScenes(np.zeros((3, 64, 64, 3), np.uint8), ["", "", ""], objects)
        nouns, boxes = train_detector.object_table(scenes)
        assert nouns.tolist() == [[5, -1], [-1, -1], [6, 7]]
        assert boxes[2].tolist() == [[10, 20, 30, 40], [0, 0, 8, 8]]
        pixels = torch.rand(3, 3, 64, 64)
        turned, moved = train_detector.mirrored(pixels, boxes)
        assert torch.equal(turned, pixels.flip(3)) and moved[2].tolist() == [[24, 20, 30, 40], [56, 0, 8, 8]]
