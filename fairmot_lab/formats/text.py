"""Read bounded text, and tables of numbers in it: a number is what Python's float() makes of it, or an error."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .._files import cannot_read
from ..errors import MotFileError

LARGEST_TEXT = 512 * 2**20
LARGEST_FRAME = 10_000_000
LONGEST_NUMBER = 64
FEWEST_COLUMNS, MOST_COLUMNS = 6, 12
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# for `pandas.read_csv`: numbers as Python reads them, which pandas does of itself from version 3.1 on
EXACT: dict[str, Any] = {"float_precision": "round_trip"} if pd.__version__.split(".") < ["3", "1"] else {}
_NUMBER_BYTES = b"0123456789+-.eE,\n"
_NAMES = ("frame", "id", "x", "y", "w", "h", "score", "class", "visibility")


def read_bytes(path: Path, what: str = "a MOTChallenge text file", most: int | None = None) -> bytes:
    """Return the bytes of a file, unpacked if its name ends in .gz: at most `LARGEST_TEXT` or `most` of them.

    Raises
    ------
    MotFileError
        If the file is missing, cannot be read, is not a whole gzip file, or holds more.
    """
    most = LARGEST_TEXT if most is None else most
    try:
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as file:
            data = file.read(most + 1)
    except FileNotFoundError as error:
        raise MotFileError(f"{path} does not exist; give the path of {what}.") from error
    except IsADirectoryError as error:
        raise MotFileError(f"{path} is a folder; give the path of {what}.") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise MotFileError(
            f"{path} is not a whole gzip file ({error}); compress it again or take .gz off its name."
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise MotFileError(cannot_read(path, error)) from error
    if len(data) > most:
        raise MotFileError(
            f"{path} holds more than {most / 2**20:g} MiB of text, the most that is read; split it into one "
            "file per sequence."
        )
    return data


def clean_text(data: bytes, path: Path) -> bytes:
    """Return the bytes of a text without byte order mark and with line feeds; refuse what is not text in one byte."""
    if data.startswith(b"\x1f\x8b"):
        raise MotFileError(f"{path} is compressed with gzip and its name does not say so; rename it to end in .gz.")
    data = data.removeprefix(b"\xef\xbb\xbf")
    refuse_utf16(data, path)
    if b"\0" in data:
        raise MotFileError(
            f"{path} is binary (it holds a zero byte at {data.index(0)}); give a MOTChallenge text file."
        )
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data


def beginning(head: bytes) -> bytes:
    """Return the first bytes of a text without byte order mark and white space."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n")


