"""Every picture that a page refers to is there, where the reader of that page looks for it."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from headcount.nodes import NODES
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent.parent
HELP = ROOT / "web" / "docs"
PICTURE = re.compile(r"!\[[^\]]+\]\(([^)]+)\)")
LINK = re.compile(r"(?<!!)\[[^\]]+\]\((?!http)([^)#]+)\)")
LARGEST = 250_000


@pytest.mark.parametrize("page", sorted(HELP.glob("*/en.md")), ids=lambda page: page.parent.name)
def test_help_pages(page: Path) -> None:
    """ComfyUI's page looks for a help page's pictures from web/docs on, not from the folder of the page."""
    for reference in PICTURE.findall(page.read_text()):
        assert (HELP / reference).is_file(), reference


@pytest.mark.parametrize(
    "page", ["README.md", *(f"docs/{name}.md" for name in ("nodes", "models", "measurements", "placement"))]
)
def test_pages(page: str) -> None:
    text, folder = (ROOT / page).read_text(), (ROOT / page).parent
    assert [
        name for name in (*PICTURE.findall(text), *LINK.findall(text)) if not (folder / unquote(name)).exists()
    ] == []


def test_every_node_is_explained_with_a_picture() -> None:
    text = (ROOT / "docs" / "nodes.md").read_text()
    assert len(PICTURE.findall(text)) >= len(NODES), "a picture per node"
    assert [
        node.GET_SCHEMA().display_name for node in NODES if f"### {node.GET_SCHEMA().display_name}" not in text
    ] == []


def test_pictures_are_small() -> None:
    files = [*HELP.glob("*/*.jpg"), *(ROOT / "workflows").glob("*.jpg")]
    assert files
    assert [file.name for file in files if file.stat().st_size > LARGEST] == []


def test_thumbnails_are_square() -> None:
    for file in (ROOT / "workflows").glob("*.jpg"):
        assert Image.open(file).size == (512, 512), file.name
