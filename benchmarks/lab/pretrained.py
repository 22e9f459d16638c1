"""Models of the transformers library from the user's folders, and CLIP's score of a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from headcount.core.errors import CountError
from numpy.typing import NDArray

from demo.comfy_host import stand_in_for_broken_wheels

from .store import file_digest

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
        download = "" if may_download else " together with --allow-download"
        raise CountError(
            f"{source} cannot be loaded: {str(error).splitlines()[0][:200]}. Give {option} a folder with config.json, weights "
            f"and preprocessor files, or the name of a model on the Hub{download}"
        ) from error


def model_name(source: str, model: Any) -> str:
    """Name and version of a model."""
    folder = Path(source)
    if folder.is_dir():
        files = sorted(path for pattern in _WEIGHTS for path in folder.glob(pattern))
        return f"{folder.resolve().name} {file_digest(*files)}"
    return f"{source} {getattr(model.config, '_commit_hash', None) or 'unknown version'}"


class ClipScorer:
    """Scores how well a frame fits its prompt: 100 * cosine, at least 0 (Hessel and others, arXiv 2104.08718).

    The paper of CountBench does not say which CLIP it takes; scores of different models cannot be compared.

    Args:
        source: a folder as `save_pretrained` writes it, or a model's name on the Hub.
        may_download: whether a model that is not on this machine is downloaded.

    Raises:
        CountError: there is no such model.
    """

    def __init__(self, source: str, device: torch.device, may_download: bool = False) -> None:
        self._device = device
        self._processor = pretrained("AutoProcessor", source, may_download, "--clip")
        self._model = pretrained("CLIPModel", source, may_download, "--clip").to(device).eval()
        self.name = model_name(source, self._model)

    @torch.inference_mode()
    def score(self, frames: NDArray[np.uint8], prompt: str) -> list[float]:
        """Scores, 0 to 100, of (N, H, W, 3) frames. What of the prompt is too long for CLIP's text tower is cut off."""
        length = self._model.config.text_config.max_position_embeddings
        inputs = self._processor(
            images=list(frames), text=[prompt], return_tensors="pt", truncation=True, max_length=length
        ).to(self._device)
        seen = self._model(**inputs)
        cosines = torch.nn.functional.cosine_similarity(seen.image_embeds.float(), seen.text_embeds.float())
        return (100 * cosines).clamp_min(0).tolist()
