"""Old workflows must keep opening: every node's schema is recorded in tests/golden/schema.json.

A saved workflow stores widget values by position and links by output number: inputs and outputs are only appended.
After a wanted change: HEADCOUNT_UPDATE_SCHEMA=1 make test ARGS=tests/nodes/test_schema.py, and a line in CHANGELOG.md.
Where the rule is broken the file is not rewritten; a release that has to break it deletes the node's entry by hand.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import comfyui_version
import pytest
from headcount.nodes import NODES

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "schema.json"
RECORDED_WITH = "0.30.0"
Schema = dict[str, Any]


def current_schemas() -> dict[str, Schema]:
    """Node id -> what /object_info says about it, less the module, which depends on how the pack was loaded."""
    schemas = {}
    for node in NODES:
        info = node.GET_NODE_INFO_V1()
        del info["python_module"]
        for name in ("model_name", "detector"):
            if name in info["input"].get("required", {}):
                info["input"]["required"][name][1]["options"] = []  # what lies in a folder
        schemas[info["name"]] = json.loads(json.dumps(info))
    return dict(sorted(schemas.items()))


def recorded_schemas() -> dict[str, Schema]:
    """What the golden file holds; nothing before the first recording."""
    return json.loads(GOLDEN.read_text()) if GOLDEN.is_file() else {}


def without_new_words(new: Any, old: Any) -> Any:
    """What newer ComfyUI says of a node, less the entries that 0.30.0 does not have."""
    if isinstance(new, dict) and isinstance(old, dict):
        return {name: without_new_words(value, old[name]) for name, value in new.items() if name in old}
    if isinstance(new, list) and isinstance(old, list):
        if len(new) == len(old):
            return [without_new_words(*both) for both in zip(new, old, strict=True)]
        return [one for one in new if one in old]  # such as the names of the samplers
    return new


# An output may take the name that ComfyUI itself has for its type, as long as inputs go on taking the old one.
RENAMED = {"BOUNDING_BOXES": "BOUNDING_BOX"}


def breaks(old: Schema, new: Schema) -> list[str]:
    """What a workflow saved with the schema `old` would lose under `new`; empty when it opens unchanged."""
    faults = []
    kept = _inputs(new)[: len(_inputs(old))]
    names = [name for name, _ in _inputs(old)]
    wider = all(_types(kind) <= _types(now) for (_, kind), (_, now) in zip(_inputs(old), kept, strict=False))
    if [name for name, _ in kept] != names or not wider:
        faults.append(f"inputs were {_inputs(old)} and are {_inputs(new)}: append new ones at the end")
    if new["output"][: len(old["output"])] != [RENAMED.get(kind, kind) for kind in old["output"]]:
        faults.append(f"outputs were {old['output']} and are {new['output']}: append new ones at the end")
    return faults


def _types(kind: str) -> set[str]:
    """What may be connected to an input: several types are joined with commas."""
    return set(kind.split(","))


def _inputs(schema: Schema) -> list[tuple[str, str]]:
    """(name, type) of all inputs in the order of the saved widget values: required before optional."""
    found = []
    for group in ("required", "optional"):
        for name in schema["input_order"].get(group, []):
            kind = schema["input"][group][name][0]
            found.append((name, "COMBO" if isinstance(kind, list) else kind))
    return found


def test_old_workflows_still_open() -> None:
    current = current_schemas()
    faults = {name: breaks(old, current[name]) for name, old in recorded_schemas().items() if name in current}
    gone = sorted(set(recorded_schemas()) - set(current))
    assert not any(faults.values()), faults
    assert not gone, f"nodes are never removed without a replacement: {gone}"


def test_schema_is_the_recorded_one() -> None:
    if os.environ.get("HEADCOUNT_UPDATE_SCHEMA"):
        test_old_workflows_still_open()
        GOLDEN.write_text(json.dumps(current_schemas(), indent=1, sort_keys=False) + "\n")
    current, recorded = current_schemas(), recorded_schemas()
    if comfyui_version.__version__ != RECORDED_WITH:
        current = without_new_words(current, recorded)
    assert current == recorded, "see the top of this file"


def test_ids_are_prefixed_and_unique() -> None:
    names = [node.GET_SCHEMA().node_id for node in NODES]
    assert len(set(names)) == len(names)
    assert [name for name in names if not name.startswith("Headcount")] == []


def _schema(required: list[str], optional: list[str], output: list[str]) -> Schema:
    groups = {"required": required, "optional": optional}
    return {
        "input": {group: {name: ["INT", {}] for name in names} for group, names in groups.items()},
        "input_order": groups,
        "output": output,
    }


def test_an_input_may_take_more_types_and_an_output_its_types_new_name() -> None:
    old, new = _schema(["a"], [], ["BOUNDING_BOXES"]), _schema(["a"], [], ["BOUNDING_BOX"])
    new["input"]["required"]["a"][0] = "FLOAT,INT"
    assert breaks(old, new) == [] and len(breaks(new, old)) == 2


@pytest.mark.parametrize(
    ("new", "count"),
    [
        (_schema(["a", "b"], ["c"], ["IMAGE"]), 0),
        (_schema(["a", "b"], ["c", "d"], ["IMAGE", "MASK"]), 0),
        (_schema(["b", "a"], ["c"], ["IMAGE"]), 1),
        (_schema(["a", "b", "d"], ["c"], ["IMAGE"]), 1),  # a required input goes before the optional ones
        (_schema(["a"], ["c"], ["MASK", "IMAGE"]), 2),
    ],
)
def test_the_rule_sees_every_break(new: Schema, count: int) -> None:
    assert len(breaks(_schema(["a", "b"], ["c"], ["IMAGE"]), new)) == count
