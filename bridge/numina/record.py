"""What a guided run leaves for the viewer: the attention that its layouts were read off, and the layouts."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ...core.attention import RecordedMaps, RunRecord, fold_repeats
from ..recording.recorder import new_recorder
from .guided_run import GuidedRun


def record_of(run: GuidedRun, samples: Tensor) -> RunRecord | None:
    """The record of a run, frames of a video as a batch; None where nothing was read."""
    counted = run.counted[0]
    reader, recorder = run.reader, new_recorder(run.counted)
    guides = reader.guides.get(counted.conditioning["uuid"])
    if not guides or recorder is None or reader.read_at is None:
        return None
    recorder.add(*reader.read_at, _together(reader.maps, counted.text_layout.length))
    record = recorder.finish(samples)
    layouts = [guide.layouts for guide in guides.values()]
    return record and replace(
        record,
        layouts={
            noun: (
                torch.cat([one.before[place] for one in layouts]),
                torch.cat([one.after[place] for one in layouts]),
            )
            for place, noun in enumerate(record.nouns)
        },
    )


def _together(parts: list[RecordedMaps], length: int) -> RecordedMaps:
    cross = torch.cat([fold_repeats(part.cross_attention, length) for part in parts])
    return replace(parts[0], cross_attention=cross, self_attention=torch.cat([part.self_attention for part in parts]))
