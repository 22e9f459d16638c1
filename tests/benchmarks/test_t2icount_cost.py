"""The cost benchmark: all ways count the same, and the figures say what they should."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from einops import rearrange
from headcount.core.t2icount.counting import CountSettings, count_picture

from benchmarks.lab.count_ways import (
    WAYS,
    as_published,
    idle_parts,
    noun_by_noun,
    random_work,
    this_pack,
    whole_matrices,
)
from benchmarks.lab.measures import operations
from benchmarks.t2icount_cost import OFFICIAL, PUBLISHED_PARAMETERS, TINY, main

CPU, META = torch.device("cpu"), torch.device("meta")


@torch.inference_mode()
def test_every_way_counts_the_same() -> None:
    work = random_work(TINY, 2, 2, CPU)
    counts = this_pack(work)
    assert counts.shape == (2, 2) and counts.min() > 0
    text = work.network.embed_text(work.tokens, work.mask)
    side_by_side = (rearrange(work.windows, "n c h w -> h (n w) c") + 1) / 2
    counted = count_picture(work.network, side_by_side, text, CountSettings("native"))
    torch.testing.assert_close(counted.numbers, counts.sum(1), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(noun_by_noun(work), counts, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(as_published(work), counts, rtol=1e-3, atol=1e-4)


def test_whole_matrices_are_attention() -> None:
    q, k, v = torch.randn(3, 1, 2, 5, 4, generator=torch.Generator().manual_seed(0))
    kept: list[torch.Tensor] = []
    for mask in (None, torch.full((5, 5), -torch.inf).triu(1)):
        expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        with whole_matrices(kept):
            found = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=0.0)
        torch.testing.assert_close(found, expected)
    assert [matrix.shape for matrix in kept] == [(1, 5, 5)] * 2


@torch.inference_mode()
def test_the_official_network_counts_with_all_of_itself() -> None:
    """At its real size, on shapes alone: nothing is idle, and more nouns cost no more encoder passes."""
    one, two = (random_work(OFFICIAL, 1, nouns, META) for nouns in (1, 2))
    assert idle_parts(one) == []
    built = sum(weight.numel() for weight in one.network.parameters())
    assert 0 < PUBLISHED_PARAMETERS - built < 0.003 * PUBLISHED_PARAMETERS
    shared, apart = (operations(lambda way=way: way(two)) for way in (this_pack, noun_by_noun))
    encoder = operations(lambda: one.network.encode(one.windows))
    assert apart - shared == pytest.approx(encoder, rel=1e-3)


def test_the_whole_table(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "cost.json"
    arguments = ["t2icount_cost", "--size", "tiny", "--windows", "1", "--rounds", "1", "--json", str(out)]
    monkeypatch.setattr("sys.argv", arguments)
    main()
    report, printed = json.loads(out.read_text()), capsys.readouterr().out
    rows = {row["way"]: row for row in report["rows"]}
    assert set(rows) == set(WAYS) and report["idle"] == []
    assert rows["this pack"]["operations"] < rows["noun by noun"]["operations"]
    assert rows["this pack"]["peak"] < 0.8 * rows["as published"]["peak"]
    assert all(
        row["seconds"] > 0 and row["windows_per_second"] * row["seconds"] == pytest.approx(2) for row in rows.values()
    )
    assert all(f"| {way} |" in printed for way in WAYS)
