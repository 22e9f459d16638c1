"""Importing the pack costs next to nothing and touches nothing: EXPECTATIONS 4."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from headcount.nodes import NODES

from .shipped import copy_to

Found = dict[str, dict[str, Any]]
# Does all that a pack must not do while it is imported, each attempt by itself.
CARELESS = """
import pathlib, socket, subprocess, threading
import sklearn.cluster
import torch
from comfy_api.latest import ComfyExtension

here = pathlib.Path(__file__).parent
for attempt in (
    lambda: socket.socket().connect(("127.0.0.1", 9)),
    lambda: socket.getaddrinfo("localhost", 80),
    lambda: threading.Thread(target=int).start(),
    lambda: (here / "written.txt").write_text("x"),
    lambda: subprocess.run(["true"]),
    lambda: torch.cuda.is_available(),
):
    try:
        attempt()
    except (OSError, RuntimeError):
        pass

class Nothing(ComfyExtension):
    async def get_node_list(self):
        return []

async def comfy_entrypoint():
    return Nothing()
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What loading did: of the shipped files, a careless pack, and a second copy of the files, in one fresh process."""
    base = tmp_path_factory.mktemp("comfyui")
    headcount = copy_to(base / "custom_nodes" / "headcount")
    careless = base / "custom_nodes" / "careless"
    careless.mkdir()
    (careless / "__init__.py").write_text(CARELESS)
    second = copy_to(base / "custom_nodes" / "headcount-main")
    script = Path(__file__).with_name("load_pack.py")
    command = [sys.executable, "-B", str(script), *map(str, (base, headcount, careless, second))]
    run = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert run.returncode == 0, run.stderr
    return {**json.loads(run.stdout.splitlines()[-1]), "log": {"warnings": run.stderr.splitlines()}}


def test_every_node_is_there(found: Found) -> None:
    assert found["headcount"]["loaded"]
    assert found["headcount"]["nodes"] == sorted(node.GET_SCHEMA().node_id for node in NODES)


def test_no_further_package_is_imported(found: Found) -> None:
    """scikit-learn, transformers and the like come in when a node first needs them."""
    assert found["headcount"]["packages"] == []


def test_nothing_is_touched(found: Found) -> None:
    """No network, no thread, no other program, no file written, no graphics card."""
    assert found["headcount"]["events"] == []
    assert found["headcount"]["devices"] == []


def test_a_second_copy_is_reported_and_not_used(found: Found) -> None:
    second = found["headcount-main"]
    assert second["loaded"] and second["nodes"] == [] and second["web"] is None
    assert found["headcount"]["web"] is not None
    (said,) = [line for line in found["log"]["warnings"] if "installed twice" in line]
    first, other = re.search(r"installed twice, in (\S+) and (\S+)\. The one in \1 is used", said).groups()
    assert (Path(first).name, Path(other).name) == ("headcount", "headcount-main")


def test_a_careless_pack_is_caught(found: Found) -> None:
    careless = found["careless"]
    assert careless["loaded"]
    assert "sklearn" in careless["packages"]
    assert careless["devices"] == ["torch.cuda.is_available"]
    seen = {event.split()[0] for event in careless["events"]}
    assert seen >= {"socket.connect", "socket.getaddrinfo", "thread", "open", "subprocess.Popen"}
