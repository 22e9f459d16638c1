"""Writes workflows/*.json: `python -m demo.write_workflows`, after a node got new inputs or other defaults.

What a workflow does not say takes the node's default, so that the files show what a newly placed node does.
"""

from __future__ import annotations

import json
from typing import Any

from .attention_workflows import shapes_attention, shapes_isac, shapes_selection
from .comfy_host import ROOT
from .counting_workflows import count_search, count_search_pick, shapes_count, t2icount_photo
from .numina_workflows import shapes_numina, wan_numina
from .server import ComfyServer
from .workflow_file import workflow_file
from .workflow_to_prompt import ObjectInfo

FOLDER = ROOT / "workflows"
WORKFLOWS = {
    "shapes_selection": shapes_selection,
    "shapes_isac": shapes_isac,
    "shapes_attention": shapes_attention,
    "shapes_numina": shapes_numina,
    "wan_numina": wan_numina,
    "shapes_count": shapes_count,
    "t2icount_photo": t2icount_photo,
    "count_search": count_search,
    "count_search_pick": count_search_pick,
}


def build_workflow(name: str, schemas: ObjectInfo) -> dict[str, Any]:
    """The content of workflows/<name>.json for nodes with these schemas."""
    return workflow_file(WORKFLOWS[name](), schemas)


def write_workflows(schemas: ObjectInfo) -> None:
    """Write every file."""
    for name in WORKFLOWS:
        text = json.dumps(build_workflow(name, schemas), indent=1)
        (FOLDER / f"{name}.json").write_text(text + "\n")


def main() -> None:
    """Ask a real server for the schemas, then write."""
    with ComfyServer() as server:
        write_workflows(server.object_info())


if __name__ == "__main__":
    main()
