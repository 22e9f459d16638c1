"""How much a file of torch.save would take once it is unpacked, before anything of it is read. Needs no ComfyUI."""

from __future__ import annotations

import zipfile
from pathlib import Path

from ...core.errors import CountError

_MAX_TIMES = 4  # torch.save packs nothing; weights that somebody zipped again shrink to less than this


def refuse_zip_bomb(path: Path) -> None:
    """Let only files pass that unpack to about what they take on the disk; others are no archives, or are read as they are.

    Raises:
        CountError: the file's records hold many times the file's own size.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(record.file_size for record in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return  # whoever reads it says what is wrong with it
    size = path.stat().st_size
    if unpacked > _MAX_TIMES * size:
        raise CountError(
            f"{path.name} would unpack to {unpacked / 1e6:.0f} MB from {size / 1e6:.1f} MB, as no file of weights does; it was "
            "not loaded. Use best_model_paper.pth as the T2ICount authors published it, or a .safetensors file"
        )
