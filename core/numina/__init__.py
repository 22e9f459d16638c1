"""NUMINA: count what a model is about to draw, correct the layout, and guide the model to it.

When Numbers Speak: Aligning Textual Numerals and Visual Instances in Text-to-Video Diffusion Models, CVPR 2026
(arXiv 2604.08546). Nothing is trained. A first pass stops at step t* = 0.4 of the schedule (`schedule`); a layout is read
from the attention of one layer (`reading`; eq. 3 to 9), corrected (section 3.3, eq. 10), and a second pass from the same
noise follows it: a bias on cross-attention scores clears instances and adds some (`guidance`; section 3.4, eq. 11).

Three sets of settings. RELEASE does what the published code does on a GPU and PAPER what the paper says, both in `published`.
They differ in seven things: the heads that are asked, the focus, the layer that answers frame by frame while it is read,
which earlier frame holds a place, whether a score is overwritten in every head or moved in all alike, how strongly things are
removed, and when guidance ends (`settings`). The bridge adds what is about a run: RELEASE saves model calls on the way.

A layout can also be drawn (`Layouts.of_boxes`): nothing is read then, and guidance begins with the first step.

ROBUST is ours, in `robust`. What it does otherwise, and why (tests/core/numina/test_numina_mends.py shows each):

- Which head: the published score is ruled by one of its three parts, the size of which grows with the block size, and on a
  GPU its decomposition fails, so that it scores the frame's corner. Ours asks, where the nouns are, which head keeps
  neighbours together, instances from the background and instances from each other (`robust.head`).
- Instances: three components hold about four groups, so that many things are too few clusters, and one thing is six. Ours
  takes the noun's own cells and parts them where the noun's map dips between two peaks, and where two parts of a region look
  at different things (`robust.instances`).
- Focus: from 5 % of its maximum a flat map passes as a whole. Ours takes the threshold that parts the map best; of several
  nouns the strongest owns a cell. Where the mean of the heads hardly has two sides, the head that shows the noun best is
  asked, and where that has none either, the noun is left alone (`robust.nouns`).
- Frames: each was counted alone, so that things come and go from frame to frame. Ours follows things (`robust.tracking`)
  and counts and corrects them once for the video (`robust.refinement`).
- Places: an added instance could erase others, even the one it copies, and small frames had no room for its disc. Ours
  scales the disc, keeps off everything else and shrinks where it is tight (`robust.placement`).
- Strength: m * delta - own turns round where scores are negative, and pushes added cells down late. Ours lifts them to
  m + (delta - 1) * lift, and never pushes down. m is one number for the video, where some frame shows the noun. In joint
  attention scores rise by a third of that (`joint_rise`, chosen by trial: docs/measurements.md, the emoji transformer).
- Nothing is random: components come from a fixed start, their sign from their largest entry.
"""

from __future__ import annotations

from .guidance import Guide, RowBias, make_guide, row_bias
from .layout import MAX_INSTANCES, Layouts
from .published import AVERAGED, refine_frames
from .reading import Reading, head_responses, noun_response, read_layouts
from .schedule import STEPS, delta, fade, time_of_sigma
from .settings import PAPER, RELEASE, ROBUST, GuidanceSettings, LayoutSettings, Preset, PublishedSettings

__all__ = [
    "AVERAGED",
    "MAX_INSTANCES",
    "PAPER",
    "RELEASE",
    "ROBUST",
    "STEPS",
    "GuidanceSettings",
    "Guide",
    "LayoutSettings",
    "Layouts",
    "Preset",
    "PublishedSettings",
    "Reading",
    "RowBias",
    "delta",
    "fade",
    "head_responses",
    "make_guide",
    "noun_response",
    "read_layouts",
    "refine_frames",
    "row_bias",
    "time_of_sigma",
]
