"""NUMINA's layouts as the paper and the released code make them, frame by frame (eq. 3 to 10)."""

from __future__ import annotations

from .reading import read_published

__all__ = ["read_published"]
