"""What holds for every node: socket types, search words, progress bars, nothing found, and models in further folders."""

from __future__ import annotations

import re
import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import comfy.utils
import folder_paths
import latent_preview
import pytest
import torch
from comfy_api.latest import io
from comfy_extras.nodes_rtdetr import DrawBBoxes, RTDETR_detect
from comfy_extras.nodes_sam3 import SAM3_VideoTrack
from headcount.bridge.seed_search.count_search import preview_for_pick, search_seeds
from headcount.bridge.t2icount.files import model_files, model_path, register_folder
from headcount.nodes import NODES
from headcount.nodes.count_check import CountCheck
from headcount.nodes.count_search_pick import CountSearchPick
from headcount.nodes.instance_masks import InstanceMasks
from headcount.nodes.t2icount_counter import T2ICountCounter

import nodes as comfy_nodes
from demo.comfyui_path import comfyui_folder

from ..helpers.counters import untrained_counter
from .test_count_search import USUAL, Scripted, search

ROOT = Path(__file__).resolve().parents[2]


def types_of(node: Any) -> set[str]:
    """What a node of ComfyUI gives and takes, as its class says it."""
    taken = [spec[0] for group in node.INPUT_TYPES().values() for spec in group.values()]
    return {str(kind) for kind in (*node.RETURN_TYPES, *taken) if isinstance(kind, str)}


CORE_TYPES = set().union(
    *map(types_of, (*comfy_nodes.NODE_CLASS_MAPPINGS.values(), RTDETR_detect, DrawBBoxes, SAM3_VideoTrack))
)
# Other packs' types that the boxes are read from as well, named in ComfyUI's own list of types, and the old name of its boxes.
ALSO_READ = {io.SEGS.io_type, io.BBOX.io_type, io.BoundingBoxes.io_type, io.Array.io_type, "JSON"}
# What only nodes of this pack hand to each other.
OWN_TYPES = {
    "HEADCOUNT_COUNTS",
    "HEADCOUNT_MAPS",
    "HEADCOUNT_COUNTED",
    "HEADCOUNT_CANDIDATES",
    "HEADCOUNT_COUNTER",
    "T2ICOUNT",
}
every_node = pytest.mark.parametrize("node", NODES, ids=lambda node: node.__name__)


@every_node
def test_inputs_and_outputs_are_types_of_comfyui(node: Any) -> None:
    info = node.GET_NODE_INFO_V1()
    assert set(info["output"]) - CORE_TYPES <= OWN_TYPES
    widgets = [spec for group in ("required", "optional") for spec in info["input"].get(group, {}).values()]
    kinds = {kind for spec in widgets if isinstance(spec[0], str) for kind in spec[0].split(",")}
    assert kinds - CORE_TYPES - ALSO_READ - {"COMBO"} <= OWN_TYPES, "no widget needs a page's own code"


def test_boxes_have_the_type_of_comfyuis_detectors() -> None:
    (given,) = RTDETR_detect.RETURN_TYPES
    (taken,) = (spec[0] for name, spec in DrawBBoxes.INPUT_TYPES()["required"].items() if name == "bboxes")
    for node in (InstanceMasks, T2ICountCounter):
        assert taken == given and given in node.RETURN_TYPES
    for node in (CountCheck, CountSearchPick):
        kinds = node.INPUT_TYPES()["optional"]["boxes"][0].split(",")
        assert kinds[0] == given and "BOUNDING_BOXES" in kinds, "which saved workflows have"


def test_every_node_is_found_by_other_words() -> None:
    for node in NODES:
        aliases = node.GET_SCHEMA().search_aliases
        assert len(set(aliases)) >= 3 and all(alias == alias.lower() for alias in aliases), node.__name__


