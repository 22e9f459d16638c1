"""The tries of one execution of Generate Until Right: what was begun and made, and what the user sees meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import comfy.model_management
from torch import Tensor

from ...core.counting import count_words
from ..comfyui.node_text import running_node, show_note
from ..comfyui.progress import sampling_progress, show_image
from .repair import Repaired
from .settings import UntilRightSettings


@dataclass(frozen=True)
class Start:
    """An image that is to be finished.

    Attributes:
        seed, name: as of `Tried`.
        model: a sampler makes the image with it.
        cost: of finishing it, see `Budget`.
    """

    seed: int
    name: str
    model: Any
    cost: float


@dataclass(frozen=True)
class Tried:
    """What came of one seed, or of a variation of one.

    Attributes:
        seed: a sampler makes `repaired.before` of it, where it is no variation.
        name: "seed 7", or "seed 15 varying seed 7".
        repaired: the image before and after its repair; the same where nothing was changed.
    """

    seed: int
    name: str
    repaired: Repaired

    @property
    def misses(self) -> int:
        """How many objects are too many or too few in the end."""
        return self.repaired.after.misses


class Tries:
    """Changes while the node runs.

    Attributes:
        settings: of the node.
        begun: how many seeds.
        made: the finished images.
        lines: of the table, by name, in the order of the tries.
    """

    def __init__(self, model: Any, settings: UntilRightSettings) -> None:
        self.settings, self.begun = settings, 0
        self.made: list[Tried] = []
        self.lines: dict[str, str] = {}
        self._place, self._progress, self._steps = running_node(), sampling_progress(model), 0

    @property
    def right(self) -> list[Tried]:
        """The finished images that are right."""
        return [one for one in self.made if not one.misses]

    @property
    def best(self) -> Tried:
        """The first of those that miss the fewest objects; there has to be one."""
        return min(self.made, key=lambda one: one.misses)

    @property
    def words(self) -> str:
        """ "3 seeds and 2 variations": every line of the table is one of them."""
        varied = len(self.lines) - self.begun
        seeds = count_words(self.begun, "seeds")
        return f"{seeds} and {count_words(varied, 'variations')}" if varied > 0 else seeds

    @property
    def are_left(self) -> bool:
        """Whether another seed may be begun."""
        return self.begun < self.settings.tries

    def begin(self) -> None:
        """Count a seed, and say so."""
        self.begun, self._steps = self.begun + 1, 0
        best = self.best.repaired.after if self.made else None
        so_far = f"; best so far: {best.words}, {best.verdict}" if best else ""
        self.say(f"try {self.begun} of {self.settings.tries}{so_far}")

    def say(self, text: str) -> None:
        """A note in the node."""
        show_note(text, self._place)

    def step_done(self, done: int, total: int, denoised: Tensor) -> None:
        """Progress, a step for each of the model's; each has its preview, where ComfyUI shows such."""
        self._steps += 1
        if self._progress is not None:
            self._progress(*self._steps_done, denoised)
        comfy.model_management.throw_exception_if_processing_interrupted()

    def show(self, image: Tensor) -> None:
        """An image as the node's preview, until the next one."""
        show_image(image, *self._steps_done)

    @property
    def _steps_done(self) -> tuple[int, int]:
        """How far the tries are, in steps of a sampler, of how many; more work than one image's moves none on."""
        steps = self.settings.steps
        return max(0, self.begun - 1) * steps + min(self._steps, steps), self.settings.tries * steps
