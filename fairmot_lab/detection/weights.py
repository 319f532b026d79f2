"""Read weight files as data: nothing in them runs, and no file makes this process take more memory than it may."""

from __future__ import annotations

import codecs
import hashlib
import io
import math
import os
import pickle
import re
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np
from safetensors import SafetensorError, deserialize

from .._files import atomic_write, cannot_read
from ..errors import WeightsError

SUFFIXES = (".pdparams", ".safetensors", ".npz", ".pth", ".pt")
MOST_BYTES = 2**31  # of all tensors together; the largest network here takes 161 MB
MOST_TENSORS = 100_000

_SAFE_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "<i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "<u1", "BOOL": "|b1", "BF16": "bfloat16",
}  # fmt: skip
_TORCH_TYPES = {
    "DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "<i1",
    "ByteStorage": "|u1", "BoolStorage": "|b1",
}  # fmt: skip
_AGAIN = "download or save it again"
_TORCH_MAGIC = 0x1950A86A20F9469CFC6C
# In an ONNX file's protobuf (ModelProto.metadata_props, field 14) an entry with the key sha256 and a value of 64 bytes
_SEAL = b"\x72\x4a\n\x06sha256\x12\x40"


class _Fault(Exception):
    """What is wrong with a file, as what follows its name in a sentence, and what to do about it."""

    def __init__(self, what: str, remedy: str = _AGAIN) -> None:
        super().__init__(f"{what}; {remedy}.")


def file_sha256(*paths: Path) -> str:
    """Return the SHA-256 of a file, or of several one after the other, in hexadecimal digits.

    Raises
    ------
    WeightsError
        If it cannot be read.

    Examples
    --------
    >>> path = getfixture("tmp_path") / "empty"
    >>> path.touch()
    >>> file_sha256(path)[:8]
    'e3b0c442'
    """
    digest = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                hashlib.file_digest(file, lambda: digest)  # type: ignore[arg-type, return-value]
        except OSError as error:
            raise WeightsError(cannot_read(path, error)) from error
    return digest.hexdigest()


def sealed(model: bytes) -> bytes:
    """Append its SHA-256 to an ONNX file's content, where programs that read ONNX find it as metadata: `sha256`.

    Examples
    --------
    >>> sealed(b"model")[-64:-52]
    b'9372c470eead'
    """
    return model + _SEAL + hashlib.sha256(model).hexdigest().encode()


def write_sealed(path: str | os.PathLike[str], model: bytes) -> None:
    """Write an ONNX file with its SHA-256, see `sealed`.

    Examples
    --------
    >>> write_sealed(getfixture("tmp_path") / "mine.onnx", b"model")
    """
    with atomic_write(path) as temporary:
        temporary.write_bytes(sealed(model))


