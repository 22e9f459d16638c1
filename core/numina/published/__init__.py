"""NUMINA's layouts as the paper and the released code make them, frame by frame (eq. 3 to 10)."""

from __future__ import annotations

from .heads import AVERAGED
from .reading import read_published
from .refinement import refine_frames

__all__ = ["AVERAGED", "read_published", "refine_frames"]
