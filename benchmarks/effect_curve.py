"""A picture of what `benchmarks.effect --json` found: `python -m benchmarks.effect_curve FILE.json PICTURE.png`.

On the left, the share of images that are exactly right over what each method costs; on the right, the same share by the number
of objects, of the methods that have most right. Bars are the 95 % intervals of the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .lab.command import new_parser
from .lab.effect_figures import ALL

NAMES = {
    "plain": "plain",
    "isac_fast": "Count Control",
    "isac_exact": "Count Control, every step",
    "isac_paper": "Count Control, paper",
    "selection": "Noise Picker",
    "numina": "Count Guide",
    "search": "Count Search",
    "search:look=own steps:decide_at=0.35:variations=3:seeds=4": "Count Search, 4 seeds, variations",
    "search:look=own steps:decide_at=0.5:variations=3": "Count Search, variations",
    "isac_fast+search": "Count Control + Count Search",
    "repair": "Count Repair",
    "until_right": "Generate Until Right",
    "until_right:isac=off": "Generate Until Right without Count Control",
}
_MOST_LINES = 5

Methods = Mapping[str, Mapping[str, Any]]
Colors = Mapping[str, tuple[float, float, float, float]]


def picture(report: Mapping[str, Any]) -> Figure:
    """Both plots of one report of `benchmarks.effect`."""
    methods: Methods = report["methods"]
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    over_cost, by_number = figure.subplots(1, 2, width_ratios=(3, 2))
    colors = {name: mpl.colormaps["tab20"](index) for index, name in enumerate(methods)}
    _share_over_cost(over_cost, methods, colors)
    _share_by_number(by_number, methods, colors)
    figure.suptitle(f"World {report['world']}, prompts: {report['prompts']}", fontsize=10)
    return figure


def _share_over_cost(axes: Axes, methods: Methods, colors: Colors) -> None:
    costs = {name: method["groups"][ALL]["cost"] for name, method in methods.items()}
    costs["plain"] = {"mean": 1.0, "interval": (1.0, 1.0)}
    shown = {name: methods[name]["groups"][ALL]["right"] for name, cost in costs.items() if cost}
    for name, right in sorted(shown.items(), key=lambda one: -one[1]["mean"]):
        cost = costs[name]
        axes.errorbar(
            cost["mean"], 100 * right["mean"], xerr=_arms(cost), yerr=_arms(right, 100), fmt="o", color=colors[name],
            markersize=6, elinewidth=0.5, label=NAMES.get(name, name),
        )  # fmt: skip
    axes.set(xlabel="cost: operations over those of a plain image", ylabel="exactly right, %", ylim=(0, 100))
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1), title="most right first", title_fontsize=8)


def _share_by_number(axes: Axes, methods: Methods, colors: Colors) -> None:
    best = sorted(methods, key=lambda name: methods[name]["groups"][ALL]["right"]["mean"], reverse=True)
    shown = [*[name for name in best if name != "plain"][: _MOST_LINES - 1], "plain"]
    groups = [name for name in methods["plain"]["groups"] if re.fullmatch(r"\d+ to \d+ objects", name)]
    for index, name in enumerate(shown):
        places = [at + 0.06 * (index - len(shown) / 2) for at in range(len(groups))]  # so that the bars stand apart
        right = [methods[name]["groups"][group]["right"] for group in groups]
        low, high = zip(*(_arms(one, 100) for one in right), strict=True)
        arms = [[arm[0] for arm in low], [arm[0] for arm in high]]
        axes.errorbar(
            places, [100 * one["mean"] for one in right], yerr=arms, fmt="o-", color=colors[name], markersize=4,
            elinewidth=0.5,
        )  # fmt: skip
    counts = [methods["plain"]["groups"][group]["prompts"] for group in groups]
    axes.set_xticks(range(len(groups)), [f"{group}\n(n={n})" for group, n in zip(groups, counts, strict=True)])
    axes.set(ylabel="exactly right, %", ylim=(0, 100))
    axes.grid(alpha=0.25)


def _arms(mean: Mapping[str, Any], scale: float = 1) -> list[list[float]]:
    """Lengths of an interval's two halves."""
    low, high = mean["interval"]
    return [[scale * max(0, mean["mean"] - low)], [scale * max(0, high - mean["mean"])]]


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = new_parser(__doc__)
    parser.add_argument("report", type=Path, help="what benchmarks.effect wrote to --json")
    parser.add_argument("picture", type=Path, help="a PNG, by its name")
    given = parser.parse_args(arguments)
    picture(json.loads(given.report.read_text())).savefig(given.picture, dpi=150)
    print(f"{given.picture} shows {given.report}")


if __name__ == "__main__":
    main()
