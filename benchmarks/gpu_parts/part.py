"""What a part of the GPU benchmark is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

Figure = float | int | str


@dataclass(frozen=True)
class Finding:
    """One line of a part's table.

    Attributes:
        what: what was measured or compared.
        figures: name of a column, with its unit, to a figure.
        wanted: the bar in words; "" where there is none.
        passed: whether the figures reach it; None where there is none.
    """

    what: str
    figures: dict[str, Figure]
    wanted: str = ""
    passed: bool | None = None

    def also(self, right: bool, wanted: str) -> Finding:
        """The same with one more thing wanted."""
        return replace(self, wanted=f"{self.wanted}, {wanted}", passed=self.passed is not False and right)


@dataclass(frozen=True)
class Part:
    """One part, which runs on its own.

    Attributes:
        name: what `--only` and the results' file call it.
        title: of its table.
        seconds: how long it takes on a data centre's GPU, roughly and rather too long.
        run: does it on a device, in inference mode as ComfyUI runs its nodes.
        needs_gpu: says nothing on a CPU.
    """

    name: str
    title: str
    seconds: float
    run: Callable[[torch.device], list[Finding]]
    needs_gpu: bool = False