def check_seal(path: str | os.PathLike[str]) -> str:
    """Compare an ONNX file with the SHA-256 that `sealed` appended; a file without one is taken as it is.

    Returns
    -------
    str
        The SHA-256 of the whole file, in hexadecimal digits.

    Raises
    ------
    WeightsError
        If they differ.

    Examples
    --------
    >>> path = getfixture("tmp_path") / "mine.onnx"
    >>> size = path.write_bytes(sealed(b"model"))
    >>> check_seal(path) == file_sha256(path)
    True
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise WeightsError(cannot_read(path, error)) from error
    model = data[: -len(_SEAL) - 64]
    if data.startswith(_SEAL, len(model)) and data != sealed(model):
        raise WeightsError(
            f"{path} is damaged: its bytes are not those whose SHA-256 stands at its end; restore it or write it "
            "again, or, if the change is meant, remove the entry sha256 from its metadata."
        )
    return hashlib.sha256(data).hexdigest()


def read_weights(path: str | os.PathLike[str], suffix: str | None = None) -> dict[str, np.ndarray]:
    """Read the tensors of a weights file; nothing in it is executed.

    Parameters
    ----------
    path
        `.safetensors`, `.npz`, `.pdparams` (a pickle of arrays), or `.pth` / `.pt` as torch writes them: a zip file, or
        the bare pickle of torch before 1.6. Pickles are read by an unpickler that refuses everything but dictionaries,
        lists, texts, numbers and arrays of numbers. A training checkpoint gives its `state_dict`.
    suffix
        What the file is, where its name does not tell.

    Returns
    -------
    dict
        Arrays by parameter name; bfloat16 becomes float32.

    Raises
    ------
    WeightsError
        If it is not such a file, is cut short, or holds more than 2 GiB of tensors, types that numpy does not have, or
        code.

    Examples
    --------
    >>> path = getfixture("tmp_path") / "weights.npz"
    >>> np.savez(path, bias=np.zeros(3, np.float32))
    >>> read_weights(path)
    {'bias': array([0., 0., 0.], dtype=float32)}
    """
    path = Path(path)
    readers: dict[str, Callable[[BinaryIO, int], dict[str, Any]]] = {
        ".safetensors": _read_safetensors,
        ".npz": _read_npz,
        ".pdparams": _read_pdparams,
        ".pth": _read_torch,
        ".pt": _read_torch,
    }
    suffix = suffix or path.suffix
    if suffix not in readers:
        raise WeightsError(f"{path} is not a weights file; its name must end in {', '.join(SUFFIXES)}.")
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            tensors = readers[suffix](file, size)
    except OSError as error:
        raise WeightsError(cannot_read(path, error)) from error
    except _Fault as fault:
        raise WeightsError(f"{path} {fault}") from fault
    except Exception as error:  # damaged bytes can make a parser stumble in any way
        reason = f"{type(error).__name__}: {error}".rstrip(": ")[:300]
        raise WeightsError(f"{path} is not a {suffix} file, or it is damaged ({reason}); {_AGAIN}.") from error
    for name, value in tensors.items():
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiub":
            raise WeightsError(f"{path} holds {name[:80]!r}, which is not an array of numbers; {_AGAIN}.")
    if not tensors:
        raise WeightsError(f"{path} holds no tensors; {_AGAIN}.")
    return tensors


def _check_amount(count: int, size: int) -> None:
    if size > MOST_BYTES or count > MOST_TENSORS:
        raise _Fault(
            f"holds {count} tensors of {size / 2**30:.1f} GiB",
            f"more than {MOST_BYTES / 2**30:.0f} GiB or {MOST_TENSORS} tensors are not read",
        )


def _to_array(data: bytes | memoryview, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the array of exactly these bytes."""
    if kind == "bfloat16":  # the upper half of a float32
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)
    return np.frombuffer(data, kind).reshape(shape).astype(np.dtype(kind).newbyteorder("="), copy=False)


def _check_shape(shape: Any) -> tuple[int, ...]:
    if not isinstance(shape, tuple | list) or len(shape) > 32:
        raise _Fault("holds a shape that is not a short list of numbers")
    if not all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n <= 2**40 for n in shape):
        raise _Fault(f"holds a tensor of the impossible shape {str(list(shape))[:80]}")
    return tuple(shape)


# -- safetensors and npz --------------------------------------------------------------------------------------------


def _read_safetensors(file: BinaryIO, size: int) -> dict[str, np.ndarray]:
    """The safetensors package cannot give numpy arrays of bfloat16, so it parses and checks, and this converts."""
    _check_amount(0, size)
    try:
        entries = deserialize(file.read())
    except SafetensorError as error:
        raise ValueError(error) from error
    tensors = {}
    for name, entry in entries:
        if entry["dtype"] not in _SAFE_TYPES:
            raise _Fault(
                f"holds {name[:80]!r} as {entry['dtype']}, which numpy does not have", "save it as F32, F16 or BF16"
            )
        tensors[name] = _to_array(bytes(entry["data"]), _SAFE_TYPES[entry["dtype"]], _check_shape(entry["shape"]))
    return tensors


def _read_npz(file: BinaryIO, size: int) -> dict[str, np.ndarray]:
    """numpy's own reader allocates what a header asks for before it looks at what is there."""
    tensors = {}
    with zipfile.ZipFile(file) as archive:
        _check_zip(archive, size)
        for info in archive.infolist():
            data = _member(archive, info)
            stream = io.BytesIO(data)
            version = np.lib.format.read_magic(stream)
            if version not in ((1, 0), (2, 0)):
                raise _Fault(f"holds {info.filename[:80]!r} in version {version} of numpy's format")
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, kind = header(stream)
            name = info.filename.removesuffix(".npy")
            if kind.hasobject or kind.kind not in "fiub":
                raise _Fault(f"holds {name[:80]!r}, which is not an array of numbers")
            shape = _check_shape(shape)
            held = len(data) - stream.tell()
            if math.prod(shape) * kind.itemsize != held:
                raise _Fault(f"holds {name[:80]!r} with the shape {list(shape)}, but {held} bytes of it")
            array = np.frombuffer(memoryview(data)[stream.tell() :], kind)
            array = array.reshape(shape, order="F" if fortran else "C")
            tensors[name] = array.astype(kind.newbyteorder("="), copy=False)
    return tensors


