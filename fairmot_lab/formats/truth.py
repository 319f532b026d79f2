"""Build ground-truth tables from the rows that a reader finds, and read XML, JSON and zip files safely."""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

import numpy as np
import pandas as pd

from ..errors import MotFileError, warn
from . import text
from .mot import LARGEST_ID, check_table
from .text import NUMBER, read_bytes

COLUMNS = ("frame", "id", "x", "y", "w", "h", "conf", "class_id")
_DEEPEST_XML = 32


def truth_table(
    rows: Sequence[tuple] | np.ndarray,
    path: Path,
    *,
    format: str,
    classes: Mapping[int, str] | None = None,
    sequence: str,
    visibility: Iterable[float] | None = None,
    more: Mapping[str, Sequence[int]] | None = None,
    **attrs: Any,
) -> pd.DataFrame:
    """Return a ground-truth table as `read_mot` gives it.

    Parameters
    ----------
    rows
        (frame, id, x, y, w, h, conf, class_id) of each box, frames from 1; an id of -1 gets a number of its own.
    path
        The file or folder that was read, for messages and for `attrs["files"]`.
    format
        Title of the format, kept in `attrs`.
    classes
        Names of the classes by `class_id`, kept in `attrs`.
    sequence
        Name of the sequence, kept in `attrs`.
    visibility
        Of each box, in 0..1.
    more
        Further columns of whole numbers.
    **attrs
        `length`, `width`, `height`, `frame_rate`, `notes`; those that are None are left out.

    Raises
    ------
    MotFileError
        If a value breaks the rules of `read_mot`.

    Warns
    -----
    FairMOTLabWarning
        If boxes without an area are left out.
    """
    values = np.array(rows, dtype=np.float64).reshape(len(rows), len(COLUMNS))
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise MotFileError(f"{path}: {COLUMNS[column]} of box {row + 1} is {values[row, column]}; correct the file.")
    share = np.full(len(values), np.nan) if visibility is None else np.fromiter(visibility, float, len(values))
    further = {name: np.array(column, np.int64) for name, column in (more or {}).items()}
    flat = (values[:, 4] <= 0) | (values[:, 5] <= 0)
    if flat.any():
        first = values[np.argmax(flat)]
        warn(
            f"{path}: {int(flat.sum())} of {len(values)} boxes have no area (the first in frame {first[0]:g}) and are "
            "left out."
        )
    order = np.flatnonzero(~flat)[np.argsort(values[~flat, 0], kind="stable")]
    values = values[order]
    for column in (0, 1, 7):
        odd = (values[:, column] % 1 != 0) | (np.abs(values[:, column]) > LARGEST_ID)
        if odd.any():
            raise MotFileError(
                f"{path}: {COLUMNS[column]} {values[np.argmax(odd), column]:g} is not a whole number below 2^53; "
                "correct the file."
            )
    unnamed = values[:, 1] == -1
    values[unnamed, 1] = values[:, 1].max(initial=0) + 1 + np.arange(unnamed.sum())
    table = pd.DataFrame(dict(zip(COLUMNS, values.T.copy(), strict=True))).rename(columns={"conf": "score"})
    table = table.astype(dict.fromkeys(("frame", "id", "class_id"), np.int64))
    table["conf"], table["visibility"] = table["score"], share[order]
    for name, column in further.items():
        table[name] = column[order]
    check_table(table, "ground_truth", name=str(path), length=attrs.get("length"))
    table.attrs = {"sequence": sequence, "format": format, "files": [os.path.realpath(path)]}
    if classes:
        table.attrs["classes"] = dict(classes)
    table.attrs |= {key: value for key, value in attrs.items() if value is not None}
    return table


def number(value: Any, what: str, path: Path) -> float:
    """Return a number that a file gives as text or as a JSON number.

    Raises
    ------
    MotFileError
        If it is missing, not a number or not finite.
    """
    if isinstance(value, str) and len(value) <= text.LONGEST_NUMBER and NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(_float(value)):
        shown = "missing" if value is None else text.short(repr(value))
        raise MotFileError(f"{path}: {what} is {shown}, not a finite number; correct the file.")
    return float(value)


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def whole(value: Any, what: str, path: Path) -> int:
    """Return a whole number that a file gives as text or as a JSON number; see `number`."""
    found = number(value, what, path)
    if found % 1 or abs(found) > LARGEST_ID:
        raise MotFileError(f"{path}: {what} is {value!r}, not a whole number; correct the file.")
    return int(found)


def first_of(item: Mapping[str, Any], keys: Iterable[str], default: Any = None) -> Any:
    """Return the first value that an object gives under one of several keys."""
    return next((item[key] for key in keys if item.get(key) is not None), default)


def read_json(path: Path) -> Any:
    """Return the content of a JSON file of bounded size and depth.

    Raises
    ------
    MotFileError
        If it is not JSON.
    """
    try:
        return json.loads(read_bytes(path, "a JSON file"))
    except RecursionError as error:
        raise MotFileError(f"{path} nests its brackets too deeply to be read; it is not a file of labels.") from error
    except ValueError as error:  # also text that is not UTF-8, and numbers of thousands of digits
        raise MotFileError(f"{path} is not valid JSON ({text.short(str(error), 80)}); write the file again.") from error


def read_xml(path: Path, data: bytes | None = None) -> Element:
    """Return the root of an XML file of bounded size and depth, without entities of its own.

    Raises
    ------
    MotFileError
        If it is not XML, or declares a document type: entities can expand without end or name other files.
    """
    data = read_bytes(path, "an XML file") if data is None else data
    builder, depth = TreeBuilder(), 0
    parser = expat.ParserCreate()

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST_XML:
            raise MotFileError(f"{path} nests its elements too deeply to be read; it is not a file of labels.")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: Any) -> None:
        raise MotFileError(f"{path} declares a document type, which labels do not need; remove <!DOCTYPE ...>.")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise MotFileError(f"{path} is not valid XML ({error}); write the file again.") from error
    except (ValueError, LookupError) as error:  # an encoding that does not exist
        raise MotFileError(f"{path} cannot be read as XML ({error}); save it as UTF-8.") from error
    return builder.close()


def read_members(path: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Return those of the named members that a zip file holds, of bounded size.

    Raises
    ------
    MotFileError
        If it is missing, not a whole zip file, encrypted, or a member is too large.
    """
    wanted = set(names)
    found: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in wanted & set(archive.namelist()):
                with archive.open(name) as member:
                    found[name] = member.read(text.LARGEST_TEXT + 1)
    except FileNotFoundError as error:
        raise MotFileError(f"{path} does not exist; give the zip file that CVAT exported.") from error
    except (
        zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError, KeyError,
    ) as error:  # fmt: skip
        raise MotFileError(
            f"{path} is not a zip file that can be read ({text.short(str(error), 80)}); export it again, without a "
            "password."
        ) from error
    for name, data in found.items():
        if len(data) > text.LARGEST_TEXT:
            raise MotFileError(
                f"{path}: {name} has more than {text.LARGEST_TEXT / 2**20:g} MiB, the most that is read; export fewer "
                "tasks at a time."
            )
    return found


def member_names(path: Path) -> list[str]:
    """Return the names inside a zip file, and none where it is not one."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, io.UnsupportedOperation):
        return []
