"""CLIP score: how well a frame fits its prompt (Hessel and others, arXiv 2104.08718), 100 * cosine, at least 0.

The paper of CountBench does not say which CLIP it takes; scores of different models cannot be compared.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from .pretrained import model_name, pretrained


class ClipScorer:
    """A CLIP that is ready to run.

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