def _check_zip(archive: zipfile.ZipFile, size: int) -> None:
    """Refuse an archive that unpacks to more than the file could hold of tensors."""
    infos = archive.infolist()
    _check_amount(len(infos), sum(info.file_size for info in infos))
    if sum(info.file_size for info in infos) > 100 * size + 2**24:
        raise _Fault("unpacks to more than a hundred times its size, as weights never do")
    names = [info.filename for info in infos]
    if len(set(names)) < len(names):
        raise _Fault("holds two members of one name")
    if odd := [info.filename for info in infos if info.external_attr >> 16 & 0o170000 == 0o120000]:
        raise _Fault(f"holds the link {odd[0][:80]!r}", "links are not followed")


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.flag_bits & 1:
        raise _Fault("is an encrypted archive")
    data = archive.read(info)  # at most file_size bytes, and their checksum is checked
    if len(data) != info.file_size:
        raise EOFError(f"{info.filename} is cut short")
    return data


# -- pickles --------------------------------------------------------------------------------------------------------


class _Part:
    """Reads a part of a file; asks for no more bytes than are left, whatever length a pickle claims."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._end = file, size

    def read(self, count: int = -1) -> bytes:
        left = self._end - self._file.tell()
        if count > left:
            raise EOFError("it ends too early")
        return self._file.read(left if count < 0 else count)

    def readline(self) -> bytes:
        return self._file.readline(2**16)

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[:] = data
        return len(data)


class _Array:
    """Stands for a numpy array while a pickle is read: the arguments of `ndarray.__setstate__`."""

    state: Any = None


class _Kind:
    """Stands for a numpy type; the order of its bytes comes as its state."""

    def __init__(self, code: str, *_: object) -> None:
        if not re.fullmatch(r"[<>|=]?[fiub][1248]", code):
            raise _Fault(f"holds an array of the type {code[:20]!r}, which is not one of numbers")
        self.code = code
        self.state: Any = None

    @property
    def dtype(self) -> np.dtype:
        order: Any = self.state[1] if self.state else "="
        if order not in ("<", ">", "|", "="):
            raise ValueError(f"byte order {order!r}")
        return np.dtype(self.code).newbyteorder(order)


class _Lazy:
    """A torch tensor whose storage has not been read yet."""

    def __init__(self, storage: tuple[str, str, int], offset: Any, shape: Any, strides: Any) -> None:
        numbers = (offset, *_check_shape(shape), *_check_shape(strides))
        if not all(isinstance(n, int) and n >= 0 for n in numbers) or len(shape) != len(strides):
            raise _Fault("holds a tensor whose place in its storage is impossible")
        self.storage, self.offset, self.shape, self.strides = storage, offset, tuple(shape), tuple(strides)


class _SafeUnpickler(pickle._Unpickler):  # the C one cannot be kept from setting attributes or growing its memo
    """Unpickle dicts, lists, texts, numbers and arrays of numbers; refuse whatever else a pickle asks for."""

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, file: Any, torch: bool = False) -> None:
        super().__init__(file, encoding="latin1" if torch else "ASCII")
        self._torch = torch
        self._made = 0  # bytes of texts made into bytes

    def find_class(self, module: str, name: str) -> Any:
        """Return a stand-in for one of the few things that make an array; nothing is imported."""
        stand_ins: dict[tuple[str, str], Any] = {
            ("numpy", "ndarray"): "numpy.ndarray",  # only ever an argument, so a text does
            ("numpy", "dtype"): _Kind,
            ("numpy.core.multiarray", "_reconstruct"): lambda *_: _Array(),
            ("numpy._core.multiarray", "_reconstruct"): lambda *_: _Array(),
            ("numpy.core.numeric", "_frombuffer"): _from_buffer,
            ("numpy._core.numeric", "_frombuffer"): _from_buffer,
            ("_codecs", "encode"): self._latin1,
            ("collections", "OrderedDict"): OrderedDict,
            ("builtins", "tuple"): _pair,
            ("__builtin__", "tuple"): _pair,
        }
        if self._torch:
            stand_ins[("torch._utils", "_rebuild_tensor_v2")] = lambda *values: _Lazy(*values[:4])
            stand_ins[("torch._utils", "_rebuild_tensor")] = lambda *values: _Lazy(*values[:4])
            stand_ins[("torch._utils", "_rebuild_parameter")] = lambda tensor, *_: tensor
            stand_ins.update({("torch", kind): kind for kind in _TORCH_TYPES})
        if (module, name) not in stand_ins:
            raise _Fault(
                f"carries code ({module[:80]}.{name[:80]}) and is refused: weights are arrays of numbers and "
                "nothing else",
                "do not open this file with tools that unpickle it",
            )
        return stand_ins[module, name]

    def persistent_load(self, pid: Any) -> Any:
        """Return torch's reference to a storage: (key, type, number of elements)."""
        if not self._torch or not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage":
            raise _Fault("refers to something that is not a torch storage")
        _, kind, key, _, count = pid[:5]
        if kind not in _TORCH_TYPES or not isinstance(count, int) or not isinstance(key, str | int):
            raise _Fault(f"holds a storage of the unknown type {str(kind)[:40]}")
        if len(pid) > 5 and pid[5] is not None:
            raise _Fault("holds views of storages, as torch before 0.4 wrote them", "save it with a newer torch")
        return str(key), kind, count

    def load_build(self) -> None:
        """Fill an array with its numbers; anything else keeps its attributes."""
        state = self.stack.pop()  # type: ignore[attr-defined]
        target = self.stack[-1]  # type: ignore[attr-defined]
        if isinstance(target, _Array | _Kind):
            target.state = state
        elif not isinstance(target, OrderedDict):
            raise _Fault(f"sets attributes of a {type(target).__name__} and is refused")

    dispatch[pickle.BUILD[0]] = load_build

    def load_bytearray8(self) -> None:
        """Read the bytes of an array of protocol 5; pickle's own code makes room for as many as the file claims."""
        (count,) = struct.unpack("<Q", self.read(8))  # type: ignore[attr-defined]
        self.append(self.read(count))  # type: ignore[attr-defined]

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8

    def _latin1(self, text: str, encoding: str) -> bytes:
        self._made += len(text)
        _check_amount(0, self._made)
        if encoding != "latin1":
            raise ValueError(f"encoding {encoding!r}")
        return codecs.encode(text, "latin1")


