"""Write files as `torch.save` does, without torch: the zip form, and the bare pickle of torch before 1.6."""

from __future__ import annotations

import io
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np

KINDS = {"<f4": "FloatStorage", "<f8": "DoubleStorage", "<f2": "HalfStorage", "<i8": "LongStorage"}


class _Storage:
    def __init__(self, key: str, values: np.ndarray) -> None:
        self.key, self.values = key, values


class _Tensor:
    def __init__(self, storage: _Storage, shape: tuple[int, ...], offset: int = 0, strides: object = None) -> None:
        self.storage, self.shape, self.offset = storage, shape, offset
        self.strides = strides or tuple(int(np.prod(shape[k + 1 :])) for k in range(len(shape)))

    def __reduce__(self) -> tuple:
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2  # type: ignore[attr-defined]
        return rebuild, (self.storage, self.offset, self.shape, self.strides, False, OrderedDict())


def _torch() -> dict[str, types.ModuleType]:
    modules = {"torch": types.ModuleType("torch"), "torch._utils": types.ModuleType("torch._utils")}
    for name in KINDS.values():
        setattr(modules["torch"], name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2() -> None: ...

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    modules["torch._utils"]._rebuild_tensor_v2 = _rebuild_tensor_v2  # type: ignore[attr-defined]
    return modules


def _pickle(content: object, file: io.BytesIO, legacy: bool) -> None:
    class Pickler(pickle.Pickler):
        def persistent_id(self, value: object) -> object:
            if not isinstance(value, _Storage):
                return None
            kind = getattr(sys.modules["torch"], KINDS[value.values.dtype.str])
            return ("storage", kind, value.key, "cpu", value.values.size, *((None,) if legacy else ()))

    Pickler(file, protocol=2).dump(content)


def save(
    path: Path,
    tensors: dict[str, np.ndarray],
    *,
    legacy: bool = False,
    wrap: Callable[[dict], object] = lambda state: {"epoch": 30, "state_dict": state},
    change: Callable[[_Tensor], None] = lambda tensor: None,
) -> Path:
    """Write a checkpoint; `change` may spoil each tensor's description."""
    storages = [_Storage(str(number), np.ascontiguousarray(value)) for number, value in enumerate(tensors.values())]
    state: OrderedDict[str, object] = OrderedDict()
    for (name, value), storage in zip(tensors.items(), storages, strict=True):
        tensor = _Tensor(storage, value.shape)
        change(tensor)
        state[name] = tensor
    file = io.BytesIO()
    with mock.patch.dict(sys.modules, _torch()):
        if not legacy:
            _pickle(wrap(state), file, legacy=False)
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("archive/data.pkl", file.getvalue())
                archive.writestr("archive/byteorder", "little")
                for storage in storages:
                    archive.writestr(f"archive/data/{storage.key}", storage.values.tobytes())
                archive.writestr("archive/version", "3\n")
            return path
        pickle.dump(0x1950A86A20F9469CFC6C, file, protocol=2)
        pickle.dump(1001, file, protocol=2)
        pickle.dump({"protocol_version": 1001, "little_endian": True, "type_sizes": {}}, file, protocol=2)
        _pickle(wrap(state), file, legacy=True)
        pickle.dump([storage.key for storage in storages], file, protocol=2)
    for storage in storages:
        file.write(struct.pack("<q", storage.values.size) + storage.values.tobytes())
    path.write_bytes(file.getvalue())
    return path
