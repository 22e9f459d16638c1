"""Writes locales/<language>/nodeDefs.json and main.json, which ComfyUI's page shows: `python -m demo.write_locales`.

English is what the nodes and the pack's page elements (web/) say. The other languages are made from
locales/<language>/phrases.json, where every text stands beside the English one that it translates: an English text that changes
has no translation until somebody writes a new one, and the page shows it in English meanwhile. A name that means something else
on one node stands there as "Node.name".
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .comfy_host import ROOT, import_comfyui

FOLDER = ROOT / "locales"
TRANSLATED = ("zh", "ja", "ko")

Texts = dict[str, Any]
Phrases = dict[str, dict[str, str]]


def english(infos: Iterable[dict[str, Any]]) -> dict[str, Texts]:
    """Node id -> its texts as the page looks for them, from what /object_info says about each node."""
    return {info["name"]: _texts_of(info) for info in infos}


def _texts_of(info: dict[str, Any]) -> Texts:
    inputs = {}
    for group in ("required", "optional"):
        for name, spec in info["input"].get(group, {}).items():
            inputs[name] = {"name": spec[1].get("display_name") or name, "tooltip": spec[1]["tooltip"]}
    outputs = {}
    for index, tooltip in enumerate(info["output_tooltips"]):
        name, kind = info["output_name"][index], info["output"][index]
        named = {} if name == kind else {"name": name}  # the page has words of its own for MODEL, IMAGE and so on
        outputs[str(index)] = {**named, "tooltip": tooltip}
    texts = {"display_name": info["display_name"], "description": info["description"]}
    return {**texts, "inputs": inputs, "outputs": outputs}


def translate(nodes: dict[str, Texts], phrases: Phrases) -> dict[str, Texts]:
    """The same nodes in the language of `phrases`, less what has no translation."""
    return {node: _translated(texts, phrases, texts["display_name"]) for node, texts in nodes.items()}


def _translated(texts: Texts, phrases: Phrases, node: str) -> Texts:
    done: Texts = {}
    for key, text in texts.items():
        if isinstance(text, dict):
            done[key] = _translated(text, phrases, node)
        elif found := _phrase(key, text, phrases, node):
            done[key] = found
    return done


def _phrase(key: str, text: str, phrases: Phrases, node: str) -> str | None:
    if key in ("name", "display_name"):
        return phrases["names"].get(f"{node}.{text}") or phrases["names"].get(text)
    return phrases["texts"].get(text)


def phrases_of(language: str) -> Phrases:
    """{"names": ..., "texts": ..., "page": ...}, each English -> `language`."""
    return json.loads((FOLDER / language / "phrases.json").read_text(encoding="utf-8"))


def build_locales(infos: Iterable[dict[str, Any]]) -> dict[str, dict[str, Texts]]:
    """Language -> content of its nodeDefs.json."""
    nodes = english(infos)
    return {"en": nodes, **{language: translate(nodes, phrases_of(language)) for language in TRANSLATED}}


def page_texts(language: str) -> dict[str, dict[str, str]]:
    """Content of its main.json: what web/page/texts.js looks for."""
    return {"headcount": phrases_of(language)["page"]}


def node_infos() -> list[dict[str, Any]]:
    """What /object_info says about every node of the pack."""
    from headcount.nodes import NODES

    return [node.GET_NODE_INFO_V1() for node in NODES]


def main() -> None:
    """Write every file."""
    import_comfyui("--cpu")
    for language, content in build_locales(node_infos()).items():
        _write(FOLDER / language / "nodeDefs.json", content)
    for language in TRANSLATED:
        _write(FOLDER / language / "main.json", page_texts(language))


def _write(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
