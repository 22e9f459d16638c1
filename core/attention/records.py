"""What a finished sampling run leaves for the viewer: compact, immutable, on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from .call_sums import RecordedMaps
from .calls import Grid
from .grids import resize_queries
from .layer_maps import LayerMaps
from .mean_maps import AttentionMaps
from .word_maps import MAX_WORDS, Word, small_maps, step_grid, word_selector, words_in_order


@dataclass(frozen=True)
class StepRecord:
    """One sampling step.

    Attributes:
        step: index from 0.
        sigma: noise level.
        nouns: (B, k, P) fp16, share of each pixel's attention that each counted noun gets.
        instance_loss, semantic_loss: (B,) when ISAC steered this step, else None.
        words: (B, k, p) fp16, the same for the run's `kept_words`, on its `step_grid`.
    """

    step: int
    sigma: float
    nouns: Tensor
    instance_loss: Tensor | None = None
    semantic_loss: Tensor | None = None
    words: Tensor | None = None


@dataclass(frozen=True)
class RunRecord:
    """One sampling run; maps of videos have all frames of the first video as batch, then those of the second.

    Attributes:
        nouns: counted nouns with their attributes, in prompt order.
        noun_tokens: per noun, its positions in the context.
        counts: per noun, how many were asked for.
        words: every word of the prompt with its positions in the context.
        grid: (h, w) of the maps, P = h * w.
        steps: the recorded steps in order.
        cross_attention: (B, P, T) fp16, mean over the recorded steps.
        self_attention: (B, p, p) fp16, mean over the recorded steps, on `self_grid`.
        self_grid: (h, w) with p = h * w.
        samples: the latent that the sampler returned, fp16; says which LATENT this record belongs to.
        layers: parts of the model by themselves: `kept_words` on `step_grid`, fp16.
        cell_pixels: side of a cell of the latent in pixels of the picture.
        layouts: per noun, where a method saw instances and where it wants them: twice (B, h, w) numbers, 0 for none.
    """

    nouns: tuple[str, ...]
    noun_tokens: tuple[tuple[int, ...], ...]
    counts: tuple[int, ...]
    words: tuple[tuple[str, tuple[int, ...]], ...]
    grid: Grid
    steps: tuple[StepRecord, ...]
    cross_attention: Tensor
    self_attention: Tensor
    self_grid: Grid
    samples: Tensor
    layers: tuple[LayerMaps, ...] = ()
    layouts: Mapping[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    cell_pixels: int = 8

    @property
    def all_words(self) -> tuple[Word, ...]:
        """Counted nouns, then the prompt's other words."""
        return words_in_order(self.nouns, self.noun_tokens, self.words)

    @property
    def kept_words(self) -> tuple[Word, ...]:
        """The words whose maps are kept at every step."""
        return self.all_words[:MAX_WORDS]

    @property
    def step_grid(self) -> Grid:
        """(h, w) of the maps of single steps and layers."""
        return step_grid(self.grid, len(self.cross_attention))

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the decoded picture or video, in pixels."""
        height, width = self.samples.shape[-2:]
        return height * self.cell_pixels, width * self.cell_pixels

    @property
    def frames(self) -> int:
        """How many maps in a row belong to one latent: the frames of a video, 1 of a picture."""
        return max(len(self.cross_attention) // max(len(self.samples), 1), 1)

    def name_of(self, item: int) -> str:
        """What a user calls an item of the batch of maps, from 0: a picture, or a frame of a video's latent."""
        video, frame = divmod(item, self.frames)
        if self.frames == 1:
            return f"image {item + 1}"
        return f"frame {frame + 1}" if len(self.samples) == 1 else f"video {video + 1}, frame {frame + 1}"

    def maps(self) -> AttentionMaps:
        """Mean maps over the run, on the grid of the self-attention."""
        cross = resize_queries(self.cross_attention.float(), self.grid, self.self_grid)
        return AttentionMaps(self.self_attention.float(), cross, self.self_grid)


@dataclass
class RunRecorder:
    """Gathers maps while a run goes on; keeps sums and the small maps of a few words, never a matrix per step."""

    nouns: tuple[str, ...]
    noun_tokens: tuple[tuple[int, ...], ...]
    counts: tuple[int, ...]
    words: tuple[tuple[str, tuple[int, ...]], ...]
    _steps: list[StepRecord] = field(default_factory=list)
    _grid: Grid = (0, 0)
    _self_grid: Grid = (0, 0)
    _cross: Tensor | None = None
    _self: Tensor | None = None
    _layers: dict[tuple[str, str], LayerMaps] = field(default_factory=dict)

    @property
    def kept_words(self) -> tuple[Word, ...]:
        """The words whose maps are kept at every step."""
        return words_in_order(self.nouns, self.noun_tokens, self.words)[:MAX_WORDS]

    def compact(self) -> tuple[tuple[int, ...], RunRecorder]:
        """The text tokens of all words, and a recorder of maps that have these tokens' columns only, in that order."""
        positions = (*self.noun_tokens, *(own for _, own in self.words))
        tokens = tuple(sorted({token for own in positions for token in own}))
        place = {token: column for column, token in enumerate(tokens)}
        nouns = tuple(tuple(place[token] for token in own) for own in self.noun_tokens)
        words = tuple((word, tuple(place[token] for token in own)) for word, own in self.words)
        return tokens, RunRecorder(self.nouns, nouns, self.counts, words)

    @torch.no_grad()
    def add(
        self,
        step: int,
        sigma: float,
        maps: RecordedMaps,
        instance_loss: Tensor | None = None,
        semantic_loss: Tensor | None = None,
    ) -> None:
        """Take in the maps of one step."""
        attention, cross = maps.self_attention.detach().float(), maps.cross_attention.detach().float()
        nouns = torch.stack([cross[..., list(positions)].sum(-1) for positions in self.noun_tokens], dim=1)
        instance, semantic = (
            None if own is None else own.detach().float().cpu() for own in (instance_loss, semantic_loss)
        )
        columns = cross @ word_selector(self.kept_words, cross.shape[-1], cross.shape[-1], cross)
        words = small_maps(columns, maps.grid, step_grid(maps.grid, len(cross)))
        self._steps.append(StepRecord(step, sigma, nouns.half().cpu(), instance, semantic, words.half().cpu()))
        self._cross = cross if self._cross is None else self._cross + cross
        self._self = attention if self._self is None else self._self + attention
        self._grid, self._self_grid = maps.grid, maps.self_grid
        for layer in maps.layers:
            self._add_layer(layer)

    def _add_layer(self, layer: LayerMaps) -> None:
        key = (layer.layer, layer.heads)
        known = self._layers.get(key)
        summed = known is not None and layer.step is None
        self._layers[key] = replace(layer, heat=known.heat + layer.heat) if known and summed else layer

    def _layer_means(self) -> tuple[LayerMaps, ...]:
        many = len(self._steps)
        scales = [(layer, many if layer.step is None else 1) for layer in self._layers.values()]
        return tuple(replace(layer, heat=(layer.heat / scale).half().cpu()) for layer, scale in scales)

    def finish(self, samples: Tensor) -> RunRecord | None:
        """The record of the run, or None when no step was recorded."""
        if self._cross is None or self._self is None:
            return None
        many = len(self._steps)
        return RunRecord(
            self.nouns,
            self.noun_tokens,
            self.counts,
            self.words,
            self._grid,
            tuple(self._steps),
            (self._cross / many).half().cpu(),
            (self._self / many).half().cpu(),
            self._self_grid,
            samples.detach().half().cpu().clone(),
            self._layer_means(),
        )
