"""Names the pack and version of every node in workflows/ and subgraphs/: `python -m demo.stamp_workflows`.

By these two ComfyUI Manager's "Install Missing Nodes" finds a node's pack. To be called after a new version in pyproject.toml,
and after a file was saved in ComfyUI's page, which names no pack for nodes that were added there.
"""

from __future__ import annotations

import json

import tomllib

from .comfy_host import PACK, ROOT
from .comfyui_path import OLDEST, dotted
from .workflow_to_prompt import ONLY_IN_THE_PAGE

FILES = (*sorted((ROOT / "workflows").glob("*.json")), *sorted((ROOT / "subgraphs").glob("*.json")))
CORE = "comfy-core"
"""What the Registry and the page call ComfyUI's own nodes."""


def stamped(text: str, version: str) -> str:
    """A workflow file's text with `cnr_id` and `ver` of every node, laid out as the files of this pack are.

    Args:
        text: JSON as the page saves it; its nodes are of this pack and of ComfyUI.
        version: the pack's.
    """
    content = json.loads(text)
    subgraphs = content.get("definitions", {}).get("subgraphs", [])
    without_pack = ONLY_IN_THE_PAGE | {subgraph["id"] for subgraph in subgraphs}
    for node in [node for part in (content, *subgraphs) for node in part["nodes"]]:
        is_ours = node["type"].startswith("Headcount")
        if node["type"] not in without_pack:
            node["properties"]["cnr_id"] = PACK if is_ours else CORE
            node["properties"]["ver"] = version if is_ours else dotted(OLDEST)
    return json.dumps(content, indent=1) + "\n"


def main() -> None:
    """Stamp every file with the version in pyproject.toml."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for file in FILES:
        file.write_text(stamped(file.read_text(encoding="utf-8"), version))


if __name__ == "__main__":
    main()
