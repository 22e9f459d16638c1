"""The files of a training run: its log, its networks, and the state from which it goes on.

Every file is written beside its place and moved there, so that an interruption leaves the former one whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from headcount.core.errors import CountError
from headcount.core.t2icount.checkpoint import CONFIG_ENTRY
from headcount.core.t2icount.network import CountNetwork
from safetensors.torch import save_file

from .files import write_whole


@dataclass(frozen=True)
class RunFolder:
    """FOLDER/log.csv, FOLDER/best.safetensors, FOLDER/last.safetensors and FOLDER/resume.pt."""

    path: Path

    @property
    def log(self) -> Path:
        return self.path / "log.csv"

    @property
    def best(self) -> Path:
        return self.path / "best.safetensors"

    @property
    def last(self) -> Path:
        return self.path / "last.safetensors"

    @property
    def resume(self) -> Path:
        return self.path / "resume.pt"

    def write_log(self, text: str) -> None:
        """Write the whole log anew."""
        write_whole(self.log, lambda path: path.write_text(text))

    def write_network(self, network: CountNetwork, path: Path) -> None:
        """Write a checkpoint, see `write_checkpoint`."""
        write_whole(path, lambda beside: write_checkpoint(network, beside))

    def write_resume(self, state: dict[str, Any]) -> None:
        """Write the state of the run."""
        write_whole(self.resume, lambda path: torch.save(state, path))

    def read_resume(self) -> dict[str, Any] | None:
        """The state that `write_resume` wrote, on the CPU; None where there is none.

        Raises:
            CountError: the file is damaged.
        """
        return self._read(is_mapped=False) if self.resume.exists() else None

    def configuration(self) -> str | None:
        """Name of the configuration of the run's network; None where there is no run to go on with.

        Raises:
            CountError: the file is damaged.
        """
        return self._read(is_mapped=True)["settings"]["configuration"] if self.resume.exists() else None

    def _read(self, is_mapped: bool) -> dict[str, Any]:
        try:
            return torch.load(self.resume, map_location="cpu", weights_only=True, mmap=is_mapped)
        except Exception as error:  # what torch raises on a damaged file depends on where the damage is
            raise CountError(f"{self.resume} cannot be read ({error}); delete it to begin anew") from error


def write_checkpoint(network: CountNetwork, path: Path) -> None:
    """Write the network as safetensors, with the names of the authors' checkpoint and its configuration's name."""
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    save_file(state, path, {CONFIG_ENTRY: network.config.name})
