"""Names and texts are plain: old names are found, and no text that a user reads has words of the authors' own."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from headcount.bridge.comfyui import node_names
from headcount.nodes import NODES

ROOT = Path(__file__).resolve().parent.parent.parent
FORMER_NAMES = {
    "HeadcountInstanceMasks": "Instance Masks",
    "HeadcountIsacAttentionControl": "ISAC Attention Control",
    "HeadcountIsacLatentSelection": "ISAC Latent Selection",
    "HeadcountNuminaCountGuide": "NUMINA Count Guide",
    "HeadcountT2ICountCounter": "T2ICount Counter",
}
PRIVATE = (
    *("asked thing", "asked number", "put right", "puts right", "hand on", "hands on", "handed on", "least distance"),
    *("own least", "things apart", "things found", "each its own kind", "what it brings", "a look at one seed", "knob"),
    *(
        "looked at from",
        "stands beside",
        "middles of two",
        "the noises of this seed",
        "foresees",
        "not worth measuring",
    ),
)
SCHEMAS = {node.GET_SCHEMA().node_id: node.GET_SCHEMA() for node in NODES}


@pytest.mark.parametrize(("node", "name"), FORMER_NAMES.items())
def test_a_former_name_finds_its_node(node: str, name: str) -> None:
    assert name.lower() in SCHEMAS[node].search_aliases


def test_messages_call_nodes_by_their_names_on_the_page() -> None:
    names = {schema.display_name for schema in SCHEMAS.values()}
    short = {name.partition(" (")[0] for name in names}
    assert {value for name, value in vars(node_names).items() if name.isupper()} <= short
    former = re.compile("|".join(FORMER_NAMES.values()))
    files = [file for part in ("nodes", "bridge", "core") for file in (ROOT / part).rglob("*.py")]
    said = {
        f"{file.name}: {text}" for file in files for text in _said(file) if former.search(text) and text not in names
    }
    assert said == set()


def _said(file: Path) -> Iterator[str]:
    """The strings of a module, less its docstrings."""
    tree = ast.parse(file.read_text())
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value


def _texts() -> Iterator[tuple[str, str]]:
    """Where a text stands, and the text."""
    yield "nodes", json.dumps(json.loads((ROOT / "locales/en/nodeDefs.json").read_text()))
    pages = [
        ROOT / "README.md",
        *(ROOT / "docs" / f"{name}.md" for name in ("nodes", "models", "measurements", "placement")),
    ]
    for page in [*pages, *(ROOT / "web/docs").glob("*/en.md"), *(ROOT / "web").rglob("*.js")]:
        yield str(page.relative_to(ROOT)), page.read_text()
    for file in (ROOT / "workflows").glob("*.json"):
        nodes = json.loads(file.read_text())["nodes"]
        yield file.name, " ".join([*(node.get("title", "") for node in nodes), *(_note(node) for node in nodes)])


def _note(node: dict) -> str:
    return node["widgets_values"][0] if node["type"] == "MarkdownNote" else ""


def test_no_text_has_words_of_the_authors_own() -> None:
    found = {
        f"{place}: {phrase}"
        for place, text in _texts()
        for phrase in PRIVATE
        if re.search(rf"(?i)\b{phrase}\b", " ".join(text.split()))
    }
    assert found == set()


def test_nodes_speak_of_images_and_objects() -> None:
    """As ComfyUI does; "best picture" is a value that saved workflows hold, and so is the input "pictures"."""
    texts = json.loads((ROOT / "locales/en/nodeDefs.json").read_text())
    said = json.dumps(texts).replace("best picture", "").replace('"pictures"', "")
    assert re.findall(r"(?i)\b(?:pictures?|things?)\b", said) == []


def test_messages_speak_of_images_and_repair() -> None:
    """The strings of the product that are sentences; word lists of the prompt's languages are none."""
    files = [
        file
        for part in ("nodes", "bridge", "core")
        for file in (ROOT / part).rglob("*.py")
        if "languages" not in file.parts
    ]
    own = re.compile(r"(?i)\b(?:pictures?|things?|mend(?:s|ed|ing)?)\b")
    said = {
        f"{file.name}: {text}"
        for file in files
        for text in _said(file)
        if own.search(text.replace("best picture", "")) and text not in ("pictures", "things")
    }
    assert said == set()
