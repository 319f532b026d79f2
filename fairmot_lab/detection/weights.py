"""Read weight files as data: nothing in them runs."""

from __future__ import annotations

import codecs
import hashlib
import os
import pickle
import re
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import WeightsError

SUFFIXES = (".pdparams", ".safetensors", ".npz")


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits.

    Raises
    ------
    WeightsError
        If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror}).") from error


def read_weights(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read the tensors of a weights file; nothing in it is executed.

    Parameters
    ----------
    path
        `.pdparams` (a pickle, of which only what builds arrays of numbers is accepted), `.safetensors` or `.npz`.

    Returns
    -------
    dict
        Arrays by parameter name.

    Raises
    ------
    WeightsError
        If it is no such file, is cut short, or carries code.
    """
    path = Path(path)
    try:
        if path.suffix == ".safetensors":
            tensors = _read_safetensors(path)
        elif path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as archive:
                tensors = dict(archive)
        elif path.suffix == ".pdparams":
            tensors = _read_pdparams(path)
        else:
            raise WeightsError(f"{path} is no weights file; its name must end in {', '.join(SUFFIXES)}.")
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror or error}).") from error
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} is no {path.suffix} file, or it is damaged ({error}).") from error
    for name, value in tensors.items():
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiub":
            raise WeightsError(f"{path} holds {name!r}, which is no array of numbers.")
    if not tensors:
        raise WeightsError(f"{path} holds no tensors.")
    return tensors


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(error) from error


def _read_pdparams(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as file:
        if file.read(2) == b"PK":
            raise WeightsError(f"{path} is a PyTorch or zip file, not one of PaddlePaddle; only the latter are read.")
        file.seek(0)
        try:
            content = _ArraysOnly(file, path).load()
        except WeightsError:
            raise
        except Exception as error:  # a broken pickle can make the unpickler stumble in any way
            raise WeightsError(f"{path} is no .pdparams file, or it is cut short ({error}).") from error
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise WeightsError(f"{path} holds no tensors by name; a .pdparams file of a model is needed.")
    content.pop("StructuredToParameterName@@", None)  # paddle's own table of names
    return {
        name: value[1] if isinstance(value, tuple) and len(value) == 2 else value for name, value in content.items()
    }


class _ArraysOnly(pickle.Unpickler):
    """Unpickles dicts, lists, texts, numbers and arrays of numbers; whatever else a pickle asks for is refused."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        super().__init__(file)
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        """Stand-ins for the few things that build an array; nothing is imported."""
        stand_ins = {
            ("numpy", "ndarray"): "numpy.ndarray",  # only ever an argument, so a text does
            ("numpy", "dtype"): _number_type,
            ("numpy.core.multiarray", "_reconstruct"): _empty_array,
            ("numpy._core.multiarray", "_reconstruct"): _empty_array,
            ("_codecs", "encode"): _latin1,
            ("collections", "OrderedDict"): OrderedDict,
            ("builtins", "tuple"): tuple,
            ("__builtin__", "tuple"): tuple,
        }
        if (module, name) not in stand_ins:
            raise WeightsError(
                f"{self._path} carries code ({module}.{name}) and is refused: weights are arrays of numbers and "
                "nothing else; do not open this file with tools that unpickle it."
            )
        return stand_ins[module, name]


def _number_type(code: str, *_: object) -> np.dtype:
    if not re.fullmatch(r"[<>|=]?[fiub][1248]", code):
        raise ValueError(f"type {code!r}")
    return np.dtype(code)


def _empty_array(*_: object) -> np.ndarray:
    return np.ndarray.__new__(np.ndarray, (0,), "b")


def _latin1(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise ValueError(f"encoding {encoding!r}")
    return codecs.encode(text, "latin1")
