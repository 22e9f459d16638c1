"""The GPU benchmark's checks on a real GPU. In a process of its own: this one's ComfyUI was started for the CPU."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_checks(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    command = [sys.executable, "-m", "benchmarks.gpu", "--device", "cuda", "--models", "tiny", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    parts = json.loads(out.read_text())["parts"]
    assert {name: part["error"] for name, part in parts.items() if part["state"] != "done"} == {}
    assert done.returncode == 0, done.stdout
