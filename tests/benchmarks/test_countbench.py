"""CountBench: its files, its videos, its measures, and whole runs on drawn Shapes scenes."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from headcount.core.drawing import image_of
from headcount.core.errors import CountError
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from benchmarks.countbench import main
from benchmarks.countbench_parts.measures import (
    Measured,
    count_accuracy,
    groups,
    mean_differences,
    means,
    temporal_consistency,
)
from benchmarks.countbench_parts.prompts import Ask, read_asks
from benchmarks.countbench_parts.videos import frames_of, in_batches, match_videos
from benchmarks.lab.counters import ExactShapes
from benchmarks.lab.published_prompts import evenly
from benchmarks.lab.workflows import objects_line
from demo.scenes import Kind, Scene, random_scene

NOISE = np.random.default_rng(0).integers(0, 255, (3, 40, 64, 3), dtype=np.uint8)
ASKED = [{"circle": 3}, {"stars": 2, "square": 1}, {"hearts": 4}]


def ask(counts: dict[str, int], index: int = 1) -> Ask:
    return Ask(index, objects_line(counts), counts)


def scene(counts: dict[str, int], seed: int = 0) -> Scene:
    return random_scene(random.Random(seed), tuple(Kind(noun, count, "red") for noun, count in counts.items()))


def write_files(folder: Path, prompts: list[str], counts: list[Any]) -> list[str]:
    """Both files and the beginning of a command line that reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    files = folder / "prompts.txt", folder / "noun_counts.jsonl"
    files[0].write_text("\n".join(prompts) + "\n\n")
    files[1].write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in counts) + "\n")
    return ["--prompts", str(files[0]), "--counts", str(files[1])]


def read(folder: Path, prompts: list[str], counts: list[Any]) -> list[Ask]:
    line = write_files(folder, prompts, counts)
    return read_asks(Path(line[1]), Path(line[3]))


def write_video(file: Path, frames: list[np.ndarray], codec: str = "libx264") -> None:
    with av.open(str(file), "w") as container:
        stream = container.add_stream(codec, rate=16)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 4_000_000
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def test_asks_are_read(tmp_path: Path) -> None:
    counts = [{"cats": 3, "dogs": 2}, {"astronaut": 1}]
    asks = read(tmp_path, ["Three cats chase two dogs.", "A lone astronaut."], counts)
    assert [one.index for one in asks] == [1, 2] and [dict(one.counts) for one in asks] == counts
    assert [one.index for one in evenly(asks * 5, 4)] == [1, 1, 2, 2] and evenly(asks, 9) == asks


@pytest.mark.parametrize(
    ("prompts", "counts", "says"),
    [
        (["a cat", "a dog"], [{"cat": 1}], "2 prompts"),
        (["a cat", "", "a dog"], [{"cat": 1}, {"dog": 1}, {"dog": 1}], "prompts.txt:2"),
        (["a cat", "a dog"], [{"cat": 1}, "{"], "noun_counts.jsonl:2"),
        (["a cat"], [{"cat": 0}], "asks for 0 of 'cat'"),
        (["a cat"], [{"cat": True}], "asks for True"),
        (["a cat"], [{}], "noun_counts.jsonl:1"),
        (["a cat", "two dogs"], [{"cat": 1}, {"birds": 2}], "noun_counts.jsonl:2: none of birds"),
        ([], [], "is empty"),
    ],
)
def test_faulty_files_are_told(tmp_path: Path, prompts: list[str], counts: list[Any], says: str) -> None:
    with pytest.raises(CountError, match=says):
        read(tmp_path, prompts, counts)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["002_a.mp4", "001_b.webm", "video_003.mp4"], {1: "001_b.webm", 2: "002_a.mp4"}),
        (["video_003.mp4", "other.mp4", "video_001.mp4"], {1: "video_001.mp4", 3: "video_003.mp4"}),
        (["b_10.png", "b_9.png", "notes.txt", ".hidden.png"], {1: "b_9.png", 2: "b_10.png"}),
        (["001_a.mp4", "007_a.mp4"], {1: "001_a.mp4"}),
    ],
)
def test_videos_are_matched(tmp_path: Path, names: list[str], found: dict[int, str]) -> None:
    for name in names:
        (tmp_path / name).touch()
    assert {number: file.name for number, file in match_videos(tmp_path, 3).items()} == found


