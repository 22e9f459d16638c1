"""`python -m demo.stamp_workflows` names pack and version of every node, and leaves all else as it is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from demo import stamp_workflows
from demo.stamp_workflows import FILES, stamped


def test_an_older_version_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files as they are have this version, so they come back byte by byte."""
    copies = [tmp_path / file.name for file in FILES]
    for file, copy in zip(FILES, copies, strict=True):
        copy.write_text(re.sub(r'"ver": "[\d.]+"', '"ver": "0.0.1"', file.read_text()))
        assert copy.read_text() != file.read_text()
    monkeypatch.setattr(stamp_workflows, "FILES", copies)
    stamp_workflows.main()
    assert [file.name for file, copy in zip(FILES, copies, strict=True) if copy.read_bytes() != file.read_bytes()] == []


def test_nodes_without_a_pack_get_theirs() -> None:
    """The page names none for those that were added there."""
    nodes = [
        {"type": kind, "properties": {}}
        for kind in ("HeadcountCountCheck", "KSampler", "MarkdownNote", "of-a-subgraph")
    ]
    inside = {"id": "of-a-subgraph", "nodes": [{"type": "HeadcountCountPrompt", "properties": {"models": []}}]}
    content = json.loads(stamped(json.dumps({"nodes": nodes, "definitions": {"subgraphs": [inside]}}), "1.2.3"))
    [inside] = content["definitions"]["subgraphs"]
    ours = {"cnr_id": "headcount", "ver": "1.2.3"}
    assert [node["properties"] for node in content["nodes"]] == [
        ours,
        {"cnr_id": "comfy-core", "ver": "0.30.0"},
        {},
        {},
    ]
    assert inside["nodes"][0]["properties"] == {"models": [], **ours}
