"""Read and write MOTChallenge text files; a broken file is an error, never a wrong figure."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .._files import atomic_write
from ..data import column_of
from ..errors import MotFileError, warn
from .base import stem
from .text import LARGEST_FRAME, labels_in, read_bytes, read_numbers

KINDS = ("results", "detections", "ground_truth")
LARGEST_ID = 2**53 - 1
LARGEST_PIXEL = 1e9
Where = Callable[[int], str]
_CORRECT = "correct or remove the row"


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
        `conf` (the same as `score`) and `visibility` (NaN where the file has none, or -1). `attrs` holds `sequence`
        (from the file's name), `files` (what was read: no writer overwrites it), `length`, `width`, `height` where they
        were given, and `classes`, the names by `class_id`, where there is a labels.txt next to gt.txt, or the record of
        the run next to its results. Columns beyond these are checked to be numbers and not returned.

    Raises
    ------
    MotFileError
        For anything that would give wrong figures: the message names the file, the line, the value and the remedy.

    Warns
    -----
    FairMOTLabWarning
        If the file is empty, if boxes look like x1, y1, x2, y2 or like fractions of the image, if a frame has a
        detection twice, or if ground truth of 10 columns looks as if it had classes.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "street.txt")
    >>> _ = path.write_text("1,7,10.5,20,30,60,0.9,-1,-1,-1\\n")
    >>> read_mot(path)[["frame", "id", "x", "y", "w", "h", "score"]].values.tolist()
    [[1.0, 7.0, 10.5, 20.0, 30.0, 60.0, 0.9]]
    """
    _check_kind(kind)
    path = Path(path)
    values, where = read_numbers(path)
    table = table_of(values, where, path, kind, length=length, width=width, height=height)
    table.attrs["files"] = [os.path.realpath(path)]
    labels = path.with_name("labels.txt")
    if kind == "ground_truth" and path.name == "gt.txt" and labels.is_file():
        table.attrs["classes"] = named_classes(table, labels_in(read_bytes(labels), labels))
        table.attrs["files"].append(os.path.realpath(labels))
    if kind == "results" and (classes := _classes_of_run(path)):
        table.attrs["classes"] = classes
    return table


def _classes_of_run(path: Path) -> dict[int, str]:
    """Return the names of classes that the record of a run gives, which `track` writes next to its results."""
    record = path.with_suffix(".json")
    if not record.is_file():
        return {}
    try:
        run = json.loads(read_bytes(record, most=2**20))
        return {int(number): str(name) for number, name in run["classes"].items()} if "tracker" in run else {}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):  # another JSON
        return {}


def named_classes(table: pd.DataFrame, labels: list[str]) -> dict[int, str]:
    """Return the names of classes from the lines of a labels.txt: CVAT counts them from 1, other tools from 0."""
    return dict(enumerate(labels, start=0 if (table["class_id"] == 0).any() else 1))


