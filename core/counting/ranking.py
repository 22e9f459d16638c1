"""How far counts are from what is asked."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from .asked import columns_of
from .counted import Counted


def misses(counted: Counted, asked: Mapping[str, int]) -> Tensor:
    """(N,) how many things are too many or too few in each picture, summed over the asked nouns, int64.

    Raises:
        CountError: an asked noun was not counted.
    """
    rounded = counted.rounded[:, columns_of(counted, asked)]
    return (rounded - rounded.new_tensor(list(asked.values()))).abs().sum(1)


def distances(counted: Counted, asked: Mapping[str, int]) -> Tensor:
    """(N,) the same of the counts as they are, not whole, float32: what tells pictures apart that miss as many.

    Raises:
        CountError: an asked noun was not counted.
    """
    numbers = counted.numbers[:, columns_of(counted, asked)]
    return (numbers - numbers.new_tensor(list(asked.values()))).abs().sum(1)
