"""Loads models of the transformers library from the user's folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headcount.core.errors import CountError

from demo.comfy_host import stand_in_for_broken_wheels

from ..evaluation.store import file_digest

_WEIGHTS = ("*.safetensors", "*.bin")


def pretrained(kind: str, source: str, may_download: bool, option: str) -> Any:
    """A model or processor from a folder, or from what was downloaded before.

    Args:
        kind: name of an Auto class or model.
        source: a folder as `save_pretrained` writes it, or a model's name on the Hub.
        may_download: whether a model that is not on this machine is downloaded.
        option: of the command line, that gave the source.

    Raises:
        CountError: there is none.
    """
    stand_in_for_broken_wheels()
    import transformers  # takes seconds, and not every counter needs it

    try:
        return getattr(transformers, kind).from_pretrained(
            source, local_files_only=not may_download or Path(source).is_dir()
        )
    except (OSError, ValueError) as error:
        raise CountError(
            f"{source} cannot be loaded: {str(error).splitlines()[0][:200]}. Give {option} a folder with config.json, weights "
            "and preprocessor files, or the name of a model on the Hub together with --allow-download"
        ) from error


def model_name(source: str, model: Any) -> str:
    """Name and version of a model."""
    folder = Path(source)
    if folder.is_dir():
        files = sorted(path for pattern in _WEIGHTS for path in folder.glob(pattern))
        return f"{folder.resolve().name} {file_digest(*files)}"
    return f"{source} {getattr(model.config, '_commit_hash', None) or 'unknown version'}"
