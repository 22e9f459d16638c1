"""The results as JSON and as Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from headcount.core.errors import CountError

from ..lab.statistics import Mean
from ..lab.tables import table, with_interval
from .measures import MEASURES, Measured, groups, mean_differences

Figures = Mapping[str, Any]
_HEADS = {"accuracy": "CountAcc", "consistency": "TC", "clip": "CLIP"}
_MEANING = {
    "accuracy": "CountAcc: share of the nouns that a frame shows exactly as often as asked, mean over frames, then over videos",
    "consistency": "TC: share of neighbouring frames with the same count of a noun, mean over nouns, then over videos",
    "clip": "CLIP: 100 times the cosine of frame and prompt, at least 0, mean over frames, then over videos",
}
_GROUPS = (
    "asked 3: only the nouns that were asked three times, a video's mean over them; 2 nouns: only prompts with two nouns",
    "in brackets: 95 % bootstrap intervals over videos",
)


@dataclass(frozen=True)
class Origin:
    """Where results come from.

    Attributes:
        folder: of the videos.
        counter: name of the counter.
        clip: name of the CLIP, or None.
        missing: numbers of the prompts without a video.
        missing_are: "skip" or "zero".
        refused: of the missing ones, number -> why a node refused it.
    """

    folder: str
    counter: str
    clip: str | None
    missing: tuple[int, ...]
    missing_are: str
    refused: Mapping[int, str] = field(default_factory=dict)


def figures(origin: Origin, videos: Sequence[Measured], other: Figures | None = None) -> dict[str, Any]:
    """Everything, ready for JSON.

    Args:
        origin: of `videos`.
        videos: at least one.
        other: figures of another run, to be compared on the prompts that both have.

    Returns:
        entries of `origin`; "groups" -> group -> measure -> mean, interval, videos (shares are 0 to 1, CLIP 0 to 100);
        "videos", each with its counts noun by noun and frame by frame; "against", where there is another.

    Raises:
        CountError: the other run counted in another way, or has no prompt of this one.
    """
    rows = [_row(video) for video in videos]
    content = {
        **asdict(origin),
        "groups": {name: _plain(group) for name, group in groups(videos).items()},
        "videos": rows,
    }
    if other is not None:
        content["against"] = {"folder": other["folder"], "all": _difference(content, other)}
    return content


def _row(video: Measured) -> dict[str, Any]:
    counted = dict(zip(video.ask.counts, video.counts.T.tolist(), strict=True)) if video.file else None
    return {**asdict(video.ask), "file": video.file, "counted": counted, **video.measures()}


def _plain(means: Mapping[str, Mean | None]) -> dict[str, Any]:
    return {
        name: mean and {"mean": mean.mean, "interval": mean.interval, "videos": mean.count}
        for name, mean in means.items()
    }


def _difference(own: Figures, other: Figures) -> dict[str, Any]:
    for name in ("counter", "clip"):
        if own[name] != other[name] and None not in (own[name], other[name]):
            raise CountError(
                f"--against was measured with {other[name]}, and this run with {own[name]}. Measure both alike"
            )
    known = {row["prompt"]: row for row in other["videos"]}
    rows = [row for row in own["videos"] if row["prompt"] in known]
    if not rows:
        raise CountError(f"--against has none of this run's prompts, but such as {next(iter(known), 'none')!r}")
    return _plain(mean_differences(rows, [known[row["prompt"]] for row in rows]))


def read_figures(file: Path) -> Figures:
    """Figures that an earlier run wrote.

    Raises:
        CountError: the file is none of these.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CountError(f"{file} cannot be read: {error}. Give results.json of another run") from error
    if not isinstance(content, dict) or not {"folder", "counter", "clip", "videos"} <= content.keys():
        raise CountError(f"{file} holds no results. Give results.json of another run")
    return content


def render(content: Figures) -> list[str]:
    """Lines of Markdown."""
    shown = [name for name in MEASURES if content["groups"]["all"][name] is not None]
    lines = [f"## CountBench: {content['folder']}", "", f"counted by {content['counter']}"]
    if content["clip"]:
        lines.append(f"CLIP scores by {content['clip']}")
    if content["missing"]:
        many, what = len(content["missing"]), {"skip": "left out", "zero": "scored 0"}[content["missing_are"]]
        numbers = ", ".join(map(str, content["missing"]))
        lines.append(
            f"{many} prompt{' has' if many == 1 else 's have'} no video and {'is' if many == 1 else 'are'} {what}: {numbers}"
        )
    lines += [f"- prompt {index} was refused by {why}" for index, why in content.get("refused", {}).items()]
    lines += ["", *_table("videos", content["groups"], shown)]
    if "against" in content:
        lines += ["", f"Difference to {content['against']['folder']}, prompt by prompt:", ""]
        lines += _table("prompts", {"all": content["against"]["all"]}, shown, "+")
    return [*lines, "", *(f"- {line}" for line in (*(_MEANING[name] for name in shown), *_GROUPS))]


def _table(counted: str, groups: Mapping[str, Figures], shown: Sequence[str], sign: str = "") -> list[str]:
    rows = []
    for group, means in groups.items():
        videos = max((mean["videos"] for mean in means.values() if mean), default=0)
        rows.append([group, videos, *(_cell(name, means[name], sign) for name in shown)])
    return table(["", counted, *(_HEADS[name] for name in shown)], rows)


def _cell(name: str, mean: Figures | None, sign: str) -> str:
    form = f"{sign}.1f" if name == "clip" else f"{sign}.1%"
    return "-" if mean is None else with_interval(form, mean["mean"], mean["interval"])
