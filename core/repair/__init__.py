"""Count Repair: paint over what is too many, paint what is missing, and count again; this pack's own method.

Verifying an image and mending it where it fails beats as many new images at the same cost: EPIC (arXiv 2605.11722) and
iterative refinement (arXiv 2601.15286) show it with language models and image editors. Here boxes of a counter and ordinary
inpainting do both:

- what has to change follows from boxes and asked numbers alone (`changes`): a surplus object becomes a missing one, or goes,
  the one first that the counter is least sure of; a missing one comes where most room is (`places`);
- each change is a region that is filled smoothly from around it, painted by the model, and joined in pixels (`regions`), so
  that every other pixel stays as it is;
- its prompt is one object, or the scene without counted objects (`core.prompts.scene_text`).
"""

from __future__ import annotations

from .changes import Change, PictureObjects, picture_objects, plan_changes
from .places import free_places
from .regions import Crop, crop_around, joined, region_mask, resized, smooth_fill

__all__ = [
    "Change",
    "Crop",
    "PictureObjects",
    "crop_around",
    "free_places",
    "joined",
    "picture_objects",
    "plan_changes",
    "region_mask",
    "resized",
    "smooth_fill",
]
