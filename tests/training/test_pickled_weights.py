"""Weights out of pickles: as torch.load gives them, and without running anything that a file asks for."""

from __future__ import annotations

import os
import pickle
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from headcount.core.errors import CountError
from torch import nn

from training.pickled_weights import read_pickled_weights

from ..helpers.archives import zip_bomb


class RunsACommand:
    """What a malicious file does: pickle calls os.system when it is read."""

    def __init__(self, command: str) -> None:
        self._command = command

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (self._command,)


class TrainingCallback:
    """An object of the program that trained the model, as Stable Diffusion's .ckpt has them."""

    def __init__(self) -> None:
        self.best, self.scores = 3, [1, 2]


def test_gives_what_torch_load_gives(tmp_path: Path) -> None:
    whole = torch.arange(24.0).reshape(4, 6)
    state = {
        "plain": whole,
        "view": whole[1:, ::2],
        "transposed": whole.T,
        "half": torch.rand(3).half(),
        "bf16": torch.rand(3).bfloat16(),
        "float8": torch.rand(5, 2).to(torch.float8_e4m3fn),
        "complex": torch.rand(3, dtype=torch.complex64),
        "ids": torch.arange(7).expand(1, -1),
        "flag": torch.tensor([True, False]),
        "empty": torch.zeros(0, 3),
        "number": torch.tensor(2.5),
        "parameter": nn.Parameter(torch.rand(2, 2)),
    }
    torch.save(state, tmp_path / "file.pth")
    found, expected = read_pickled_weights(tmp_path / "file.pth"), torch.load(tmp_path / "file.pth")
    assert list(found) == list(expected)
    for name, value in expected.items():
        same = torch.equal(found[name].to(torch.complex64), value.detach().to(torch.complex64))
        assert found[name].dtype == value.dtype and same, name


@pytest.mark.parametrize("name", ["state_dict", "model_state_dict"])
def test_finds_weights_beside_the_objects_of_a_trainer(tmp_path: Path, name: str) -> None:
    """A key may even be such a class. torch.load refuses this file."""
    content = {
        "epoch": 3,
        "callbacks": {TrainingCallback: {"best": 3}, "one": TrainingCallback()},
        name: nn.Linear(2, 3).state_dict(),
        "optimizer_states": [{"state": {0: {"exp_avg": torch.rand(5)}}}],
    }
    torch.save(content, tmp_path / "model.ckpt")
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "model.ckpt", weights_only=True)
    found = read_pickled_weights(tmp_path / "model.ckpt")
    assert list(found) == ["weight", "bias"]
    assert torch.equal(found["weight"], content[name]["weight"])


def test_runs_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "was run"
    torch.save({"state_dict": {"weight": torch.ones(2)}, "x": RunsACommand(f"touch '{mark}'")}, tmp_path / "bad.ckpt")
    assert list(read_pickled_weights(tmp_path / "bad.ckpt")) == ["weight"]
    assert not mark.exists()
    torch.load(tmp_path / "bad.ckpt", weights_only=False)  # the file would have run something
    assert mark.exists()


@pytest.mark.parametrize(
    "opcodes",
    [
        b"cos\nsystem\n(S'touch {mark}'\ntR.",  # GLOBAL, REDUCE
        b"(S'touch {mark}'\nios\nsystem\n.",  # INST
        b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x01x\x85R.",  # STACK_GLOBAL
        b"ccollections\nOrderedDict\n(tR(S'x'\ncos\nsystem\nsb.",  # BUILD
        b"ctorch._utils\n_rebuild_tensor_v2\n(cos\nsystem\nI0\n(t(ttR.",  # no storage
        b"cbuiltins\n__import__\n(S'os'\ntR.",
    ],
)
def test_hand_written_pickles_run_nothing(tmp_path: Path, opcodes: bytes) -> None:
    mark = tmp_path / "mark"
    _write_archive(tmp_path / "bad.pth", opcodes.replace(b"{mark}", str(mark).encode()))
    with suppress(CountError):
        assert read_pickled_weights(tmp_path / "bad.pth") == {}
    assert not mark.exists()


def _write_archive(path: Path, pickled: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)


