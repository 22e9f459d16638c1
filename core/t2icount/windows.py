"""Square windows over a picture, as the published evaluation lays them: side by side, the last ones moved back inside.

With a stride below the window they overlap, as the authors' code allows.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

Corner = tuple[int, int]
"""(top, left) in pixels."""


def window_starts(length: int, window: int, stride: int | None = None) -> list[int]:
    """Where windows begin along one side of `length` pixels, at least `window` of them.

    Side by side without a stride, or with one above the window.
    """
    step = min(stride or window, window)
    return [min(step * index, length - window) for index in range(-(-(length - window) // step) + 1)]


def window_corners(height: int, width: int, window: int, stride: int | None = None) -> list[Corner]:
    """(top, left) of all windows, row by row."""
    rows, columns = (window_starts(side, window, stride) for side in (height, width))
    return [(top, left) for top in rows for left in columns]


def cut_windows(picture: Tensor, corners: list[Corner], window: int) -> Tensor:
    """(C, H, W) to (len(corners), C, window, window)."""
    return torch.stack([picture[:, top : top + window, left : left + window] for top, left in corners])


class Joined:
    """Maps of windows put together again: each pixel is the mean over the windows that show it.

    Only the sum is kept, on the CPU, so memory does not grow with the number of windows.
    """

    def __init__(self, maps: int, height: int, width: int, window: int, stride: int | None = None) -> None:
        self._sum = torch.zeros(maps, height, width)
        self._window = window
        self._rows, self._columns = (_coverage(length, window, stride) for length in (height, width))

    def add(self, corners: list[Corner], maps: Tensor) -> None:
        """Add (len(corners), M, g, g) cell values, enlarged to pixels; each pixel gets the value of its place."""
        pixels = functional.interpolate(maps.float(), size=(self._window, self._window), mode="bilinear").cpu()
        for (top, left), one in zip(corners, pixels, strict=True):
            self._sum[:, top : top + self._window, left : left + self._window] += one

    def mean(self) -> Tensor:
        """(M, H, W). To be called once: it is computed in place."""
        return self._sum.div_(self._rows[:, None]).div_(self._columns)


def _coverage(length: int, window: int, stride: int | None) -> Tensor:
    """(length,) how many windows show each place along a side."""
    covered = torch.zeros(length)
    for start in window_starts(length, window, stride):
        covered[start : start + window] += 1
    return covered
