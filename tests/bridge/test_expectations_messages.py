"""Messages: each one that the pack can give is expected by a test, so that somebody has read it as a user does."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from headcount.bridge.seed_search.latent_selection import select_candidates
from headcount.bridge.seed_search.preview_plan import plan_for
from headcount.bridge.seed_search.search import Search
from headcount.core.errors import CountError
from headcount.core.isac.selection import successive_halving

from ..helpers.models import shared_tiny
from ..helpers.raised_messages import RaisedMessages, never_made, places
from .test_count_search import USUAL as SEARCH
from .test_latent_selection import USUAL as SELECTION

ROOT = Path(__file__).resolve().parents[2]
KNOWN_BY = 13  # characters of a message in a row, that a test has too
# Messages that pass on another one, and name the file before it.
PASSED_ON = {"bridge/t2icount/loaded.py"}


def strings(tree: ast.AST) -> Iterator[str]:
    """All texts in a piece of code, in one line each, without a regular expression's backslashes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield " ".join(re.sub(r"\\(?=\W)", "", node.value).split(" "))


def messages() -> Iterator[tuple[str, list[str]]]:
    """(place, fixed parts) of every CountError that the pack makes."""
    for path in sorted(path for folder in ("core", "bridge", "nodes") for path in (ROOT / folder).rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "CountError":
                parts = [part for argument in call.args for part in strings(argument)]
                yield f"{path.relative_to(ROOT)}:{call.lineno}", parts


def test_every_message_is_expected_by_a_test() -> None:
    tests = [path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)]
    expected = "\n".join(text for path in [*tests, Path(__file__)] for text in strings(ast.parse(path.read_text())))

    def known(part: str) -> bool:
        size = min(KNOWN_BY, len(part))
        return size > 5 and any(part[at : at + size] in expected for at in range(len(part) - size + 1))

    written = [(place, parts) for place, parts in messages() if any(map(str.strip, parts))]
    assert len(written) > 100
    unread = [place for place, parts in written if not any(map(known, parts))]
    assert [place for place in unread if place.split(":")[0] not in PASSED_ON] == []


def test_no_steps_to_try_in() -> None:
    setup, latent = shared_tiny(), {"samples": torch.zeros(1, 4, 8, 8)}
    with pytest.raises(CountError, match=r"^Count Search has no step to try seeds in: raise steps or denoise$"):
        plan_for(setup.model, replace(SEARCH, denoise=0.0))
    with pytest.raises(CountError, match=r"^Noise Picker has no step to try candidates in: raise steps or denoise$"):
        select_candidates(Search(setup.model, setup.positive, setup.negative, latent, replace(SELECTION, denoise=0.0)))


def test_fewer_candidates_than_are_kept() -> None:
    with pytest.raises(CountError, match=r"^3 of 2 candidates cannot be kept: try at least as many as are wanted$"):
        successive_halving(2, 3, 10)


def test_the_guard_sees_a_message_that_nothing_makes(tmp_path: Path) -> None:
    """What tests/helpers/raised_messages.py does at the end of a whole run, on a small pack of its own."""

    class Mistake(ValueError):
        pass

    (tmp_path / "core").mkdir()
    source = tmp_path / "core" / "module.py"
    source.write_text(
        "def say(number):\n"
        "    if number:\n"
        "        raise CountError(\n"
        "            f'{number} is given; '\n"
        "            'take none'\n"
        "        )\n"
        "    return CountError('nothing was given')\n"
    )
    spec = importlib.util.spec_from_file_location("module", source)
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.CountError = Mistake
    plugin = RaisedMessages()
    plugin.watch(Mistake, tmp_path)
    known = list(places(tmp_path))
    assert [str(place) for place in never_made(known, plugin.made)] == ["core/module.py:3", "core/module.py:7"]
    with pytest.raises(Mistake, match=r"^3 is given; take none$"):
        module.say(3)
    assert [str(place) for place in never_made(known, plugin.made)] == ["core/module.py:7"]
    module.say(0)
    assert never_made(known, plugin.made) == []


def test_a_whole_run_fails_for_a_message_that_nothing_makes() -> None:
    """One of a part of the suite does not, nor one in which all are made."""
    made = {(place.file, place.first) for place in places()}
    files = {str(path) for path in (ROOT / "tests").rglob("test_*.py")}
    for plugin, fails in (
        (RaisedMessages(made - {min(made)}, files=files), True),
        (RaisedMessages(made, files=files), False),
        (RaisedMessages(files=files, is_part=True), False),
        (RaisedMessages(files={__file__}), False),
    ):
        options = SimpleNamespace(option=SimpleNamespace(collectonly=False))
        session: Any = SimpleNamespace(config=options, exitstatus=pytest.ExitCode.OK)
        plugin.pytest_sessionfinish(session, pytest.ExitCode.OK)
        assert session.exitstatus == (pytest.ExitCode.TESTS_FAILED if fails else pytest.ExitCode.OK)
        assert [(place.file, place.first) for place in plugin.missing] == ([min(made)] if fails else [])


def test_this_run_is_watched(request: pytest.FixtureRequest) -> None:
    plugin = request.config.pluginmanager.get_plugin("raised-messages")
    with pytest.raises(CountError):
        successive_halving(2, 3, 10)
    assert any(file == "core/isac/selection.py" for file, _ in plugin.made)
