"""The folder of T2ICount models, and files that are none: nothing that they hold is ever run."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import folder_paths
import pytest
import torch
from headcount.bridge.t2icount import files
from headcount.bridge.t2icount.files import model_files, model_path, read_weights, register_folder
from headcount.core.errors import CountError
from safetensors.torch import save_file

from ..helpers.archives import zip_bomb
from ..helpers.counters import model_folder

WEIGHTS = {"first": torch.arange(3000.0), "second": torch.ones(2, 2).half()}


class RunsACommand:
    """What a malicious file does: pickle calls os.system when it is read."""

    def __init__(self, mark: Path) -> None:
        self._command = f"touch '{mark}'"

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (self._command,)


@pytest.mark.parametrize("name", ["a.pth", "a.pt", "a.tar", "a.safetensors"])
def test_weights_come_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if path.suffix == ".safetensors":
        save_file(WEIGHTS, path, {"headcount.t2icount": "shapes"})
    else:
        torch.save(WEIGHTS, path)
    found, metadata = read_weights(path)
    assert all(torch.equal(found[key], value) and found[key].dtype == value.dtype for key, value in WEIGHTS.items())
    assert metadata == ({"headcount.t2icount": "shapes"} if path.suffix == ".safetensors" else {})


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_malicious_file_runs_nothing(tmp_path: Path, is_zip: bool) -> None:
    mark, path = tmp_path / "was run", tmp_path / "best_model_paper.pth"
    torch.save({**WEIGHTS, "more": RunsACommand(mark)}, path, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(
        CountError, match=r"could run any program; it was not loaded|not a weights file that can be read"
    ):
        read_weights(path)
    assert not mark.exists()
    torch.load(path, weights_only=False)  # the file would have run something
    assert mark.exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", ["half", "empty", "page", "noise"])
def test_damaged_files(tmp_path: Path, suffix: str, content: str) -> None:
    path = tmp_path / f"model{suffix}"
    if suffix == ".pth":
        torch.save(WEIGHTS, path)
    else:
        save_file(WEIGHTS, path)
    whole = path.read_bytes()
    noise = bytes(range(256)) * 20
    path.write_bytes(
        {"half": whole[: len(whole) // 2], "empty": b"", "page": b"<html></html>", "noise": noise}[content]
    )
    with pytest.raises(CountError) as error:
        read_weights(path)
    text = str(error.value)
    assert text.startswith(f"model{suffix} is ")
    assert {
        "half": f"is incomplete: it has only {len(whole) // 2} bytes. Download it again",
        "empty": "is incomplete: it has only 0 bytes. Download it again",
        "page": "is a web page, not the model: Google Drive has probably shown a warning instead of the file. Download it",
        "noise": "best_model_paper.pth" if suffix == ".pth" else "Download the whole file again",
    }[content] in text
    assert "weights_only" not in text, "torch advises to load it unsafely; nobody should read that"


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><html>", b"\xef\xbb\xbf\r\n <html>" + b"x" * 5000])
def test_a_web_page_in_place_of_the_download(tmp_path: Path, page: bytes) -> None:
    path = tmp_path / "best_model_paper.pth"
    path.write_bytes(page)
    with pytest.raises(CountError, match=r"best_model_paper\.pth is a web page.*Download it again; .* has 4\.3 GB$"):
        read_weights(path)


@pytest.mark.parametrize("kind", ["zip", "pickle", "safetensors"])
@pytest.mark.parametrize("kept", [5, 60, -3])
def test_a_download_that_stopped_early(tmp_path: Path, kind: str, kept: int) -> None:
    path = tmp_path / ("model.safetensors" if kind == "safetensors" else "model.pth")
    if kind == "safetensors":
        save_file(WEIGHTS, path)
    else:
        torch.save(WEIGHTS, path, _use_new_zipfile_serialization=kind == "zip")
    part = path.read_bytes()[:kept]
    path.write_bytes(part)
    with pytest.raises(CountError, match=f"is incomplete: it has only {len(part)} bytes"):
        read_weights(path)


def test_a_header_like_a_page(tmp_path: Path) -> None:
    """A safetensors header of 60 bytes makes the file begin with "<", as a page does."""
    path = tmp_path / "model.safetensors"
    path.write_bytes((60).to_bytes(8, "little") + b"{" + b"x" * 59)
    with pytest.raises(CountError, match="is damaged, or not a weights file"):
        read_weights(path)


def test_files_that_hold_something_else(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pth")
    with pytest.raises(CountError, match="holds Python objects beside its tensors"):
        read_weights(tmp_path / "module.pth")
    for name, content in (("list.pth", [torch.zeros(2)]), ("tensor.pth", torch.zeros(2))):
        torch.save(content, tmp_path / name)
        with pytest.raises(CountError, match=f"{name} is damaged, or not a weights file"):
            read_weights(tmp_path / name)
    (tmp_path / "plain.pth").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(CountError, match=r"plain\.pth"):
        read_weights(tmp_path / "plain.pth")
    with pytest.raises(CountError, match="cannot be read: No such file"):
        read_weights(tmp_path / "gone.pth")


def test_the_folder_lists_models_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("one.pth", "two.safetensors", "readme.txt", "sub/three.tar"):
        path = model_folder() / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    folder_paths.filename_list_cache.pop("t2icount", None)
    listed = model_files()
    assert {"one.pth", "two.safetensors", os.path.join("sub", "three.tar")} <= set(
        listed
    ) and "readme.txt" not in listed
    assert model_path("one.pth") == model_folder() / "one.pth"
    for name in ("one.pth", "two.safetensors", "sub/three.tar"):
        (model_folder() / name).unlink()


def test_folders_of_extra_model_paths_stay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """ComfyUI adds them before it loads any pack."""
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "t2icount", ([str(tmp_path)], set()))
    (tmp_path / "mine.pth").touch()
    (tmp_path / "notes.txt").touch()
    register_folder()
    folders = folder_paths.get_folder_paths("t2icount")
    assert folders[0] == str(tmp_path) and str(model_folder()) in folders and str(files.SHIPPED) in folders
    folder_paths.filename_list_cache.pop("t2icount", None)
    assert "mine.pth" in model_files() and "notes.txt" not in model_files()
    register_folder()
    assert folder_paths.get_folder_paths("t2icount") == folders, "a second time changes nothing"
    folder_paths.filename_list_cache.pop("t2icount", None)


def test_an_empty_folder_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "t2icount", ([str(tmp_path)], set(files.EXTENSIONS)))
    folder_paths.filename_list_cache.pop("t2icount", None)
    (only,) = model_files()
    folder_paths.filename_list_cache.pop("t2icount", None)
    assert only == "put best_model_paper.pth into models/t2icount"
    with pytest.raises(
        CountError, match=r"there is no T2ICount file .* Put best_model_paper\.pth .* models/t2icount \(make the"
    ):
        model_path(only)


def test_a_name_cannot_leave_the_folder() -> None:
    secret = Path(folder_paths.models_dir) / "secret.pth"
    secret.touch()
    with pytest.raises(CountError, match="there is no T2ICount file"):
        model_path("../secret.pth")
    secret.unlink()


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """Nothing of it is read: in memory it would take a thousand times the file's size."""
    bomb = zip_bomb(tmp_path)
    with pytest.raises(
        CountError, match=r"bomb\.pth would unpack to 32 MB from 0\.0 MB, as no file of weights does; it was"
    ):
        read_weights(bomb)
    assert read_weights(tmp_path / "good.pth")[0]["weight"].shape == (8_000_000,)
