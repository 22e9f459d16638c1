"""Makes the real ComfyUI and the pack importable before any test module is; starts the real server for those that ask."""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# CI draws the same examples every time, so that a red run is about the change; elsewhere new ones are looked for.
# Nowhere a deadline: how long an example takes says more about the machine than about the code.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("here", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")

ROOT = Path(__file__).resolve().parent.parent
# At the end: ComfyUI's folder goes first, since its nodes.py and this pack's nodes/ share a name.
sys.path.append(str(ROOT))

from demo.comfy_host import comfyui_folder, import_comfyui  # noqa: E402

try:
    comfyui_folder()
except FileNotFoundError as error:
    sys.exit(str(error))
# An empty models folder: what a test sees does not depend on what lies in somebody's ComfyUI.
BASE = Path(tempfile.mkdtemp(prefix="headcount-tests-"))
import_comfyui("--cpu", "--base-directory", str(BASE))

from demo.server import ComfyServer  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    """Note which messages the pack makes while the tests run: see helpers/raised_messages.py."""
    from headcount.core.errors import CountError

    from tests.helpers.raised_messages import RaisedMessages

    plugin = RaisedMessages()
    plugin.watch(CountError)
    config.pluginmanager.register(plugin, "raised-messages")


def pytest_unconfigure() -> None:
    """Remove ComfyUI's folder when the last test is done."""
    shutil.rmtree(BASE, ignore_errors=True)


@pytest.fixture(scope="module", autouse=True)
def quick_collections() -> Iterator[None]:
    """ComfyUI collects garbage before most runs: what is there before a module's tests need not be searched each time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def server() -> Iterator[ComfyServer]:
    """The real ComfyUI server with the pack and the benchmarks' nodes, started once for all tests; beside it an adapter, and
    untrained detectors and GLIGEN."""
    running = ComfyServer()
    packs = running.base / "custom_nodes"
    packs.mkdir()
    for pack in ("detector_pack", "adapter_pack", "gligen_pack"):
        (packs / f"{pack}.py").symlink_to(ROOT / "tests" / "helpers" / f"{pack}.py")
    (packs / "ablation_nodes").symlink_to(ROOT / "benchmarks" / "ablation_nodes")
    with running:
        yield running


@pytest.fixture(scope="session")
def object_info(server: ComfyServer) -> dict[str, dict[str, Any]]:
    """Every node the server has: id -> schema."""
    return server.object_info()


@pytest.fixture
def workflow(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The parsed workflow file that a test names by indirect parametrization."""
    return json.loads(request.param.read_text())
