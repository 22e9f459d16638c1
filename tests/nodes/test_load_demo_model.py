"""Load Demo Model: what it gives fits together, and its counters count its images."""

from __future__ import annotations

import random

import pytest
import torch
from headcount.bridge.demo_models.choice import DEMO_MODELS, load_demo_model, offered
from headcount.bridge.demo_models.emoji_video import FRAMES
from headcount.core.errors import CountError
from headcount.nodes.load_demo_model import LoadDemoModel

from demo.emoji.scenes import scene
from demo.scenes import Kind, random_scene

from ..helpers.models import Run, Setup, sample


@pytest.mark.parametrize("name", DEMO_MODELS)
def test_everything_fits_together(name: str) -> None:
    """The latent is of the model's channels and size; sampled and decoded, it is images of 128 pixels."""
    with torch.inference_mode():
        model, clip, vae, latent, counter = LoadDemoModel.execute(name, 2).args
        channels = model.get_model_object("latent_format").latent_channels
        size = (FRAMES, 16, 16) if name == "emoji, video" else (16, 16)
        assert latent["samples"].shape == (2, channels, *size) and not latent["samples"].any()
        texts = [clip.encode_from_tokens_scheduled(clip.tokenize(text)) for text in ("two hearts", "")]
        sampled = sample(model, Setup(model, *texts, channels), Run(size=size, steps=1))
        images = vae.decode(sampled).flatten(0, -4)
    assert images.shape == (FRAMES if len(size) > 2 else 1, 128, 128, 3)
    assert counter.count(images[:1], ["hearts"]).numbers.shape == (1, 1)


def test_each_counter_counts_its_own_world() -> None:
    shapes = random_scene(random.Random(1), (Kind("circle", 3, "red"),))
    emoji = scene("test", 3)
    for name, picture, counts in (("shapes", shapes.picture, {"circle": 3}), ("emoji", emoji.picture, emoji.counts())):
        counter = LoadDemoModel.execute(name, 1).args[4]
        image = torch.tensor(picture)[None] / 255
        assert counter.count(image, [f"{noun}s" for noun in counts]).rounded.tolist() == [list(counts.values())]


def test_a_model_that_there_is_not() -> None:
    with pytest.raises(CountError, match="no demo model 'photos'; there are emoji, emoji, 8 steps, shapes, emoji, t"):
        load_demo_model("photos", 1)


def test_what_the_published_pack_lacks_is_not_offered() -> None:
    published = ("emoji", "emoji, 8 steps", "shapes")
    assert offered() == (*published, "emoji, transformer", "emoji, video")
    assert offered(lambda path: False) == published