def refuse_utf16(data: bytes, path: Path) -> None:
    """Raise an error for text as the consoles of Windows write it."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise MotFileError(f"{path} is text in UTF-16; save it as UTF-8 or ASCII.")


def read_fields(path: Path, counts: tuple[int, ...], wanted: str) -> Iterator[tuple[Path, list[str]]]:
    """Yield place ("FILE, line N") and fields of each line of a file of labels that is not blank.

    Raises
    ------
    MotFileError
        If the number of fields is not one of `counts`; `wanted` says what it must be.
    """
    for index, line in enumerate(clean_text(read_bytes(path), path).decode("utf-8", "replace").split("\n"), start=1):
        if fields := line.split():
            if len(fields) not in counts:
                raise MotFileError(f"{path}, line {index} has {len(fields)} columns ({short(line)!r}); {wanted}.")
            yield Path(f"{path}, line {index}"), fields


def read_numbers(path: Path) -> tuple[np.ndarray, Callable[[int], str]]:
    """Return the numbers of a text file, and a function that names the place of a row.

    Returns
    -------
    (rows, columns) float64
    callable
        From a row to "FILE, line N".

    Raises
    ------
    MotFileError
        If the file cannot be read or is not a table of numbers.
    """
    return numbers_of(read_bytes(path), path)


def numbers_of(data: bytes, path: Path) -> tuple[np.ndarray, Callable[[int], str]]:
    """Return what `read_numbers` does for bytes that are called `path` in messages."""
    data = clean_text(data, path)
    values = parse_numbers(data)
    lines: list[int] | None = None
    if values is None:
        values, lines = parse_strictly(data, path)

    def where(row: int) -> str:
        nonlocal lines
        if lines is None:
            lines = parse_strictly(data, path)[1]
        return f"{path}, line {lines[row]}"

    _refuse_decimal_commas(values, data, path)
    return values, where


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


def parse_numbers(data: bytes) -> np.ndarray | None:
    """Parse text in which nothing is odd with the C parser of pandas; None where `parse_strictly` must look at it.

    One separator, alone or with one space on either side, and the same 6 to 12 numbers in every line. The C parser
    stops a number at a space, so no other character is let through; where a field is missing, empty or not a number, it
    gives a column of texts.

    Returns
    -------
    (rows, columns) float64 or None
    """
    separator = next((mark for mark in (b",", b";", b"\t") if mark in data), b" ")
    if separator != b" " and b" " in data:
        data = data.replace(b" " + separator, separator).replace(separator + b" ", separator)
    if separator != b",":
        data = data.replace(separator, b",")
    if not data or data.translate(None, _NUMBER_BYTES) or re.search(rb"[^,\n]{%d}" % (LONGEST_NUMBER + 1), data):
        return None
    try:
        values = pd.read_csv(
            io.BytesIO(data),
            header=None,
            engine="c",
            **EXACT,
            quoting=csv.QUOTE_NONE,
            skip_blank_lines=False,
            na_filter=False,
        ).to_numpy()
    except (ValueError, OverflowError):
        return None
    if values.dtype.kind not in "if" or not FEWEST_COLUMNS <= values.shape[1] <= MOST_COLUMNS:
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
                    f"({short(line)!r}); write the file again."
                )
            raise MotFileError(
                f"{place} has {len(fields)} columns where the lines before have {columns} ({short(line)!r}); "
                "every line needs the same columns."
            )
        row = []
        for position, field in enumerate(fields):
            if len(field) > LONGEST_NUMBER:
                raise MotFileError(
                    f"{place}: {_column(position)} has {len(field)} characters ({short(field)!r}); a number has at "
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


def foreign_format(head: bytes) -> str | None:
    """Return the name of the format that a text looks like, if it is not a table of numbers.

    Examples
    --------
    >>> foreign_format(b"0 1 Pedestrian 0 0 -0.2 160 80 190 170 1.7 0.6 0.8 1 1 9 0")
    'a KITTI label file'
    >>> foreign_format(b"1,1,10,20,30,60,1,1,1") is None
    True
    """
    head = beginning(head)
    if re.match(rb"\[[A-Za-z]+\]", head):
        return "an ini file"
    if head[:1] in (b"{", b"["):
        known = {b'"_via': "a file of the VGG annotator", b'"shapes"': "a LabelMe file"}
        found = next((name for mark, name in known.items() if mark in head[:4000]), None)
        if head[:1] == b"[" and b'"image_id"' in head[:4000] and b'"bbox"' in head[:4000]:
            found = "a list of COCO's detection results"
        return found or "a JSON file"
    if head[:1] == b"<":
        if b"<annotation>" in head[:500]:
            return "a Pascal VOC file"
        return "a web page" if b"<html" in head[:500].lower() else "an XML file"
    if head.startswith(b"PK\x03\x04"):
        return "a zip file"
    fields = head.partition(b"\n")[0].split()
    if len(fields) in (17, 18) and fields[2].replace(b"_", b"").isalpha():
        return "a KITTI label file"
    if len(fields) in (15, 16) and fields[0].replace(b"_", b"").isalpha():
        return "a KITTI label file of object detection"
    numbers = [field.decode("latin") for field in fields]
    is_number = all(NUMBER.fullmatch(each) for each in numbers)
    if len(fields) == 5 and is_number and all(0 <= float(each) <= 1 for each in numbers[1:]):
        return "a YOLO label file"
    if len(fields) == 6 and all(field.isdigit() for field in fields[:5]) and not NUMBER.fullmatch(numbers[5]):
        return "a MOTS file with masks"
    return None


# formats of labels without identities
FOR_DETECTION = (
    "a file of the VGG annotator", "a LabelMe file", "a list of COCO's detection results", "a Pascal VOC file",
    "a KITTI label file of object detection", "a YOLO label file",
)  # fmt: skip
WITHOUT_IDENTITIES = (
    "labels for detection have no identities, and tracking needs the same id in all frames of an object"
)


_REMEDIES = {
    "a web page": "download the file itself", "a zip file": "unpack it", "an ini file": "give the text with the boxes",
}  # fmt: skip


def _check_first_line(fields: list[str], line: str, separator: str | None, place: str) -> None:
    foreign = foreign_format(line.encode())
    if foreign is not None:
        remedy = _REMEDIES.get(foreign, "read_labels and evaluate take it as ground truth")
        if foreign in FOR_DETECTION:
            remedy = WITHOUT_IDENTITIES
        raise MotFileError(f"{place} shows that this is {foreign} ({short(line)!r}), not MOTChallenge text; {remedy}.")
    if line.startswith(("#", "//", "%")):
        raise MotFileError(f"{place} is a comment ({short(line)!r}); remove it, the format has none.")
    words = [
        field for field in fields if re.fullmatch(r"[A-Za-z_ ]+\w*", field) and field.lower() not in ("nan", "inf")
    ]
    if len(words) > 1 and len(words) >= len(fields) / 2:
        raise MotFileError(f"{place} looks like a header ({short(line)!r}); remove it, the format has none.")
    if len(fields) < FEWEST_COLUMNS:
        raise MotFileError(
            f"{place} has {len(fields)} columns ({short(line)!r}); at least 6 are needed: frame, id, x, y, w, h."
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
    return f"{place}: {_column(position)} is {short(field)!r}, not a number{hint}; correct or remove the line."


def _column(position: int) -> str:
    name = _NAMES[position] if position < len(_NAMES) else ""
    return f"column {position + 1}" + (f" ({name})" if name else "")


def short(text: str, length: int = 40) -> str:
    """Return a text for a message, cut to a length."""
    return text if len(text) <= length else text[: length - 3] + "..."


def labels_in(data: bytes, path: Path) -> list[str]:
    """Return the labels of a labels.txt, one a line; the first is class 1.

    Raises
    ------
    MotFileError
        If it is not text in UTF-8 or holds no label.
    """
    try:
        labels = [label.strip() for label in data.decode("utf-8-sig").splitlines() if label.strip()]
    except UnicodeDecodeError as error:
        raise MotFileError(f"{path} is not text in UTF-8 ({error}); write one label a line.") from error
    if not labels or len(labels) > 10_000:
        raise MotFileError(f"{path} holds {len(labels)} labels; write one label a line.")
    return labels
