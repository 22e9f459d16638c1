"""The training scripts run, save, and go on where they stopped as if they had never stopped."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from headcount.bridge.demo_models.files import load_shapes_model
from headcount.bridge.demo_models.text_encoder import VOCABULARY_SIZE
from headcount.core.shapes.autoencoder import ShapesAutoencoder
from safetensors.torch import load_file

from demo import train_autoencoder, train_shapes
from demo.scenes import random_scene

from ..helpers.models import Run, sample, shapes_setup


@pytest.fixture(scope="module")
def autoencoder() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return ShapesAutoencoder().state_dict()


def train(folder: Path, weights: dict[str, torch.Tensor], *runs: int) -> None:
    """Train in `folder`, stopping after each of `runs` steps and starting again."""
    folder.mkdir(exist_ok=True)
    torch.save(weights, folder / "autoencoder.pt")
    for steps in runs:
        train_shapes.main(["--out", str(folder), "--steps", str(steps), "--batch", "2", "--scenes", "16"])


def test_a_resumed_run_is_the_uninterrupted_one(
    tmp_path: Path, autoencoder: dict[str, torch.Tensor], steady: None
) -> None:
    train(tmp_path / "whole", autoencoder, 4)
    train(tmp_path / "twice", autoencoder, 2, 4)
    states = [torch.load(tmp_path / name / "diffusion_training.pt", weights_only=True) for name in ("whole", "twice")]
    whole, twice = states
    assert whole["step"] == twice["step"] == 4
    for part in ("model", "average"):
        assert all(torch.equal(value, twice[part][name]) for name, value in whole[part].items())
    files = [load_file(tmp_path / name / "shapes.safetensors") for name in ("whole", "twice")]
    for name, value in files[0].items():
        close = 1e-5 if name.startswith("latent.") else 0.0  # these come from a least-squares solver
        torch.testing.assert_close(value, files[1][name], rtol=close, atol=close)

    with torch.inference_mode():
        loaded = load_shapes_model(tmp_path / "whole" / "shapes.safetensors")
    assert torch.isfinite(sample(loaded.model, shapes_setup(), Run(steps=1))).all(), "the node can read what it writes"


def test_training_learns(autoencoder: dict[str, torch.Tensor]) -> None:
    """Some steps on one batch bring the loss down, in the U-Net and in the text encoder."""
    model = ShapesAutoencoder()
    model.load_state_dict(autoencoder)
    bank = train_shapes.build_bank(model, 8, 0)
    torch.manual_seed(0)
    trainee = train_shapes.Trainee(torch.unique(bank.tokens))
    optimiser = torch.optim.AdamW(trainee.parameters(), lr=1e-3)
    losses = []
    for _ in range(8):
        loss = train_shapes.training_loss(trainee, bank, torch.Generator().manual_seed(1), 4)
        optimiser.zero_grad()
        loss.backward()
        losses.append(float(loss))
        optimiser.step()
    assert losses[-1] < losses[0]
    without = [name for name, value in trainee.text.named_parameters() if value.grad is None]
    assert without == [] or all("projection" in name or "position" in name for name in without)


def test_bank(autoencoder: dict[str, torch.Tensor]) -> None:
    model = ShapesAutoencoder()
    model.load_state_dict(autoencoder)
    bank = train_shapes.build_bank(model, 80, 3)
    assert bank.latents.shape == (80, 8, 16, 16) and bank.tokens.shape == (80, 32)
    latents = bank.latents.float()
    torch.testing.assert_close(latents.mean((0, 2, 3)), torch.zeros(8), atol=2e-2, rtol=0)
    torch.testing.assert_close(latents.std((0, 2, 3)), torch.ones(8), atol=2e-2, rtol=0)
    again = train_shapes.build_bank(model, 80, 3)
    assert torch.equal(bank.latents, again.latents) and torch.equal(bank.tokens, again.tokens)


def test_every_prompt_of_the_scenes_fits_a_chunk() -> None:
    rng = random.Random(6)
    rows = train_shapes.tokenise([random_scene(rng).prompt for _ in range(200)])
    assert rows.shape == (200, 32)
    assert ((rows == train_shapes.END_TOKEN).sum(1) > 0).all()
    assert len(torch.unique(rows)) < VOCABULARY_SIZE


def test_the_autoencoder_learns(tmp_path: Path, steady: None) -> None:
    train_autoencoder.main(["--out", str(tmp_path), "--steps", "20", "--batch", "2", "--rate", "5e-4"])
    model = ShapesAutoencoder()
    model.load_state_dict(torch.load(tmp_path / "autoencoder.pt", weights_only=True))
    generator = torch.Generator().manual_seed(0)
    pixels = train_autoencoder.picture_batch(random.Random(1), 2)
    torch.manual_seed(0)
    with torch.no_grad():
        after = train_autoencoder.reconstruction_loss(model, pixels, generator)
        before = train_autoencoder.reconstruction_loss(ShapesAutoencoder(), pixels, generator)
    assert after < before
