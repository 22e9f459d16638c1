"""Made-up attention of frames with known things in them, as the parity cases have it: each thing looks at itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from headcount.core.numina import LayoutSettings, Reading, head_responses, noun_response
from torch import Tensor

WIDTH, TEXT = 32, 12  # of a head; tokens of the prompt
NOUNS = ((2,), (5, 6), (9,))  # columns of up to three nouns


@dataclass(frozen=True)
class Scene:
    """A video of F frames.

    Attributes:
        things: (K, F, h, w), 0 or the number of the noun's thing from 1.
        queries, keys: (F, H, P, d) of self-attention.
        cross_queries: (F, H, P, d), and cross_keys: (H, T, d).
    """

    things: Tensor
    queries: Tensor
    keys: Tensor
    cross_queries: Tensor
    cross_keys: Tensor

    def reading(self, settings: LayoutSettings) -> Reading:
        """What the core is given."""
        columns = NOUNS[: len(self.things)]
        nouns = noun_response(self.cross_queries, self.cross_keys, None, columns, settings)
        grid = self.things.shape[-2], self.things.shape[-1]
        heads = lambda: head_responses(self.cross_queries, self.cross_keys, None, columns)  # noqa: E731
        return Reading(self.queries, self.keys, nouns, grid, heads)


@dataclass(frozen=True)
class Look:
    """How clear the attention is.

    Attributes:
        noise: of queries and keys, beside codes of length 1.
        sharpness: score between two cells of the same thing.
        like: how much things of a noun share, 0 to 1.
        cross_noise: of the scores against the text.
        cross: score between a thing's cells and its noun.
        local: how much cells that are near each other look at each other, whatever they show.
    """

    noise: float = 0.3
    sharpness: float = 7.0
    like: float = 0.2
    cross_noise: float = 0.5
    cross: float = 4.0
    local: float = 1.0


def make_scene(
    counts: Sequence[int],
    grid: tuple[int, int],
    seed: int,
    frames: int = 1,
    side: int = 3,
    gap: int = 1,
    look: Look = Look(),
) -> Scene:
    """Things of about `side` cells, at least `gap` apart, that drift by up to a cell per frame."""
    generator = torch.Generator().manual_seed(seed)
    things = place_things(counts, grid, frames, side, gap, generator)
    return attend(things, look, generator)


def place_things(
    counts: Sequence[int], grid: tuple[int, int], frames: int, side: int, gap: int, generator: torch.Generator
) -> Tensor:
    """(K, F, h, w) numbers of the things."""
    for _ in range(500):
        corners = _boxes(sum(counts), grid, side, gap, generator)
        if len(corners) == sum(counts):
            break
    else:
        raise ValueError(f"no room for {counts} on {grid}")
    things = torch.zeros(len(counts), frames, *grid, dtype=torch.int64)
    drift = _draw(generator, -1, 1, 2).tolist() if frames > 1 else [0, 0]
    index = 0
    for noun, count in enumerate(counts):
        for number in range(1, count + 1):
            y, x, height, width = corners[index]
            index += 1
            for frame in range(frames):
                top, left = y + drift[0] * frame // 2, x + drift[1] * frame // 2
                things[noun, frame, max(0, top) : max(0, top + height), max(0, left) : max(0, left + width)] = number
    return things


def _boxes(
    number: int, grid: tuple[int, int], side: int, gap: int, generator: torch.Generator
) -> list[tuple[int, int, int, int]]:
    """Top, left, height and width of at most `number` boxes."""
    boxes: list[tuple[int, int, int, int]] = []
    for _ in range(20 * number):
        height, width = _draw(generator, side, side + max(1, side // 2), 2).tolist()
        top, left = (int(_draw(generator, 0, grid[axis] - (height, width)[axis], 1)) for axis in (0, 1))
        apart = all(
            top >= y + h + gap or y >= top + height + gap or left >= x + w + gap or x >= left + width + gap
            for y, x, h, w in boxes
        )
        if apart and len(boxes) < number:
            boxes.append((top, left, height, width))
    return boxes


def attend(things: Tensor, look: Look, generator: torch.Generator) -> Scene:
    """Attention in which some heads know the things, and others their noun, their place, or nothing."""
    nouns, frames, height, width = things.shape
    code = lambda *shape: torch.nn.functional.normalize(torch.randn(*shape, WIDTH, generator=generator), dim=-1)  # noqa: E731
    ground, kinds, own = code(1)[0], code(nouns), code(nouns, int(things.max()) + 1)
    place = _places(height, width)
    one = torch.zeros(frames, height, width, WIDTH) + ground
    kind = one.clone()
    for noun in range(nouns):
        for number in range(1, int(things[noun].max()) + 1):
            mixed = look.like**0.5 * kinds[noun] + (1 - look.like) ** 0.5 * own[noun, number]
            one[things[noun] == number], kind[things[noun] == number] = mixed, kinds[noun]
    one, kind = one.flatten(1, 2), kind.flatten(1, 2)
    where = place.expand(frames, -1, -1)
    nothing = torch.zeros_like(one)
    heads = torch.stack([nothing, one, 2 * where, kind], dim=1)
    heads = heads * look.sharpness**0.5 + look.local**0.5 * where[:, None]
    noisy = lambda: (  # noqa: E731
        heads + look.noise * look.sharpness**0.5 * torch.randn(heads.shape, generator=generator) / WIDTH**0.5 * 3
    )
    scale = WIDTH**0.25
    queries, keys = noisy() * scale, noisy() * scale
    return Scene(things, queries, keys, *_text(things, look, generator))


def _text(things: Tensor, look: Look, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """(F, 3, P, d) and (3, T, d): a clear head, a weaker one and one that tells nothing."""
    nouns, frames, height, width = things.shape
    words = torch.eye(TEXT, WIDTH)
    queries = torch.zeros(frames, height * width, WIDTH)
    queries[..., 0] = 2.5  # the first token takes what nobody looks at
    for noun in range(nouns):
        for column in NOUNS[noun]:
            queries[..., column] = (things[noun] > 0).float().flatten(1) * look.cross
            queries[..., NOUNS[(noun + 1) % 3][0]] += (things[noun] > 0).float().flatten(1) * 0.3 * look.cross
    noise = look.cross_noise * torch.randn(frames, 3, height * width, WIDTH, generator=generator)
    strengths = torch.tensor([1.0, 0.5, 0.0])
    heads = queries[:, None] * strengths[:, None, None] + noise
    return heads * WIDTH**0.5, words.expand(3, -1, -1).clone()


def _places(height: int, width: int) -> Tensor:
    """(P, WIDTH) codes whose product falls with the distance of two cells."""
    parts = []
    for side in (height, width):
        angle = torch.arange(side) / side * 3.14159
        waves = [wave(angle * frequency) for frequency in (1, 2) for wave in (torch.sin, torch.cos)]
        parts.append(torch.stack(waves, dim=-1))
    rows = parts[0][:, None].expand(-1, width, -1)
    columns = parts[1][None].expand(height, -1, -1)
    codes = torch.cat([rows, columns], dim=-1).flatten(0, 1) / 2
    return torch.nn.functional.pad(codes, (0, WIDTH - codes.shape[-1]))


def _draw(generator: torch.Generator, low: int, high: int, number: int) -> Tensor:
    return torch.randint(low, high + 1, (number,), generator=generator)
