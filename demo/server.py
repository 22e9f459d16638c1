"""Starts a real ComfyUI server with this pack installed and nothing else, and stops it again.

Example:
    with ComfyServer() as server:
        outputs = server.run(workflow_to_prompt(workflow, server.object_info()))
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.error import URLError

from .comfy_client import ComfyClient, PromptError
from .comfy_host import PACK, ROOT, comfyui_folder
from .workflow_to_prompt import workflow_to_prompt

__all__ = ["ComfyServer", "PromptError", "workflow_to_prompt"]

START_SECONDS = 180.0
STOP_SECONDS = 10.0


class ComfyServer(ComfyClient):
    """The real server as a child process on this machine, with its models, inputs and outputs in a folder of its own.

    Args:
        *arguments: further ComfyUI command line, for example "--preview-method", "latent2rgb".
        device: ComfyUI's argument for the device; None leaves the choice to ComfyUI.
        base: the folder to use and keep; without it a temporary one, removed when the server stops.
        port: 0 takes a free one.

    Attributes:
        base: folder with models/, input/, output/, user/ and custom_nodes/headcount (a link to this repository
            unless a pack is there).
    """

    def __init__(self, *arguments: str, device: str | None = "--cpu", base: Path | None = None, port: int = 0) -> None:
        port = port or _free_port()
        super().__init__(f"http://127.0.0.1:{port}")
        self._temporary = base is None
        self.base = base or Path(tempfile.mkdtemp(prefix="headcount-comfyui-"))
        self.log_file = self.base / "server.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._command = [
            *(sys.executable, str(ROOT / "demo" / "comfy_main.py"), "--listen", "127.0.0.1", "--port", str(port)),
            *("--base-directory", str(self.base), "--database-url", f"sqlite:///{self.base / 'comfyui.db'}"),
            *("--disable-auto-launch", "--disable-api-nodes", *([device] if device else []), *arguments),
        ]

    def __enter__(self) -> ComfyServer:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start and wait until the server lists its nodes.

        Raises:
            RuntimeError: the process ended, or did not answer in START_SECONDS; the end of its log is in the message.
        """
        _furnish(self.base)
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=subprocess.STDOUT, cwd=self.base)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                self.object_info()
            except (URLError, ConnectionError, TimeoutError):
                time.sleep(0.2)
            else:
                return
        tail = self.log()[-3000:]
        self.stop()
        raise RuntimeError(f"ComfyUI did not start; the end of its log:\n{tail}")

    def stop(self) -> None:
        """Stop the process this object started, and remove a temporary base folder."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None
        if self._temporary:
            shutil.rmtree(self.base, ignore_errors=True)

    def wait_until_it_ends(self) -> None:
        """Block until the server's process ends by itself."""
        if self.process is not None:
            self.process.wait()

    def sign_of_progress(self) -> int:
        """How much the server has written: its log gets a line or a longer bar with every step of a sampler."""
        return self.log_file.stat().st_size if self.log_file.is_file() else 0

    def log(self) -> str:
        """Everything the server has written so far."""
        return self.log_file.read_text(errors="replace") if self.log_file.is_file() else ""


def _furnish(base: Path) -> None:
    """The folders ComfyUI expects, this pack among its custom nodes, ComfyUI's own example picture among the inputs."""
    for name in ("custom_nodes", "input", "models", "output", "user"):
        (base / name).mkdir(parents=True, exist_ok=True)
    link = base / "custom_nodes" / PACK
    if not (link.is_symlink() or link.exists()):  # a folder there is a pack that somebody installed
        link.symlink_to(ROOT, target_is_directory=True)
    shutil.copytree(comfyui_folder() / "input", base / "input", dirs_exist_ok=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