def _from_buffer(data: Any, kind: Any, shape: Any, order: str) -> _Array:
    """Return the stand-in of an array that was pickled with protocol 5."""
    array = _Array()
    array.state = (1, shape, kind, order == "F", bytes(data))
    return array


def _pair(values: Any) -> tuple[Any, ...]:
    if len(values) > 2:
        raise ValueError("a long tuple")
    return tuple(values)


def _numpy_array(array: _Array) -> np.ndarray:
    """Return the array that `ndarray.__setstate__((version, shape, dtype, fortran, bytes))` would give."""
    _, shape, stand_in, fortran, data = array.state
    if not isinstance(stand_in, _Kind) or not isinstance(data, bytes):
        raise ValueError("an array without type or bytes")
    shape, kind = _check_shape(shape), stand_in.dtype
    if math.prod(shape) * kind.itemsize != len(data):
        raise _Fault(f"holds an array of the shape {list(shape)}, but {len(data)} bytes of it")
    values = np.frombuffer(data, kind).reshape(shape, order="F" if fortran else "C")
    return values.astype(kind.newbyteorder("="), copy=False)


def _read_pdparams(file: BinaryIO, size: int) -> dict[str, np.ndarray]:
    _check_amount(0, size)
    if file.read(2) == b"PK":
        raise _Fault("is a PyTorch or zip file, not one of PaddlePaddle", "call it .pth if it is torch's")
    file.seek(0)
    content = _SafeUnpickler(_Part(file, size)).load()
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise _Fault("holds no tensors by name", "a .pdparams file of a model is needed")
    content.pop("StructuredToParameterName@@", None)  # paddle's own table of names
    tensors: dict[str, Any] = {}
    made = 0
    for name, value in content.items():
        if isinstance(value, tuple) and len(value) == 2:
            value = value[1]
        if isinstance(value, _Array):
            value = _numpy_array(value)
            made += value.nbytes
            _check_amount(len(tensors), made)
        tensors[name] = value
    return tensors


# -- torch ----------------------------------------------------------------------------------------------------------


def _read_torch(file: BinaryIO, size: int) -> dict[str, np.ndarray]:
    if file.read(2) == b"PK":
        file.seek(0)
        return _read_torch_zip(file, size)
    file.seek(0)
    return _read_torch_pickle(file, size)


def _read_torch_zip(file: BinaryIO, size: int) -> dict[str, np.ndarray]:
    """torch 1.6 and later: NAME/data.pkl, NAME/data/KEY for each storage, NAME/byteorder."""
    with zipfile.ZipFile(file) as archive:
        _check_zip(archive, size)
        members = {info.filename.partition("/")[2]: info for info in archive.infolist()}
        if "data.pkl" not in members:
            raise _Fault("is a zip file, but not one that torch.save wrote (it has no data.pkl)")
        if "byteorder" in members and _member(archive, members["byteorder"]) != b"little":
            raise _Fault("was written on a big-endian machine", "save it again on another")
        data = _member(archive, members["data.pkl"])
        content = _SafeUnpickler(_Part(io.BytesIO(data), len(data)), torch=True).load()

        def storage(key: str) -> bytes:
            if f"data/{key}" not in members:
                raise _Fault(f"lacks the storage {key[:40]!r}: it is cut short")
            return _member(archive, members[f"data/{key}"])

        return _tensors(_state_dict(content), storage)


