"""How much of a run goes into the Attention Map Viewer's files."""

from __future__ import annotations

from dataclasses import dataclass

from ...core.attention import RunRecord, spread_evenly

_MAX_STEPS = 32  # in a file of a view: a slider has no use for more
_MIN_STEPS = 8  # however many words and pictures there are


@dataclass(frozen=True)
class Budget:
    """What the parts of a view may take.

    Attributes:
        mean_words, step_words, layer_words: how many words have a mean map, maps of the steps, and maps of the layers.
        mean, steps, layers: bytes of these maps.
        attention: bytes of the rows of self-attention.
    """

    mean_words: int
    step_words: int
    layer_words: int
    mean: int
    steps: int
    layers: int
    attention: int


_OF_PICTURES = Budget(
    mean_words=64,
    step_words=24,
    layer_words=16,
    mean=64 * 64 * 64,
    steps=768 * 1024,
    layers=256 * 1024,
    attention=1024 * 1024,
)
# A video's frames are many: fewer words, whose maps keep the frames' shape, and coarser self-attention.
_OF_VIDEOS = Budget(
    mean_words=24,
    step_words=8,
    layer_words=8,
    mean=896 * 1024,
    steps=896 * 1024,
    layers=192 * 1024,
    attention=320 * 1024,
)


def budget_of(record: RunRecord) -> Budget:
    """The budget of a run's view."""
    return _OF_VIDEOS if record.frames > 1 else _OF_PICTURES


def shown_steps(record: RunRecord, items: int) -> list[int]:
    """Places of the recorded steps that a view of `items` pictures or frames has, in order.

    Fewer steps of a large batch or a video, before its maps get coarser.
    """
    budget = budget_of(record)
    words = min(len(record.kept_words), budget.step_words)
    each = items * words * record.step_grid[0] * record.step_grid[1]
    return spread_evenly(len(record.steps), min(max(budget.steps // each, _MIN_STEPS), _MAX_STEPS))
