"""Shares and their difference, of the same cases with two methods: score intervals, which hold for a dozen cases too.

E. B. Wilson, JASA 22 (1927), for a share; R. G. Newcombe, Statistics in Medicine 17 (1998), method 10, for a difference of
paired shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

_Z = 1.959964
"""Of 95 %."""

Interval = tuple[float, float]


def share_interval(right: int, cases: int) -> Interval:
    """95 % interval of a share of which `right` of `cases` are seen; (0, 1) without cases."""
    if not cases:
        return 0.0, 1.0
    share, spread = right / cases, _Z**2 / cases
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * sqrt(share * (1 - share) / cases + spread / (4 * cases)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def paired_difference(before: Sequence[bool], after: Sequence[bool]) -> tuple[float, Interval]:
    """Share of `after` minus that of `before`, and its 95 % interval; both are of the same cases, in the same order.

    Without cases it is 0, from -1 to 1.
    """
    cases = len(before)
    if not cases:
        return 0.0, (-1.0, 1.0)
    pairs = list(zip(before, after, strict=True))
    both, neither = sum(one and other for one, other in pairs), sum(not one and not other for one, other in pairs)
    first, second = sum(after), sum(before)
    p, q = first / cases, second / cases
    (p_low, p_high), (q_low, q_high) = share_interval(first, cases), share_interval(second, cases)
    phi = _correlation(both, neither, first, second, cases)
    lower = sqrt(max(0.0, (p - p_low) ** 2 - 2 * phi * (p - p_low) * (q_high - q) + (q_high - q) ** 2))
    upper = sqrt(max(0.0, (q - q_low) ** 2 - 2 * phi * (q - q_low) * (p_high - p) + (p_high - p) ** 2))
    return p - q, (p - q - lower, p - q + upper)


def _correlation(both: int, neither: int, first: int, second: int, cases: int) -> float:
    """Newcombe's phi, with his correction of a positive one."""
    product = first * (cases - first) * second * (cases - second)
    if not product:
        return 0.0
    excess: float = both * neither - (first - both) * (second - both)
    if excess > 0:
        excess = max(excess - cases / 2, 0.0)
    return excess / sqrt(product)