def _read_torch_pickle(file: BinaryIO, size: int) -> dict[str, np.ndarray]:
    """torch before 1.6: pickles of a magic number, a version, the machine, the object, the keys; then the storages."""
    _check_amount(0, size)
    try:
        magic = _SafeUnpickler(_Part(file, size), torch=True).load()
    except (pickle.UnpicklingError, EOFError, ValueError, KeyError, IndexError):
        magic = None
    if magic != _TORCH_MAGIC:
        raise _Fault("is not a file that torch.save wrote (neither a zip file nor torch's pickle)")
    version, machine, content, keys = (_SafeUnpickler(_Part(file, size), torch=True).load() for _ in range(4))
    if version != 1001 or not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise _Fault("was written in another version or on a big-endian machine", "save it again with a new torch")
    if not isinstance(keys, list) or len(keys) > MOST_TENSORS or not all(isinstance(key, str) for key in keys):
        raise _Fault("has no list of storages: it is cut short")
    wanted = _state_dict(content)
    widths = {tensor.storage[0]: _width(tensor.storage[1]) for tensor in _all_tensors(content)}
    places: dict[str, tuple[int, int]] = {}
    for key in keys:
        (count,) = struct.unpack("<q", _Part(file, size).read(8))
        length = count * widths.get(key, 0)
        if key not in widths or count < 0 or file.tell() + length > size:
            raise _Fault("ends before its last storage: it is cut short")
        places[key] = file.tell(), length
        file.seek(length, os.SEEK_CUR)

    def storage(key: str) -> bytes:
        if key not in places:
            raise _Fault(f"lacks the storage {key[:40]!r}: it is cut short")
        file.seek(places[key][0])
        return file.read(places[key][1])

    return _tensors(wanted, storage)


def _state_dict(content: Any) -> dict[str, _Lazy]:
    """Return the tensors by name, also of a training checkpoint that has an optimizer beside them."""
    for part in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(part), dict):
            content = content[part]
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise _Fault("holds no tensors by name", "a state_dict is needed")
    _check_amount(len(content), 0)
    if odd := [name for name, value in content.items() if not isinstance(value, _Lazy)]:
        raise _Fault(f"holds {odd[0][:80]!r}, which is not a tensor")
    return content


def _all_tensors(content: Any) -> list[_Lazy]:
    """Return every tensor anywhere in a checkpoint, to know the types of all storages."""
    found, waiting, seen = [], [content], set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, _Lazy):
            found.append(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list | tuple):
            waiting.extend(value)
    return found


def _width(kind: str) -> int:
    return 2 if _TORCH_TYPES[kind] == "bfloat16" else np.dtype(_TORCH_TYPES[kind]).itemsize


def _tensors(wanted: dict[str, _Lazy], storage: Callable[[str], bytes]) -> dict[str, np.ndarray]:
    """Cut the tensors out of their storages."""
    made = 0
    result: dict[str, np.ndarray] = {}
    held: dict[str, np.ndarray] = {}
    for name, tensor in wanted.items():
        key, kind, count = tensor.storage
        if key not in held:
            data = storage(key)
            if len(data) != count * _width(kind):
                raise _Fault(f"holds {len(data)} bytes of the storage of {name[:80]!r}, not {count} numbers")
            held[key] = _to_array(data, _TORCH_TYPES[kind], (count,))
        values = held[key]
        last = tensor.offset + sum((n - 1) * step for n, step in zip(tensor.shape, tensor.strides, strict=True))
        number = math.prod(tensor.shape)
        if number > count or (number and last >= count) or len(values) != count:
            raise _Fault(f"holds {name[:80]!r} with the shape {list(tensor.shape)}, larger than its storage")
        made += number * values.itemsize
        _check_amount(len(result), made)
        steps = tuple(step * values.itemsize for step in tensor.strides)
        if number == 0:
            result[name] = np.empty(tensor.shape, values.dtype)
        else:
            view = np.lib.stride_tricks.as_strided(values[tensor.offset :], tensor.shape, steps, writeable=False)
            result[name] = np.ascontiguousarray(view).reshape(tensor.shape)
    return result
