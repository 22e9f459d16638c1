"""Looks at seeds after half of their steps, and names those that are worth finishing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...core.counting import Counter, counts_in_words, verdict_words
from ..seed_search.counter_scorer import off_by
from ..seed_search.looks import Looks, Seen
from ..seed_search.previews import previews_of
from ..seed_search.search import Search
from ..seed_search.settings import SearchSettings
from .budget import Budget
from .tries import Start, Tries

HALF_WAY = 0.5
"""Of the steps. Chosen on 37 looks of the emoji model, which no command repeats: 15 of 18 images that looked right there
were, and 11 of 19 that looked right in a draft of 6 steps."""
VARIATIONS = 3
"""Of each seed that is nearly right. Chosen on a few looks of the emoji model that were not recorded: no command repeats it."""


class HalfWay:
    """Looks of one execution.

    Args:
        search: of as many seeds as may be tried, decided at `HALF_WAY`.
        counter: counts what they are going to show.
        asked: noun in the plural -> number.
    """

    def __init__(
        self, search: Search[SearchSettings], counter: Counter, asked: Mapping[str, int], tries: Tries, budget: Budget
    ) -> None:
        self._asked, self._tries, self._budget = asked, tries, budget
        self._previews = previews_of(search)
        self._looks = Looks(self._previews, counter, asked, self._previews.progress())
        self._last, self._steps = self._previews.plan.steps, len(self._previews.plan.sigmas) - 1
        self._to_the_end = budget.cost(self._last, self._steps)
        self._nearest: Seen | None = None

    def starts(self) -> Iterator[Start]:
        """Those that look right, for as long as the budget allows; where none is right in the end, the nearest."""
        tries, budget, looks = self._tries, self._budget, self._looks
        while tries.are_left and budget.allows((cost := budget.cost(0, self._last)) + self._to_the_end):
            tries.begin()
            seen = looks.seed(tries.begun - 1)
            kept_steps = self._last if self._previews.keeps(tries.begun - 1) else 0
            self._to_the_end = budget.cost(kept_steps, self._steps)
            variations = VARIATIONS if looks.can_vary(seen) else 0
            yield from self._looked_at(seen, cost)
            cost = budget.cost(looks.varied_from, self._last)
            for _ in range(variations):
                if budget.allows(cost + self._to_the_end):
                    yield from self._looked_at(looks.variation(seen), cost)
        if self._nearest is not None and not tries.right and (not tries.made or budget.allows(self._to_the_end)):
            yield self._start(self._nearest)

    def _looked_at(self, seen: Seen, cost: float) -> Iterator[Start]:
        """Note a look; what it finishes, if it looks right, else it may be the nearest."""
        self._note(seen, cost)
        start = None if seen.candidate.misses else self._start(seen)
        if start is None:
            looks = [seen] if self._nearest is None else [self._nearest, seen]
            self._nearest = min(looks, key=lambda look: off_by(look.candidate))
        self._previews.keep_only([] if self._nearest is None else [self._nearest.candidate.index])
        if start is not None:
            yield start

    def _note(self, seen: Seen, cost: float) -> None:
        """What a look cost and showed, until the image is finished."""
        one = seen.candidate
        self._budget.spent += cost
        self._tries.show(seen.image)
        counted = counts_in_words(one.numbers, self._asked)
        self._tries.lines[one.name] = f"half-way {counted}: {verdict_words(one.misses)}"

    def _start(self, seen: Seen) -> Start:
        one = seen.candidate
        model = self._previews.chosen_model(self._previews.search.model, [one.index])
        return Start(one.seed, one.name, model, self._to_the_end)
