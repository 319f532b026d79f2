"""Read and write MOTChallenge text files; a broken file is an error, never a wrong figure."""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .._files import atomic_write
from ..errors import FairMOTLabWarning, MotFileError

KINDS = ("results", "detections", "ground_truth")
LARGEST_ID = 2**53 - 1
LARGEST_FRAME = 10_000_000
LARGEST_PIXEL = 1e9
_FEWEST_COLUMNS, _MOST_COLUMNS = 6, 12
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NUMBER_BYTES = b"0123456789+-.eE, \n"
_NAMES = ("frame", "id", "x", "y", "w", "h", "score", "class", "visibility")
Where = Callable[[int], str]


def read_mot(
    path: str | os.PathLike[str],
    kind: str = "results",
    *,
    length: int | None = None,
    width: int | None = None,
    height: int | None = None,
) -> pd.DataFrame:
    """Read a MOTChallenge text file into a table.

    Comma, semicolon, tab or spaces separate the columns; a byte order mark, CRLF, blank lines and gzip are read as they
    come.

    Parameters
    ----------
    path
        The file; gzip-compressed if its name ends in .gz.
    kind
        "results", "detections" or "ground_truth": what the columns mean (see the module).
    length
        Frames in the sequence, if known: a frame beyond it is an error.
    width, height
        Size of the image in pixels, if known: boxes that lie mostly outside give a warning.

    Returns
    -------
    pandas.DataFrame
        One row per box, ordered by frame (rows of a frame keep the order of the file): `frame` (int64, from 1), `id`
        (int64), `x`, `y`, `w`, `h` (float64 pixels, top-left corner), `score` (1 where the file has none), `class_id`
        (int64, -1 where the file has none). Detections have `det`, the row, in place of `id`. Ground truth also has
        `conf` (the same as `score`) and `visibility` (NaN where the file has none). `attrs` holds `sequence` (from the
        file's name), and `length`, `width`, `height` where they were given. Columns beyond these are checked to be
        numbers and not returned.

    Raises
    ------
    MotFileError
        For anything that would give wrong figures: the message names the file, the line, the value and the remedy.

    Warns
    -----
    FairMOTLabWarning
        If the file is empty, if boxes look like x1, y1, x2, y2 or like fractions of the image, or if ground truth of 10
        columns looks as if it had classes.
    """
    return read_table(path, kind, length=length, width=width, height=height)


def read_table(
    path: str | os.PathLike[str],
    kind: str,
    *,
    length: int | None = None,
    width: int | None = None,
    height: int | None = None,
    exact: bool = True,
) -> pd.DataFrame:
    """What `read_mot` does; with `exact=False` long decimals are rounded as motmetrics' reader rounds them.

    py-motmetrics reads text through pandas' "high" conversion, which is off by one unit in the last place for some
    numbers of 16 digits and more. Figures that are to equal its own to the last bit need the same numbers.
    """
    _check_kind(kind)
    path = Path(path)
    data = _read_bytes(path)
    values = _parse_fast(data, exact)
    lines: list[int] | None = None
    if values is None:
        values, lines, clean = _parse_strictly(data, path)
        if not exact and len(values):
            as_motmetrics = _parse_clean(clean)
            values = values if as_motmetrics is None else as_motmetrics

    def where(row: int) -> str:
        nonlocal lines
        if lines is None:
            lines = _parse_strictly(data, path)[1]
        return f"{path}, line {lines[row]}"

    if len(values) == 0:
        warnings.warn(f"{path} is empty: it holds no box at all.", FairMOTLabWarning, stacklevel=3)
    else:
        _refuse_decimal_commas(values, data, path)
    table = _name_columns(values, kind, path, where)
    _check(table, kind, where, length)
    _warn_about_corners(table, str(path), width, height)
    if len(table) and (np.diff(table["frame"].to_numpy()) < 0).any():
        table = table.sort_values("frame", kind="stable", ignore_index=True)
        if kind == "detections":
            table["det"] = np.arange(len(table))
    table.attrs["sequence"] = _sequence_name(path)
    for key, value in (("length", length), ("width", width), ("height", height)):
        if value is not None:
            table.attrs[key] = int(value)
    return table


