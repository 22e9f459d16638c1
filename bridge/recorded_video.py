"""Captures a video model's attention as maps of its frames; its queries and keys of one step would take gigabytes."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from ..core.attention.calls import AttentionCall
from ..core.attention.video_maps import VideoSums, layers_read
from .capture import Capture
from .families.family import ModelInputs
from .families.video import VideoReader


@dataclass(kw_only=True)
class VideoCapture(Capture):
    """Takes what is kept out of each call at once; `calls` stays empty.

    Attributes:
        sums: what the calls leave.
    """

    reader: VideoReader
    sums: VideoSums

    def model_call(self, inputs: ModelInputs) -> AbstractContextManager[None]:
        self.sums.layers = layers_read(self.reader.layers(inputs.diffusion))
        return super().model_call(inputs)

    def _keep(self, call: AttentionCall) -> None:
        self.sums.add(call)