def test_a_tensor_outside_its_bytes_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(4)}, tmp_path / "good.pth")
    with zipfile.ZipFile(tmp_path / "good.pth") as good, zipfile.ZipFile(tmp_path / "bad.pth", "w") as bad:
        for name in good.namelist():
            content = good.read(name)
            bad.writestr(name, content[:-4] if name.endswith("data/0") else content)
    with pytest.raises(CountError, match=r"bad.pth cannot be read as weights"):
        read_pickled_weights(tmp_path / "bad.pth")


@pytest.mark.parametrize("content", [b"", b"no archive", pickle.dumps({"a": 1})])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file.ckpt").write_bytes(content)
    with pytest.raises(CountError, match=r"file.ckpt cannot be read as weights .* safetensors"):
        read_pickled_weights(tmp_path / "file.ckpt")


def test_other_archives_and_contents_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("photo.txt", "")
    with pytest.raises(CountError, match=r"photos\.zip is a zip archive, but not one of torch\.save"):
        read_pickled_weights(tmp_path / "photos.zip")
    torch.save([torch.ones(1)], tmp_path / "list.pth")
    with pytest.raises(CountError, match=r"no weights by name"):
        read_pickled_weights(tmp_path / "list.pth")


def test_what_pickle_raises_of_damaged_files(tmp_path: Path) -> None:
    """Every byte of a good pickle changed in turn: a sentence, or tensors."""
    torch.save({"weight": torch.ones(2, 2), "bias": torch.ones(2)}, tmp_path / "good.pth")
    with zipfile.ZipFile(tmp_path / "good.pth") as good:
        records = {name: good.read(name) for name in good.namelist()}
    name = next(name for name in records if name.endswith("data.pkl"))
    for at in range(len(records[name])):
        for value in (0xFF, ord("b"), ord("a"), 0x8E):
            changed = bytearray(records[name])
            changed[at] = value
            with zipfile.ZipFile(tmp_path / "bad.pth", "w") as bad:
                for record, content in records.items():
                    bad.writestr(record, bytes(changed) if record == name else content)
            with suppress(CountError):
                read_pickled_weights(tmp_path / "bad.pth")


@pytest.mark.parametrize(
    "opcodes",
    [
        b"\x80\x02}r\xff\xff\xff\x7f.",  # LONG_BINPUT: room for 2,147,483,647 objects
        b"}p999999999\n.",  # PUT
        b"\x80\x04\x8e" + b"\xff" * 8 + b".",  # BINBYTES8 of 2**64 bytes
        b"I1\nI2\na.",  # APPEND to a number
        b"I1\n}b.",  # BUILD
        b"(" * 5_000,
    ],
)
def test_pickles_that_ask_for_the_impossible(tmp_path: Path, opcodes: bytes) -> None:
    _write_archive(tmp_path / "bad.pth", opcodes)
    with pytest.raises(CountError):
        read_pickled_weights(tmp_path / "bad.pth")


def peak_of(path: Path) -> int:
    """Bytes that Python and zipfile hold at most while a file is read or refused."""
    tracemalloc.start()
    with suppress(CountError):
        read_pickled_weights(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    bomb = zip_bomb(tmp_path)
    size = bomb.stat().st_size
    assert size < 100_000
    with pytest.raises(CountError, match=r"bomb\.pth would unpack to 32 MB from 0\.0 MB, as no file of weights does"):
        read_pickled_weights(bomb)
    assert peak_of(bomb) < 2_000_000


def test_a_storage_is_read_once_for_all_its_names(tmp_path: Path) -> None:
    storage = torch.rand(1_000_000)
    torch.save({f"weight {number}": storage[number:] for number in range(200)}, tmp_path / "shared.pth")
    assert peak_of(tmp_path / "shared.pth") < 3 * 4_000_000
    found = read_pickled_weights(tmp_path / "shared.pth")
    assert len(found) == 200 and torch.equal(found["weight 7"], storage[7:])


def test_no_more_of_a_record_is_read_than_its_tensors_need(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(4)}, tmp_path / "good.pth")
    with zipfile.ZipFile(tmp_path / "good.pth") as good, zipfile.ZipFile(tmp_path / "long.pth", "w") as long:
        for name in good.namelist():
            content = good.read(name)
            long.writestr(name, content + bytes(16_000_000) if name.endswith("data/0") else content)
    assert read_pickled_weights(tmp_path / "long.pth")["weight"].tolist() == [1, 1, 1, 1]
    assert peak_of(tmp_path / "long.pth") < 2_000_000
