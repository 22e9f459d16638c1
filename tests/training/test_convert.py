"""Converting a checkpoint: the same network, read back."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from headcount.bridge.t2icount.backbone import count_network
from headcount.core.errors import CountError
from headcount.core.t2icount.checkpoint import load_network
from headcount.core.t2icount.network import CountNetwork
from safetensors import safe_open
from safetensors.torch import load_file

from training import convert
from training.start import start_network

SHAPES_MODEL = Path(__file__).resolve().parents[2] / "demo" / "weights" / "shapes.safetensors"


@pytest.fixture(scope="module")
def network() -> CountNetwork:
    return start_network(SHAPES_MODEL, seed=0)


@pytest.fixture(scope="module")
def source(network: CountNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As the authors save it: with weights that no count depends on, here inside a resume file."""
    path = tmp_path_factory.mktemp("source") / "12_ckpt.tar"
    extra = {"unet.unet.diffusion_model.out.2.bias": torch.zeros(4), "vae.post_quant_conv.bias": torch.zeros(4)}
    torch.save({"epoch": 12, "optimizer_state_dict": {}, "model_state_dict": {**network.state_dict(), **extra}}, path)
    return path


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_the_same_network(network: CountNetwork, source: Path, tmp_path: Path, precision: str) -> None:
    target, dtype = tmp_path / "out.safetensors", convert.PRECISIONS[precision]
    convert.convert(source, target, dtype)
    assert [path.name for path in tmp_path.iterdir()] == ["out.safetensors"]
    with safe_open(target, "pt") as file:
        assert file.metadata() == {"headcount.t2icount": "shapes"}
    found = load_network(load_file(target), count_network).state_dict()
    for name, value in network.state_dict().items():
        expected = value.to(dtype) if value.is_floating_point() else value
        assert found[name].dtype == expected.dtype and torch.equal(found[name], expected), name


def test_what_it_says(source: Path, tmp_path: Path) -> None:
    with pytest.raises(CountError, match=r"there is no file .*gone\.pth"):
        convert.convert(tmp_path / "gone.pth", tmp_path / "out.safetensors", torch.float32)
    for target in (tmp_path / "out.pth", tmp_path / "nowhere" / "out.safetensors"):
        with pytest.raises(CountError, match=r"name a \.safetensors file in a folder that is there"):
            convert.convert(source, target, torch.float32)
    with pytest.raises(CountError, match="not a T2ICount checkpoint, but a diffusion model"):
        convert.convert(SHAPES_MODEL, tmp_path / "out.safetensors", torch.float32)
    assert list(tmp_path.iterdir()) == []


def test_what_it_wrote_is_read_back(network: CountNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that loses a bit is noticed, and the file that was there before stays."""
    target = tmp_path / "out.safetensors"
    target.write_bytes(b"before")
    real = convert.write_checkpoint

    def lose_a_bit(written: CountNetwork, path: Path) -> None:
        real(written, path)
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)

    monkeypatch.setattr(convert, "write_checkpoint", lose_a_bit)
    source = tmp_path / "source.pth"
    torch.save(network.state_dict(), source)
    with pytest.raises(CountError, match="does not hold what was written to it"):
        convert.convert(source, target, torch.float32)
    assert target.read_bytes() == b"before" and not target.with_name("out.safetensors.part").exists()


def test_weights_that_are_no_numbers(network: CountNetwork, tmp_path: Path) -> None:
    name, value = next(item for item in network.state_dict().items() if item[1].is_floating_point())
    for number, dtype, message in (
        (float("nan"), torch.float32, rf"^1 tensors hold values that are not numbers \(NaN or infinite\): {name}\."),
        (1e6, torch.float16, rf"^1 weights are too large for torch\.float16, such as {name}; take bf16 or fp32$"),
    ):
        torch.save({**network.state_dict(), name: torch.full_like(value, number)}, tmp_path / "source.pth")
        with pytest.raises(CountError, match=message):
            convert.convert(tmp_path / "source.pth", tmp_path / "out.safetensors", dtype)
    assert [path.name for path in tmp_path.iterdir()] == ["source.pth"]


def test_float8_is_converted(network: CountNetwork, tmp_path: Path) -> None:
    small = {
        name: value.to(torch.float8_e4m3fn) if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    torch.save(small, tmp_path / "small.pth")
    convert.convert(tmp_path / "small.pth", tmp_path / "out.safetensors", torch.float32)
    found = load_file(tmp_path / "out.safetensors")
    assert all(torch.equal(found[name].float(), value.float()) for name, value in small.items())


def test_command_line(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    target = tmp_path / "out.safetensors"
    monkeypatch.setattr(sys, "argv", ["convert", str(source), str(target), "--precision", "fp16"])
    convert.main()
    assert "read back and compared" in capsys.readouterr().out and target.stat().st_size < 20e6
    monkeypatch.setattr(sys, "argv", ["convert", str(tmp_path / "gone.pth"), str(target)])
    with pytest.raises(SystemExit, match="convert: there is no file"):
        convert.main()
