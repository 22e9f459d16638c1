"""How far counts are from the truth, as counting papers report it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class CountErrors:
    """Errors over a set of pictures.

    Attributes:
        mae: mean absolute error, objects.
        rmse: root of the mean squared error, objects; papers on counting often call it MSE.
        pictures: how many pictures were counted.
    """

    mae: float
    rmse: float
    pictures: int

    @property
    def score(self) -> float:
        """MAE + RMSE: the published training keeps the network for which it is smallest."""
        return self.mae + self.rmse


def count_errors(counted: Tensor, truth: Tensor) -> CountErrors:
    """MAE and RMSE of counts that are not rounded.

    Args:
        counted, truth: (N,) with N at least 1.
    """
    difference = counted.double() - truth.double()
    return CountErrors(difference.abs().mean().item(), difference.square().mean().sqrt().item(), len(difference))
