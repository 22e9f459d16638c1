"""Counting prompts of other benchmarks, in the layout of their authors' files."""

from __future__ import annotations

from pathlib import Path

import pytest
from headcount.core.errors import CountError

from benchmarks.intracomp_parts.prompts import asks_of_file
from benchmarks.lab.published_prompts import read_published

GENEVAL = """{"tag": "single_object", "include": [{"class": "bench", "count": 1}], "prompt": "a photo of a bench"}
{"tag": "counting", "include": [{"class": "kite", "count": 3}], "prompt": "three kites"}
"""
HRS = """meta_prompt,vanilla_prompt,n1,obj1,n2,obj2,synthetic_prompt
"x, y",2 mug,2,mug,0,,"two mugs stand on a table."
"x, y",4 owl and 5 pot,4,owl,5,pot,four owls sit on five pots.
"""
NUMERACY = """four owls sat by the pond

two red mugs, a fork and three mugs
nothing to count
"""
FILES = {
    "metadata.jsonl": (GENEVAL, [("three kites", {"kite": 3})]),
    "counting.csv": (
        HRS,
        [("two mugs stand on a table.", {"mug": 2}), ("four owls sit on five pots.", {"owl": 4, "pot": 5})],
    ),
    "numeracy_val.txt": (
        NUMERACY,
        [("four owls sat by the pond", {"owl": 4}), ("two red mugs, a fork and three mugs", {"mug": 5, "fork": 1})],
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_layouts(tmp_path: Path, name: str) -> None:
    text, expected = FILES[name]
    (tmp_path / name).write_text(text)
    assert read_published(tmp_path / name) == expected
    asks = asks_of_file(tmp_path / name)
    assert [(ask.prompt, ask.asked) for ask in asks] == expected
    assert [ask.number for ask in asks] == [sum(counts.values()) for _, counts in expected]
    assert {ask.family for ask in asks} == {name.partition(".")[0]}
    assert len(asks_of_file(tmp_path / name, limit=1)) == 1


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.yaml", "", "is no file of prompts: give one of .jsonl, .csv, .txt"),
        ("a.jsonl", '{"prompt": "two cats"}', "has not the layout that is read: 'tag'"),
        ("a.csv", "prompt\ntwo cats\n", "has not the layout"),
        ("a.txt", "a quiet day\n", "no prompt that asks for a number of things"),
    ],
)
def test_other_files(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(CountError, match=told):
        read_published(tmp_path / name)
    with pytest.raises(CountError, match=r"none\.txt cannot be read"):
        read_published(tmp_path / "none.txt")
