"""Every node explains itself: description, tooltips, help page, an example workflow that uses it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from headcount.nodes import NODES

ROOT = Path(__file__).resolve().parent.parent.parent
every_node = pytest.mark.parametrize("node", NODES, ids=lambda node: node.__name__)


@every_node
def test_description_and_tooltips(node: Any) -> None:
    info = node.GET_NODE_INFO_V1()
    inputs = {name: spec for group in ("required", "optional") for name, spec in info["input"].get(group, {}).items()}
    silent = [name for name, spec in inputs.items() if not (len(spec) > 1 and spec[1].get("tooltip"))]
    silent += [name for name, text in zip(info["output_name"], info["output_tooltips"], strict=True) if not text]
    assert info["description"], "no description"
    assert not silent, f"no tooltip on {silent}"


@every_node
def test_help_page(node: Any) -> None:
    page = ROOT / "web" / "docs" / node.GET_SCHEMA().node_id / "en.md"
    assert page.is_file() and page.read_text().strip(), f"{page.relative_to(ROOT)} is missing or empty"


@every_node
def test_is_in_an_example_workflow(node: Any) -> None:
    files = sorted((ROOT / "workflows").glob("*.json"))
    used = {placed["type"] for file in files for placed in json.loads(file.read_text())["nodes"]}
    name = node.GET_SCHEMA().node_id
    assert name in used, f"no file in workflows/ has {name}"


def test_every_workflow_has_a_picture() -> None:
    files = sorted((ROOT / "workflows").glob("*.json"))
    assert [file.name for file in files if not file.with_suffix(".jpg").is_file()] == []