def table_of(
    values: np.ndarray,
    where: Where,
    path: Path,
    kind: str,
    *,
    length: int | None = None,
    width: int | None = None,
    height: int | None = None,
) -> pd.DataFrame:
    """Return the table that `read_mot` makes of the numbers of a text; see there."""
    if len(values) == 0:
        warn(f"{path} is empty: it holds no box at all.")
    if kind == "ground_truth" and looks_like_visdrone(values) and (values[:, 7] == 0).any():
        raise MotFileError(
            f"{path} is a VisDrone-MOT file with ignored regions (class 0, score 0); read it with read_labels, or give "
            "the file to evaluate as ground truth."
        )
    if values.shape[1] > 10:
        warn(
            f"{path} has {values.shape[1]} columns, MOTChallenge has 10 at most: those after the 10th are not read. If "
            "decimals are written with commas, write points."
        )
    table = _name_columns(values, kind, path, where)
    _check(table, kind, where, length)
    warn_about_corners(table, str(path), width, height)
    if kind == "detections" and (copies := table.duplicated(["frame", *"xywh", "class_id"])).any():
        warn(
            f"{where(int(np.argmax(copies)))}: the frame has this box a second time, as have {int(copies.sum())} of "
            f"{len(table)} rows; remove the copies, of which trackers make people of their own."
        )
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
        written), or ground truth (with `conf` and `visibility`: 9 columns, -1 for a visibility that is not known; 7 or
        8 where there are no classes or no visibility). Rows are written in order of frame.
    path
        The file to make or replace; compressed with gzip if its name ends in .gz.

    Raises
    ------
    MotFileError
        If the table breaks the rules that `read_mot` enforces.
    WriteError
        If the file cannot be written, or is one that the table was read from.

    Examples
    --------
    >>> import tempfile
    >>> table = pd.DataFrame({"frame": [1], "id": [7], "x": [10.5], "y": [20.0], "w": [30.0], "h": [60.0]})
    >>> path = Path(tempfile.mkdtemp(), "street.txt")
    >>> write_mot(table, path)
    >>> path.read_text()
    '1,7,10.5,20.0,30.0,60.0,1.0,-1,-1,-1\\n'
    """
    check_table(tracks, _kind_of(tracks))
    data = mot_text(tracks).encode("ascii")
    with atomic_write(path, tracks) as temporary:
        temporary.write_bytes(gzip.compress(data, mtime=0) if str(path).endswith(".gz") else data)


def submitted_text(tracks: pd.DataFrame) -> str:
    """Return tracks as servers and TrackEval take them: by frame and id, without confidence and class.

    Examples
    --------
    >>> submitted_text(pd.DataFrame({"frame": [1], "id": 7, "x": 1.5, "y": 2.0, "w": 3.0, "h": 4.0, "class_id": 1}))
    '1,7,1.5,2.0,3.0,4.0,1.0,-1,-1,-1\\n'
    """
    rows = tracks.sort_values(["frame", "id"], kind="stable").assign(class_id=-1)
    return mot_text(rows.drop(columns="conf", errors="ignore"))


def _kind_of(table: pd.DataFrame) -> str:
    return "ground_truth" if "conf" in table else "results" if "id" in table else "detections"


def mot_text(tracks: pd.DataFrame) -> str:
    """Return a table that was checked as MOTChallenge text; see `write_mot`."""
    kind = _kind_of(tracks)
    if not tracks["frame"].is_monotonic_increasing:
        tracks = tracks.sort_values("frame", kind="stable")
    classes = column_of(tracks, "class_id", -1)
    columns: dict[str, Any] = {"frame": tracks["frame"].to_numpy(np.int64)}
    columns["id"] = column_of(tracks, "id", -1).astype(np.int64)
    columns |= {name: tracks[name].to_numpy(float) for name in "xywh"}
    if kind == "ground_truth":
        columns["conf"] = tracks["conf"].to_numpy(float)
        visibility = column_of(tracks, "visibility", np.nan).astype(float)
        known = np.isfinite(visibility)
        if known.any() or (classes != -1).any():
            columns["class_id"] = classes
        if known.any():
            columns["visibility"] = np.where(known, visibility, -1)
    else:
        columns["score"] = column_of(tracks, "score", 1.0).astype(float)
        columns |= {"class_id": classes, "unused": -1, "unused_too": -1}
    return pd.DataFrame(columns).to_csv(header=False, index=False, lineterminator="\n")


def check_table(
    table: pd.DataFrame, kind: str = "results", *, name: str = "the table", length: int | None = None
) -> None:
    """Check a table by the rules of `read_mot`: finite numbers, whole frames and ids, boxes with a size, no box twice.

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

    Examples
    --------
    >>> check_table(pd.DataFrame({"frame": [1], "id": [7], "x": [10.5], "y": [20.0], "w": [0.0], "h": [60.0]}))
    Traceback (most recent call last):
    ...
    fairmot_lab.errors.MotFileError: the table, row 0: the box has width 0; it must be above 0.
    """
    _check_kind(kind)
    needed = ["frame", *([] if kind == "detections" else ["id"]), "x", "y", "w", "h"]
    missing = [column for column in needed if column not in table]
    if missing:
        raise MotFileError(f"{name} has no column {', '.join(missing)}; it needs {', '.join(needed)}.")
    if "sequence" in table and table["sequence"].nunique() > 1:
        raise MotFileError(
            f"{name} holds several sequences, such as {table['sequence'].iloc[0]}; give those of one (column sequence)."
        )
    if not table.columns.is_unique:
        twice = table.columns[table.columns.duplicated()][0]
        raise MotFileError(f"{name} has the column {twice} twice; keep one of them.")
    for column in [*needed, *({"score", "conf", "class_id"} & set(table))]:
        if table[column].dtype.kind not in "iufb":
            raise MotFileError(f"Column {column} of {name} holds {table[column].dtype}; it must hold numbers.")
    _check(table, kind, lambda row: f"{name}, row {row}", length)
    if "class_id" in table:
        check_whole(table["class_id"].to_numpy(), "class", lambda row: f"{name}, row {row}")


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise MotFileError(f"kind={kind!r} is none of {', '.join(KINDS)}.")


def _sequence_name(path: Path) -> str:
    return path.resolve().parent.parent.name if path.parent.name in ("gt", "det") else stem(path)


def _name_columns(values: np.ndarray, kind: str, path: Path, where: Where) -> pd.DataFrame:
    rows, columns = values.shape
    boxes = {name: np.ascontiguousarray(values[:, 2 + index]) for index, name in enumerate("xywh")}
    score = np.ascontiguousarray(values[:, 6]) if columns > 6 else np.ones(rows)
    classes = np.full(rows, -1, dtype=np.int64)
    if kind == "ground_truth":
        if columns in (8, 9):
            check_whole(values[:, 7], "class", where)
            classes = _as_whole(values[:, 7])
        elif columns >= 10 and rows:
            _warn_about_hidden_classes(values, path)
    elif columns >= 8 and (values[:, 7] % 1 == 0).all() and (values[:, 8:] == -1).all():
        # Otherwise column 8 begins a position in the world, as in MOT15.
        classes = _as_whole(values[:, 7])
    ids = _as_whole(values[:, 1])
    table: dict[str, np.ndarray] = {"frame": _as_whole(values[:, 0])}
    if kind != "detections":
        table["id"] = ids
    else:
        check_whole(ids, "id", where)
        refuse(ids < -1, ids, where, "id {:.0f} is below -1; detections have -1, or an id from 0 on")
    table |= boxes | {"score": score, "class_id": classes}
    if kind == "detections":
        table["det"] = np.arange(rows)
    if kind == "ground_truth":
        if rows and (score == -1).all():
            table["score"] = np.ones(rows)  # -1 stands for what is not known
        table["conf"] = table["score"].copy()
        visibility = values[:, 8] if columns == 9 else np.full(rows, np.nan)
        table["visibility"] = np.where(visibility < 0, np.nan, visibility)  # -1 stands for what is not known
        odd = (visibility < 0) & (visibility != -1)
        if odd.any():
            warn(
                f"{path}: visibility (column 9) is below 0 in {int(odd.sum())} of {rows} rows, such as "
                f"{visibility[odd][0]:g}, and is read as not known; write a share from 0 to 1, or -1."
            )
        _number_regions(table)
    return pd.DataFrame(table, copy=False)


def _as_whole(column: np.ndarray) -> np.ndarray:
    """Return whole numbers as int64, within the bounds of an id; a column with fractions as it is, to be refused."""
    column = np.clip(column, -LARGEST_ID - 1, LARGEST_ID + 1)
    return column if (column % 1).any() else column.astype(np.int64)


def _number_regions(table: dict[str, np.ndarray]) -> None:
    """Give rows of class 0 with conf 0 ids of their own where they share one, as VisDrone's regions to ignore do."""
    region = (table["class_id"] == 0) & (table["conf"] == 0)
    keys = pd.DataFrame({"frame": table["frame"][region], "id": table["id"][region]})
    if (table["class_id"] > 0).any() and keys.duplicated().any():
        table["id"] = table["id"].copy()
        table["id"][region] = table["id"][~region].max() + 1 + np.arange(len(keys))


