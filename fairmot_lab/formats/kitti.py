"""KITTI tracking (label_02/0000.txt): one object a line, frames from 0, corners in pixels.

https://www.cvlibs.net/datasets/kitti/eval_tracking.php, readme.txt of the tracking devkit.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from .._files import write_text
from ..data import column_of
from ..errors import EvaluationError, MotFileError
from .base import Format, first_line, one_sequence, stem
from .mot import check_table
from .text import read_fields, short
from .truth import number, truth_table, whole

KITTI_CLASSES = {
    1: "Car", 2: "Van", 3: "Truck", 4: "Pedestrian", 5: "Person_sitting", 6: "Cyclist", 7: "Tram", 8: "Misc",
    9: "DontCare",
}  # fmt: skip
_NUMBERS = {name: index for index, name in KITTI_CLASSES.items()} | {"Person": 5}
_DONT_CARE = 9
_HIDDEN = ("truncated", "occluded")


def read_kitti(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a KITTI tracking label file.

    Parameters
    ----------
    path
        A file of label_02/: frame (from 0), track id, type, truncated, occluded, alpha, left, top, right, bottom, and
        the box in space. A result file has a score behind it.

    Returns
    -------
    pandas.DataFrame
        Ground truth as `read_mot` gives it, frames from 1, and `truncated` (0 to 2) and `occluded` (0 to 3), -1 where
        not known. `attrs["classes"]` names the classes; DontCare regions have conf 0 and an id each.

    Raises
    ------
    MotFileError
        Naming the line and the value.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "0000.txt")
    >>> _ = path.write_text("0 7 Pedestrian 0 0 -0.2 10 20 40 80 1.7 0.6 0.8 1 1 9 0")
    >>> read_kitti(path)[["frame", "id", "x", "y", "w", "h", "class_id"]].iloc[0].tolist()
    [1.0, 7.0, 10.0, 20.0, 30.0, 60.0, 4.0]
    """
    path = Path(path)
    rows, hidden = [], []
    for place, fields in read_fields(path, (17, 18), "a KITTI label file has 17, a result file 18"):
        kind = _NUMBERS.get(fields[2])
        if kind is None:
            raise MotFileError(f"{place}: {short(fields[2])!r} is not a type of KITTI's; use {', '.join(_NUMBERS)}.")
        left, top, right, bottom = (number(field, "a corner", place) for field in fields[6:10])
        conf = 0.0 if kind == _DONT_CARE else number(fields[17], "the score", place) if len(fields) == 18 else 1.0
        frame, track = whole(fields[0], "the frame", place) + 1, whole(fields[1], "the track id", place)
        rows.append((frame, -1 if kind == _DONT_CARE else track, left, top, right - left, bottom - top, conf, kind))
        # a share (as in KITTI's object detection) counts as the level above it
        truncated = math.ceil(number(fields[3], "truncated", place))
        hidden.append((truncated, whole(fields[4], "occluded", place)))
    columns = np.array(hidden, np.int64).reshape(-1, 2).T
    return truth_table(
        rows, path, format=FORMAT.title, classes=KITTI_CLASSES, sequence=stem(path),
        more=dict(zip(_HIDDEN, columns, strict=True)),
    )  # fmt: skip


def write_kitti(
    tracks: pd.DataFrame, path: str | os.PathLike[str], *, classes: Mapping[int, str] | None = None
) -> Path:
    """Write tracks or ground truth as a KITTI tracking file; `read_kitti` gives the same boxes back.

    Parameters
    ----------
    tracks
        Tracks (18 columns, with the score) or ground truth (with `conf`: 17 columns; DontCare for regions).
    path
        The file to make or replace.
    classes
        KITTI's type for each `class_id`; by default what `attrs["classes"]` of the table names, else Pedestrian.

    Raises
    ------
    EvaluationError
        If a class is not one of KITTI's types, or rows other than regions to ignore have conf 0.
    MotFileError
        If the table breaks the rules of `read_mot`.
    WriteError
        If the file cannot be written, or is one that a table was read from.

    Examples
    --------
    >>> import tempfile
    >>> table = pd.DataFrame({"frame": [1], "id": [7], "x": [10.0], "y": [20.0], "w": [30.0], "h": [60.0]})
    >>> path = write_kitti(table, Path(tempfile.mkdtemp(), "0000.txt"))
    >>> path.read_text()
    '0 7 Pedestrian -1 -1 -10 10.0 20.0 40.0 80.0 -1 -1 -1 -1000 -1000 -1000 -10 1.0\\n'
    """
    check_table(tracks, name="the tracks")
    names = dict(classes or tracks.attrs.get("classes") or {})
    rows = tracks.sort_values(["frame", "id"], kind="stable")
    class_id = column_of(rows, "class_id", -1)
    people = () if names else (-1, 0, 1)  # of tables whose classes have no names
    types = ["Pedestrian" if each in people else str(names.get(int(each), each)) for each in class_id]
    types = ["Pedestrian" if each.lower() in ("person", "pedestrian") else each for each in types]
    odd = next((each for each in types if each not in _NUMBERS), None)
    if odd is not None:
        raise EvaluationError(
            f"Class {odd!r} is not a type of KITTI's; pass classes= with one of "
            f"{', '.join(KITTI_CLASSES.values())} for each class."
        )
    apart = (column_of(rows, "conf", 1.0) == 0) & (np.array(types, str) != "DontCare")
    if apart.any():
        raise EvaluationError(
            f"{int(apart.sum())} rows have conf 0 (not to be evaluated), which KITTI cannot say; leave them out."
        )
    x, y, w, h = (rows[name].to_numpy(float) for name in "xywh")
    right, bottom = _far(x, w), _far(y, h)
    is_truth = "conf" in rows
    score = column_of(rows, "score", 1.0).astype(float)
    hidden = [column_of(rows, name, -1).astype(int) for name in _HIDDEN]
    lines = [
        f"{frame - 1} {-1 if kind == 'DontCare' else track} {kind} {cut} {behind} -10 {a!r} {b!r} {c!r} {d!r} "
        f"-1 -1 -1 -1000 -1000 -1000 -10{'' if is_truth else f' {s!r}'}\n"
        for frame, track, kind, cut, behind, a, b, c, d, s in zip(
            rows["frame"].astype(int), rows["id"].astype(int), types, *hidden,
            x.tolist(), y.tolist(), right.tolist(), bottom.tolist(), score.tolist(), strict=True,
        )
    ]  # fmt: skip
    return write_text(path, "".join(lines), tracks)


def _far(start: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return the far edges whose distance from `start` is `size` to the last bit, where there are such numbers."""
    far = start + size
    for step in (-np.inf, np.inf):
        near = np.nextafter(far, step)
        far = np.where((far - start != size) & (near - start == size), near, far)
    return far


def _recognise(path: Path, head: bytes) -> bool:
    fields = first_line(head)
    return len(fields) in (17, 18) and fields[2].replace("_", "").isalpha() and fields[0].lstrip("-").isdigit()


FORMAT = Format(
    name="kitti",
    title="KITTI tracking",
    recognise=_recognise,
    sequences=one_sequence(read_kitti),
    frames=("../image_02/{sequence}",),
    labels=("../../label_02/{sequence}.txt",),
    protocol="KITTI tracking: Pedestrian, or Car and Pedestrian each by itself; sitting people, vans and what is "
    "truncated or wholly hidden may be found or not; "
    "DontCare regions and unmatched boxes up to 25 pixels high are ignored",
)
