"""Tables of paired results, with 95 % bootstrap intervals of the differences."""

from __future__ import annotations

import numpy as np

from .effect_cases import Case, Outcome


def interval(differences: np.ndarray, rounds: int = 10000, seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of the mean of paired differences."""
    rng = np.random.default_rng(seed)
    means = differences[rng.integers(0, len(differences), (rounds, len(differences)))].mean(1)
    return float(np.percentile(means, 2.5)), float(np.percentile(means, 97.5))


def groups_of(cases: list[Case], by_count: bool) -> dict[str, list[int]]:
    """Indices of the cases of each group, in the order in which a table shows them."""
    groups: dict[str, list[int]] = {}
    for index, case in enumerate(cases):
        if case.names_colours:
            groups.setdefault("2 kinds in 2 colours", []).append(index)
            continue
        one = len(case.asked) == 1
        names = ["one kind" if one else "2 to 3 kinds", "all without colours"]
        if one and by_count:
            names.append(f"{sum(case.asked.values())} of one kind")
        for name in names:
            groups.setdefault(name, []).append(index)
    last = ("one kind", "2 to 3 kinds", "all without colours", "2 kinds in 2 colours")
    return {
        name: groups[name]
        for name in sorted(groups, key=lambda name: (1 + last.index(name) if name in last else 0, name))
    }


def counts_table(cases: list[Case], plain: list[Outcome], other: list[Outcome]) -> list[str]:
    """One method against none, group by group and count by count."""
    lines = [
        "| prompts | n | exact without | exact with | difference (95 %) | error without | error with | difference (95 %) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, chosen in groups_of(cases, by_count=True).items():
        exact = np.array([[run[i].exact(cases[i]) for i in chosen] for run in (plain, other)], float)
        error = np.array([[run[i].error(cases[i]) for i in chosen] for run in (plain, other)], float)
        low, high = interval(exact[1] - exact[0])
        low_error, high_error = interval(error[1] - error[0])
        lines.append(
            f"| {name} | {len(chosen)} | {exact[0].mean():.1%} | {exact[1].mean():.1%} "
            f"| {exact[1].mean() - exact[0].mean():+.1%} ({low:+.1%} to {high:+.1%}) "
            f"| {error[0].mean():.2f} | {error[1].mean():.2f} "
            f"| {error[1].mean() - error[0].mean():+.2f} ({low_error:+.2f} to {high_error:+.2f}) |"
        )
    return lines


def methods_table(cases: list[Case], runs: dict[str, list[Outcome]]) -> list[str]:
    """All methods: share of exact pictures of each group with the difference to "none", and time against "none"."""
    groups = groups_of(cases, by_count=False)
    plain = runs["none"]
    lines = [
        "| method | time | " + " | ".join(f"{name} (n={len(chosen)})" for name, chosen in groups.items()) + " |",
        "|---|---|" + "---|" * len(groups),
    ]
    for method, run in runs.items():
        cells = []
        for chosen in groups.values():
            exact = np.array([[each[i].exact(cases[i]) for i in chosen] for each in (plain, run)], float)
            low, high = interval(exact[1] - exact[0])
            text = f"{exact[1].mean():.1%}"
            if method != "none":
                text += f" ({exact[1].mean() - exact[0].mean():+.1%}: {low:+.1%} to {high:+.1%})"
            cells.append(text)
        time = sum(one.seconds for one in run) / sum(one.seconds for one in plain)
        lines.append(f"| {method} | {time:.2f}x | " + " | ".join(cells) + " |")
    return lines
