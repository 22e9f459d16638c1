"""The video training runs, saves, and goes on where it stopped as if it had never stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from headcount.bridge.demo_models.files import WEIGHTS, load_shapes_video_model
from headcount.bridge.demo_models.text_encoder import MAX_LENGTH, VOCABULARY_SIZE
from headcount.bridge.demo_models.video_size import VideoSize
from headcount.core.shapes.autoencoder import ShapesAutoencoder
from safetensors.torch import load_file

from demo import train_shapes_video, video_sheet
from demo.step_training import StepTraining
from demo.train_shapes import END_TOKEN, Bank, part_of, tokenise
from demo.train_shapes_video import RECIPES, SIZES, new_model
from demo.video_bank import BankPlan, clip_bank, draw_clips
from demo.video_trainee import training_loss

CPU = torch.device("cpu")
TINY = VideoSize(width=32, hidden=32, layers=2, patch=2)
FRAMES = 2
_TABLE = "text_model.embeddings.token_embedding"


@pytest.fixture(scope="module")
def autoencoder() -> ShapesAutoencoder:
    model = ShapesAutoencoder().eval()
    model.load_state_dict(part_of(WEIGHTS, "first_stage_model."))
    return model


def bank_of(autoencoder: ShapesAutoencoder, file: Path, clips: int, frames: int = FRAMES, workers: int = 1) -> Bank:
    return clip_bank(BankPlan(clips, 3, frames, workers), file, autoencoder, part_of(WEIGHTS, "latent."), CPU)


def chunk(number: int, clips: int) -> tuple[Any, list[str]]:
    """What the bank's plan draws."""
    return draw_clips(3 * 1_000_003 + number, clips, FRAMES)


@pytest.fixture(scope="module")
def bank(autoencoder: ShapesAutoencoder, tmp_path_factory: pytest.TempPathFactory) -> Bank:
    return bank_of(autoencoder, tmp_path_factory.mktemp("bank") / "clips.safetensors", 70)


class TestBank:
    def test_latents_are_the_frames_normalised(self, bank: Bank, autoencoder: ShapesAutoencoder) -> None:
        """One by one, with the statistics of the Shapes model; also behind the first chunk."""
        assert bank.latents.shape == (70, 8, FRAMES, 16, 16) and bank.tokens.shape == (70, MAX_LENGTH)
        mean, std = (part_of(WEIGHTS, "latent.")[name].view(8, 1, 1) for name in ("mean", "std"))
        for clip, (pictures, prompts), at in ((1, chunk(0, 64), 1), (65, chunk(1, 6), 1)):
            pixels = torch.from_numpy(pictures[at]).permute(0, 3, 1, 2) / 127.5 - 1
            with torch.inference_mode():
                alone = torch.stack([(autoencoder.encode(frame[None])[0] - mean) / std for frame in pixels], 1)
            assert float((alone - bank.latents[clip]).abs().mean()) < 0.02, "bfloat16 is used there"
            assert torch.equal(bank.tokens[clip], tokenise([prompts[at]])[0])
        latents = bank.latents.float()
        assert latents.mean().abs() < 0.3 and 0.6 < latents.std() < 1.2

    def test_it_is_kept_and_drawn_anew_for_another_plan(self, autoencoder: ShapesAutoencoder, tmp_path: Path) -> None:
        file = tmp_path / "clips.safetensors"
        first = bank_of(autoencoder, file, 3)
        written = file.stat().st_mtime_ns
        assert torch.equal(bank_of(autoencoder, file, 3).latents, first.latents)
        assert file.stat().st_mtime_ns == written
        assert len(bank_of(autoencoder, file, 2).latents) == 2
        assert bank_of(autoencoder, file, 2, frames=1).latents.shape[2] == 1

    def test_it_does_not_depend_on_the_workers(self, autoencoder: ShapesAutoencoder, tmp_path: Path) -> None:
        one, two = (bank_of(autoencoder, tmp_path / f"{workers}", 66, 1, workers) for workers in (1, 2))
        assert torch.equal(one.latents, two.latents) and torch.equal(one.tokens, two.tokens)

    def test_prompts_fit_into_a_chunk_and_the_table(self) -> None:
        """Of many more clips than there are in the bank."""
        prompts = [prompt for seed in range(12) for prompt in draw_clips(seed, 25, 1)[1]]
        tokens = tokenise(prompts)
        assert ((tokens == END_TOKEN).sum(1) > 0).all()
        assert len(torch.unique(tokens)) < VOCABULARY_SIZE