def looks_like_visdrone(values: np.ndarray) -> bool:
    """Return whether numbers are VisDrone-MOT's ten columns: score 0 or 1, category 0 to 11, truncation, occlusion."""
    if values.shape[1] != 10 or not len(values) or (values[:, 6:] % 1).any():
        return False
    score, category, truncation, occlusion = values[:, 6:10].T
    if not (np.isin(score, (0, 1)) & (category >= 0) & (category <= 11)).all():
        return False
    if not (np.isin(truncation, (0, 1)) & np.isin(occlusion, (0, 1, 2))).all():
        return False
    regions = (category == 0) & (score == 0)
    return bool(regions.any() or len(np.unique(category)) > 1 or len(np.unique(occlusion)) > 1)


def _warn_about_hidden_classes(values: np.ndarray, path: Path) -> None:
    eighth, ninth = values[:, 7], values[:, 8]
    if (eighth % 1 == 0).all() and eighth.min() >= 1 and eighth.max() <= 13 and ninth.min() >= 0 and ninth.max() <= 1:
        warn(
            f"{path} has {values.shape[1]} columns and is read as MOT15 ground truth, without classes; if columns 8 "
            "and 9 are class and visibility, keep 9 columns."
        )


def refuse(is_odd: np.ndarray, column: np.ndarray, where: Where, words: str) -> None:
    """Raise an error for the first odd row: its place, and `words` with its value.

    Examples
    --------
    >>> width = np.array([3, 0])
    >>> refuse(width <= 0, width, lambda row: f"line {row + 1}", "the width {} is not above 0")
    Traceback (most recent call last):
    ...
    fairmot_lab.errors.MotFileError: line 2: the width 0 is not above 0.
    """
    if is_odd.any():
        row = int(np.argmax(is_odd))
        raise MotFileError(f"{where(row)}: {words.format(column[row])}.")


