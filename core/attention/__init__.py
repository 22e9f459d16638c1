"""Attention of diffusion models as maps: which pixel looks where, which word is looked at from where, and instances in them.

A model call makes an `AttentionCall` per layer and kind, with queries, keys and the grid they lie on. What is made of them:

- `calls`, `rows`, `fused`: probabilities of one call, whole, some rows or some columns at a time;
- `grids`: which grid a number of tokens stands for, and maps moved from one to another;
- `mean_maps`, `call_sums`, `video_maps`, `picture`: means over heads, layers and resolutions (ISAC, eq. 3 and 4), taken out of
  each call as it comes, in bounded memory;
- `noun_pixels`, `clusters`: ISAC's foreground and its clusters (section 3.2);
- `records`, `timeline`, `layer_maps`, `word_maps`, `heat`: what a run leaves for the viewer, and how it is shown;
- `instances`: regions and boxes of instances, by noun.

Shapes: B batch, H heads, P image tokens (pixels of a grid of h x w), T text tokens, F frames, d channels of a head.
"""

from __future__ import annotations

from .call_list import CallList
from .call_sums import MAX_SELF_PIXELS, CallSums, RecordedMaps, recorded_maps
from .calls import AttentionCall, CallKind, Grid, Kind, mean_probabilities, of_heads, outline, split_heads, thinned
from .clusters import Clustering
from .fused import column_gradient, mean_columns
from .grids import area_pooled, grid_of, halved, pixel_sources, resize_back, smoothed
from .heat import Scale, find_words, noun_heat_over_time, scaled, word_heat
from .instances import (
    Box,
    bounding_box,
    noun_instances,
    outline_levels,
    prominence,
    self_attention_regions,
    split_into,
)
from .layer_maps import LayerPlan, LayerRequest, spread_evenly
from .localising import Heads, localised, localising_heads
from .mean_maps import (
    AttentionMaps,
    HeadSums,
    add_token_columns,
    aggregate,
    fold_repeats,
    largest_grid,
    mean_over_layers,
    normalised,
    show_both_kinds,
)
from .noun_pixels import cluster_pixels, foreground, noun_columns
from .picture import PictureSums, head_counts, picture_maps
from .records import RunRecord, RunRecorder
from .rows import PictureRows
from .timeline import attention_rows, instance_labels, layer_heat, losses, mean_heat, region_labels, step_heat
from .video_maps import VideoSums, layers_read

__all__ = [
    "MAX_SELF_PIXELS",
    "AttentionCall",
    "AttentionMaps",
    "Box",
    "CallKind",
    "CallList",
    "CallSums",
    "Clustering",
    "Grid",
    "HeadSums",
    "Heads",
    "Kind",
    "LayerPlan",
    "LayerRequest",
    "PictureRows",
    "PictureSums",
    "RecordedMaps",
    "RunRecord",
    "RunRecorder",
    "Scale",
    "VideoSums",
    "add_token_columns",
    "aggregate",
    "area_pooled",
    "attention_rows",
    "bounding_box",
    "cluster_pixels",
    "column_gradient",
    "find_words",
    "fold_repeats",
    "foreground",
    "grid_of",
    "halved",
    "head_counts",
    "instance_labels",
    "largest_grid",
    "layer_heat",
    "layers_read",
    "localised",
    "localising_heads",
    "losses",
    "mean_columns",
    "mean_heat",
    "mean_over_layers",
    "mean_probabilities",
    "normalised",
    "noun_columns",
    "noun_heat_over_time",
    "noun_instances",
    "of_heads",
    "outline",
    "outline_levels",
    "picture_maps",
    "pixel_sources",
    "prominence",
    "recorded_maps",
    "region_labels",
    "resize_back",
    "scaled",
    "self_attention_regions",
    "show_both_kinds",
    "smoothed",
    "split_heads",
    "split_into",
    "spread_evenly",
    "step_heat",
    "thinned",
    "word_heat",
]
