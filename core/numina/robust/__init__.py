"""NUMINA's layouts as we make them, for the whole video at once; the package's card says what is done otherwise, and why."""

from __future__ import annotations

from .reading import read_robust

__all__ = ["read_robust"]