def test_help_pages_state_limits() -> None:
    """What a node cannot do; the two halves of Count Search leave that to the whole one's page."""
    pages = {node.__name__: ROOT / "web" / "docs" / node.GET_SCHEMA().node_id / "en.md" for node in NODES}
    texts = {name: page.read_text() for name, page in pages.items()}
    silent = {name for name, text in texts.items() if not re.search(r"(?m)^## Limits$", text)}
    assert silent <= {"CountSearchCandidates", "CountSearchPick"}
    assert all("**Count Search**" in texts[name] for name in silent)
    for name in ("IsacAttentionControl", "NuminaCountGuide"):
        limits = texts[name].split("## Limits")[1]
        assert "1 to 8" in limits and "promise" in limits, name


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """What ComfyUI's progress bars are told."""
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(comfy.utils, "PROGRESS_BAR_HOOK", lambda done, total, *_, **__: told.append((done, total)))
    monkeypatch.setattr(latent_preview, "get_previewer", lambda *_: None)
    return told


def is_a_bar(told: list[tuple[int, int]]) -> bool:
    """It moves one way, to its end."""
    done = [at for at, _ in told]
    return (
        len(told) > 1 and done == sorted(done) and len({total for _, total in told}) == 1 and told[-1][0] == told[-1][1]
    )


@pytest.mark.parametrize("look", ["draft", "own steps"])
def test_the_searches_have_a_bar(look: str, told: list[tuple[int, int]]) -> None:
    settings = replace(USUAL, look=look, stop_when_found=False)
    with torch.inference_mode():
        search_seeds(search(settings), Scripted(*[0] * 8))
        assert is_a_bar(told), str(told)
        told.clear()
        preview_for_pick(search(settings))
    assert is_a_bar(told)


def test_the_counter_has_a_bar(told: list[tuple[int, int]]) -> None:
    with torch.inference_mode():
        T2ICountCounter.execute(untrained_counter(), torch.rand(4, 64, 96, 3), "circles, moons", "short side")
    assert is_a_bar(told)


def test_nothing_found_has_the_pictures_size() -> None:
    """As many results as pictures and nouns, the empty ones too."""
    counter = untrained_counter()
    head, pictures = counter.network.decoder.regressor.reg_head[4], torch.rand(3, 72, 100, 3)
    kept = head.bias.clone()
    with torch.inference_mode():
        head.bias.sub_(100)
        try:
            found = T2ICountCounter.execute(counter, pictures, "circles, moons", "short side").args
        finally:
            head.bias.copy_(kept)
    count, exact, density, overlay, similarity, boxes, counted, table, masks = found
    assert count == [0] * 6 and exact == [0.0] * 6 and boxes == [[], [], []]
    assert density.shape == similarity.shape == (6, 72, 100) and not density.any()
    assert masks.shape == (1, 72, 100) and not masks.any(), "one empty mask"
    assert overlay.shape == (6, 72, 100, 3) and counted.numbers.shape == (3, 2)
    assert table.splitlines()[2] == "image 3: 0 circles, 0 moons"


def test_a_folder_of_extra_model_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that ComfyUI reads at its start, before it loads packs."""
    monkeypatch.delitem(folder_paths.folder_names_and_paths, "t2icount")
    (tmp_path / "elsewhere" / "counters").mkdir(parents=True)
    file = tmp_path / "elsewhere" / "counters" / "mine.safetensors"
    file.touch()
    (tmp_path / "extra.yaml").write_text(f"mine:\n  base_path: {tmp_path / 'elsewhere'}\n  t2icount: counters\n")
    folder_paths.filename_list_cache.pop("t2icount", None)
    # By its file: ComfyUI's package is called `utils`, as others' modules are.
    reading = runpy.run_path(str(comfyui_folder() / "utils" / "extra_config.py"))
    reading["load_extra_path_config"](str(tmp_path / "extra.yaml"))
    register_folder()
    assert "mine.safetensors" in model_files() and model_path("mine.safetensors") == file
    assert str(Path(folder_paths.models_dir) / "t2icount") in folder_paths.get_folder_paths("t2icount")
    folder_paths.filename_list_cache.pop("t2icount", None)