def _check(table: pd.DataFrame, kind: str, where: Where, length: int | None) -> None:
    """Raise for the first row that breaks a rule; `where(row)` gives its place for the message."""
    if len(table) == 0:
        return
    numbers = {name: table[name].to_numpy() for name in ("frame", "x", "y", "w", "h")}
    numbers |= {name: table[name].to_numpy() for name in ("score", "conf") if name in table}
    for name, column in numbers.items():
        _check_finite(column, name, where)
    frame = numbers["frame"]
    check_whole(frame, "frame", where)
    low, high = int(frame.min()), int(frame.max())
    remedy = "frames count from 1: if the whole file counts from 0, add 1 to each" if low == 0 else _CORRECT
    refuse(frame < 1, frame, where, f"frame {{:.0f}} is below 1; {remedy}")
    if length is None:
        known = f"no sequence has more than {LARGEST_FRAME} frames"
        refuse(frame > LARGEST_FRAME, frame, where, f"frame {{:.0f}}, but {known}; {_CORRECT}")
    elif high > length:
        beyond = frame > length
        cause = _cause(low, high, len(np.unique(frame[beyond])), length)
        refuse(beyond, frame, where, f"frame {{:.0f}}, but the sequence has {length} frames{cause}")
    for name in "xywh":
        is_far = np.abs(numbers[name]) > LARGEST_PIXEL
        refuse(is_far, numbers[name], where, f"{name} is {{:g}} pixels, beyond any image; correct the row")
    for name, side in (("w", "width"), ("h", "height")):
        refuse(numbers[name] <= 0, numbers[name], where, f"the box has {side} {{:g}}; it must be above 0")
    if kind != "detections":
        _check_ids(table["id"].to_numpy(), frame, where, column_of(table, "conf", np.nan))


