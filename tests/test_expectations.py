"""tests/EXPECTATIONS.md is true: its tests, benchmarks and sentences of the pages are there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "tests" / "EXPECTATIONS.md").read_text().splitlines()
    if re.match(r"\| \d", line)
]
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
BENCHMARK = re.compile(r"`python -m (benchmarks\.\w+)`")
PAGES = ("README.md", "docs/nodes.md", "docs/models.md", "docs/measurements.md")
SENTENCE = re.compile(r"(?:README|docs), \*([^*]+)\*: “([^”]+)”")
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])


@cache
def existing_tests(file: str) -> frozenset[str]:
    """Names of a file's tests, in classes too, less those that are always skipped."""
    tree = ast.parse((ROOT / file).read_text())
    if any(
        _is_mark(node.value) and "pytestmark" in ast.unparse(node) for node in tree.body if isinstance(node, ast.Assign)
    ):
        return frozenset()
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    skipped = [one for one in functions if any(map(_is_mark, one.decorator_list)) or _begins_with_skip(one)]
    return frozenset(one.name for one in functions) - {one.name for one in skipped}


def _is_mark(node: ast.expr) -> bool:
    return re.search(r"mark\.(skip|xfail)\b", ast.unparse(node)) is not None


def _begins_with_skip(function: ast.FunctionDef) -> bool:
    return any(isinstance(line, ast.Expr) and ast.unparse(line).startswith("pytest.skip(") for line in function.body)


@cache
def section(title: str) -> str:
    """What stands under a heading of any level of a page, up to the next one of that level, in one line."""
    text = "\n".join((ROOT / page).read_text() for page in PAGES)
    found = re.search(rf"(?ms)^(#+) {re.escape(title)}$(.*?)(?=^\1 |\Z)", text)
    assert found, f"no page has a section {title}"
    return " ".join(found[2].split())


def test_all_are_there() -> None:
    assert [row[0] for row in ROWS] == [str(number) for number in range(1, 26)]
    assert all(len(row) == 3 and row[1] for row in ROWS)


@every_row
def test_tests_exist(row: list[str]) -> None:
    missing = [
        f"{file}::{name}"
        for file, name in TEST.findall(row[2])
        if not (ROOT / file).is_file() or name not in existing_tests(file)
    ]
    assert missing == []


@every_row
def test_benchmarks_run_and_the_pages_have_their_figures(row: list[str]) -> None:
    pages = "".join((ROOT / page).read_text() for page in PAGES)
    for module in BENCHMARK.findall(row[2]):
        path = ROOT / (module.replace(".", "/") + ".py")
        assert path.is_file() and "__main__" in path.read_text(), module
        assert module in pages or f"NAME={path.stem}" in pages, module


@every_row
def test_sentences_stand_in_the_pages(row: list[str]) -> None:
    absent = [text for title, text in SENTENCE.findall(row[2]) if " ".join(text.split()) not in section(title)]
    assert absent == []


@every_row
def test_nothing_else_keeps_it(row: list[str]) -> None:
    """A reference that is misspelt would be looked for by none of the tests above."""
    parts = [part.strip() for part in row[2].split(";") if part.strip()]
    assert parts
    whole = re.compile("|".join(f"(?:{kind.pattern})" for kind in (TEST, BENCHMARK, SENTENCE)))
    rest = re.sub(r"[;\s]", "", whole.sub("", row[2]))
    assert rest == "", f"neither test, benchmark nor sentence: {rest}"


@pytest.mark.parametrize(
    ("source", "counts"),
    [
        ("def test_a():\n    assert True", True),
        ("class TestA:\n    def test_a(self):\n        assert True", True),
        ("@pytest.mark.skip(reason='x')\ndef test_a():\n    assert True", False),
        ("def test_a():\n    pytest.skip('x')", False),
        ("pytestmark = pytest.mark.skip\ndef test_a():\n    assert True", False),
    ],
)
def test_what_counts_as_a_test(source: str, counts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "test_x.py").write_text(source)
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    existing_tests.cache_clear()
    assert ("test_a" in existing_tests("test_x.py")) is counts
    existing_tests.cache_clear()
