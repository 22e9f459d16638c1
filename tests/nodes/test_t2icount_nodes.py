"""The T2ICount nodes: by themselves, and in the real server, where one count per picture and noun goes on as a list."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import folder_paths
import pytest
import torch
from headcount.bridge.t2icount.loaded import LoadedCounter
from headcount.core.counting.check import check_counts
from headcount.core.counting.wording import count_words
from headcount.core.errors import CountError
from headcount.core.prompts import CountedObject, Counts
from headcount.core.t2icount.counting import CountSettings, count_picture
from headcount.nodes.load_t2icount_model import LoadT2ICountModel
from headcount.nodes.t2icount_counter import T2ICountCounter
from torch import Tensor

from demo.server import ComfyServer

from ..helpers.counters import UNTRAINED, model_folder, untrained_counter, write_untrained

DOCS = Path(__file__).resolve().parents[2] / "web" / "docs"
NAMES = ("count", "exact", "density", "overlay", "similarity", "boxes", "counted", "table", "masks")
KINDS = ("features", "attention")  # of the output similarity
ASKED = Counts("", (CountedObject("star", 1, ("red",)), CountedObject("circles", 2)))


@pytest.fixture(scope="module")
def counter() -> LoadedCounter:
    return untrained_counter()


def image(count: int = 2) -> Tensor:
    return torch.rand(count, 128, 150, 3, generator=torch.Generator().manual_seed(0))


def run(counter: LoadedCounter, given: Tensor, text: str = "", **more: Any) -> dict[str, Any]:
    with torch.inference_mode():
        out = T2ICountCounter.execute(counter, given, text, more.pop("scale", "short side"), **more)
    return {**dict(zip(NAMES, out.args, strict=True)), "ui": out.ui}


def test_everything_has_all_nouns_of_the_first_picture_first(counter: LoadedCounter) -> None:
    given = image()
    found = run(counter, given, "circles, red stars, moons")
    counted = found["counted"]
    assert counted.nouns == ("circles", "red stars", "moons")
    assert found["exact"] == counted.numbers.flatten().tolist() and len(found["exact"]) == 6
    assert found["count"] == [int(number + 0.5) for number in found["exact"]]
    assert found["density"].shape == found["similarity"].shape == (6, 128, 150)
    torch.testing.assert_close(found["density"].sum((1, 2)), counted.numbers.flatten(), rtol=1e-4, atol=1e-4)
    assert found["similarity"].min() >= 0 and found["similarity"].max() <= 1
    assert found["overlay"].shape == (6, 128, 150, 3) and found["overlay"].min() >= 0 and found["overlay"].max() <= 1
    alone = run(counter, given[1:], "red stars")
    assert alone["exact"][0] == pytest.approx(found["exact"][4], rel=1e-4)
    torch.testing.assert_close(alone["density"][0], found["density"][4], rtol=1e-3, atol=1e-6)


def test_windows_that_overlap(counter: LoadedCounter) -> None:
    """With a stride of one window, or more, they lie side by side, as published."""
    given, window = image(1), counter.network.config.window
    published = run(counter, given, "circles")
    alike, wider = (run(counter, given, "circles", stride=stride) for stride in (window, 9 * window))
    assert published["exact"] == alike["exact"] == wider["exact"]
    network, (tokens, mask) = counter.network, counter._words.tokens(["circles"])
    with torch.inference_mode():
        expected = count_picture(network, given[0], network.embed_text(tokens, mask), CountSettings(stride=8))
    overlapping = run(counter, given, "circles", stride=8)
    assert overlapping["exact"][0] == pytest.approx(float(expected.numbers), rel=1e-4)
    assert overlapping["exact"][0] != pytest.approx(published["exact"][0], rel=1e-4)


def test_the_similarity_can_be_the_attention(counter: LoadedCounter) -> None:
    """Nothing else changes with it; it is the map that training reads."""
    features, attention = (run(counter, image(), "circles, moons", similarity_from=kind) for kind in KINDS)
    assert attention["similarity"].shape == features["similarity"].shape
    assert not torch.allclose(attention["similarity"], features["similarity"], atol=0.05)
    assert attention["similarity"].min() >= 0 and attention["similarity"].max() <= 1
    assert attention["exact"] == pytest.approx(features["exact"], rel=1e-4) and attention["boxes"] == features["boxes"]
    network, (tokens, mask) = counter.network, counter._words.tokens(["moons"])
    with torch.inference_mode():
        expected = count_picture(network, image()[1], network.embed_text(tokens, mask), CountSettings(attention=True))
    assert expected.attention is not None
    torch.testing.assert_close(attention["similarity"][3], expected.attention[0], rtol=1e-3, atol=1e-5)


def test_boxes_are_listed_by_picture_and_labelled(counter: LoadedCounter) -> None:
    found = run(counter, image(), "circles, moons")
    assert len(found["boxes"]) == 2
    for boxes, counts, points in zip(found["boxes"], found["counted"].rounded, found["counted"].points, strict=True):
        labels = [box["label"] for box in boxes]
        assert all(0 <= box["score"] <= 1 for box in boxes) and len({box["score"] for box in boxes}) > 1
        assert [labels.count(noun) for noun in ("circles", "moons")] == counts.tolist()
        for box, (x, y) in zip(boxes, [*points[0], *points[1]], strict=True):
            assert box["x"] <= x <= box["x"] + box["width"] <= 150 and box["width"] > 0 and box["x"] >= 0
            assert box["y"] <= y <= box["y"] + box["height"] <= 128 and box["height"] > 0 and box["y"] >= 0


def test_the_table_and_what_the_node_shows(counter: LoadedCounter) -> None:
    found = run(counter, image(), "circles, moons")
    lines = found["table"].splitlines()
    assert [line.split(":")[0] for line in lines] == ["image 1", "image 2"]
    for line, numbers in zip(lines, found["counted"].numbers.tolist(), strict=True):
        assert line.split(": ")[1] == ", ".join(map(count_words, numbers, ("circles", "moons")))
    [result] = found["ui"]["headcount_result"]
    assert result["table"] == found["table"] and len(found["ui"]["images"]) == 4
    assert result["verdict"].endswith(" in 2 images") and (result["right"], result["marks"]) == (None, [])
    [single] = run(counter, image()[:1], "circles, moons")["ui"]["headcount_result"]
    assert f"image 1: {single['verdict']}" == re.sub(r" \(.*?\)", "", single["table"]), "one image needs no sums"


def test_counts_say_what_to_count_and_count_check_understands(counter: LoadedCounter) -> None:
    counted = run(counter, image(), counts=ASKED)["counted"]
    assert counted.nouns == ("stars", "circles")
    assert len(check_counts(counted, {"star": 1, "circles": 2}).table.splitlines()) == 4
    assert run(counter, image(), "moons", counts=ASKED)["counted"].nouns == ("moons",)


def test_nothing_found_shows_the_picture(counter: LoadedCounter) -> None:
    head = counter.network.decoder.regressor.reg_head[4]
    kept = head.bias.clone()
    with torch.inference_mode():
        head.bias.sub_(100)
    found = run(counter, image(1), "circles")
    with torch.inference_mode():
        head.bias.copy_(kept)
    assert found["count"] == [0] and found["boxes"] == [[]] and found["table"] == "image 1: 0 circles"
    assert torch.equal(found["overlay"][:, 64:], image(1)[:, 64:])


def test_it_is_read_again_when_the_file_changes() -> None:
    path = model_folder() / "changes.pth"
    path.write_bytes(b"1")
    before = LoadT2ICountModel.fingerprint_inputs(path.name, "fp32")
    assert LoadT2ICountModel.fingerprint_inputs(path.name, "fp32") == before
    os.utime(path, (1, 1))
    assert LoadT2ICountModel.fingerprint_inputs(path.name, "fp32") != before
    path.unlink()
    assert LoadT2ICountModel.fingerprint_inputs(path.name, "fp32") == ""
    with pytest.raises(CountError, match=r"model_name is 'changes\.pth'; it can be .*'untrained\.safetensors'"):
        LoadT2ICountModel.execute(path.name, "fp32")


def test_the_list_has_what_lies_in_the_folder(counter: LoadedCounter) -> None:
    folder_paths.filename_list_cache.pop("t2icount", None)
    files = LoadT2ICountModel.GET_NODE_INFO_V1()["input"]["required"]["model_name"][1]["options"]
    assert UNTRAINED in files


@pytest.mark.parametrize("node", [LoadT2ICountModel, T2ICountCounter])
def test_the_help_page_names_every_input_and_output(node: Any) -> None:
    info = node.GET_NODE_INFO_V1()
    page = (DOCS / info["name"] / "en.md").read_text()
    inputs = [given.items() for group, given in info["input"].items() if group in ("required", "optional")]
    shown = [(name, *more) for group in inputs for name, (_, *more) in group]
    names = [(options[0] if options else {}).get("display_name", name) for name, *options in shown] + info[
        "output_name"
    ]
    assert [name for name in names if f"**{name}**" not in page] == []


@pytest.fixture(scope="module")
def graph(server: ComfyServer) -> dict[str, Any]:
    """Two grey pictures, counted for two nouns; the file is put there while the server runs."""
    folder = server.base / "models" / "t2icount"
    folder.mkdir(parents=True, exist_ok=True)
    write_untrained(folder / UNTRAINED)
    return {
        "1": {"class_type": "HeadcountLoadT2ICountModel", "inputs": {"model_name": UNTRAINED, "precision": "fp32"}},
        "2": {"class_type": "EmptyImage", "inputs": {"width": 128, "height": 160, "batch_size": 2, "color": 8421504}},
        "3": {
            "class_type": "HeadcountT2ICountCounter",
            "inputs": {"t2icount": ["1", 0], "image": ["2", 0], "text": "circles, moons", "scale": "native"},
        },
        "4": {"class_type": "PreviewAny", "inputs": {"source": ["3", 0]}},
        "5": {"class_type": "PreviewAny", "inputs": {"source": ["3", 7]}},
        "6": {"class_type": "MaskToImage", "inputs": {"mask": ["3", 2]}},
        "7": {"class_type": "PreviewImage", "inputs": {"images": ["6", 0]}},
    }


@pytest.mark.server
def test_in_the_server(server: ComfyServer, graph: dict[str, Any]) -> None:
    outputs = server.run(graph)
    assert len(outputs["3"]["images"]) == 4 and outputs["3"]["headcount_result"][0]["table"] == outputs["5"]["text"][0]
    counts = [int(text) for text in outputs["4"]["text"]]
    assert len(counts) == 4, "a list goes on item by item"
    (table,) = outputs["5"]["text"]
    assert f"image 1: {counts[0]} circles" in table and f"image 2: {counts[2]} circles" in table
    assert len(outputs["7"]["images"]) == 4
    assert all(server.image(shown) for shown in outputs["3"]["images"])


@pytest.mark.server
def test_the_server_loads_the_model_once(server: ComfyServer, graph: dict[str, Any]) -> None:
    server.run(graph)
    asked = "Requested to load CountNetwork"
    before = server.log().count(asked)
    changed = {**graph, "3": {**graph["3"], "inputs": {**graph["3"]["inputs"], "text": "stars"}}}
    outputs = server.run(changed)
    assert outputs["5"]["text"][0].startswith("image 1:") and server.log().count(asked) == before >= 1
