"""Where T2ICount's files are, and how they are read: never anything but tensors."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import comfy.utils
import folder_paths
from torch import Tensor

from ...core.errors import CountError
from .archive import refuse_zip_bomb

FOLDER = "t2icount"
EXTENSIONS = frozenset({".safetensors", ".pth", ".pt", ".tar"})
OFFICIAL_FILE = "best_model_paper.pth"
NO_FILE = f"put {OFFICIAL_FILE} into models/{FOLDER}"
"""Stands in the list of files when there is none."""
_REFUSED = "weights_only"  # in what torch says when it stops reading, with advice that nobody should follow
# In what torch and safetensors say where the end is missing; older safetensors name it without spaces.
_CUT_OFF = re.compile("EOF|header ?too ?small|invalid ?header ?length|incomplete", re.IGNORECASE)
_AGAIN = f"Download it again; {OFFICIAL_FILE} has 4.3 GB"
SHIPPED = Path(__file__).resolve().parents[2] / "demo" / "weights" / FOLDER


def register_folder() -> None:
    """Tell ComfyUI about models/t2icount and the pack's own file; folders of extra_model_paths.yaml stay first."""
    for folder in (Path(folder_paths.models_dir) / FOLDER, SHIPPED):
        folder_paths.add_model_folder_path(FOLDER, str(folder))
    # ComfyUI gives a new kind of model no extensions, and then lists every file.
    folder_paths.folder_names_and_paths[FOLDER][1].update(EXTENSIONS)


def model_files() -> list[str]:
    """Names for the list of files; never empty."""
    return folder_paths.get_filename_list(FOLDER) or [NO_FILE]


def model_path(name: str) -> Path:
    """The file that a name of the list stands for.

    Raises:
        CountError: it is gone, or there was none.
    """
    full_path = folder_paths.get_full_path(FOLDER, name) if isinstance(name, str) else None
    if full_path is None:
        raise CountError(
            f"there is no T2ICount file {name!r}. Put {OFFICIAL_FILE} of the T2ICount authors, or a .safetensors file of "
            f"this pack's training, into ComfyUI's folder models/{FOLDER} (make the folder if it is not there), press R in "
            f"the page and choose it"
        )
    return Path(full_path)


def file_state(name: str) -> str:
    """Changes when the file does, so that ComfyUI reads it again."""
    full_path = folder_paths.get_full_path(FOLDER, name) if isinstance(name, str) else None
    if full_path is None:
        return ""
    status = Path(full_path).stat()
    return f"{status.st_mtime_ns} {status.st_size}"


def read_weights(path: Path) -> tuple[Mapping[str, Tensor], Mapping[str, str]]:
    """Tensors of a file by name, on the CPU, and the metadata of a safetensors file.

    A safetensors file is mapped, not copied into memory. Of other files only tensors are read; what they would have Python
    run is refused.

    Raises:
        CountError: the file is damaged, incomplete or a web page, holds more than tensors, or unpacks to many times its size.
    """
    if path.is_file():
        refuse_zip_bomb(path)
    try:
        content, metadata = comfy.utils.load_torch_file(str(path), safe_load=True, return_metadata=True)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise CountError(f"{path.name} cannot be read: {error.strerror}") from error
    except Exception as error:  # each way of being damaged has a class of its own, and it depends on torch's version
        why = str(error) or type(error).__name__
        raise _not_fetched(path, why) or _unreadable(path, why) from error
    if not isinstance(content, Mapping):
        raise _unreadable(path, f"it holds a {type(content).__name__}")
    return content, metadata or {}


def _not_fetched(path: Path, why: str) -> CountError | None:
    """What to say of a download that gave a page, nothing, or a part; None for a file that is wrong otherwise."""
    with path.open("rb") as file:
        head = file.read(1024)
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<") and b"\0" not in head:
        return CountError(
            f"{path.name} is a web page, not the model: Google Drive has probably shown a warning instead of the file. "
            f"{_AGAIN}"
        )
    is_part_of_zip = head.startswith(b"PK") and not zipfile.is_zipfile(path)
    if not head or is_part_of_zip or _CUT_OFF.search(why):
        return CountError(f"{path.name} is incomplete: it has only {_size(path)}. {_AGAIN}")
    return None


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size} bytes"


def _unreadable(path: Path, why: str) -> CountError:
    if _REFUSED not in why:
        reason = f" ({why.splitlines()[0][:200]})" if why else ""
        return CountError(
            f"{path.name} is damaged, or not a weights file at all{reason}. Download the whole file again"
        )
    if zipfile.is_zipfile(path):  # whole, and of torch.save
        return CountError(
            f"{path.name} holds Python objects beside its tensors, and loading it could run any program; it was not loaded. "
            f"Use {OFFICIAL_FILE} as the T2ICount authors published it, or a .safetensors file"
        )
    return CountError(
        f"{path.name} is not a weights file that can be read safely. Use {OFFICIAL_FILE} or a .safetensors file"
    )


# At import, as ComfyUI registers its own: the page's list of models has the folder before a node is used.
register_folder()
