"""CLIP's tokenizer, whose two files come with every ComfyUI."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from headcount.core.errors import CountError

from .comfyui import comfyui_folders

_FILES = ("vocab.json", "merges.txt")
_INSIDE_COMFYUI = Path("comfy") / "sd1_tokenizer"


def usual_folders() -> list[Path]:
    """Where the files may be, in the order in which they are looked for."""
    return [comfyui / _INSIDE_COMFYUI for comfyui in comfyui_folders()]


def load_tokenizer(folder: Path | None) -> Callable[[str], list[int]]:
    """Text to CLIP ids, without start and end.

    Args:
        folder: holds vocab.json and merges.txt; None looks in `usual_folders`.

    Raises:
        CountError: the files are not there.
    """
    folders = usual_folders() if folder is None else [folder]
    found = next((place for place in folders if all((place / name).is_file() for name in _FILES)), None)
    if found is None:
        raise CountError(
            f"no {' and '.join(_FILES)} in {' or '.join(map(str, folders))}; "
            "name the folder comfy/sd1_tokenizer of a ComfyUI by --tokenizer"
        )
    from transformers import CLIPTokenizer  # a second to import, and not needed for the error above

    tokenizer = CLIPTokenizer.from_pretrained(found)

    def ids(text: str) -> list[int]:
        found_ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
        return found_ids

    return ids
