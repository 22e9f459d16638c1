"""Nodes that show what a model looked at, for the example workflows."""

from __future__ import annotations

from .workflow_file import Group, Placed
from .workflow_parts import PURPLE

FOUND_AND_AIMED_AT = "What was found, and what was aimed at"


def viewer(key: str, maps: str, sampler: str, image: str, show: str) -> Placed:
    """Attention Map Viewer of what the node `maps` recorded while `sampler` ran."""
    links = {"maps": (maps, "MAPS"), "samples": (sampler, "LATENT"), "image": (image, "IMAGE")}
    return Placed(key, "HeadcountAttentionMapViewer", links, {"show": show}, f"Attention Map Viewer: {show}")


def layout_view(maps: str, sampled: str, image: str) -> tuple[Placed, Placed]:
    """The layout that NUMINA found and the one that it aimed at, and their text."""
    found = Placed("layout_found", "PreviewAny", {"source": ("layout", "STRING")}, title=FOUND_AND_AIMED_AT)
    return viewer("layout", maps, sampled, image, "layout"), found


def masks(maps: str, sampler: str) -> tuple[Placed, Placed]:
    """Instance Masks, with its masks as pictures and its text."""
    return (
        Placed("masks", "HeadcountInstanceMasks", {"maps": (maps, "MAPS"), "samples": (sampler, "LATENT")}),
        Placed("found", "PreviewAny", {"source": ("masks", "STRING")}, title="Things found: noun and box"),
    )


def mask_pictures() -> tuple[Placed, Placed]:
    """The masks as a list of pictures."""
    return (
        Placed("mask_image", "MaskToImage", {"mask": ("masks", "MASK")}),
        Placed("mask_picture", "PreviewImage", {"images": ("mask_image", "IMAGE")}, title="One mask per thing"),
    )


def isac_views() -> Group:
    """What the steered row of `side_by_side` looked at: words, and a mask for each thing."""
    found_masks, found = masks("isac", "isac_sampler")
    words = viewer("viewer", "isac", "isac_sampler", "isac_decode", "words")
    return Group(
        *("What the model looked at", PURPLE, (2090, 0)),
        ((380, (words, found_masks)), (340, (found, *mask_pictures()))),
    )
