"""The pack's NUMINA behind the function names of a comparison with recorded results of the published code.

Recorded on a CPU, where the published code decomposes the self-attention; on a GPU it falls back, see RELEASE.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

if str(Path(__file__).resolve().parents[2]) not in sys.path:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from demo.comfy_host import register_pack

register_pack()
from headcount.core.errors import CountError  # noqa: E402
from headcount.core.numina import (  # noqa: E402
    RELEASE,
    noun_response,
    row_bias,
    schedule,
)
from headcount.core.numina.attention import principal_components  # noqa: E402
from headcount.core.numina.published import proposals, refinement  # noqa: E402
from headcount.core.numina.published.heads import score_heads  # noqa: E402
from headcount.core.numina.published.proposals import Proposals, clusters  # noqa: E402

from tests.parity.release_tokens import map_tokens  # noqa: E402

__all__ = ["map_tokens"]
SETTINGS = replace(RELEASE.layout.published, head_components="pca")
Array = Any


def score_self_heads(attention: Array, height: int, width: int) -> Array:
    """(N, P, P) to (N,)."""
    return score_heads(principal_components(_tensor(attention)), (height, width), SETTINGS).numpy()


def cross_map(queries: Array, keys: Array, tokens: list[int], frames: int, height: int, width: int) -> Array:
    """Response of one noun, (frames, height, width)."""
    split = rearrange(_tensor(queries), "n (f p) d -> f n p d", f=frames)
    return (
        noun_response(split, _tensor(keys), None, (tuple(tokens),), RELEASE.layout)[0]
        .view(frames, height, width)
        .numpy()
    )


def cluster_labels(attention: Array, height: int, width: int) -> Array:
    """(P, P) attention of a head to (height, width) labels."""
    return clusters(principal_components(_tensor(attention)), (height, width), SETTINGS).labels.numpy()


def focus_mask(response: Array) -> Array:
    """(H, W) response to a mask."""
    return proposals.focus_mask(_tensor(response), SETTINGS).numpy()


def build_layout(labels: Array, focus: Array) -> tuple[Array, int]:
    """Numbered instances and how many."""
    regions = Proposals(_tensor(labels).long(), int(labels.max()) + 1)
    layout = proposals.instances(regions, _tensor(focus), SETTINGS.overlap)
    return layout.numpy(), int(layout.max())


def refine(layout: Array, count: int, target: int, earlier: list[Any] | None) -> tuple[Array, list[list[int]]]:
    """The corrected layout and the centres of what was added."""
    try:
        after, centres = refinement.refine(_tensor(layout), count, target, earlier or [], SETTINGS)
    except CountError as error:
        raise IndexError(str(error)) from error
    return after.numpy(), [list(centre) for centre in centres]


def delta(step: int) -> float:
    """Strength of the guidance at a step of 50."""
    return schedule.delta(step, RELEASE.guidance)


def bias(
    queries: Array, keys: Array, refined: dict[str, Array], tokens: dict[str, list[int]], step: int
) -> Array | None:
    """(L, T) bias, None where the step is not guided."""
    strength = schedule.fade(step, RELEASE.guidance)
    if not strength:
        return None
    after = torch.stack([_tensor(layout).flatten() for layout in refined.values()])
    columns = tuple(tuple(tokens[noun]) for noun in refined)
    frames = len(next(iter(refined.values())))
    found = row_bias(_tensor(queries), _tensor(keys), after, columns, strength, RELEASE.guidance, frames)
    whole = torch.zeros(queries.shape[1], keys.shape[1])
    if found is not None:
        whole[found.rows] = found.bias
    return whole.numpy()


def modulated(
    queries: Array, keys: Array, values: Array, refined: dict[str, Array], tokens: dict[str, list[int]], step: int
) -> Array:
    """(N, L, D) attention output with the bias."""
    found = bias(queries, keys, refined, tokens, step)
    mask = None if found is None else torch.from_numpy(found)
    attend = torch.nn.functional.scaled_dot_product_attention
    return attend(_tensor(queries), _tensor(keys), _tensor(values), attn_mask=mask).numpy()


def _tensor(array: Array) -> Tensor:
    return torch.from_numpy(np.array(array))
