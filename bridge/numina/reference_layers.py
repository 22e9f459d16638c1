"""Chooses the attention layers that a layout is read in."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...core.attention import AttentionCall, Grid
from ...core.errors import CountError
from .settings import AUTO_LAYER

# Of a U-Net's layer: self-attention, which is read there, grows with the square.
_MAX_PIXELS = 32 * 32
_NAMED = 15  # l* of the authors' models of 30 and 40 blocks


@dataclass
class LayerList:
    """The layers of a model that read text, in the order in which it runs them.

    Attributes:
        grids: layer name to the grid of one frame.
    """

    grids: dict[str, Grid] = field(default_factory=dict)

    def add(self, call: AttentionCall) -> None:
        """Take note of a call."""
        if call.kind != "self":
            self.grids.setdefault(call.layer, call.grid)

    def chosen(self, index: int, one_grid: bool, whole_grid: bool) -> tuple[str, ...]:
        """Names of the layers to read.

        Args:
            index: of the one layer wanted, or `AUTO_LAYER`: the authors' layer where all layers work on one grid, and
                elsewhere the middle one on the finest grid that is not too fine.
            one_grid: all layers of the model work on one grid.
            whole_grid: where they do not, read all layers of that grid together.

        Returns:
            Nothing for a model that has shown no layer.

        Raises:
            CountError: the model has no such layer.
        """
        names = list(self.grids)
        if not names:
            return ()
        if index != AUTO_LAYER:
            if index >= len(names):
                raise CountError(
                    f"reference_layer is {index}, but this model has {len(names)} attention layers that read the prompt, "
                    f"0 to {len(names) - 1}; -1 chooses one"
                )
            return (names[index],)
        if one_grid:
            return (names[_NAMED if len(names) >= 2 * _NAMED else len(names) // 2],)
        sizes = {name: height * width for name, (height, width) in self.grids.items()}
        fitting = [size for size in sizes.values() if size <= _MAX_PIXELS]
        size = max(fitting) if fitting else min(sizes.values())
        alike = [name for name in names if sizes[name] == size]
        return tuple(alike) if whole_grid else (alike[len(alike) // 2],)
