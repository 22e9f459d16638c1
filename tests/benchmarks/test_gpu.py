"""The GPU benchmark without a GPU: its parts run on small models, it goes on where it ended, and its checks can fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import comfy.model_management
import pytest
import torch
from headcount.bridge.gradients import recast_weights as recast_weights
from headcount.core.isac.anchored import AnchoredObjective

from benchmarks.gpu import main
from benchmarks.gpu_parts import costs, gradients, memory, precision
from benchmarks.gpu_parts.all_parts import CHECKS, parts_for
from benchmarks.gpu_parts.compared import RELATIVE
from benchmarks.gpu_parts.parts import Finding, Part, Record, Results, markdown, run_parts
from benchmarks.lab.steps import AttendAndExcite, Mode, Row, paper

CPU = torch.device("cpu")
MACHINE = {"device": "a test"}


def command(out: Path, *more: str) -> int:
    return main(["--device", "cpu", "--models", "tiny", "--out", str(out), *more])


def test_all_parts_on_a_cpu_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "gpu.json"
    assert command(out) == 0
    printed, written = capsys.readouterr().out, json.loads(out.read_text())
    states = {name: record["state"] for name, record in written["parts"].items()}
    expected = {part.name: "needs a GPU" if part.needs_gpu else "done" for part in parts_for(["tiny"])}
    assert states == expected and list(expected.values()).count("needs a GPU") == 2
    short = [one for part in written["parts"].values() for one in part["findings"] if one["passed"] is False]
    assert short == [] and written["machine"]["device"] == "CPU"
    for part in parts_for(["tiny"]):
        assert (f"## {part.title}" in printed) is not part.needs_gpu
        assert f"\n{part.name}: done" in f"\n{printed}" or part.needs_gpu
    before = out.read_bytes()
    assert command(out) == 0
    again = capsys.readouterr().out
    assert out.read_bytes() == before
    assert again.strip() == printed[printed.index("# Headcount on") :].strip(), "the tables, and nothing run"


@pytest.fixture
def results(tmp_path: Path) -> Callable[[], Results]:
    """Opens the same file anew."""
    return lambda: Results(tmp_path / "gpu.json", MACHINE)


def part(name: str, run: Callable[[], list[Finding]], seconds: float = 1.0) -> Part:
    return Part(name, f"Title of {name}", seconds, lambda _: run())


def test_a_part_that_fails_does_not_stop_the_others(results: Callable[[], Results]) -> None:
    ran, said, good = [], [], [Finding("it", {"ms": 1.5}, "2 ms", True)]

    def fails() -> list[Finding]:
        ran.append("first")
        if len(ran) < 4:
            raise KeyError("no such | layer")
        return good

    parts = [part("first", fails), part("second", lambda: (ran.append("second"), good)[1])]
    assert run_parts(parts, CPU, results(), 60, said.append, code="abc") == []
    kept = results()
    assert ran == ["first", "second"] and [line.split(":")[0] for line in said] == ran
    first, second = kept.records["first"], kept.records["second"]
    assert first.state == "failed" and "KeyError: 'no such | layer' (test_gpu.py:" in first.error
    assert (second.state, second.findings, second.code) == ("done", good, "abc")
    run_parts(parts, CPU, kept, 60, said.append)
    assert len(ran) == 2, "what is in the file is not run again"
    for state in ("failed", "done"):
        kept.forget_failed()
        run_parts(parts, CPU, kept, 60, said.append)
        assert ran[2:] == ["first"] * (len(ran) - 2) and kept.records["first"].state == state
    assert "| it | 1.5 | 2 ms | yes |" in markdown(kept, parts)


def test_no_part_is_begun_that_would_not_be_over_in_time(results: Callable[[], Results]) -> None:
    now, ran = [100.0], []

    def takes(name: str, seconds: float) -> Callable[[], list[Finding]]:
        def run() -> list[Finding]:
            ran.append(name)
            now[0] += seconds
            return []

        return run

    parts = [
        part("as expected", takes("as expected", 10), 10),
        part("long", takes("long", 100), 91),
        part("slow", takes("slow", 50), 10),
        part("short", takes("short", 10), 10),
        part("shortest", takes("shortest", 1), 5),
    ]
    left = run_parts(parts, CPU, results(), 100, lambda _: None, lambda: now[0])
    # After 60 of 100 seconds parts have taken three times what they should: 10 stand for 30, which fit; then 5 for 12.
    assert ran == ["as expected", "slow", "short", "shortest"] and left == ["long"]
    assert run_parts(parts, CPU, results(), 90, lambda _: None, lambda: now[0]) == ["long"]
    assert run_parts(parts, CPU, results(), 91, lambda _: None, lambda: now[0]) == [] and ran[-1] == "long"


def test_no_time_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(tmp_path / "gpu.json", "--minutes", "0", "--only", "alias", "exit") == 0
    assert "No time was left for alias, exit: the same command goes on with them." in capsys.readouterr().out
    assert not (tmp_path / "gpu.json").exists()


def test_a_device_that_is_gone(results: Callable[[], Results], monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in a CUDA kernel leaves a process that can do nothing more; what was found before is kept."""
    ran, said = [], []

    def breaks() -> list[Finding]:
        monkeypatch.setattr(comfy.model_management, "soft_empty_cache", gone)
        raise RuntimeError("device-side assert triggered")

    def gone() -> None:
        raise RuntimeError("device-side assert triggered")

    parts = [part("breaks", breaks), part("next", lambda: ran.append("next") or [])]
    kept = results()
    assert run_parts(parts, CPU, kept, 60, said.append) == ["next"]
    assert not ran and kept.records["breaks"].state == "failed" and "no more work" in said[-1]


