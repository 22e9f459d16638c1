"""Numbers that defaults rest on: each says in the code where it comes from, and none changes unseen."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
CHOSEN: dict[str, dict[str, Any]] = {
    "bridge.isac.control": {"WAIT_SHARE": 0.1, "FAST_SHARE": 0.4},
    "bridge.repair.budget": {"STEERING_COST": 0.4},
    "bridge.repair.half_way": {"HALF_WAY": 0.5, "VARIATIONS": 3},
    "bridge.repair.painter": {"REMOVAL_SHARE": 0.6},
    "bridge.numina.first_run_cache": {"THRESHOLD": 0.05, "WARM_UP": 0.2},
    "bridge.seed_search.counter_scorer": {"FEWEST_ALIKE": 3},
    "bridge.seed_search.looks": {"NEARLY_RIGHT": 1, "VARIED_FROM": 0.35, "ALIKE_FROM": 0.1, "LEAST_LIKENESS": 0.5},
    "bridge.seed_search.preview_plan": {"MIN_CALLS": 4, "DRAFT_UP_TO": 0.35},
    "core.counting.detections": {"ANOTHER_KIND": 0.9},
    "bridge.sampling.own_size": {"FAR": 2.5},
    "core.counting.tiles": {"OVERLAP": 0.25},
    "core.counting.tracks": {"MINIMUM_SHARE": 0.1, "VISIBLE_PIXELS": 2},
    "core.emoji.detector": {"THRESHOLD": 0.4},
    "core.isac.anchored": {"LEVEL_SIDES": (12, 36), "JOINT_DEPTH": (0.2, 0.4)},
    "core.isac.anchors": {
        "SPACING_OF_ONE": 0.6,
        "DIAMETER_LEVEL": 0.4,
        "SPACING_OF_DIAMETER": 1.1,
        "FLOOR_QUANTILE": 0.25,
    },
    "core.attention.localising": {"MOST_HEADS": 0.2, "LEAST_OF_BEST": 0.5, "ENOUGH_OF_BEST": 0.8},
    "core.isac.presence_losses": {"CELLS": 256, "UNIT_SHARE": 0.5, "OWN_WEIGHT": 4.0, "SURPLUS_CELLS": 4},
    "core.isac.selection": {"DECIDE_AT": 0.5, "DROP_AT": 0.8, "EVEN": 0.4, "SOFTNESS": 0.2, "SURPLUS_PLACES": 4},
}
"""Who changes one, changes what its comment in the code says, and takes the figures again that it names."""


@pytest.mark.parametrize(
    ("module", "name", "value"), [(m, *item) for m, names in CHOSEN.items() for item in names.items()]
)
def test_a_chosen_number_stays(module: str, name: str, value: object) -> None:
    assert getattr(import_module(f"headcount.{module}"), name) == value


def is_number(value: ast.expr) -> bool:
    constants = [node.value for node in ast.walk(value) if isinstance(node, ast.Constant)]
    is_plain = all(
        isinstance(
            node, ast.Constant | ast.Tuple | ast.BinOp | ast.UnaryOp | ast.operator | ast.unaryop | ast.expr_context
        )
        for node in ast.walk(value)
    )
    return is_plain and bool(constants) and all(type(constant) in (int, float) for constant in constants)


def unexplained(file: Path) -> list[str]:
    """Constants of a module that are numbers, without a comment behind or above them (or their group), or text below."""
    lines, body = file.read_text(encoding="utf-8").splitlines(), ast.parse(file.read_text(encoding="utf-8")).body
    found = []
    for statement, below in zip(body, [*body, None][1:], strict=True):
        if not isinstance(statement, ast.Assign) or not re.match(
            r"_?[A-Z][A-Z0-9_]*\b[^.]*=", lines[statement.lineno - 1]
        ):
            continue
        above = statement.lineno - 1
        while above and re.match(r"_?[A-Z]", lines[above - 1]):
            above -= 1
        said = "".join(lines[statement.lineno - 1 : statement.end_lineno])
        is_explained = "#" in said or lines[above - 1].startswith("#") or isinstance(below, ast.Expr)
        if is_number(statement.value) and not is_explained:
            found.append(f"{file.relative_to(ROOT)}:{statement.lineno} {lines[statement.lineno - 1]}")
    return found


# What looks have no right answer, and the sizes of trained networks.
SAY_THEMSELVES = ("core/drawing/", "core/shapes/", "core/emoji/autoencoder.py", "bridge/demo_models/", "core/prompts/")


def test_numbers_say_where_they_come_from() -> None:
    files = [file for layer in ("core", "bridge", "nodes") for file in sorted((ROOT / layer).rglob("*.py"))]
    wanted = [file for file in files if not file.relative_to(ROOT).as_posix().startswith(SAY_THEMSELVES)]
    assert len(wanted) > 200
    assert [line for file in wanted for line in unexplained(file)] == []


def test_a_number_without_a_word_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    file = tmp_path / "module.py"
    file.write_text(
        'A = 1  # why\n\nB = 2\n"""Why."""\n# of both\nC = 3\nD = 4\n\nE = 5\n\nF = 2 * 3, -1\nG = "text"\n'
    )
    assert unexplained(file) == ["module.py:9 E = 5", "module.py:11 F = 2 * 3, -1"]
