"""Rows of a report and their small pictures, as files in ComfyUI's output folder, so that a stopped report goes on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import folder_paths
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...core.errors import CountError
from ..comfyui.saved_results import nodes_before

_SIDE = 256  # of a kept picture, at most
_NAME = re.compile(r"[\w-][\w .-]*")


@dataclass(frozen=True)
class Made:
    """One picture of a report.

    Attributes:
        words: what the counter finds, such as "4 cats, 1 dog".
        misses: how many objects are too many or too few; 0 is right.
        seconds: how long it took, with everything that the method does.
        file: the small picture, in the report's folder.
    """

    words: str
    misses: int
    seconds: float
    file: str


class KeptReport:
    """The folder of one report.

    Args:
        name: of the folder in `headcount_reports`.
        setup: everything that decides the pictures but prompt and seed; rows of another setup are made anew.

    Raises:
        CountError: the name is none of a folder.
    """

    def __init__(self, name: str, setup: str) -> None:
        if not _NAME.fullmatch(name):
            raise CountError(
                f"name is {name!r}; it is the name of a folder: letters, digits, spaces, '-' and '_', such as 'my model'"
            )
        self.folder = Path(folder_paths.get_output_directory()) / "headcount_reports" / name.strip()
        self._setup, self._file = setup, self.folder / "report.json"
        self._rows: dict[str, Any] = self._read()

    def get(self, key: str) -> Made | None:
        """What was made under this key, as long as its picture is there."""
        found = self._rows.get(key)
        return Made(**found) if found and (self.folder / found["file"]).is_file() else None

    def add(self, key: str, made: Made, picture: Tensor) -> None:
        """Keep a picture (H, W, 3) and what is said of it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        pixels = (picture.detach().float().clamp(0, 1).cpu().numpy() * 255).round().astype(np.uint8)
        image = Image.fromarray(pixels)
        image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
        image.save(self.folder / made.file, quality=92)
        self._rows[key] = asdict(made)
        unfinished = self._file.with_suffix(".part")
        unfinished.write_text(json.dumps({"setup": self._setup, "rows": self._rows}, indent=1), encoding="utf-8")
        unfinished.replace(self._file)

    def picture(self, made: Made) -> Tensor:
        """(H, W, 3) of a kept picture."""
        with Image.open(self.folder / made.file) as image:
            return torch.from_numpy(np.array(image.convert("RGB"), dtype=np.float32) / 255)

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self._file.read_text(encoding="utf-8"))
            return content["rows"] if content["setup"] == self._setup else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}  # there is none yet, or a file of another kind is in its place


def setup_of(settings: Mapping[str, Any], prompt: Any, node_id: str | None) -> str:
    """20 hexadecimal digits of a node's settings and of everything that it hangs on, such as model files and LoRAs.

    Args:
        prompt: the graph that runs; None outside of one.
        node_id: the node in it.
    """
    before = nodes_before(prompt, node_id) if prompt and node_id else {}
    others = {node: placed for node, placed in before.items() if node != node_id}
    content = json.dumps([sorted(settings.items()), sorted(others.items())], sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:20]
