"""Writes workflows and subgraphs: `python -m demo.write_workflows`, after a node got new inputs or other defaults.

What a workflow does not say takes the node's default, so that the files show what a newly placed node does.
"""

from __future__ import annotations

import json
from typing import Any

from .attention_workflows import shapes_attention, shapes_isac, shapes_selection
from .blueprint import write_blueprint
from .comfy_host import ROOT
from .counting_workflows import count_search, count_search_pick, shapes_count, t2icount_photo
from .everything_workflow import shapes_everything
from .model_workflows import flux_isac, flux_numina, sd15_isac, sd35_isac, sdxl_isac
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
    "shapes_everything": shapes_everything,
    "sd15_isac": sd15_isac,
    "sdxl_isac": sdxl_isac,
    "sd35_isac": sd35_isac,
    "flux_isac": flux_isac,
    "flux_numina": flux_numina,
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
        schemas = server.object_info()
        write_workflows(schemas)
        write_blueprint(schemas)


if __name__ == "__main__":
    main()
