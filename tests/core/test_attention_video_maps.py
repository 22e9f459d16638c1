"""Maps of a video's frames: what a plain loop over layers, frames and heads gives, without its memory."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from headcount.core.attention import video_maps
from headcount.core.attention.calls import AttentionCall, CallKind, Grid, head_probabilities
from headcount.core.attention.layer_maps import LayerRequest
from headcount.core.attention.records import RunRecorder
from headcount.core.attention.video_maps import VideoSums, frame_attention, layers_read, text_columns
from headcount.core.errors import CountError
from torch import Tensor

GRID, FRAMES, TEXT, HEADS, BATCH = (3, 5), 4, 6, 3, 2
TOKENS = (1, 2, 5)
WORDS = (("cats", (0, 1)), ("dog", (2,)))


def video_call(
    kind: CallKind, seed: int, grid: Grid = GRID, frames: int = FRAMES, text: int = TEXT, before: int = 0
) -> AttentionCall:
    """With `before` tokens of a reference picture in front of the video."""
    generator = torch.Generator().manual_seed(seed)
    cells = frames * grid[0] * grid[1]
    many = {"self": before + cells, "cross": text, "joint": before + cells + text}[kind]
    queries = torch.randn(BATCH, HEADS, cells, 4, generator=generator)
    keys = torch.randn(BATCH, HEADS, many, 4, generator=generator)
    image = slice(before, before + cells) if before or kind == "joint" else None
    where = slice(before + cells, many) if kind == "joint" else None
    return AttentionCall(f"block.{seed}", kind, grid, queries, keys, where, image, frames=frames)


def plain(call: AttentionCall) -> Tensor:
    """(B, N, K), the mean over the heads."""
    return torch.stack([head_probabilities(call, head) for head in range(HEADS)]).mean(0)


def plain_text(call: AttentionCall, tokens: tuple[int, ...] = TOKENS) -> Tensor:
    """(B * F, P, c), cell by cell."""
    probabilities = plain(call)[..., call.columns("cross")]
    cells = call.grid[0] * call.grid[1]
    rows = [
        torch.stack([probabilities[item, frame * cells + cell, list(tokens)] for cell in range(cells)])
        for item in range(BATCH)
        for frame in range(call.frames)
    ]
    return torch.stack(rows)


def sums(*layers: str, step: int | None = None, length: int = TEXT) -> VideoSums:
    return VideoSums(TOKENS, LayerRequest(WORDS, length, step), layers)


@pytest.mark.parametrize("kind", ["cross", "joint"])
def test_text_columns_of_every_frame(kind: CallKind) -> None:
    call = video_call(kind, 1)
    torch.testing.assert_close(text_columns(call, TOKENS, TEXT), plain_text(call), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", ["cross", "joint"])
def test_masked_text_is_not_looked_at(kind: CallKind) -> None:
    call = video_call(kind, 1)
    bias = torch.zeros(1, 1, 1, call.keys.shape[2])
    bias[..., -1] = float("-inf")
    masked = replace(call, bias=bias)
    found = text_columns(masked, TOKENS, TEXT)
    torch.testing.assert_close(found, plain_text(masked), atol=1e-6, rtol=1e-5)
    assert found[..., 2].max() == 0 and found[..., :2].min() > 0


@pytest.mark.parametrize("kind", ["cross", "joint"])
def test_a_repeated_text(kind: CallKind) -> None:
    """Copies of a token share its attention."""
    call = video_call(kind, 2, text=2 * TEXT)
    both = plain_text(call, TOKENS) + plain_text(call, tuple(token + TEXT for token in TOKENS))
    torch.testing.assert_close(text_columns(call, TOKENS, TEXT), both, atol=1e-6, rtol=1e-5)
    with pytest.raises(CountError, match="reads 12 text tokens, the prompt has 5"):
        text_columns(call, TOKENS, 5)


@pytest.mark.parametrize(("kind", "before"), [("self", 0), ("self", 7), ("joint", 7)])
def test_attention_within_each_frame(kind: CallKind, before: int) -> None:
    """Of one head it is the whole attention, cut out and made to sum to 1 again."""
    call = video_call(kind, 3, before=before)
    alone = replace(call, queries=call.queries[:, :1], keys=call.keys[:, :1])
    whole = head_probabilities(alone, 0)[..., call.columns("self")]
    found, cells = frame_attention(alone), GRID[0] * GRID[1]
    for item in range(BATCH):
        for frame in range(FRAMES):
            own = slice(frame * cells, (frame + 1) * cells)
            block = whole[item, own, own]
            torch.testing.assert_close(found[item * FRAMES + frame], block / block.sum(-1, keepdim=True))


@pytest.mark.parametrize("joint", [True, False])
def test_means_over_the_layers_that_are_read(joint: bool) -> None:
    kinds: tuple[CallKind, ...] = ("joint",) if joint else ("self", "cross")
    calls = [replace(video_call(kind, seed), layer=f"block.{seed}") for seed in range(4) for kind in kinds]
    found = sums("block.0", "block.2", "block.3", step=5)
    for call in calls:
        found.add(call)
    maps = found.maps()
    read = [call for call in calls if call.layer != "block.1"]
    text = [call for call in read if call.kind != "self"]
    torch.testing.assert_close(maps.cross_attention, torch.stack([plain_text(call) for call in text]).mean(0))
    own = torch.stack([frame_attention(call) for call in read if call.kind != "cross"]).mean(0)
    torch.testing.assert_close(maps.self_attention, own / own.sum(-1, keepdim=True))
    assert (maps.grid, maps.self_grid) == (GRID, GRID)
    named = ["first third", "middle third", "last third", "block.0", "block.2", "block.3"]
    assert [(one.layer, one.heads, one.step) for one in maps.layers] == [
        (name, "mean", 5 if name.startswith("block") else None) for name in named
    ]
    for one, call in zip(maps.layers, [*text, *text], strict=True):
        columns = plain_text(call)
        expected = torch.stack([columns[..., :2].sum(-1), columns[..., 2]], dim=1)
        torch.testing.assert_close(one.heat, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("kind", "limit"), [("cross", "MAX_VIDEO_CELLS"), ("joint", "MAX_JOINT_ROWS")])
def test_a_large_video_is_kept_coarser(kind: CallKind, limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then its cells are those of every second row and column."""
    call = video_call(kind, 1)
    whole = plain_text(call).unflatten(1, GRID)
    for most, step in ((FRAMES * 15, 1), (FRAMES * 15 - 1, 2)):
        monkeypatch.setattr(video_maps, limit, most)
        found = sums(call.layer)
        found.add(call)
        if kind == "cross":
            found.add(video_call("self", 1))
        maps = found.maps()
        assert maps.grid == (-(-3 // step), -(-5 // step))
        expected = whole[:, ::step, ::step].flatten(1, 2)
        torch.testing.assert_close(maps.cross_attention, expected, atol=1e-6, rtol=1e-5)


def test_self_attention_of_a_large_frame_is_pooled() -> None:
    call = video_call("self", 1, grid=(30, 40), frames=2)
    found = sums(call.layer)
    found.add(call)
    found.add(replace(video_call("cross", 1, grid=(30, 40), frames=2)))
    maps = found.maps()
    assert maps.self_grid == (15, 20) and maps.self_attention.shape == (4, 300, 300)
    torch.testing.assert_close(maps.self_attention.sum(-1), torch.ones(4, 300))
    rows = frame_attention(call)[0].unflatten(1, (15, 2, 20, 2)).sum((2, 4)).unflatten(0, (30, 40))[::2, ::2]
    torch.testing.assert_close(maps.self_attention[0], rows.flatten(0, 1).flatten(1), atol=1e-6, rtol=1e-5)


def test_layers_are_spread_over_the_depth() -> None:
    names = tuple(f"block.{index}" for index in range(30))
    assert layers_read(names[:8]) == names[:8] and layers_read(()) == ()
    read = [int(name.split(".")[1]) for name in layers_read(names)]
    assert len(read) == 8 and read[0] == 0 and read[-1] == 29
    assert all(4 <= later - earlier <= 5 for earlier, later in pairwise(read))


@pytest.mark.parametrize(("kind", "missing"), [("self", "cross"), ("cross", "self")])
def test_one_kind_is_missing(kind: CallKind, missing: str) -> None:
    found = sums("block.1")
    found.add(video_call(kind, 1))
    assert not found.is_complete
    with pytest.raises(CountError, match=f"made no {missing}-attention call"):
        found.maps()


def test_a_recorder_of_the_words_columns() -> None:
    words = (("red", (3,)), ("cats", (4, 9)), ("dog", (12,)))
    tokens, recorder = RunRecorder(("red cats", "dog"), ((4, 9), (12,)), (2, 1), words).compact()
    assert tokens == (3, 4, 9, 12)
    assert recorder.noun_tokens == ((1, 2), (3,))
    assert recorder.words == (("red", (0,)), ("cats", (1, 2)), ("dog", (3,)))
    assert (recorder.nouns, recorder.counts) == (("red cats", "dog"), (2, 1))
