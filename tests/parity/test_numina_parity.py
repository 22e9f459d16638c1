"""The pack's NUMINA in its RELEASE settings computes what the published code was recorded to compute on a CPU.

`recorded_numina.npz`: two frames of made-up attention with three blobs and every stage's result, layouts of a moving
scene, and hand-made cases for single stages.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from headcount.core.numina import PAPER, RELEASE, noun_response
from headcount.core.numina.attention import self_probabilities
from headcount.core.numina.published.heads import score_heads
from sklearn.metrics import adjusted_rand_score

from . import numina_adapter as ours

STEPS = (0, 24, 25, 26, 30, 44, 45)
Recorded = dict[str, Any]


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    with np.load(Path(__file__).parent / "recorded_numina.npz") as arrays:
        return dict(arrays)


def by_head(recorded: Recorded, name: str) -> np.ndarray:
    return recorded[f"too_few/{name}"].astype(np.float32).transpose(1, 0, 2)


def meta(recorded: Recorded, case: str = "too_few") -> dict[str, Any]:
    return json.loads(str(recorded[f"{case}/meta"]))


def attention(recorded: Recorded, frame: int) -> np.ndarray:
    cells = meta(recorded)["H"] * meta(recorded)["W"]
    part = slice(frame * cells, (frame + 1) * cells)
    queries, keys = (torch.from_numpy(by_head(recorded, f"self_{name}")[:, part]) for name in ("q", "k"))
    return self_probabilities(queries, keys).numpy()


@pytest.mark.parametrize("frame", [0, 1])
def test_head_scores(recorded: Recorded, frame: int) -> None:
    """The published decomposition is random: its scores of eight seeds spread, ours lie among them."""
    grid = meta(recorded)["H"], meta(recorded)["W"]
    found = ours.score_self_heads(attention(recorded, frame), *grid)
    seeds = recorded["too_few/sa_scores_pca"][:, frame]
    slack = 0.15 * np.abs(seeds.mean(0))
    assert (found >= seeds.min(0) - slack).all() and (found <= seeds.max(0) + slack).all()
    assert found.argmax() == recorded["too_few/sa_selected_pca"][frame]


@pytest.mark.parametrize("frame", [0, 1])
def test_head_scores_where_the_decomposition_fails(recorded: Recorded, frame: int) -> None:
    """What the published code scores on a GPU; nothing random in it."""
    own = torch.from_numpy(attention(recorded, frame))
    first = own[..., :3] - own[..., :3].mean(-2, keepdim=True)
    found = score_heads(first, (meta(recorded)["H"], meta(recorded)["W"]), RELEASE.layout.published)
    np.testing.assert_allclose(found, recorded["too_few/sa_scores_fallback"][frame], rtol=2e-3)


@pytest.mark.parametrize("frame", [0, 1])
def test_clusters(recorded: Recorded, frame: int) -> None:
    head = recorded["too_few/sa_selected_pca"][frame]
    found = ours.cluster_labels(attention(recorded, frame)[head], meta(recorded)["H"], meta(recorded)["W"])
    expected = recorded["too_few/cluster_labels"][frame]
    assert len(np.unique(found)) == len(np.unique(expected))
    assert adjusted_rand_score(expected.ravel(), found.ravel()) > 0.99


def test_noun_response(recorded: Recorded) -> None:
    facts = meta(recorded)
    queries, keys, tokens = by_head(recorded, "cross_q"), by_head(recorded, "cross_k"), facts["nouns"][0]["tokens"]
    found = ours.cross_map(queries, keys, tokens, facts["F"], facts["H"], facts["W"])
    np.testing.assert_allclose(found, recorded["too_few/cats/ca_mean"], rtol=1e-4, atol=1e-7)
    split = torch.from_numpy(queries).unflatten(1, (facts["F"], -1)).transpose(0, 1)
    peak = noun_response(split, torch.from_numpy(keys), None, (tuple(tokens),), PAPER.layout)
    np.testing.assert_allclose(peak[0].flatten(), recorded["too_few/cats/ca_peak"].ravel(), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("frame", [0, 1])
def test_focus_and_layout(recorded: Recorded, frame: int) -> None:
    focus = ours.focus_mask(recorded["too_few/cats/ca_mean"][frame])
    assert np.array_equal(focus, recorded["too_few/cats/focus"][frame])
    layout, count = ours.build_layout(recorded["too_few/cluster_labels"][frame].astype(np.int32), focus)
    assert np.array_equal(layout, recorded["too_few/cats/layout"][frame])
    assert count == recorded["too_few/cats/count"][frame]


def test_focus_cases(recorded: Recorded) -> None:
    for response, expected in zip(recorded["focus_units/maps"], recorded["focus_units/masks"], strict=True):
        assert np.array_equal(ours.focus_mask(response), expected)


def test_the_share_of_a_cluster_is_inclusive(recorded: Recorded) -> None:
    layout, count = ours.build_layout(recorded["overlap_unit/labels"].astype(np.int32), recorded["overlap_unit/focus"])
    assert np.array_equal(layout, recorded["overlap_unit/layout"]) and count == recorded["overlap_unit/count"]


@pytest.mark.parametrize("case", ["too_few", "moving"])
def test_refinement_of_a_video(recorded: Recorded, case: str) -> None:
    target, earlier = meta(recorded, case)["nouns"][0]["target"], None
    for frame, expected in enumerate(json.loads(str(recorded[f"{case}/cats/added_centers"]))):
        layout, count = (recorded[f"{case}/cats/{name}"][frame] for name in ("layout", "count"))
        after, centres = ours.refine(layout.astype(np.int32), int(count), target, earlier)
        assert np.array_equal(after, recorded[f"{case}/cats/refined"][frame])
        assert centres == expected
        earlier = centres or None


def test_refinement_cases(recorded: Recorded) -> None:
    for name in recorded["units/names"]:
        given = json.loads(str(recorded[f"units/{name}/args"]))
        layout = recorded[f"units/{name}/layout"].astype(np.int32)
        after, centres = ours.refine(layout, given["count"], given["target"], given["prev"])
        assert np.array_equal(after, recorded[f"units/{name}/refined"]), name
        assert centres == given["result"], name


@pytest.mark.parametrize("step", STEPS)
def test_bias(recorded: Recorded, step: int) -> None:
    tokens = meta(recorded)["nouns"][0]["tokens"]
    refined = {"cats": recorded["too_few/cats/refined"].astype(np.int32)}
    found = ours.bias(by_head(recorded, "cross_q"), by_head(recorded, "cross_k"), refined, {"cats": tokens}, step)
    expected, columns = recorded[f"too_few/bias_step{step}"], recorded["too_few/bias_columns"]
    assert (found is None) == (expected.size == 0)
    if found is not None:
        np.testing.assert_allclose(found[:, columns], expected, rtol=1e-4, atol=1e-4)
        assert not np.delete(found, columns, axis=1).any()


@pytest.mark.parametrize("step", [0, 26])
def test_guided_attention(recorded: Recorded, step: int) -> None:
    refined = {"cats": recorded["too_few/cats/refined"].astype(np.int32)}
    parts = (by_head(recorded, f"cross_{name}") for name in ("q", "k", "v"))
    found = ours.modulated(*parts, refined, {"cats": meta(recorded)["nouns"][0]["tokens"]}, step)
    expected = recorded[f"too_few/modulated_output_step{step}"]
    np.testing.assert_allclose(found.transpose(1, 0, 2)[::8], expected, rtol=1e-3, atol=1e-4)


def test_strength_of_each_step(recorded: Recorded) -> None:
    np.testing.assert_allclose([ours.delta(step) for step in range(60)], recorded["delta"], rtol=0, atol=1e-12)


def test_tokens(recorded: Recorded) -> None:
    for row in json.loads(str(recorded["tokens/toy"])):
        found = ours.map_tokens(row["ids"], row["noun"], row["noun_ids_space"], row["noun_ids"], row["decoded"])
        assert found == row["indices"], row["prompt"]
