"""What a step costs, as Markdown: counted on shapes, and measured."""

from __future__ import annotations

from dataclasses import dataclass

from .steps import PAPER_FLOORS, Row
from .tables import table


@dataclass(frozen=True)
class Count:
    """Operations and memory of one gradient pass, on shapes.

    Attributes:
        ratio: operations of a steered step to a plain one's, once the run is under way.
        first: the same of a run's first step.
        forward_share: operations of the gradient pass to those of one call of the model.
        peak: most bytes alive in a pass, of the first and of the later ones.
    """

    mode: str
    ratio: float
    first: float
    forward_share: float
    peak: int
    peak_per_estimate: float


def counted_table(name: str, forward: float, rows: list[Count]) -> list[str]:
    """What `counted` found, as Markdown."""
    floor = f"; floor of an exact step of paper {PAPER_FLOORS[name]:.2f}x" if name in PAPER_FLOORS else ""
    head = f"One model call: {forward / 1e12:.4g} TFLOP{floor}. Peak: of all tensors of the pass, in half precision."
    header = [
        "mode",
        "operations of a step",
        "of the first step",
        "gradient pass",
        "peak",
        "peak / ComfyUI's lean estimate",
    ]
    cells = (
        [
            row.mode,
            f"{row.ratio:.2f}x",
            f"{row.first:.2f}x",
            f"{row.forward_share:.2f} F",
            f"{row.peak / 1e9:.2f} GB",
            f"{row.peak_per_estimate:.1f}",
        ]
        for row in rows
    )
    return [head, "", *table(header, cells)]


def measured_table(rows: list[Row]) -> list[str]:
    """What `measured` found, as Markdown; the first row is the plain step."""
    plain = rows[0].peak
    header = ["mode", "time", "first step", "a step", "peak", "peak against plain", "K-means of a plain step"]
    cells = (
        [
            row.mode,
            f"{row.ratio:.2f}x",
            f"{row.first:.2f}x",
            f"{row.seconds:.3f} s",
            f"{row.peak / 1e9:.3f} GB",
            f"{(row.peak - plain) / 1e9:+.3f} GB",
            "" if row.clustering is None else f"{row.clustering:.1%}",
        ]
        for row in rows
    )
    return table(header, cells)
