"""Read bounded text, and tables of numbers in it: a number is what Python's float() makes of it, or an error."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import MotFileError

LARGEST_TEXT = 512 * 2**20
LONGEST_NUMBER = 64
FEWEST_COLUMNS, MOST_COLUMNS = 6, 12
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NUMBER_BYTES = b"0123456789+-.eE,\n"
_NAMES = ("frame", "id", "x", "y", "w", "h", "score", "class", "visibility")


def read_bytes(path: Path, what: str = "a MOTChallenge text file") -> bytes:
    """Return the bytes of a file, unpacked if its name ends in .gz, up to `LARGEST_TEXT` of them.

    Raises
    ------
    MotFileError
        If the file is missing, cannot be read, is not a whole gzip file, or holds more.
    """
    try:
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as file:
            data = file.read(LARGEST_TEXT + 1)
    except FileNotFoundError as error:
        raise MotFileError(f"{path} does not exist; give the path of {what}.") from error
    except IsADirectoryError as error:
        raise MotFileError(f"{path} is a folder; give the path of {what}.") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise MotFileError(
            f"{path} is not a whole gzip file ({error}); compress it again or take .gz off its name."
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise MotFileError(f"{path} cannot be read ({getattr(error, 'strerror', None) or error}).") from error
    if len(data) > LARGEST_TEXT:
        raise MotFileError(
            f"{path} holds more than {LARGEST_TEXT / 2**20:g} MiB of text, the most that is read; split it into one "
            "file per sequence."
        )
    return data


def clean_text(data: bytes, path: Path) -> bytes:
    """Return the bytes of a text without byte order mark and with line feeds; refuse what is not text in one byte."""
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


def parse_numbers(data: bytes) -> np.ndarray | None:
    """Parse text in which nothing is odd with the C parser of pandas; None where `parse_strictly` must look at it.

    One separator, alone or with one space on either side, and the same 6 to 12 columns in every line. Whatever else
    stands in the text is not accepted here: the C parser stops a number at a space without a word.

    Returns
    -------
    (rows, columns) float64 or None
    """
    separator = next((mark for mark in (b",", b";", b"\t") if mark in data), b" ")
    if separator != b" " and b" " in data:
        data = data.replace(b" " + separator, separator).replace(separator + b" ", separator)
    if separator != b",":
        data = data.replace(separator, b",")
    if not data or data.translate(None, _NUMBER_BYTES):
        return None
    if not data.endswith(b"\n"):
        data += b"\n"
    text = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero((text == ord(",")) | (text == ord("\n")))
    newlines = text[ends] == ord("\n")
    columns = int(np.argmax(newlines)) + 1
    if not FEWEST_COLUMNS <= columns <= MOST_COLUMNS or len(ends) % columns:
        return None
    last = newlines.reshape(-1, columns)
    if not last[:, -1].all() or last[:, :-1].any():
        return None
    sizes = np.diff(ends, prepend=-1) - 1
    if sizes.min() < 1 or sizes.max() > LONGEST_NUMBER:
        return None
    try:
        values = pd.read_csv(
            io.BytesIO(data),
            header=None,
            engine="c",
            float_precision="round_trip",
            quoting=csv.QUOTE_NONE,
            skip_blank_lines=False,
            na_filter=False,
        ).to_numpy()
    except (ValueError, OverflowError):
        return None
    if values.dtype.kind not in "if" or values.shape != last.shape:
        return None
    values = np.ascontiguousarray(values, dtype=np.float64)
    return values if np.isfinite(values).all() else None


def parse_strictly(data: bytes, path: Path) -> tuple[np.ndarray, list[int]]:
    """Parse line by line, or say what is wrong.

    Returns
    -------
    (rows, columns) float64
    list of int
        The line, counted from 1, of each row.

    Raises
    ------
    MotFileError
        Naming the line, the column and the value.
    """
    values: list[list[float]] = []
    lines: list[int] = []
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
            if len(field) > LONGEST_NUMBER:
                raise MotFileError(
                    f"{place}: {_column(position)} has {len(field)} characters ({_short(field)!r}); a number has at "
                    f"most {LONGEST_NUMBER}: correct or remove the line."
                )
            if not NUMBER.fullmatch(field):
                raise MotFileError(_not_a_number(field, position, line, separator, place, is_cut))
            value = float(field)
            if not np.isfinite(value):
                raise MotFileError(
                    f"{place}: {_column(position)} is {field}, too large for a number; correct or remove the line."
                )
            row.append(value)
        values.append(row)
        lines.append(number)
    array = np.array(values, dtype=np.float64).reshape(len(values), columns or FEWEST_COLUMNS)
    return array, lines


def _check_first_line(fields: list[str], line: str, separator: str | None, place: str) -> None:
    if line.startswith(("#", "//", "%")):
        raise MotFileError(f"{place} is a comment ({_short(line)!r}); remove it, the format has none.")
    words = [
        field for field in fields if re.fullmatch(r"[A-Za-z_ ]+\w*", field) and field.lower() not in ("nan", "inf")
    ]
    if len(words) > 1 and len(words) >= len(fields) / 2:
        raise MotFileError(f"{place} looks like a header ({_short(line)!r}); remove it, the format has none.")
    if len(fields) < FEWEST_COLUMNS:
        raise MotFileError(
            f"{place} has {len(fields)} columns ({_short(line)!r}); at least 6 are needed: frame, id, x, y, w, h."
        )
    if len(fields) > MOST_COLUMNS:
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