class TestStart:
    def test_every_known_word_keeps_its_vector(self, bank: Bank) -> None:
        """The text encoder begins as that of the Shapes model, with room for new words."""
        text = new_model(TINY, bank, WEIGHTS).text
        old = part_of(WEIGHTS, "text_encoder.clip_l.transformer.")
        known = old[f"{_TABLE}.ids"]
        embedding = text.text_model.embeddings.token_embedding
        words = [int(word) for word in torch.unique(bank.tokens)]
        new = [word for word in words if word not in known]
        assert new, "a video is no word of the picture model"
        for word in words:
            vector = embedding(torch.tensor([word]))[0]
            row = int(torch.searchsorted(known, word)) + 1
            same = torch.equal(vector, old[f"{_TABLE}.table.weight"][row]) if word not in new else False
            assert same is (word not in new)
        assert torch.equal(embedding(torch.tensor([12345]))[0], old[f"{_TABLE}.table.weight"][0])
        for name, value in text.state_dict().items():
            assert name.startswith(_TABLE) or torch.equal(value, old[name])

    def test_too_many_words(self, bank: Bank) -> None:
        many = Bank(bank.latents, torch.arange(3200).view(100, 32), bank.empty)
        with pytest.raises(ValueError, match=f"3200 tokens; the embedding table holds {VOCABULARY_SIZE - 1}"):
            new_model(TINY, many, WEIGHTS)

    def test_a_fresh_model_says_nothing(self, bank: Bank) -> None:
        """So that its loss is the velocity's own size: the noise's variance and the clips'."""
        model = new_model(TINY, bank, WEIGHTS)
        loss = training_loss(model, bank, torch.Generator().manual_seed(0), 64)
        assert float(loss.detach()) == pytest.approx(1 + float(bank.latents.float().square().mean()), abs=0.1)


def test_training_learns(bank: Bank, tmp_path: Path, steady: None) -> None:
    """Some steps on one batch bring the loss down, and reach every weight of transformer and text encoder."""
    model = new_model(TINY, bank, WEIGHTS)
    training = StepTraining(model, tmp_path, "video", replace(RECIPES["cpu"].plan, rate=3e-3))
    losses = []
    for _ in range(20):
        loss = training_loss(model, bank, torch.Generator().manual_seed(1), 4)
        training.trainer.take_step([loss])
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    fresh = dict(new_model(TINY, bank, WEIGHTS).named_parameters())
    still = [name for name, value in model.named_parameters() if torch.equal(value, fresh[name])]
    assert all("text_projection" in name for name in still), still


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> dict[str, Any]:
    """The command, for a tiny model; what it left."""
    monkeypatch.setitem(SIZES, "small", TINY)
    line = ["--out", str(folder), "--device", "cpu", "--size", "small", "--clips", "6", "--frames", str(FRAMES)]
    train_shapes_video.main([*line, "--batch", "2", *more])
    return torch.load(folder / "video_training.pt", weights_only=True)


def test_a_resumed_run_is_the_uninterrupted_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steady: None) -> None:
    whole = run(tmp_path / "whole", monkeypatch, "--steps", "4")
    run(tmp_path / "twice", monkeypatch, "--steps", "2")
    twice = run(tmp_path / "twice", monkeypatch, "--steps", "4")
    assert whole["step"] == twice["step"] == 4
    assert all(torch.equal(value, twice["model"][name]) for name, value in whole["model"].items())
    files = [load_file(tmp_path / name / "shapes_video.safetensors") for name in ("whole", "twice")]
    assert set(files[0]) == set(files[1])
    assert all(torch.equal(value, files[1][name]) for name, value in files[0].items())
    assert (tmp_path / "twice" / "video.log").read_text().splitlines()[-1] == "4 of 4 steps done"


def test_a_run_whose_time_is_over_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = run(tmp_path, monkeypatch, "--minutes", "0", "--steps", "4")
    assert saved["step"] == 0
    assert (tmp_path / "video.log").read_text().endswith("0 of 4 steps done: the same command goes on\n")


def test_the_node_reads_what_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the contact sheet shows and counts it."""
    saved = run(tmp_path, monkeypatch, "--steps", "1")
    file = tmp_path / "shapes_video.safetensors"
    with torch.inference_mode():
        loaded = load_shapes_video_model(file)
    names = [name for name in saved["model"] if name.startswith("diffusion_model.")]
    weights = loaded.model.model.diffusion_model.state_dict()
    assert {f"diffusion_model.{name}" for name in weights} == set(names)
    sheet = tmp_path / "sheet.png"
    line = [
        "--model",
        str(file),
        "--clips",
        "2",
        "--frames",
        "3",
        "--steps",
        "1",
        "--device",
        "cpu",
        "--sheet",
        str(sheet),
    ]
    video_sheet.main(line)
    assert "of 6 pictures, all pictures of" in capsys.readouterr().out and sheet.is_file()
