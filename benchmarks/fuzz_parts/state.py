"""What a long-lived server holds: memory, open files, threads, files in temp."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from demo.server import ComfyServer


@dataclass(frozen=True)
class State:
    """The server after so many graphs.

    Attributes:
        memory_mb: resident memory; files: open file descriptors; threads: of the process.
        temp_files, temp_mb: what lies in ComfyUI's folder for previews.
        emptied: ComfyUI's store of results was emptied before.
    """

    graphs: int
    memory_mb: float
    files: int
    threads: int
    temp_files: int
    temp_mb: float
    emptied: bool


def state_of(server: ComfyServer, graphs: int, emptied: bool) -> State:
    """Look at the server's process and its folder."""
    process = psutil.Process(server.process.pid)
    kept = [path for path in (server.base / "temp").rglob("*") if path.is_file()]
    return State(
        graphs=graphs,
        memory_mb=round(process.memory_info().rss / 1e6, 1),
        files=process.num_fds(),
        threads=process.num_threads(),
        temp_files=len(kept),
        temp_mb=round(sum(path.stat().st_size for path in kept) / 1e6, 2),
        emptied=emptied,
    )
