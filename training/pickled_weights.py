"""Reads the tensors of a file that `torch.save` wrote, whatever else it holds, and never calls what the file names.

Stable Diffusion's .ckpt files hold objects of the program that trained them, so `torch.load(weights_only=True)` refuses
them, and without it a file may run any program. Here every class and function that a file names becomes an inert
placeholder, except the few that make up tensors, and these are functions of this module.
"""

from __future__ import annotations

import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from headcount.core.errors import CountError
from torch import Tensor

_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_NESTED = ("state_dict", "model_state_dict")


@dataclass(frozen=True)
class _Storage:
    record: str
    dtype: torch.dtype


@dataclass(frozen=True)
class _Unread:
    """A tensor whose bytes are still in the file."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Placeholder:
    """Stands for anything a file names: takes whatever the file does to it, and does nothing."""

    def __init__(self, *_arguments: object, **_named: object) -> None: ...

    def __new__(cls, *_arguments: object, **_named: object) -> _Placeholder:
        return super().__new__(cls)

    def __setstate__(self, _state: object) -> None: ...

    def __setitem__(self, _key: object, _value: object) -> None: ...

    def append(self, _value: object) -> None:
        """Pickle fills lists this way."""

    def extend(self, _values: object) -> None:
        """Or this way."""

    def add(self, _value: object) -> None:
        """And sets this way."""


def _unread(storage: object, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_rest: object) -> object:
    is_plain = isinstance(storage, _Storage) and isinstance(offset, int)
    return _Unread(storage, offset, tuple(shape), tuple(strides)) if is_plain else _Placeholder()  # type: ignore[arg-type]


def _parameter(data: object, *_rest: object) -> object:
    return data


_KNOWN: dict[tuple[str, str], object] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _unread,
    ("torch._utils", "_rebuild_parameter"): _parameter,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        return _KNOWN.get((module, name), _Placeholder)

    def persistent_load(self, identity: Any) -> object:
        is_storage = isinstance(identity, tuple) and len(identity) >= 3 and identity[0] == "storage"
        if not is_storage or not isinstance(identity[1], torch.dtype) or not isinstance(identity[2], str):
            return _Placeholder()
        return _Storage(identity[2], identity[1])


def read_pickled_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a .ckpt, .pth or .pt file by name; those under "state_dict" or "model_state_dict" where it has one.

    Raises:
        CountError: the file is not what torch.save (1.6 or newer) writes, or is damaged, or holds no tensors by name.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            prefix = _prefix(archive)
            with archive.open(f"{prefix}data.pkl") as file:
                content = _Reader(file).load()
            named = _named_tensors(content)
            return {name: _read(archive, prefix, tensor) for name, tensor in named.items()}
    except (
        zipfile.BadZipFile,
        pickle.UnpicklingError,
        EOFError,
        KeyError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        if isinstance(error, CountError):
            raise
        raise CountError(
            f"{path} cannot be read as weights ({error}); expected a file of torch.save (1.6 or newer), "
            "or the same weights as safetensors"
        ) from error


def _prefix(archive: zipfile.ZipFile) -> str:
    found = [name for name in archive.namelist() if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(found) != 1:
        raise CountError(f"{archive.filename} is a zip archive, but not one of torch.save: it has no data.pkl")
    return found[0].removesuffix("data.pkl")


def _named_tensors(content: object) -> dict[str, _Unread]:
    for name in _NESTED:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    if not isinstance(content, Mapping):
        raise CountError("the file holds no weights by name")
    return {str(name): value for name, value in content.items() if isinstance(value, _Unread)}


def _read(archive: zipfile.ZipFile, prefix: str, tensor: _Unread) -> Tensor:
    if not math.prod(tensor.shape):
        return torch.empty(tensor.shape, dtype=tensor.storage.dtype)
    data = bytearray(archive.read(f"{prefix}data/{tensor.storage.record}"))
    values = torch.frombuffer(data, dtype=tensor.storage.dtype)
    return values.as_strided(tensor.shape, tensor.strides, tensor.offset)
