"""Every number of NUMINA, and three named sets of them: the released code's, the paper's and ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class LayoutSettings:
    """How instances are read out of one step's attention, and how the layout is corrected.

    Attributes:
        head_components: what scores a self-attention head: its three principal components ("pca", the paper), or how
            much each cell looks at the frame's first three cells ("first3"), which is what the released code scores on
            a GPU, where its decomposition fails in bfloat16 and it falls back.
        blocks: a head's second score is the variance of block "sums", which outweighs the others by the squared size
            of a block, or of block "means".
        block_grid: blocks per side of that score.
        score_weights: weights of the three scores: contrast, blocks, edges.
        proposals: instances are mean-shift clusters of the whole frame ("mean_shift"), or the noun's own cells, split
            where the self-attention holds them apart ("split_focus").
        quantile: share of a frame's cells that the mean-shift bandwidth reaches on average.
        place_weight: weight of a cell's place, 0 to 1 over the frame, beside its components.
        cross_map: a noun's map is the mean of the heads, or for each frame the head with the highest "peak".
        focus_ratio: a cell belongs to the noun from this share of the map's maximum.
        focus_reach: cells of a dense neighbourhood are at most this far apart, in cells.
        focus_neighbours: how many make it dense, the cell itself counted.
        overlap: a cluster is an instance when at least this share of it belongs to the noun.
        radius: of the disc that stands for an instance where there is none to copy, in cells.
        lambda_center: cost of a squared cell between an added instance and the middle of those found.
        lambda_temporal: the same between an added instance and its place in the frame before.
        placement_step: an added instance is tried at every such row and column.
        whole_video: instances are followed through the video and counted once for it, instead of frame by frame.
        keep_free: added instances keep off whatever is there where they can, and never overwrite it; their disc is
            scaled to the frame.
    """

    head_components: Literal["pca", "first3"] = "pca"
    blocks: Literal["sums", "means"] = "sums"
    block_grid: int = 8
    score_weights: tuple[float, float, float] = (1.0, 1.0, 0.1)
    proposals: Literal["mean_shift", "split_focus"] = "mean_shift"
    quantile: float = 0.2
    place_weight: float = 0.5
    cross_map: Literal["mean", "peak"] = "mean"
    focus_ratio: float = 0.05
    focus_reach: float = 3.0
    focus_neighbours: int = 5
    overlap: float = 0.2
    radius: int = 5
    lambda_center: float = 1.0
    lambda_temporal: float = 8.0
    placement_step: int = 2
    whole_video: bool = False
    keep_free: bool = False


@dataclass(frozen=True)
class GuidanceSettings:
    """How a layout is written into the cross-attention scores.

    delta(t) = floor * (offset - amplitude * tanh(t - middle)), t on a scale of 50 steps; over when it reaches floor.

    Attributes:
        middle: t at which the guidance goes from strong to weak.
        amplitude: half of the way between its two levels, in floors.
        offset: level between them, in floors.
        floor: least delta.
        suppress: removed cells get -suppress * delta.
        circle: added cells without an instance to copy get circle * delta.
        added: added cells get m * delta - own ("release"), which pushes them down where m < 0 or delta is small, or
            what lifts them to m + (delta - 1) * lift ("shift") and never pushes down. m is the mean score of the
            instance that is copied, own a cell's own score.
        lift: of "shift".
    """

    middle: float = 25.0
    amplitude: float = 3.0
    offset: float = 4.0
    floor: float = 0.25
    suppress: float = 10.0
    circle: float = 0.8
    added: Literal["release", "shift"] = "release"
    lift: float = 2.0


@dataclass(frozen=True)
class Preset:
    """Settings that belong together."""

    layout: LayoutSettings = LayoutSettings()
    guidance: GuidanceSettings = GuidanceSettings()


RELEASE = Preset(LayoutSettings(head_components="first3"))
PAPER = Preset(LayoutSettings(cross_map="peak", focus_ratio=0.1))
ROBUST = Preset(
    LayoutSettings(blocks="means", cross_map="peak", focus_ratio=0.1, whole_video=True, keep_free=True),
    GuidanceSettings(added="shift"),
)
