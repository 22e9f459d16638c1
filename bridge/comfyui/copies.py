"""Two installed copies of the pack: only the first one that ComfyUI loads is used, and the log names both."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

_LOG = logging.getLogger(__name__)
_FIRST = "HeadcountCountPrompt"


def folder_of_other_copy(own: Path) -> Path | None:
    """The folder of another copy of the pack whose nodes ComfyUI already has; None where there is none.

    Args:
        own: the folder of this copy.
    """
    registered = getattr(sys.modules.get("nodes"), "NODE_CLASS_MAPPINGS", {})
    node = registered.get(_FIRST)
    module = sys.modules.get(getattr(node, "__module__", ""))
    file = getattr(module, "__file__", None)
    if file is None:
        return None
    other = Path(file).resolve().parents[1]
    return None if other == own.resolve() else other


def is_second_copy(own: Path) -> bool:
    """Whether another copy is in use; then the log says so, once."""
    other = folder_of_other_copy(own)
    if other is not None:
        _LOG.warning(
            "Headcount is installed twice, in %s and %s. The one in %s is used. Remove one of the two folders and restart",
            other,
            own.resolve(),
            other,
        )
    return other is not None
