"""Counting in a picture of any size: every way to batch it gives what a plain loop over its windows gives."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from headcount.core.errors import CountError
from headcount.core.t2icount.counting import NATIVE, SHORT_SIDE, CountSettings, count_picture, counting_size
from headcount.core.t2icount.network import CountNetwork
from headcount.core.t2icount.text import ClassText
from headcount.core.t2icount.windows import window_corners
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from ..helpers.counting_sets import NOUNS, TINY, tiny_network, tiny_tokens

WINDOW = TINY.window


@pytest.fixture(scope="module")
def network() -> CountNetwork:
    return tiny_network().eval()


@pytest.fixture(scope="module")
def text(network: CountNetwork) -> ClassText:
    """Three nouns."""
    tokens, masks = zip(*map(tiny_tokens, NOUNS), strict=True)
    return network.embed_text(torch.stack(tokens), torch.stack(masks))


def picture(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(height, width, 3, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def plain_loop(
    network: CountNetwork, pixels: Tensor, text: ClassText, stride: int | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """(K, H, W) density, similarity and attention of one picture at its own size, one window and one noun at a time."""
    height, width = pixels.shape[:2]
    total, covered = torch.zeros(3, len(text), height, width), torch.zeros(height, width)
    for top, left in window_corners(height, width, WINDOW, stride):
        window = pixels[top : top + WINDOW, left : left + WINDOW].permute(2, 0, 1)[None] * 2 - 1
        covered[top : top + WINDOW, left : left + WINDOW] += 1
        for noun in range(len(text)):
            maps = network(window, text[noun : noun + 1], with_attention=True)
            for into, cells in zip(
                total, (maps.density / TINY.cell**2, maps.fine_similarity, maps.attention), strict=True
            ):
                enlarged = interpolate(cells, scale_factor=TINY.cell, mode="bilinear")[0, 0]
                into[noun, top : top + WINDOW, left : left + WINDOW] += enlarged
    density, similarity, attention = total / covered
    return density / TINY.density_scale, similarity, attention


@pytest.mark.parametrize("size", [(48, 48), (60, 130)])
@pytest.mark.parametrize(("batch", "stride"), [(1, None), (2, None), (5, None), (64, None), (5, 20), (2, 500)])
def test_equals_a_plain_loop(
    network: CountNetwork, text: ClassText, size: tuple[int, int], batch: int, stride: int | None
) -> None:
    pixels = picture(*size)
    density, similarity, attention = plain_loop(network, pixels, text, stride and min(stride, WINDOW))
    found = count_picture(network, pixels, text, CountSettings(NATIVE, batch, stride, attention=stride is not None))
    if stride is None:
        assert found.attention is None
    else:
        torch.testing.assert_close(found.attention, attention, rtol=1e-4, atol=1e-5)
        assert 0 <= attention.min() < attention.max() <= 1
    torch.testing.assert_close(found.density, density, rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(found.similarity, similarity, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.numbers, density.sum((1, 2)), rtol=1e-4, atol=1e-4)
    assert density.max() > 0 and not torch.allclose(density[0], density[1], rtol=1e-3), "the test has something to see"


def test_nouns_do_not_disturb_each_other(network: CountNetwork, text: ClassText) -> None:
    pixels, settings = picture(60, 100), CountSettings(NATIVE)
    together = count_picture(network, pixels, text, settings)
    for noun in range(len(text)):
        alone = count_picture(network, pixels, text[noun : noun + 1], settings)
        torch.testing.assert_close(together.numbers[noun], alone.numbers[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("scale", [SHORT_SIDE, NATIVE])
@pytest.mark.parametrize("size", [(48, 48), (1, 1), (1, 900), (20, 31), (50, 48), (131, 200)])
def test_any_size_gives_maps_of_the_picture_that_sum_to_the_count(
    network: CountNetwork, text: ClassText, size: tuple[int, int], scale: str
) -> None:
    found = count_picture(network, picture(*size), text, CountSettings(scale))
    assert found.density.shape == found.similarity.shape == (3, *size)
    assert (found.numbers > 0).all() and (found.density >= 0).all()
    torch.testing.assert_close(found.density.sum((1, 2)), found.numbers, rtol=1e-4, atol=1e-4)
    assert (found.similarity.abs() <= 1 + 1e-5).all()
    for points, number in zip(found.points, found.numbers.tolist(), strict=True):
        assert len(points) == math.floor(number + 0.5)
        assert all(0 <= x <= size[1] and 0 <= y <= size[0] for x, y in points)


def test_a_scaled_picture_is_counted_as_if_it_had_come_scaled(network: CountNetwork, text: ClassText) -> None:
    small = picture(24, 40)
    large = interpolate(small.permute(2, 0, 1)[None], size=(48, 80), mode="bicubic", antialias=True)[0].clamp(0, 1)
    found = count_picture(network, small, text, CountSettings())
    torch.testing.assert_close(
        found.numbers, count_picture(network, large.permute(1, 2, 0), text, CountSettings()).numbers
    )


@pytest.mark.parametrize("size", [(24, 36), (48, 48), (192, 240)])
def test_the_first_point_is_on_the_highest_place(network: CountNetwork, text: ClassText, size: tuple[int, int]) -> None:
    """In pixels of the picture itself, whatever it was scaled to."""
    found, cell = count_picture(network, picture(*size), text, CountSettings()), TINY.cell * size[0] // WINDOW
    for density, points in zip(found.density, found.points, strict=True):
        cells = avg_pool2d(density[None], cell)[0]
        row, column = divmod(int(cells.argmax()), cells.shape[1])
        assert math.dist(points[0], (cell * (column + 0.5), cell * (row + 0.5))) < 1.5 * cell


@pytest.mark.parametrize(
    ("size", "scale", "expected"),
    [
        ((384, 512), SHORT_SIDE, (384, 512)),  # FSC-147
        ((720, 1280), NATIVE, (720, 1280)),  # CARPK
        ((720, 1280), SHORT_SIDE, (384, 683)),
        ((1024, 1024), SHORT_SIDE, (384, 384)),
        ((4000, 3000), SHORT_SIDE, (512, 384)),
        ((200, 300), NATIVE, (384, 576)),
        ((1, 1), NATIVE, (384, 384)),
        ((1, 5000), SHORT_SIDE, (384, 6144)),
        ((100, 9000), NATIVE, (384, 9000)),
    ],
)
def test_size_to_count_at(size: tuple[int, int], scale: str, expected: tuple[int, int]) -> None:
    assert counting_size(*size, 384, scale) == expected


@given(height=st.integers(1, 30000), width=st.integers(1, 30000), scale=st.sampled_from([SHORT_SIDE, NATIVE]))
def test_no_picture_explodes(height: int, width: int, scale: str) -> None:
    tall, wide = counting_size(height, width, 384, scale)
    assert min(tall, wide) >= 384
    assert max(tall, wide) <= max(height, width, 16 * 384)
    assert (tall >= height) == (wide >= width) or (tall, wide) == (height, width) or min(tall, wide) == 384


def test_the_network_never_gets_more_than_a_batch(network: CountNetwork, text: ClassText) -> None:
    seen: list[int] = []
    hooks = [
        network.vae.register_forward_pre_hook(lambda _module, inputs: seen.append(len(inputs[0]))),
        network.diffusion_model.register_forward_pre_hook(lambda _module, inputs: seen.append(len(inputs[0]))),
    ]
    try:
        for batch in (1, 2, 4):
            seen.clear()
            count_picture(network, picture(96, 144), text, CountSettings(NATIVE, batch))
            assert max(seen) <= batch and sum(seen) >= 6 + 18
    finally:
        for hook in hooks:
            hook.remove()


def test_progress_and_cancelling(network: CountNetwork, text: ClassText) -> None:
    told: list[tuple[int, int]] = []
    settings = CountSettings(NATIVE, 3)
    count_picture(network, picture(96, 96), text, settings, lambda done, passes: told.append((done, passes)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]

    def cancel(done: int, _passes: int) -> None:
        told.append((done, 0))
        raise KeyboardInterrupt

    told.clear()
    with pytest.raises(KeyboardInterrupt):
        count_picture(network, picture(96, 96), text, settings, cancel)
    assert told == [(1, 0)]


def test_leaves_nothing_behind(network: CountNetwork, text: ClassText) -> None:
    pixels = picture(60, 70)
    kept, state = pixels.clone(), torch.get_rng_state()
    first, second = (count_picture(network, pixels, text, CountSettings()) for _ in range(2))
    assert torch.equal(first.density, second.density) and first.points == second.points
    assert not first.density.requires_grad and not first.numbers.requires_grad
    assert torch.equal(pixels, kept) and torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_broken_pixels(network: CountNetwork, text: ClassText, value: float) -> None:
    pixels = picture(50, 50)
    pixels[3, 4, 1] = value
    with pytest.raises(CountError, match="pixels that are not numbers"):
        count_picture(network, pixels, text, CountSettings())


def test_results_that_are_no_numbers(text: ClassText) -> None:
    network = tiny_network()
    with torch.no_grad():
        network.decoder.regressor.reg_head[0].weight[0] = float("nan")
    with pytest.raises(CountError, match=r"are not numbers at torch\.float32\. Load the model with precision fp32"):
        count_picture(network, picture(48, 48), text, CountSettings())


@pytest.mark.parametrize(
    ("settings", "message"),
    [(("huge", 4), "scale is 'huge'"), ((NATIVE, 0), "0 windows at once"), ((NATIVE, 1, 0), "stride is 0")],
)
def test_settings_that_make_no_sense(settings: tuple[Any, ...], message: str) -> None:
    with pytest.raises(CountError, match=message):
        CountSettings(*settings)


@pytest.mark.parametrize(
    ("scale", "size"), [(NATIVE, (60, 130)), (SHORT_SIDE, (30, 90)), (SHORT_SIDE, (WINDOW, WINDOW))]
)
def test_values_outside_0_to_1_are_counted_as_they_are_shown(
    network: CountNetwork, text: ClassText, scale: str, size: tuple[int, int]
) -> None:
    """An image at three times the contrast is saved and shown clamped; it has the counts of what is shown."""
    harsh = (picture(*size) - 0.5) * 3 + 0.5
    found = count_picture(network, harsh, text, CountSettings(scale))
    expected = count_picture(network, harsh.clamp(0, 1), text, CountSettings(scale))
    assert torch.equal(found.numbers, expected.numbers) and torch.equal(found.density, expected.density)
    assert not torch.equal(harsh, harsh.clamp(0, 1))
