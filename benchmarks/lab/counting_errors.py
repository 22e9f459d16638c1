"""How far counts of drawn scenes are off.

Import this after `training.pack.register_pack`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from headcount.core.t2icount.config import SHAPES
from headcount.core.t2icount.counting import CountSettings
from headcount.core.t2icount.network import CountNetwork
from numpy.typing import NDArray

from demo.count_scenes import CountScenes
from demo.train_counter import counted_pictures
from training.evaluation import evaluate
from training.options import noun_tokens
from training.texts import NounTexts

from .statistics import Statistic, interval, root_mean_square
from .tables import table, with_interval

Numbers = NDArray[np.float64]


def counted(network: CountNetwork, scenes: CountScenes) -> Numbers:
    """(N,) counts of the noun that each scene is asked for, at the pictures' own size."""
    texts = NounTexts(network.eval(), noun_tokens(None, SHAPES))
    with torch.no_grad():
        found = evaluate(network, texts, counted_pictures(scenes), CountSettings(scale="native"))
    assert found is not None  # nothing stops it
    return found.numbers.double().numpy()


def truth_of(scenes: CountScenes) -> Numbers:
    """(N,) true numbers of the noun that each scene is asked for."""
    return np.array([scene.count(scene.noun) for scene in scenes.scenes], float)


def errors_table(errors: Mapping[str, Mapping[str, Numbers]]) -> list[str]:
    """Lines of a Markdown table.

    Args:
        errors: network -> kind of scenes -> (N,) counted minus true; the same scenes for every network.
    """
    rows = []
    for name, own in errors.items():
        cells = [name]
        for kind, error in own.items():
            absolute = np.abs(error)
            cells += [_cell(np.mean, absolute), _cell(root_mean_square, error)]
            more = absolute - np.abs(errors["full"][kind])
            cells.append("" if name == "full" else _cell(np.mean, more, sign="+"))
        rows.append(cells)
    kinds = next(iter(errors.values()))
    return table(
        ["network", *(head for kind in kinds for head in (f"{kind}: MAE", "RMSE", "MAE more than full"))], rows
    )


def _cell(statistic: Statistic, values: Numbers, sign: str = "") -> str:
    return with_interval(f"{sign}.2f", float(statistic(values, axis=-1)), interval(values, statistic))
