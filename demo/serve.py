"""`make serve`: ComfyUI with this pack in the foreground, until Ctrl-C. Pictures and settings: output/comfyui."""

from __future__ import annotations

import argparse

from .comfy_host import ROOT
from .server import ComfyServer


def main() -> None:
    """Start, print the address, wait for the server to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--device", default="--cpu", help="ComfyUI's argument for it; empty lets ComfyUI choose")
    settings = parser.parse_args()
    server = ComfyServer(device=settings.device or None, base=ROOT / "output" / "comfyui", port=settings.port)
    with server:
        print(f"ComfyUI with Headcount: {server.address}\nlog: {server.log_file}\nCtrl-C stops it", flush=True)
        try:
            server.wait_until_it_ends()
        except KeyboardInterrupt:
            print("stopped")


if __name__ == "__main__":
    main()