def test_figures_of_two_machines_are_not_mixed(results: Callable[[], Results], tmp_path: Path) -> None:
    results().add("it", Record("done"))
    with pytest.raises(ValueError, match="another --out"):
        Results(tmp_path / "gpu.json", {"device": "another"})
    with pytest.raises(SystemExit, match="another --out"):
        command(tmp_path / "gpu.json")


@pytest.mark.parametrize(("option", "value"), [("--models", "sd15,sd9"), ("--only", "nothing")])
def test_unknown_names(option: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=f"{option} has .*; there are"):
        main(["--device", "cpu", "--out", str(tmp_path / "gpu.json"), option, value])


def test_a_device_that_comfyui_does_not_work_on(tmp_path: Path) -> None:
    """With a GPU, too: this process's ComfyUI was started for the CPU."""
    with pytest.raises(SystemExit, match="give --device cpu"):
        main(["--device", "cuda", "--out", str(tmp_path / "gpu.json")])


def test_parts_have_names_of_their_own_and_fit_into_nine_minutes() -> None:
    parts = parts_for(["sd15", "sdxl", "sd35m"])
    assert len({one.name for one in parts}) == len(parts) == len(CHECKS) + 3
    assert sum(one.seconds for one in parts) < 9 * 60


def findings(check: Callable[..., list[Finding]], *given: Any) -> list[bool | None]:
    with torch.inference_mode():
        return [one.passed for one in check(*given, CPU)]


def test_a_wrong_gradient_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scale that comes in twice in backward."""
    one = {"cast": precision.PRECISIONS["fp8 cast to fp16"]}
    monkeypatch.setattr(precision, "PRECISIONS", one)
    assert findings(precision.precision, "SD 1.5") == [True, True, None]

    def doubled(layer: Any, gradient: torch.Tensor, _: Any) -> torch.Tensor:
        with recast_weights._cast(layer, gradient) as weight:
            return 2 * gradient @ weight

    monkeypatch.setattr(recast_weights, "_linear", doubled)
    assert findings(precision.precision, "SD 1.5") == [False, False, None]


def test_a_copy_in_place_of_an_alias_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradients, "autograd_view", lambda tensor: tensor.clone())
    assert findings(gradients.alias) == [False] * 6


def test_weights_that_are_cast_call_by_call() -> None:
    """What can be had of the offload check on a CPU: the numbers. Weights in two places it can only ask for."""
    with torch.inference_mode():
        found = memory.offloaded("SD 3.5", CPU)
    assert [one.figures[RELATIVE] for one in found] == [0, 0, 0]
    assert [one.passed for one in found] == [False] * 3 and found[0].figures["of the weights in RAM"] == "100%"


EXACT, FAST = Mode(AnchoredObjective), Mode(AnchoredObjective, share=0.4)
PAPER, EXCITE = Mode(paper), Mode(AttendAndExcite)
LOW, DENSE, RECORDING = Mode(AnchoredObjective, "low"), Mode(AnchoredObjective, dense=True), Mode(None)


@pytest.mark.parametrize(
    ("mode", "ratio", "extra", "passed"),
    [
        (PAPER, 2.30, 0.79, True),
        (PAPER, 2.32, 0.79, False),
        (EXACT, 9.0, 0.79, True),
        (EXACT, 1.5, 0.81, False),
        (EXCITE, 9.0, 9.0, None),
        (FAST, 1.49, 0.1, True),
        (FAST, 1.51, 0.1, False),
        (LOW, 9.0, 0.34, True),
        (LOW, 1.0, 0.36, False),
        (RECORDING, 1.09, 0.0, True),
        (RECORDING, 1.11, 0.0, False),
        (DENSE, 9.0, 9.0, None),
    ],
)
def test_bars_of_the_design(mode: Mode, ratio: float, extra: float, passed: bool | None) -> None:
    plain = Row("plain", 1.0, 1.0, 1.0, 2 * 10**9)
    row = Row("it", ratio, ratio, ratio, plain.peak + int(extra * 1e9))
    assert costs._finding("sd15", row, mode, plain).passed is passed
    assert costs._finding("tiny", row, mode, plain).passed is None