def write_mot(tracks: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a table as MOTChallenge text; `read_mot` gives the same table back, to the last bit.

    Parameters
    ----------
    tracks
        Tracks (10 columns are written: frame, id, x, y, w, h, score, class, -1, -1), detections (without `id`: -1 is
        written), or ground truth (with `conf` and `visibility`: 9 columns; 7 or 8 where there are no classes or no
        visibility). Rows are written in order of frame.
    path
        The file to make or replace; compressed with gzip if its name ends in .gz.

    Raises
    ------
    MotFileError
        If the table breaks the rules that `read_mot` enforces.
    WriteError
        If the file cannot be written.
    """
    kind = "ground_truth" if "conf" in tracks else "results" if "id" in tracks else "detections"
    check_table(tracks, kind)
    if not tracks["frame"].is_monotonic_increasing:
        tracks = tracks.sort_values("frame", kind="stable")
    count = len(tracks)
    classes = tracks["class_id"].to_numpy() if "class_id" in tracks else np.full(count, -1)
    columns: dict[str, Any] = {
        "frame": tracks["frame"].to_numpy().astype(np.int64),
        "id": tracks["id"].to_numpy().astype(np.int64) if "id" in tracks else np.full(count, -1),
    }
    columns |= {name: tracks[name].to_numpy().astype(float) for name in "xywh"}
    if kind == "ground_truth":
        columns["conf"] = tracks["conf"].to_numpy().astype(float)
        visibility = tracks["visibility"].to_numpy().astype(float) if "visibility" in tracks else np.full(count, np.nan)
        known = np.isfinite(visibility)
        if known.any() and not known.all():
            row = int(np.flatnonzero(~known)[0])
            raise MotFileError(
                f"row {row} of the table has no visibility and others have; fill it in or drop the column."
            )
        if known.any() or (classes != -1).any():
            columns["class_id"] = classes
        if known.any():
            columns["visibility"] = visibility
    else:
        columns["score"] = tracks["score"].to_numpy().astype(float) if "score" in tracks else np.ones(count)
        columns |= {"class_id": classes, "unused": np.full(count, -1), "unused_too": np.full(count, -1)}
    text = pd.DataFrame(columns).to_csv(header=False, index=False, lineterminator="\n")
    data = text.encode("ascii")
    with atomic_write(path) as temporary:
        temporary.write_bytes(gzip.compress(data, mtime=0) if str(path).endswith(".gz") else data)


def check_table(
    table: pd.DataFrame, kind: str = "results", *, name: str = "the table", length: int | None = None
) -> None:
    """Hold a table to the rules of `read_mot`: finite numbers, whole frames and ids, boxes with a size, no box twice.

    Parameters
    ----------
    table
        Tracks, detections or ground truth (see `read_mot`).
    kind
        "results", "detections" or "ground_truth".
    name
        What the message calls the table.
    length
        Frames in the sequence, if known.

    Raises
    ------
    MotFileError
        Naming the first row (its position, counted from 0) that breaks a rule.
    """
    _check_kind(kind)
    needed = ["frame", *([] if kind == "detections" else ["id"]), "x", "y", "w", "h"]
    missing = [column for column in needed if column not in table]
    if missing:
        raise MotFileError(f"{name} has no column {', '.join(missing)}; it needs {', '.join(needed)}.")
    for column in [*needed, *({"score", "conf", "class_id"} & set(table))]:
        if table[column].dtype.kind not in "iufb":
            raise MotFileError(f"column {column} of {name} holds {table[column].dtype}; it must hold numbers.")
    _check(table, kind, lambda row: f"{name}, row {row}", length)
    if "class_id" in table:
        _check_whole(table["class_id"].to_numpy(), "class", lambda row: f"{name}, row {row}")


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise MotFileError(f"kind={kind!r} is none of {', '.join(KINDS)}.")


def _sequence_name(path: Path) -> str:
    if path.parent.name in ("gt", "det"):
        return path.resolve().parent.parent.name
    name = path.name.removesuffix(".gz")
    return name.removesuffix(".txt")


def _read_bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        if path.name.endswith(".gz") and data:
            data = gzip.decompress(data)
    except FileNotFoundError as error:
        raise MotFileError(f"{path} does not exist; give the path of a MOTChallenge text file.") from error
    except IsADirectoryError as error:
        raise MotFileError(f"{path} is a folder; give the path of a MOTChallenge text file.") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise MotFileError(
            f"{path} is not a whole gzip file ({error}); compress it again or take .gz off its name."
        ) from error
    except OSError as error:
        raise MotFileError(f"{path} cannot be read ({error.strerror or error}).") from error
    if data.startswith(b"\x1f\x8b"):
        raise MotFileError(f"{path} is compressed with gzip and its name does not say so; rename it to end in .gz.")
    data = data.removeprefix(b"\xef\xbb\xbf")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise MotFileError(f"{path} is text in UTF-16; save it as UTF-8 or ASCII.")
    if b"\0" in data:
        raise MotFileError(
            f"{path} is binary (it holds a zero byte at {data.index(0)}); give a MOTChallenge text file."
        )
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data


def _parse_fast(data: bytes, exact: bool) -> np.ndarray | None:
    """Parse a file in which nothing is odd with the C engine of pandas; None where `_parse_strictly` must look at it.

    Returns float64 of shape (rows, columns). With `exact`, each number is rounded as Python's float() rounds it.
    """
    if b"," in data:
        data = data.replace(b", ", b",") if b" " in data else data
    else:
        for separator in (b";", b"\t", b" "):
            if separator in data:
                data = data.replace(separator, b",")
                break
    if not data or data.translate(None, _NUMBER_BYTES):
        return None
    if not data.endswith(b"\n"):
        data += b"\n"
    text = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero((text == ord(",")) | (text == ord("\n")))
    newlines = text[ends] == ord("\n")
    columns = int(np.argmax(newlines)) + 1
    if not _FEWEST_COLUMNS <= columns <= _MOST_COLUMNS or len(ends) % columns:
        return None
    last = newlines.reshape(-1, columns)
    if not last[:, -1].all() or last[:, :-1].any():
        return None
    values = _parse_clean(data)
    if values is None or values.shape != last.shape or not np.isfinite(values).all():
        return None
    if exact:
        starts = np.empty_like(ends)
        starts[0], starts[1:] = 0, ends[:-1] + 1
        _round_exactly(values, data, text, starts, ends)
    return values


def _parse_clean(data: bytes) -> np.ndarray | None:
    """Numbers of comma-separated text, rounded as motmetrics reads them (pandas' "high" conversion)."""
    try:
        values = pd.read_csv(
            io.BytesIO(data),
            header=None,
            engine="c",
            float_precision="high",
            quoting=csv.QUOTE_NONE,
            skip_blank_lines=False,
        ).to_numpy()
    except (ValueError, OverflowError):
        return None
    return np.ascontiguousarray(values, dtype=np.float64) if values.dtype.kind in "if" else None


def _round_exactly(values: np.ndarray, data: bytes, text: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> None:
    """Repair in place the numbers that pandas' "high" conversion may have rounded wrongly.

    It is exact while the digits make a whole number below 2**53: always up to 15 digits, and with 16 if they do not
    begin with a 9. Longer numbers are digits / 10**decimals in extended precision, where a whole number below 2**63 and
    the power are exact; rounding twice can only go wrong when the first result lies half-way between two float64.
    """
    flat = values.reshape(-1)
    sizes = ends - starts
    hard = (sizes > 17) | ((sizes > 16) & (text[starts] == ord("9"))) | ((sizes == 16) & (text[starts] == ord("9")))
    slow = sizes > 19
    if b"e" in data or b"E" in data:
        slow[np.searchsorted(ends, np.flatnonzero((text | 32) == ord("e")))] = True
    if np.finfo(np.longdouble).nmant < 63:
        slow |= hard
    quick = np.flatnonzero(hard & ~slow)
    if len(quick):
        position, end = starts[quick], ends[quick]
        negative = text[position] == ord("-")
        digits = np.zeros(len(quick), np.int64)
        for _ in range(19):
            digit = text[position] - np.uint8(ord("0"))  # what is no digit wraps to more than 9
            is_digit = digit <= 9
            np.multiply(digits, 10, out=digits, where=is_digit)
            np.add(digits, digit, out=digits, where=is_digit)
            np.minimum(position + 1, end, out=position)
        points = np.append(np.flatnonzero(text == ord(".")), len(text))
        point = points[np.searchsorted(points, starts[quick])]
        decimals = np.where(point < end, end - point - 1, 0)
        powers = np.cumprod(np.r_[np.longdouble(1), np.full(19, 10, np.longdouble)])
        exact = digits.astype(np.longdouble) / powers[decimals]
        rounded = exact.astype(np.float64)
        rest = np.abs(exact - rounded)
        halfway = rest == np.abs(np.spacing(rounded)) / 2
        flat[quick] = np.where(negative, -rounded, rounded)
        slow[quick[halfway]] = True
    for index in np.flatnonzero(slow):
        flat[index] = float(data[starts[index] : ends[index]])


def _parse_strictly(data: bytes, path: Path) -> tuple[np.ndarray, list[int], bytes]:
    """Parse line by line, or say what is wrong.

    Returns the numbers (rows, columns), the line (from 1) of each row, and the same numbers as clean comma-separated
    text.
    """
    values: list[list[float]] = []
    lines: list[int] = []
    clean: list[str] = []
    separator: str | None = ""
    columns = 0
    texts = data.split(b"\n")
    for number, raw in enumerate(texts, start=1):
        line = raw.decode("utf-8", "replace").strip(" ") if b"\t" in raw else raw.decode("utf-8", "replace").strip()
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        if separator == "":
            separator = next((mark for mark in ",;\t" if mark in line), None)
        fields = [field.strip() for field in line.split(separator)]
        is_cut = number == len(texts)  # the last line, with no line end behind it
        if columns == 0:
            _check_first_line(fields, line, separator, place)
            columns = len(fields)
        elif len(fields) != columns:
            if is_cut and len(fields) < columns:
                raise MotFileError(
                    f"{place} is cut off: it has {len(fields)} columns where the file has {columns} "
                    f"({_short(line)!r}); write the file again."
                )
            raise MotFileError(
                f"{place} has {len(fields)} columns where the lines before have {columns} ({_short(line)!r}); "
                "every line needs the same columns."
            )
        row = []
        for position, field in enumerate(fields):
            if not _NUMBER.fullmatch(field):
                raise MotFileError(_not_a_number(field, position, line, separator, place, is_cut))
            value = float(field)
            if not np.isfinite(value):
                raise MotFileError(
                    f"{place}: {_column(position)} is {field}, too large for a number; correct or remove the line."
                )
            row.append(value)
        values.append(row)
        lines.append(number)
        clean.append(",".join(fields) + "\n")
    array = np.array(values, dtype=np.float64).reshape(len(values), columns or _FEWEST_COLUMNS)
    return array, lines, "".join(clean).encode("ascii")


def _check_first_line(fields: list[str], line: str, separator: str | None, place: str) -> None:
    if line.startswith(("#", "//", "%")):
        raise MotFileError(f"{place} is a comment ({_short(line)!r}); remove it, the format has none.")
    words = [
        field for field in fields if re.fullmatch(r"[A-Za-z_ ]+\w*", field) and field.lower() not in ("nan", "inf")
    ]
    if len(words) > 1 and len(words) >= len(fields) / 2:
        raise MotFileError(f"{place} looks like a header ({_short(line)!r}); remove it, the format has none.")
    if len(fields) < _FEWEST_COLUMNS:
        raise MotFileError(
            f"{place} has {len(fields)} columns ({_short(line)!r}); at least 6 are needed: frame, id, x, y, w, h."
        )
    if len(fields) > _MOST_COLUMNS:
        hint = " (are the decimals written with commas?)" if separator == "," and "." not in line else ""
        raise MotFileError(
            f"{place} has {len(fields)} columns{hint}; at most 12 are read: keep frame, id, x, y, w, h, score, "
            "-1, -1, -1."
        )


def _not_a_number(field: str, position: int, line: str, separator: str | None, place: str, is_cut: bool) -> str:
    if field == "" and position == line.count(separator or " ") and not is_cut:
        return f"{place} ends in {separator!r}: its column {position + 1} is empty; remove the separator at the end."
    if field == "":
        return f"{place}: {_column(position)} is empty; fill it in or remove the line."
    if field.lower().lstrip("+-") in ("nan", "inf", "infinity"):
        return f"{place}: {_column(position)} is {field}, not a finite number; correct or remove the line."
    hint = ""
    if re.fullmatch(r"[+-]?\d+,\d+", field) or (separator == "," and any(mark in field for mark in "; \t")):
        hint = " (decimals are written with a point, and one separator is used in the whole file)"
    elif is_cut:
        hint = " (the last line seems to be cut off)"
    return f"{place}: {_column(position)} is {_short(field)!r}, not a number{hint}; correct or remove the line."


def _column(position: int) -> str:
    name = _NAMES[position] if position < len(_NAMES) else ""
    return f"column {position + 1}" + (f" ({name})" if name else "")


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def _refuse_decimal_commas(values: np.ndarray, data: bytes, path: Path) -> None:
    """Six numbers with decimal commas look like ten or eleven whole numbers: refuse what has no other explanation.

    In the columns of the format, 8 to 10 hold -1, a class, a visibility or a position; sizes above 1 and their decimals
    in all of them are none of these.
    """
    if values.shape[1] not in (10, 11) or b"." in data or b"," not in data:
        return
    if (values[:, [6, 8]] > 1).all() and (values[:, 6:10] >= 0).all() and (values[:, 6:10] % 1 == 0).all():
        raise MotFileError(
            f"{path}, line 1: {values.shape[1]} columns of whole numbers look like 6 or 7 numbers whose decimals are "
            "written with commas; write decimals with a point."
        )


def _name_columns(values: np.ndarray, kind: str, path: Path, where: Where) -> pd.DataFrame:
    rows, columns = values.shape
    boxes = {name: np.ascontiguousarray(values[:, 2 + index]) for index, name in enumerate("xywh")}
    score = np.ascontiguousarray(values[:, 6]) if columns > 6 else np.ones(rows)
    classes = np.full(rows, -1, dtype=np.int64)
    if kind == "ground_truth":
        if columns in (8, 9):
            _check_whole(values[:, 7], "class", where)
            classes = values[:, 7].astype(np.int64)
        elif columns >= 10 and rows:
            _warn_about_hidden_classes(values, path)
    elif columns >= 8 and (values[:, 7] % 1 == 0).all() and (values[:, 8:] == -1).all():
        # Otherwise column 8 begins a position in the world, as in MOT15.
        classes = np.clip(values[:, 7], -(2**53), 2**53).astype(np.int64)
    with np.errstate(invalid="ignore"):
        frame = np.clip(values[:, 0], -(2.0**53), 2.0**53)
        ids = np.clip(values[:, 1], -(2.0**53), 2.0**53)
    whole = not (frame % 1).any() and not (ids % 1).any()
    table: dict[str, np.ndarray] = {"frame": frame.astype(np.int64) if whole else frame}
    if kind != "detections":
        table["id"] = ids.astype(np.int64) if whole else ids
    else:
        _check_whole(ids, "id", where)
        if (ids < -1).any():
            row = int(np.argmax(ids < -1))
            raise MotFileError(f"{where(row)}: id {ids[row]:.0f} is below -1; detections have -1, or an id from 0 on.")
    table |= boxes | {"score": score, "class_id": classes}
    if kind == "detections":
        table["det"] = np.arange(rows)
    if kind == "ground_truth":
        table["conf"] = score.copy()
        table["visibility"] = np.ascontiguousarray(values[:, 8]) if columns == 9 else np.full(rows, np.nan)
    return pd.DataFrame(table, copy=False)


def _warn_about_hidden_classes(values: np.ndarray, path: Path) -> None:
    eighth, ninth = values[:, 7], values[:, 8]
    if (eighth % 1 == 0).all() and eighth.min() >= 1 and eighth.max() <= 13 and ninth.min() >= 0 and ninth.max() <= 1:
        warnings.warn(
            f"{path} has {values.shape[1]} columns and is read as MOT15 ground truth, without classes; if columns 8 "
            "and 9 are class and visibility, keep 9 columns.",
            FairMOTLabWarning,
            stacklevel=5,
        )


def _check(table: pd.DataFrame, kind: str, where: Where, length: int | None) -> None:
    """Raise for the first row that breaks a rule; `where(row)` gives its place for the message."""
    if len(table) == 0:
        return
    numbers = {name: table[name].to_numpy() for name in ("frame", "x", "y", "w", "h")}
    numbers |= {name: table[name].to_numpy() for name in ("score", "conf") if name in table}
    for name, column in numbers.items():
        if column.dtype.kind == "f" and not np.isfinite(column).all():
            row = int(np.argmin(np.isfinite(column)))
            raise MotFileError(
                f"{where(row)}: {name} is {column[row]}, not a finite number; correct or remove the row."
            )
    frame = numbers["frame"]
    _check_whole(frame, "frame", where)
    low, high = frame.min(), frame.max()
    if low < 1:
        row = int(np.argmax(frame < 1))
        hint = "; frames count from 1: if the whole file counts from 0, add 1 to each" if low == 0 else ""
        raise MotFileError(f"{where(row)}: frame {frame[row]:.0f} is below 1{hint or '; correct or remove the row'}.")
    limit = LARGEST_FRAME if length is None else length
    if high > limit:
        row = int(np.argmax(frame > limit))
        known = (
            f"the sequence has {limit} frames" if length is not None else f"no sequence has more than {limit} frames"
        )
        raise MotFileError(f"{where(row)}: frame {frame[row]:.0f}, but {known}; correct or remove the row.")
    for name in "xywh":
        if np.abs(numbers[name]).max() > LARGEST_PIXEL:
            row = int(np.argmax(np.abs(numbers[name]) > LARGEST_PIXEL))
            raise MotFileError(
                f"{where(row)}: {name} is {numbers[name][row]:g} pixels, beyond any image; correct the row."
            )
    for name in "wh":
        if (numbers[name] <= 0).any():
            row = int(np.argmax(numbers[name] <= 0))
            side = "width" if name == "w" else "height"
            raise MotFileError(f"{where(row)}: the box has {side} {numbers[name][row]:g}; it must be above 0.")
    if kind != "detections":
        _check_ids(table["id"].to_numpy(), frame, where)


def _check_ids(ids: np.ndarray, frame: np.ndarray, where: Where) -> None:
    if ids.dtype.kind == "f" and not np.isfinite(ids).all():
        row = int(np.argmin(np.isfinite(ids)))
        raise MotFileError(f"{where(row)}: id is {ids[row]}, not a finite number; correct or remove the row.")
    _check_whole(ids, "id", where)
    if ids.min() < 0:
        row = int(np.argmax(ids < 0))
        raise MotFileError(
            f"{where(row)}: id {ids[row]:.0f} is below 0; a track needs an id from 0 on (-1 marks detections, which "
            "have none)."
        )
    if ids.max() > LARGEST_ID:
        row = int(np.argmax(ids > LARGEST_ID))
        raise MotFileError(
            f"{where(row)}: the id is above 2^53 - 1, where two ids can become one number; renumber the tracks."
        )
    largest = int(ids.max()) + 1
    if int(frame.max()) * largest < 2**62:
        keys = frame.astype(np.int64) * largest + ids.astype(np.int64)
        repeated = pd.Series(keys).duplicated()
    else:
        repeated = pd.DataFrame({"frame": frame, "id": ids}).duplicated()
    if repeated.any():
        row = int(np.argmax(repeated.to_numpy()))
        first = int(np.flatnonzero((frame == frame[row]) & (ids == ids[row]))[0])
        raise MotFileError(
            f"{where(row)}: frame {frame[row]:.0f} has id {ids[row]:.0f} a second time (first in {where(first)}); keep "
            "one of them."
        )


def _check_whole(column: np.ndarray, name: str, where: Where) -> None:
    if column.dtype.kind != "f":
        return
    with np.errstate(invalid="ignore"):
        fractional = column % 1 != 0
    if fractional.any():
        row = int(np.argmax(fractional))
        raise MotFileError(f"{where(row)}: {name} {column[row]} is not a whole number; correct or remove the row.")


def _warn_about_corners(table: pd.DataFrame, name: str, width: int | None, height: int | None) -> None:
    """Boxes given as x1, y1, x2, y2 reach out of the image, and their `w` follows their `x`."""
    if len(table) < 3:
        return
    x, y, w, h = (table[column].to_numpy() for column in "xywh")
    if x.min() >= 0 and y.min() >= 0 and (x + w).max() <= 1 and (y + h).max() <= 1:
        warnings.warn(
            f"{name}: every box lies within one pixel; if the coordinates are fractions of the image, multiply "
            "them by its width and height.",
            FairMOTLabWarning,
            stacklevel=4,
        )
        return
    hint = "if its columns are x1, y1, x2, y2, subtract to get widths and heights"
    if width is not None and height is not None:
        inside = np.clip(np.minimum(x + w, width) - np.maximum(x, 0), 0, None)
        inside = inside * np.clip(np.minimum(y + h, height) - np.maximum(y, 0), 0, None)
        share = float(np.mean(inside < 0.5 * w * h))
        if share > 0.2:
            warnings.warn(
                f"{name}: {share:.0%} of the boxes lie mostly outside the image of {width}x{height}; {hint}.",
                FairMOTLabWarning,
                stacklevel=4,
            )
            return
    for start, size, side in ((x, w, "width"), (y, h, "height")):
        if np.mean(size > start) < 0.98 or np.median(start) <= np.ptp(size - start):
            continue
        if min(start.std(), size.std()) > 0 and np.corrcoef(start, size)[0, 1] > 0.9:
            warnings.warn(
                f"{name}: the {side} of nearly every box exceeds its left or upper edge and grows with it; {hint}.",
                FairMOTLabWarning,
                stacklevel=4,
            )
            return