def test_videos_that_nobody_can_tell_apart(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    with pytest.raises(CountError, match="2 videos for 1 prompts"):
        match_videos(tmp_path, 1)
    for name in ("001_a.mp4", "001_b.mp4"):
        (tmp_path / name).touch()
    with pytest.raises(CountError, match="both of prompt 1"):
        match_videos(tmp_path, 4)
    with pytest.raises(CountError, match="no folder"):
        match_videos(tmp_path / "none", 1)


@pytest.mark.parametrize("codec", [("mp4", "libx264"), ("webm", "libvpx-vp9")])
def test_frames_of_a_video(tmp_path: Path, codec: tuple[str, str]) -> None:
    """Every frame comes back, in order, near enough that the exact counter sees what was drawn."""
    asked = [{"circle": count} for count in (1, 2, 3, 4)]
    drawn = [scene(counts, seed).picture for seed, counts in enumerate(asked)]
    file = tmp_path / f"discs.{codec[0]}"
    write_video(file, drawn, codec[1])
    frames = list(frames_of(file))
    assert len(frames) == 4 and all(frame.shape == (128, 128, 3) for frame in frames)
    assert all(np.abs(frame.astype(int) - picture).mean() < 8 for frame, picture in zip(frames, drawn, strict=True))
    assert ExactShapes().count(image_of(np.stack(frames)), ["circles"]).rounded.tolist() == [[1], [2], [3], [4]]


def test_frames_of_pictures(tmp_path: Path) -> None:
    pictures = [Image.fromarray(frame) for frame in NOISE]
    (tmp_path / "frames").mkdir()
    for number, picture in zip((9, 10, 11), pictures, strict=True):
        picture.save(tmp_path / "frames" / f"{number}.png")
    pictures[0].save(tmp_path / "moving.webp", save_all=True, append_images=pictures[1:], lossless=True)
    pictures[0].convert("RGBA").save(tmp_path / "one.png")
    for name, expected in (("frames", NOISE), ("moving.webp", NOISE), ("one.png", NOISE[:1])):
        assert np.array_equal(np.stack(list(frames_of(tmp_path / name))), expected), name


def test_damaged_videos_are_told(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.png"):
        (tmp_path / name).write_bytes(b"no video")
        with pytest.raises(CountError, match=f"{name} cannot be read"):
            list(frames_of(tmp_path / name))


def test_batches_hold_frames_of_one_size() -> None:
    frames = [*NOISE, NOISE[0, :20], *NOISE]
    assert [batch.shape for batch in in_batches(frames, 2)] == [
        *((2, 40, 64, 3), (1, 40, 64, 3)), (1, 20, 64, 3), *((2, 40, 64, 3), (1, 40, 64, 3)),
    ]  # fmt: skip
    assert np.array_equal(np.concatenate(list(in_batches(NOISE, 2))), NOISE)


@given(st.integers(1, 6), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_measures_equal_plain_loops(frames: int, nouns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts, asked = rng.integers(0, 3, (frames, nouns)), rng.integers(1, 3, nouns).tolist()
    scores = [sum(seen == wanted for seen, wanted in zip(row, asked, strict=True)) / nouns for row in counts.tolist()]
    assert count_accuracy(counts, asked) == pytest.approx(sum(scores) / frames)
    equal = [counts[f, k] == counts[f + 1, k] for f in range(frames - 1) for k in range(nouns)]
    expected = sum(equal) / len(equal) if equal else None
    assert temporal_consistency(counts) == (expected if expected is None else pytest.approx(expected))


def test_means_by_hand() -> None:
    """Three cats and one dog over two frames, one dog over one frame, and one video that is not there."""
    first = Measured(ask({"cats": 3, "dog": 1}), "1.mp4", np.array([[3, 1], [2, 1]]), clip=(20.0, 40.0))
    second = Measured(ask({"dog": 1}, 2), "2.png", np.array([[2]]), clip=(10.0,))
    lost = Measured(ask({"cats": 3}, 3), None, np.zeros((1, 1), np.int64), clip=(0.0,))
    assert first.measures() == {"accuracy": 0.75, "consistency": 0.5, "clip": 30.0}
    assert first.measures(3) == {"accuracy": 0.5, "consistency": 0.0, "clip": None}
    assert second.measures() == {"accuracy": 0.0, "consistency": None, "clip": 10.0}

    table = groups([first, second])
    assert list(table) == ["all", "asked 1", "asked 3", "1 noun", "2 nouns"]
    means_of = {
        name: {key: mean and (mean.mean, mean.count) for key, mean in row.items()} for name, row in table.items()
    }
    assert means_of["all"] == {"accuracy": (0.375, 2), "consistency": (0.5, 1), "clip": (20.0, 2)}
    assert means_of["asked 1"] == {"accuracy": (0.5, 2), "consistency": (1.0, 1), "clip": None}
    assert means_of["asked 3"] == {"accuracy": (0.5, 1), "consistency": (0.0, 1), "clip": None}
    assert means_of["1 noun"]["accuracy"] == (0.0, 1) and means_of["2 nouns"]["accuracy"] == (0.75, 1)

    with_lost = means([first, second, lost])
    assert with_lost["accuracy"].mean == pytest.approx(0.25) and with_lost["clip"].mean == pytest.approx(40 / 3)
    low, high = with_lost["accuracy"].interval
    assert (low, high) == (0.0, 0.75) and means([first])["accuracy"].interval is None
    gain = mean_differences([first.measures(), second.measures()], [lost.measures()] * 2)
    assert gain["accuracy"].mean == 0.375 and gain["consistency"].count == 1


def shapes_line(folder: Path) -> list[str]:
    files = write_files(folder, [objects_line(counts) for counts in ASKED], ASKED)
    return [*files, "--videos", str(folder / "videos"), "--out", str(folder / "out"), "--device", "cpu"]


def results(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "out" / "results.json").read_text())


def drawn(index: int, seed: int = 0) -> np.ndarray:
    return scene({noun.removesuffix("s"): count for noun, count in ASKED[index].items()}, seed).picture


def test_drawn_scenes_are_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = [*shapes_line(tmp_path), "--detector", "shapes"]
    videos = tmp_path / "videos"
    (videos / "003_frames").mkdir(parents=True)
    write_video(videos / "001_circles.mp4", [drawn(0, seed) for seed in range(3)])
    Image.fromarray(drawn(1)).save(videos / "002_stars.png")
    for seed in range(2):
        Image.fromarray(drawn(2, seed)).save(videos / "003_frames" / f"{seed}.png")
    main(line)
    everything = results(tmp_path)
    assert everything["groups"]["all"]["accuracy"] == {"mean": 1.0, "interval": [1.0, 1.0], "videos": 3}
    assert (
        everything["groups"]["all"]["consistency"]["videos"] == 2
        and everything["groups"]["asked 4"]["accuracy"]["mean"] == 1
    )
    assert everything["videos"][1]["counted"] == {"stars": [2], "square": [1]} and everything["missing"] == []
    printed = capsys.readouterr().out
    assert "| all | 3 | 100.0% (100.0% to 100.0%) | 100.0% (100.0% to 100.0%) |" in printed
    assert printed == (tmp_path / "out" / "report.md").read_text()

    first = tmp_path / "first.json"
    (tmp_path / "out" / "results.json").rename(first)
    Image.fromarray(drawn(0)).save(videos / "002_stars.png")
    main([*line, "--against", str(first)])
    wrong = results(tmp_path)
    assert wrong["videos"][1]["accuracy"] == 0 and wrong["groups"]["all"]["accuracy"]["mean"] == pytest.approx(2 / 3)
    assert wrong["against"]["all"]["accuracy"]["mean"] == pytest.approx(-1 / 3)
    assert "| all | 3 | -33.3% (-100.0% to +0.0%) | +0.0% (+0.0% to +0.0%) |" in capsys.readouterr().out


def test_runs_that_cannot_be_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = [*shapes_line(tmp_path), "--detector", "shapes", "--against", str(tmp_path / "other.json")]
    (tmp_path / "videos").mkdir()
    Image.fromarray(drawn(0)).save(tmp_path / "videos" / "001_.png")
    base = {"folder": "other", "counter": "exact counter of the Shapes scenes", "clip": None, "videos": []}
    for other, says in (
        ({**base, "counter": "another"}, "measured with another"),
        (base, "none of this run's prompts"),
        ({}, "holds no results"),
    ):
        (tmp_path / "other.json").write_text(json.dumps(other))
        with pytest.raises(SystemExit):
            main(line)
        assert says in capsys.readouterr().err


def test_missing_videos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = [*shapes_line(tmp_path), "--detector", "shapes"]
    (tmp_path / "videos").mkdir()
    with pytest.raises(SystemExit):
        main(line)
    assert "has no video of any prompt" in capsys.readouterr().err
    Image.fromarray(drawn(1)).save(tmp_path / "videos" / "002_.png")
    main(line)
    assert results(tmp_path)["groups"]["all"]["accuracy"]["mean"] == 1.0
    assert "2 prompts have no video and are left out: 1, 3" in capsys.readouterr().out
    main([*line, "--missing", "zero"])
    assert results(tmp_path)["groups"]["all"]["accuracy"]["mean"] == pytest.approx(1 / 3)
    assert "are scored 0: 1, 3" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main([*line, "--device", "nowhere"])
    assert "--device nowhere" in capsys.readouterr().err
