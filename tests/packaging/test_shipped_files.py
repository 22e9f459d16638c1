"""What a publish uploads: all that a user needs, nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tomllib
from headcount.nodes import NODES

from .node_ids import node_ids
from .shipped import ROOT, copy_to, name, shipped_files

NEEDED = {
    *("__init__.py", "LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", "requirements.txt"),
    *("nodes", "bridge", "core", "web", "workflows", "demo"),
}
OPTIONAL = {"locales", "subgraphs"}
KINDS = {".py", ".js", ".css", ".json", ".md", ".jpg", ".png", ".webp", ".txt", ".ini", ".toml", ".safetensors", ""}
LARGEST_PACK = 60_000_000  # bytes
LARGEST_FILE = 50_000_000  # GitHub warns from there on, and refuses twice that


def test_top_of_the_tree() -> None:
    tops = {name(path).split("/")[0] for path in shipped_files()}
    assert tops >= NEEDED
    assert tops - NEEDED - OPTIONAL == set()


def test_of_the_demo_only_the_weights_and_the_licences_of_their_art() -> None:
    files = [name(path) for path in shipped_files() if name(path).startswith("demo/")]
    assert {"demo/weights/shapes.safetensors", "demo/weights/emoji_unet.safetensors", "demo/emoji/LICENSES.md"} <= set(
        files
    )
    assert "demo/weights/emoji_judge.safetensors" not in files
    allowed = r"demo/(weights/.*\.safetensors|emoji/LICENSE.*)"
    assert [file for file in files if not re.fullmatch(allowed, file)] == []


def test_nothing_hidden_and_nothing_unknown() -> None:
    files = [Path(name(path)) for path in shipped_files()]
    assert [file for file in files if any(part.startswith((".", "__pycache__")) for part in file.parts)] == []
    assert [file for file in files if file.suffix not in KINDS] == []


def test_plain_files_only() -> None:
    """A zip carries neither links nor the right to be run."""
    assert [name(path) for path in shipped_files() if path.is_symlink() or path.stat().st_mode & 0o111] == []


def test_size() -> None:
    """Unpacked, which is more than the zip; .ci/check_registry.py prints the real one."""
    sizes = {name(path): path.stat().st_size for path in shipped_files()}
    assert sum(sizes.values()) < LARGEST_PACK
    assert {file: size for file, size in sizes.items() if size > LARGEST_FILE} == {}


def test_pages_link_to_shipped_files() -> None:
    """README and help pages are read inside of the installed pack; the page looks a help page's links up in docs/."""
    shipped = {path.resolve() for path in shipped_files()}
    folders = {parent for path in shipped for parent in path.parents}
    broken = []
    for page in [path for path in shipped if path.suffix == ".md"]:
        base = ROOT / "web" / "docs" if name(page).startswith("web/docs/") else page.parent
        targets = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page.read_text())
        broken += [
            f"{name(page)}: {target}" for target in targets if (base / target).resolve() not in shipped | folders
        ]
    assert broken == []


def test_manager_finds_every_node() -> None:
    found = [
        identifier for path in shipped_files() if path.suffix == ".py" for identifier in node_ids(path.read_text())
    ]
    assert len(found) == len(set(found))
    assert set(found) == _listed()


def _listed() -> set[str]:
    return {node.GET_SCHEMA().node_id for node in NODES}


def test_workflows_use_nodes_that_are_there() -> None:
    named = {found for path in _graphs() for found in re.findall(r'"type": ?"(Headcount\w+)"', path.read_text())}
    assert named
    assert named <= _listed()


def test_every_node_of_a_workflow_names_its_pack() -> None:
    """By these two ComfyUI Manager's "Install Missing Nodes" finds a pack, and the page says which ComfyUI has a node."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    oldest = project["tool"]["comfy"]["requires-comfyui"].removeprefix(">=")
    wanted = {True: (project["project"]["name"], project["project"]["version"]), False: ("comfy-core", oldest)}
    found = [node for path in _graphs() for node in _nodes(json.loads(path.read_text()))]
    named = {(node["type"], node["properties"].get("cnr_id"), node["properties"].get("ver")) for node in found}
    assert {kind for kind, *_ in named} > _listed()
    assert [one for one in named if one[1:] != wanted[one[0].startswith("Headcount")]] == []


def _graphs() -> list[Path]:
    folders = ("workflows", "subgraphs")
    return [path for path in shipped_files() if path.parent.name in folders and path.suffix == ".json"]


def _nodes(graph: dict[str, Any]) -> list[dict[str, Any]]:
    """All nodes that a pack or ComfyUI brings: those of the subgraphs too, no notes, which are the page's."""
    inner = graph.get("definitions", {}).get("subgraphs", [])
    kinds = {subgraph["id"] for subgraph in inner} | {"MarkdownNote"}
    return [node for part in (graph, *inner) for node in part["nodes"] if node["type"] not in kinds]


def test_templates_have_names_for_people() -> None:
    """The page shows a template's file name; Windows refuses some characters in one, and a thumbnail has the same name."""
    templates = sorted((ROOT / "workflows").glob("*.json"))
    assert [path.stem for path in templates if not re.fullmatch(r"[A-Z1-9][\w .,-]*\w", path.stem)] == []
    assert [path.stem for path in templates if "_" in path.stem or len(path.stem) > 48] == []
    assert {path.with_suffix(".jpg") for path in templates} == set((ROOT / "workflows").glob("*.jpg"))


def test_the_publishing_tools_lint(tmp_path: Path) -> None:
    """`comfy node validate` looks for exec, eval and several statements in a line, with ruff and no settings of ours."""
    pack = copy_to(tmp_path / "pack")
    command = [sys.executable, "-m", "ruff", "check", ".", "--isolated", "--no-cache", "--select", "S102,S307,E702"]
    lint = subprocess.run(command, cwd=pack, capture_output=True, text=True)
    assert lint.returncode == 0, lint.stdout


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('class A(io.ComfyNode):\n def define_schema(cls): return io.Schema(node_id="x")', ["x"]),
        ('class A(ComfyNode):\n def define_schema(cls): return Schema(display_name="y", node_id="x")', ["x"]),
        ('class A(Base):\n def define_schema(cls): return io.Schema(node_id="x")', []),
        ("class A(io.ComfyNode):\n def define_schema(cls): return io.Schema(node_id=NAME)", []),
        ('class A(io.ComfyNode):\n def define_schema(cls): return make_schema(node_id="x")', []),
    ],
)
def test_which_ids_are_found(source: str, found: list[str]) -> None:
    assert node_ids(source) == found


def test_json_is_valid() -> None:
    for path in shipped_files():
        if path.suffix == ".json":
            assert json.loads(path.read_text(encoding="utf-8")), name(path)