def _cause(low: int, high: int, beyond: int, length: int) -> str:
    """Return what has most likely happened where frames lie beyond the end of a sequence, and the remedy."""
    if low > length:
        return "; all rows lie beyond its end, so they are of another sequence, or count the frames of a longer video"
    if high == length + 1 and low > 1:
        return "; if the rows count frames from 2, subtract 1"
    return (
        f" and {beyond} of the frames here lie beyond its end; these are rows of another sequence or of the uncut "
        "video, or seqLength is too small: correct what is wrong"
    )


def _check_ids(ids: np.ndarray, frame: np.ndarray, where: Where, conf: np.ndarray) -> None:
    _check_finite(ids, "id", where)
    check_whole(ids, "id", where)
    remedy = "a track needs an id from 0 on (-1 marks detections, which have none)"
    refuse(ids < 0, ids, where, f"id {{:.0f}} is below 0; {remedy}")
    remedy = "where two ids can become one number; renumber the tracks"
    refuse(ids > LARGEST_ID, ids, where, f"the id is above 2^53 - 1, {remedy}")
    codes, different = pd.factorize(ids)
    repeated = pd.Series(frame.astype(np.int64) * len(different) + codes).duplicated()
    if repeated.any():
        row = int(np.argmax(repeated.to_numpy()))
        first = int(np.flatnonzero((frame == frame[row]) & (ids == ids[row]))[0])
        twice = f"{where(row)}: frame {frame[row]:.0f} has id {ids[row]:.0f} a second time (first in {where(first)})"
        if conf[row] == conf[first] == 0:
            raise MotFileError(
                f"{twice}; both have conf 0, so if they are regions to ignore, as in VisDrone, give each an id of its "
                "own."
            )
        raise MotFileError(f"{twice}; keep one of them.")


def _check_finite(column: np.ndarray, name: str, where: Where) -> None:
    refuse(~np.isfinite(column), column, where, f"{name} is {{}}, not a finite number; {_CORRECT}")


def check_whole(column: np.ndarray, name: str, where: Where) -> None:
    """Raise an error for the first number that is not whole."""
    if column.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            fractional = column % 1 != 0
        refuse(fractional, column, where, f"{name} {{}} is not a whole number; {_CORRECT}")


def warn_about_corners(table: pd.DataFrame, name: str, width: int | None, height: int | None) -> None:
    """Boxes given as x1, y1, x2, y2 reach out of the image, and their `w` follows their `x`."""
    if len(table) < 3:
        return
    x, y, w, h = (table[column].to_numpy() for column in "xywh")
    if x.min() >= 0 and y.min() >= 0 and (x + w).max() <= 1 and (y + h).max() <= 1:
        warn(
            f"{name}: every box lies within one pixel; if the coordinates are fractions of the image, multiply "
            "them by its width and height."
        )
        return
    hint = "if its columns are x1, y1, x2, y2, subtract to get widths and heights"
    if width is not None and height is not None:
        inside = np.clip(np.minimum(x + w, width) - np.maximum(x, 0), 0, None)
        inside = inside * np.clip(np.minimum(y + h, height) - np.maximum(y, 0), 0, None)
        share = float(np.mean(inside < 0.5 * w * h))
        if share > 0.2:
            warn(f"{name}: {share:.0%} of the boxes lie mostly outside the image of {width}x{height}; {hint}.")
            return
    for start, size, side in ((x, w, "width"), (y, h, "height")):
        if np.mean(size > start) < 0.98 or np.median(start) <= np.ptp(size - start):
            continue
        if min(start.std(), size.std()) > 0 and np.corrcoef(start, size)[0, 1] > 0.9:
            warn(f"{name}: the {side} of nearly every box exceeds its left or upper edge and grows with it; {hint}.")
            return
