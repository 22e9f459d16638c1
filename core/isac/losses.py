"""The losses of ISAC: how much instances, and classes, overlap (section 3.3)."""

from __future__ import annotations

from torch import Tensor

from ..errors import CountError


def max_pairwise_overlap(masks: Tensor) -> Tensor:
    """Largest pixel-wise product of two masks (ISAC, eq. 6, and the maximum over pairs in eq. 8 and 12).

    Args:
        masks: (N, P) soft masks over the same pixels, values >= 0.

    Returns:
        () the maximum over pairs i < j and pixels p of masks[i, p] * masks[j, p]; 0 for a single mask. Differentiable.

    Raises:
        CountError: masks is not 2-dimensional.
    """
    if masks.ndim != 2:
        raise CountError(f"masks must be (masks, pixels), got shape {tuple(masks.shape)}")
    # The two largest values at a pixel give the largest product there, whichever pair they belong to.
    if len(masks) < 2:
        return masks.new_zeros(())
    largest = masks.sort(dim=0, descending=True, stable=True).values
    products = largest[0] * largest[1]
    # Not topk() and amax(): of equal products, which maps scaled to 1 often have, one alone is to get the gradient.
    return products[products.argmax()]
