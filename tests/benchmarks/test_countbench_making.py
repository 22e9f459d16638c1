"""CountBench: how videos are made in a running ComfyUI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import pytest
from headcount.core.errors import CountError
from headcount.core.prompts.objects_line import find_objects
from PIL import Image

from benchmarks.countbench import main
from benchmarks.countbench_parts.videos import frames_of
from benchmarks.lab.workflows import filled, prompt_input, read_workflow, shown_files
from demo.server import ComfyServer

from .test_countbench import results, shapes_line

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = {
    "1": {"class_type": "Loader", "inputs": {"name": "model"}, "_meta": {"title": "Load"}},
    "2": {
        "class_type": "CountPrompt",
        "inputs": {"text": "old", "objects": "", "clip": ["1", 1]},
        "_meta": {"title": "Prompt"},
    },
    "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "ugly", "clip": ["1", 1]}, "_meta": {"title": "Negative"}},
    "4": {"class_type": "KSampler", "inputs": {"seed": 7, "positive": ["2", 0]}},
    "5": {"class_type": "Sampler", "inputs": {"noise_seed": ["4", 0]}},
}


def test_workflow_is_filled() -> None:
    place = prompt_input(WORKFLOW, None)
    assert place == ("2", "text") and prompt_input(WORKFLOW, "3.text") == ("3", "text")
    before = json.dumps(WORKFLOW)
    new = filled(WORKFLOW, place, "Two cats and a dog.", {"cats": 2, "dog": 1}, seed=5, name="other", clip="none")
    assert new["1"]["inputs"] == {"name": "other"}
    assert new["2"]["inputs"] == {"text": "Two cats and a dog.", "objects": "2 cats, 1 dog", "clip": ["1", 1]}
    assert new["4"]["inputs"]["seed"] == 5 and new["5"]["inputs"]["noise_seed"] == ["4", 0]
    assert new["3"] == WORKFLOW["3"] and json.dumps(WORKFLOW) == before
    found = find_objects("Two cats and a dog.", new["2"]["inputs"]["objects"])
    assert [(one.item.noun, one.item.count) for one in found] == [("cats", 2), ("dog", 1)]


def test_workflow_without_a_prompt_is_told() -> None:
    with pytest.raises(CountError, match=r"no input '9.text'.*2.text \(Prompt\), 3.text \(Negative\)"):
        prompt_input(WORKFLOW, "9.text")
    untitled = {**WORKFLOW, "2": {**WORKFLOW["2"], "_meta": {"title": "Positive"}}}
    with pytest.raises(CountError, match="0 nodes with text"):
        prompt_input(untitled, None)


def test_files_of_a_run() -> None:
    def files(kind: str, *names: str) -> dict[str, Any]:
        return {"images": [{"filename": name, "subfolder": "", "type": kind} for name in names], "animated": [True]}

    preview, video = files("temp", "a.png"), files("output", "a.mp4")
    assert shown_files({"1": preview, "2": video, "3": {"text": ["done"]}}, None) == video["images"]
    assert shown_files({"1": preview, "2": video}, "1") == preview["images"]
    assert len(shown_files({"1": files("output", "a.png", "b.png")}, None)) == 2
    for outputs, says in (
        ({"1": video, "2": video}, "--output-node"),
        ({"1": files("output", "a.mp4", "b.mp4")}, "2 videos at once"),
        ({"1": {"text": ["done"]}}, "no video"),
    ):
        with pytest.raises(CountError, match=says):
            shown_files(outputs, None)


def shapes_workflow(saver: str) -> dict[str, Any]:
    """Three pictures of the Shapes model, saved as pictures or as a video."""
    conditioning = {"clip": ["1", 1], "text": ""}
    sampling = {"steps": 2, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0, "seed": 0}
    links = {"model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0]}
    video = {"video": ["8", 0], "filename_prefix": "countbench", "format": "auto", "codec": "auto"}
    saved = video if saver == "SaveVideo" else {"images": ["6", 0], "filename_prefix": "countbench"}
    nodes = {
        "1": ("HeadcountLoadShapesDemoModel", {}),
        "2": ("HeadcountCountPrompt", {**conditioning, "objects": ""}),
        "3": ("CLIPTextEncode", conditioning),
        "4": ("EmptyLatentImage", {"width": 128, "height": 128, "batch_size": 3}),
        "5": ("KSampler", {**links, **sampling}),
        "6": ("VAEDecode", {"samples": ["5", 0], "vae": ["1", 2]}),
        "7": ("PreviewImage", {"images": ["6", 0]}),
        "8": ("CreateVideo", {"images": ["6", 0], "fps": 8.0}),
        "9": (saver, saved),
    }
    titles = {"2": "prompt", "3": "negative"}
    return {
        node: {"class_type": kind, "inputs": inputs, "_meta": {"title": titles.get(node, kind)}}
        for node, (kind, inputs) in nodes.items()
    }


@pytest.mark.server
@pytest.mark.parametrize(("saver", "named"), [("SaveVideo", "{}_countbench_*_.mp4"), ("SaveImage", "{}_frames")])
def test_videos_are_made(
    tmp_path: Path, server: ComfyServer, capsys: pytest.CaptureFixture[str], saver: str, named: str
) -> None:
    """The Shapes model in a real ComfyUI: videos are made once, those of another seed need another folder."""
    (tmp_path / "workflow.json").write_text(json.dumps(shapes_workflow(saver)))
    line = [*shapes_line(tmp_path), "--detector", "shapes", "--workflow", str(tmp_path / "workflow.json")]
    line += ["--servers", f"http://127.0.0.1:1,{server.address}", "--limit", "2"]
    main(line)
    videos = tmp_path / "videos"
    # Which prompt is made first depends on which one the absent server gives back, and ComfyUI's own number with it.
    made = [path for number in ("001", "002") for path in videos.glob(named.format(number))]
    assert sorted(videos.iterdir()) == [*made, videos / "made_by.json"] and len(made) == 2, capsys.readouterr().err
    assert [len(list(frames_of(video))) for video in made] == [3, 3]
    made_from = _workflow_in(made[1])
    assert made_from["2"]["inputs"]["text"] == made_from["2"]["inputs"]["objects"] == "2 stars, 1 square"
    assert made_from["5"]["inputs"]["seed"] == 1
    assert [len(row["counted"]) for row in results(tmp_path)["videos"]] == [1, 2] and results(tmp_path)["missing"] == []
    assert "made 2 of 2" in capsys.readouterr().err
    main(line)
    assert "made" not in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*line, "--seed", "2"])
    assert "another seed" in capsys.readouterr().err


def _workflow_in(video: Path) -> dict[str, Any]:
    """The workflow that ComfyUI writes into what it saves."""
    if video.is_dir():
        with Image.open(video / "00001.png") as picture:
            return json.loads(picture.info["prompt"])
    with av.open(str(video)) as container:
        return json.loads(container.metadata["prompt"])


@pytest.mark.server
def test_workflow_of_the_page_is_read(tmp_path: Path, server: ComfyServer) -> None:
    workflow = read_workflow(ROOT / "workflows" / "Shapes - the right number.json", [server.address])
    (node,) = [node for node, placed in workflow.items() if placed["class_type"] == "HeadcountCountPrompt"]
    assert prompt_input(workflow, f"{node}.text") == (node, "text")
    (tmp_path / "unknown.json").write_text('{"nodes": [{"id": 1, "type": "NoSuchNode"}], "links": []}')
    with pytest.raises(CountError, match="no 'NoSuchNode'"):
        read_workflow(tmp_path / "unknown.json", [server.address])


def test_no_workflow(tmp_path: Path) -> None:
    for content in ("{", "[]", "{}", '{"1": {"inputs": {}}}'):
        (tmp_path / "workflow.json").write_text(content)
        with pytest.raises(CountError, match="workflow"):
            read_workflow(tmp_path / "workflow.json", [])


def test_foreign_videos_are_not_mixed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = [*shapes_line(tmp_path), "--detector", "shapes", "--workflow", str(tmp_path / "workflow.json")]
    (tmp_path / "workflow.json").write_text(json.dumps(WORKFLOW))
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "001_a.mp4").touch()
    with pytest.raises(SystemExit):
        main(line)
    assert "not made by this command" in capsys.readouterr().err


def test_no_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "workflow.json").write_text(json.dumps(WORKFLOW))
    line = [*shapes_line(tmp_path), "--detector", "shapes", "--workflow", str(tmp_path / "workflow.json")]
    with pytest.raises(SystemExit):
        main([*line, "--servers", "http://127.0.0.1:1"])
    assert "no ComfyUI answers at http://127.0.0.1:1" in capsys.readouterr().err
