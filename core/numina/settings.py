"""Every number of NUMINA, and three named sets of them: the released code's, the paper's and ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class PublishedSettings:
    """The authors' way to read and correct a frame.

    Attributes:
        head_components: what scores a self-attention head: its three principal components ("pca", the paper), or how
            much each cell looks at the frame's first three cells ("first3"), which is what the released code scores on
            a GPU, where its decomposition fails in bfloat16 and it falls back.
        blocks: a head's second score is the variance of block "sums", which outweighs the others by the squared size
            of a block, or of block "means".
        block_grid: blocks per side of that score.
        score_weights: weights of the three scores: contrast, blocks, edges.
        heads: whose self-attention is clustered in a frame: that of the "best" head (the paper), the "mean" of all heads, or
            that of one taken at "random".
        averaged_heads: of so many of the best heads the mean attention is taken; 1 in the paper.
        seed: of the random heads.
        quantile: share of a frame's cells that the mean-shift bandwidth reaches on average.
        place_weight: weight of a cell's place, 0 to 1 over the frame, beside its components.
        focus_ratio: a cell belongs to the noun from this share of the map's maximum.
        focus_reach: cells of a dense neighbourhood are at most this far apart, in cells.
        focus_neighbours: how many make it dense, the cell itself counted.
        overlap: a cluster is an instance when at least this share of it belongs to the noun.
        corrections: instances are removed, added, or "both" (the paper).
        stand_in: what is added where there is no instance to copy: a "circle" (the paper), a "rectangle" as wide and as high,
            the size of which the paper does not say, or "nothing".
        radius: of what stands for an instance where there is none to copy, in cells.
        lambda_center: cost of a squared cell between an added instance and the middle of those found.
        lambda_temporal: the same between an added instance and its place in an earlier frame.
        earlier: which frame that is: the frame "before", where it added as many (the released code), or the "last" one
            that did, so that the cost is there for every later frame (the paper).
        placement_step: an added instance is tried at every such row and column.
    """

    head_components: Literal["pca", "first3"] = "pca"
    blocks: Literal["sums", "means"] = "sums"
    block_grid: int = 8
    score_weights: tuple[float, float, float] = (1.0, 1.0, 0.1)
    heads: Literal["best", "mean", "random"] = "best"
    averaged_heads: int = 1
    seed: int = 0
    quantile: float = 0.2
    place_weight: float = 0.5
    focus_ratio: float = 0.05
    focus_reach: float = 3.0
    focus_neighbours: int = 5
    overlap: float = 0.2
    corrections: Literal["both", "addition", "removal"] = "both"
    stand_in: Literal["circle", "rectangle", "nothing"] = "circle"
    radius: int = 5
    lambda_center: float = 1.0
    lambda_temporal: float = 8.0
    earlier: Literal["before", "last"] = "before"
    placement_step: int = 2


@dataclass(frozen=True)
class RobustSettings:
    """Our way to read and correct a video.

    Where the values of the reading come from: how many of the 104 nouns of 60 tuning prompts of the Shapes model are counted
    as they are in the finished picture. 83 are with the values below; what others give stands behind each.

    Attributes:
        contrast: the mean of the heads shows a noun where it is on average this many times as high as elsewhere. 1.5: 80,
            1.75: 82, 2.5: 83.
        clear: a single head shows a noun that the mean blurs when this share of its map's variance lies between what is
            high and what is low; 0.64 is that of a normal distribution, 0.75 of an even one. 0.7: 80, 0.75: 82, 0.85: 83.
        smooth: where no head does, a map whose neighbours are as alike as this is not only noise, so that the noun may be
            there (Moran's I). Maps of nouns that were not drawn had 0.03 to 0.24, those of faint ones that are there, in the
            scenes of test_numina_soft.py, 0.3 and more.
        detail: what is smaller than this share of a thing's side is no peak; from large things in those scenes, which noise
            would tear apart. 0.25: 81, 0.3: 76.
        dip: two peaks are two things when the pass between them is below this share of the lower one. 0.6: 80, 0.7: 82.
        least_cells: a thing has at least this many cells. 2: 78, 4: 80, 5: 75.
        core: self-attention is compared among cells that reach this share of their thing's peak. 0.5: 81.
        apart: two parts of a region are two things when self-attention is more alike within each of them than between
            them by this, on a scale of -1 to 1. 0.4 and 0.8: 83; from the scenes of test_numina_things.py.
        components: how many principal components of self-attention are compared; one for each of up to 8 things. 4 and 12: 83.
        reach: a thing of one frame is the same in the next when its middle moved by at most this many of its sides: further
            off, it no longer touches where it was.
        patience: a thing may be out of sight for this many frames, a second of Wan's video (16 pictures, 4 to a frame).
        radius: of the disc that stands for a thing where there is none to copy, as a share of the frame's shorter side: the
            released code's 5 of Wan's 30 cells.
    """

    contrast: float = 2.0
    clear: float = 0.8
    smooth: float = 0.3
    detail: float = 0.15
    dip: float = 0.8
    least_cells: int = 3
    core: float = 0.7
    apart: float = 0.6
    components: int = 8
    reach: float = 1.0
    patience: int = 4
    radius: float = 5 / 30


@dataclass(frozen=True)
class LayoutSettings:
    """How instances are read out of one step's attention, and how the layout is corrected.

    Attributes:
        reader: "published": clusters of the whole frame that overlap with the noun, frame by frame, are the authors' way.
            "robust" is ours: the noun's own cells, parted where its map dips or self-attention holds two parts
            apart, followed through the video, counted once for it, and corrected alike in all frames.
        cross_map: a noun's map is the mean of the heads, or for each frame the head with the highest "peak".
        frame_local: the layer that is read answers with its self-attention within each frame, as the released code's does, so
            that the nouns' maps are those of another hidden state.
        published: settings of the authors' way.
        robust: settings of ours.
    """

    reader: Literal["published", "robust"] = "published"
    cross_map: Literal["mean", "peak"] = "mean"
    frame_local: bool = False
    published: PublishedSettings = PublishedSettings()
    robust: RobustSettings = RobustSettings()


@dataclass(frozen=True)
class GuidanceSettings:
    """How a layout is written into the cross-attention scores.

    delta(t) = floor * (offset - amplitude * tanh(t - middle)), t on a scale of 50 steps; over when it reaches floor.

    Attributes:
        middle: t at which the guidance goes from strong to weak.
        amplitude: half of the way between its two levels, in floors.
        offset: level between them, in floors.
        floor: least delta.
        ends: the guidance is over when delta reaches it; the paper names no end.
        suppress: removed cells get -suppress * delta.
        removal: the same as a "constant", without delta, or as what "fades" with it.
        circle: added cells without an instance to copy get circle * delta.
        added: added cells get m * delta - own ("release"), which pushes them down where m < 0 or delta is small, or
            what lifts them to m + (delta - 1) * lift ("shift") and never pushes down. m is the mean score of the
            instance that is copied, own a cell's own score, both the means of all heads. "overwritten": every head's own
            score becomes m * delta (the paper), where the heads of the others stay as far apart as they were.
        lift: of "shift".
        reference: m is that of each "frame"'s smallest instance, or one for the "video".
        joint_rise: where text and image share one attention, scores rise by this share of what they rise by elsewhere: there
            the text takes attention from the image, and a cell that sees only its noun draws nothing.
    """

    middle: float = 25.0
    amplitude: float = 3.0
    offset: float = 4.0
    floor: float = 0.25
    ends: bool = True
    suppress: float = 10.0
    removal: Literal["fades", "constant"] = "fades"
    circle: float = 0.8
    added: Literal["release", "shift", "overwritten"] = "release"
    lift: float = 2.0
    reference: Literal["frame", "video"] = "frame"
    joint_rise: float = 1.0


@dataclass(frozen=True)
class Preset:
    """Settings that belong together."""

    layout: LayoutSettings = LayoutSettings()
    guidance: GuidanceSettings = GuidanceSettings()


OUT_OF_SIGHT = 1e4  # "a large negative constant": a weight of e^-10000 is 0, and half precision can hold it

RELEASE = Preset(LayoutSettings(frame_local=True, published=PublishedSettings(head_components="first3")))
PAPER = Preset(
    LayoutSettings(cross_map="peak", published=PublishedSettings(focus_ratio=0.1, earlier="last")),
    GuidanceSettings(ends=False, suppress=OUT_OF_SIGHT, removal="constant", added="overwritten"),
)
ROBUST = Preset(
    LayoutSettings(reader="robust"),
    GuidanceSettings(added="shift", lift=10.0, circle=6.0, reference="video", joint_rise=1 / 3),
)
