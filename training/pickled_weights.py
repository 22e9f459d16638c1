"""Reads the tensors of a file that `torch.save` wrote, whatever else it holds, and never calls what the file names.

Stable Diffusion's .ckpt files hold objects of the program that trained them, so `torch.load(weights_only=True)` refuses
them, and without it a file may run any program. Here every class and function that a file names becomes an inert
placeholder, except the few that make up tensors, and these are functions of this module.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from headcount.bridge.t2icount.archive import refuse_zip_bomb
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
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
    "UntypedStorage": torch.uint8,  # of tensors whose type is named beside them, such as float8
}
_TENSOR_DTYPES = {name: value for name, value in vars(torch).items() if isinstance(value, torch.dtype)}
_NESTED = ("state_dict", "model_state_dict")


@dataclass(frozen=True)
class _Storage:
    record: str
    dtype: torch.dtype


@dataclass(frozen=True)
class _Unread:
    """A tensor whose bytes are still in the file."""

    storage: _Storage
    dtype: torch.dtype
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def end(self) -> int:
        """Bytes of the storage up to the tensor's last value; 0 for a tensor without values."""
        if not math.prod(self.shape):
            return 0
        last = sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))
        return (self.offset + last + 1) * self.dtype.itemsize


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
    return _of_dtype(storage, offset, shape, strides, getattr(storage, "dtype", None))


def _unread_with_dtype(
    storage: object, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], _grad: object, _hooks: object,
    dtype: object, *_rest: object,
) -> object:  # fmt: skip
    return _of_dtype(storage, offset, shape, strides, dtype)


def _of_dtype(storage: object, offset: int, shape: object, strides: object, dtype: object) -> object:
    numbers = (offset, *shape, *strides)  # type: ignore[misc]
    is_plain = isinstance(storage, _Storage) and isinstance(dtype, torch.dtype) and len(shape) == len(strides)  # type: ignore[arg-type]
    if not is_plain or not all(isinstance(number, int) and number >= 0 for number in numbers):
        return _Placeholder()
    return _Unread(storage, dtype, offset, tuple(shape), tuple(strides))  # type: ignore[arg-type]


def _parameter(data: object, *_rest: object) -> object:
    return data


_KNOWN: dict[tuple[str, str], object] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _unread,
    ("torch._utils", "_rebuild_tensor_v3"): _unread_with_dtype,
    ("torch._utils", "_rebuild_parameter"): _parameter,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module in ("torch", "torch.storage") and name in _DTYPES:
            return _DTYPES[name]
        if module == "torch" and name in _TENSOR_DTYPES:
            return _TENSOR_DTYPES[name]
        return _KNOWN.get((module, name), _Placeholder)

    def persistent_load(self, identity: Any) -> object:
        is_storage = isinstance(identity, tuple) and len(identity) >= 3 and identity[0] == "storage"
        if not is_storage or not isinstance(identity[1], torch.dtype) or not isinstance(identity[2], str):
            return _Placeholder()
        return _Storage(identity[2], identity[1])


def read_pickled_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a .ckpt, .pth or .pt file by name; those under "state_dict" or "model_state_dict" where it has one.

    Time and memory are bounded by the size of the file: each storage is read once, and no more of it than its tensors need.

    Raises:
        CountError: the file is not what torch.save (1.6 or newer) writes, or is damaged, or holds no tensors by name.
    """
    if path.is_file():
        refuse_zip_bomb(path)
    try:
        with zipfile.ZipFile(path) as archive:
            prefix = _prefix(archive)
            pickled = archive.read(f"{prefix}data.pkl")
            _check_memo(pickled)
            named = _named_tensors(_Reader(io.BytesIO(pickled)).load())
            return _read_all(archive, prefix, named)
    except CountError:
        raise
    except Exception as error:  # a damaged pickle can make almost any of them
        why = str(error) or type(error).__name__
        raise CountError(
            f"{path} cannot be read as weights ({why}); expected a file of torch.save (1.6 or newer), "
            "or the same weights as safetensors"
        ) from error


def _check_memo(pickled: bytes) -> None:
    """Python's reader makes room for every number up to the highest that a pickle stores something under."""
    for count, (operation, argument, _) in enumerate(pickletools.genops(pickled)):
        if operation.name in ("PUT", "BINPUT", "LONG_BINPUT") and argument > count:
            raise CountError("the file is damaged: its pickle stores more than it holds")


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


def _read_all(archive: zipfile.ZipFile, prefix: str, named: Mapping[str, _Unread]) -> dict[str, Tensor]:
    ends: dict[str, int] = {}
    for tensor in named.values():
        ends[tensor.storage.record] = max(ends.get(tensor.storage.record, 0), tensor.end)
    storages = {record: _bytes_of(archive, f"{prefix}data/{record}", end) for record, end in ends.items() if end}
    return {name: _tensor(storages, tensor) for name, tensor in named.items()}


def _bytes_of(archive: zipfile.ZipFile, name: str, end: int) -> Tensor:
    if end > archive.getinfo(name).file_size:
        raise CountError(f"{archive.filename} cannot be read as weights: {name} is shorter than the tensors in it")
    with archive.open(name) as record:
        return torch.frombuffer(bytearray(record.read(end)), dtype=torch.uint8)


def _tensor(storages: Mapping[str, Tensor], tensor: _Unread) -> Tensor:
    if not tensor.end:
        return torch.empty(tensor.shape, dtype=tensor.dtype)
    storage = storages[tensor.storage.record]
    whole = storage[: len(storage) // tensor.dtype.itemsize * tensor.dtype.itemsize].view(tensor.dtype)
    return whole.as_strided(tensor.shape, tensor.strides, tensor.offset)
