"""Rows of a report and their small images, as files in ComfyUI's output folder, so that a stopped report goes on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import folder_paths
from PIL import Image
from torch import Tensor

from ...core.drawing import image_of, pixels_of
from ...core.errors import CountError
from ..comfyui.saved_results import nodes_before

_SIDE = 256  # of a kept image, at most
_NAME = re.compile(r"[\w-][\w .-]*")


@dataclass(frozen=True)
class Made:
    """One image of a report.

    Attributes:
        words: what the counter finds, such as "4 cats, 1 dog".
        misses: how many objects are too many or too few; 0 is right.
        seconds: how long it took, with everything that the method does.
        file: the small image, in the report's folder.
    """

    words: str
    misses: int
    seconds: float
    file: str


class KeptReport:
    """The folder of one report, which keeps the rows of every setup that it was run with.

    A setup is everything that decides an image but prompt and seed, see `setup_of`.

    Args:
        name: of the folder in `headcount_reports`.

    Raises:
        CountError: the name is none of a folder.
    """

    def __init__(self, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise CountError(
                f"name is {name!r}; it is the name of a folder: letters, digits, spaces, '-' and '_', such as 'my model'"
            )
        self.folder = Path(folder_paths.get_output_directory()) / "headcount_reports" / name.strip()
        self._file = self.folder / "report.json"
        self._setups = self._read()

    def get(self, setup: str, key: str) -> Made | None:
        """What was made under this key, as long as its image is there."""
        found = self._setups.get(setup, {}).get(key)
        return found if found and (self.folder / found.file).is_file() else None

    def add(self, setup: str, key: str, made: Made, image: Tensor) -> None:
        """Keep an image (H, W, 3) and what is said of it.

        Raises:
            CountError: the folder cannot be written to.
        """
        self._setups.setdefault(setup, {})[key] = made
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            small = Image.fromarray(pixels_of(image))
            small.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
            small.save(self.folder / made.file, quality=92)
            self._write()
        except OSError as error:
            raise CountError(
                f"Count Report cannot keep an image in {self.folder} ({error.strerror or error}). Free space on that disk, or "
                "allow writing there, and press Run again: images made so far are kept"
            ) from error

    def image(self, made: Made) -> Tensor:
        """(H, W, 3) of a kept image."""
        with Image.open(self.folder / made.file) as small:
            return image_of(small.convert("RGB"))

    def _write(self) -> None:
        rows = {setup: {key: asdict(made) for key, made in by_key.items()} for setup, by_key in self._setups.items()}
        unfinished = self._file.with_suffix(".part")
        unfinished.write_text(json.dumps({"setups": rows}, indent=1), encoding="utf-8")
        unfinished.replace(self._file)

    def _read(self) -> dict[str, dict[str, Made]]:
        """Setup -> key -> row, without what is none; empty where there is no file, or one of another kind in its place."""
        try:
            content = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        setups = _mapping(_mapping(content).get("setups"))
        rows = {setup: {key: _made_of(row) for key, row in _mapping(given).items()} for setup, given in setups.items()}
        return {setup: {key: made for key, made in given.items() if made} for setup, given in rows.items()}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _made_of(row: Any) -> Made | None:
    """A row of the file; None where it is none, or its image would lie elsewhere."""
    kinds = {"words": str, "misses": int, "seconds": float, "file": str}
    if _mapping(row).keys() != kinds.keys() or not all(isinstance(row[name], kind) for name, kind in kinds.items()):
        return None
    return Made(**row) if Path(row["file"]).name == row["file"] else None


def setup_of(settings: Mapping[str, Any], prompt: Any, node_id: str | None, leave_out: Collection[str] = ()) -> str:
    """20 hexadecimal digits of a node's settings, of all that it hangs on, such as model files and LoRAs, and of the pack.

    Args:
        prompt: the graph that runs; None outside of one.
        node_id: the node in it.
        leave_out: settings and inputs of the node that do not matter.
    """
    own = nodes_before(prompt, node_id).get(node_id) if prompt and node_id else None
    links = {
        name: value
        for name, value in ({} if own is None else own[1]).items()
        if isinstance(value, list) and value and isinstance(value[0], str) and name not in leave_out
    }
    before = {node: placed for link in links.values() for node, placed in nodes_before(prompt, link[0]).items()}
    given = {name: value for name, value in settings.items() if name not in leave_out}
    parts = [_version(), *(sorted(one.items()) for one in (given, links, before))]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:20]


def _version() -> str:
    """Of the pack: another one may make another image of the same settings."""
    project = Path(__file__).parents[2] / "pyproject.toml"
    found = re.search(r'^version = "(.+)"$', project.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else ""
