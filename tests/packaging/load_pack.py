"""Loads packs with ComfyUI's own loader in this fresh process and prints as JSON what each load did: see test_import.py.

    python -B tests/packaging/load_pack.py BASE PACK [PACK ...]

BASE is ComfyUI's base directory, PACK the folder of a pack.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parent.parent.parent))

from demo.comfy_host import import_comfyui

NETWORK = ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
OTHERS = ("subprocess.Popen", "os.system", "os.mkdir", "os.remove", "os.rename")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
DEVICES = ("cuda", "xpu", "mps")


class Watch:
    """Python's own audit events, kept while `seen` is a list. A hook can never be taken off again."""

    def __init__(self) -> None:
        self.seen: list[str] | None = None
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.seen is None:
            return
        if event in NETWORK:
            self.seen.append(event)
            raise OSError("there is no network while a pack is loaded")
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if event in OTHERS or writes:
            self.seen.append(f"{event} {arguments[0]}" if writes else event)


@contextmanager
def noted_threads(started: list[str]) -> Iterator[None]:
    """The name of every thread that is started goes to `started`; Python 3.11 has no audit event for it."""
    real = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        started.append(f"thread {thread.name}")
        real(thread)

    threading.Thread.start = start  # type: ignore[method-assign]
    try:
        yield
    finally:
        threading.Thread.start = real  # type: ignore[method-assign]


@contextmanager
def guarded_devices(touched: list[str]) -> Iterator[None]:
    """Every public function of torch.cuda, torch.xpu and torch.mps raises, and its name goes to `touched`."""
    import torch

    modules = [getattr(torch, name) for name in DEVICES]
    real = [
        (module, name, value) for module in modules for name, value in vars(module).items() if _is_function(name, value)
    ]
    for module, name, _ in real:
        setattr(module, name, _refusal(f"{module.__name__}.{name}", touched))
    try:
        yield
    finally:
        for module, name, value in real:
            setattr(module, name, value)


def _is_function(name: str, value: object) -> bool:
    return callable(value) and not isinstance(value, type) and not name.startswith("_")


def _refusal(name: str, touched: list[str]) -> Callable[..., Any]:
    def refuse(*arguments: object, **options: object) -> Any:
        touched.append(name)
        raise RuntimeError(f"{name} while a pack is loaded")

    return refuse


def load(pack: Path, watch: Watch, loop: asyncio.AbstractEventLoop) -> dict[str, Any]:
    """Load one pack as a start of ComfyUI does. Returns what test_import.py looks at."""
    import nodes

    before, known = set(sys.modules), set(nodes.NODE_CLASS_MAPPINGS)
    touched: list[str] = []
    events: list[str] = []
    with guarded_devices(touched), noted_threads(events):
        watch.seen = events
        loaded = loop.run_until_complete(nodes.load_custom_node(str(pack)))
        watch.seen = None
    own = str(pack).replace(".", "_x_")
    new = {module.split(".")[0] for module in set(sys.modules) - before if not module.startswith(own)}
    return {
        "loaded": loaded,
        "nodes": sorted(set(nodes.NODE_CLASS_MAPPINGS) - known),
        "packages": sorted(new - sys.stdlib_module_names),
        "events": events,
        "devices": touched,
        "web": nodes.EXTENSION_WEB_DIRS.get(pack.name),
    }


def main() -> None:
    """Load every pack of the command line."""
    base, *packs = (Path(argument).resolve() for argument in sys.argv[1:])
    import_comfyui("--cpu", "--base-directory", str(base))
    # What a start of ComfyUI has imported before the first pack, or imports itself for it.
    for module in ("comfy_api.latest", "comfy_config.config_parser", "nodes"):
        importlib.import_module(module)
    loop, watch = asyncio.new_event_loop(), Watch()
    found = {pack.name: load(pack, watch, loop) for pack in packs}
    loop.close()
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
