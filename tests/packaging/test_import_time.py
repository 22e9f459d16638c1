"""The table of `python -m benchmarks.import_time`."""

from __future__ import annotations

from benchmarks.import_time import Start, report


def test_medians_side_by_side() -> None:
    without = [Start(10.0, 6.0, None), Start(12.0, 8.0, None), Start(90.0, 7.0, None)]
    with_pack = [Start(13.0, 7.5, 0.3), Start(12.5, 7.2, 0.2), Start(11.0, 9.0, 0.9)]
    _, _, wall, processor, named = report(without, with_pack).splitlines()
    assert wall == "| wall clock | 12.00 | 12.50 | +0.50 |"
    assert processor == "| processor | 7.00 | 7.50 | +0.50 |"
    assert named == "ComfyUI's own figure for the pack's import: 0.3 s (3 starts each)"
