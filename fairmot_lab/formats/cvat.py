"""CVAT's formats "MOT 1.1" (zip or folder, with labels.txt) and "CVAT for video 1.1" (annotations.xml).

https://docs.cvat.ai/docs/manual/advanced/formats
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from .._files import write_zip
from ..data import PERSON, column_of
from ..errors import EvaluationError, MotFileError, warn
from .base import Format, one_sequence, stem
from .classes import MOTCHALLENGE_CLASSES
from .mot import check_table, named_classes, table_of
from .text import beginning, labels_in, numbers_of, read_bytes
from .truth import member_names, number, read_members, read_xml, truth_table, whole

_MEMBERS = ("gt/gt.txt", "gt/labels.txt")
_XML = "annotations.xml"


def write_cvat(tracks: pd.DataFrame, path: str | os.PathLike[str], *, labels: Iterable[str] | None = None) -> Path:
    """Write tracks as a zip in CVAT's format "MOT 1.1", to be uploaded to a task as annotations.

    The zip holds gt/gt.txt (frame from 1, track, x, y, w, h, not ignored, label, visibility) and gt/labels.txt.

    Parameters
    ----------
    tracks
        Tracks or ground truth.
    path
        The zip to make or replace.
    labels
        Names of the labels in the CVAT task, in its order. `class_id` counts them from 1, or from 0 where a row has
        class 0 and another a higher class; -1 and a lone 0 stand for the first. By default the names that
        `attrs["classes"]` gives, else "person", followed by MOTChallenge's other classes where there are such rows.

    Raises
    ------
    EvaluationError
        If a class has no label.
    MotFileError
        If the table breaks the rules of `read_mot`.
    WriteError
        If the file cannot be written, or is one that a table was read from.

    Examples
    --------
    >>> import tempfile
    >>> table = pd.DataFrame({"frame": [1], "id": [7], "x": [10.0], "y": [20.0], "w": [30.0], "h": [60.0]})
    >>> path = write_cvat(table, Path(tempfile.mkdtemp(), "task.zip"))
    >>> read_cvat(path).attrs["classes"]
    {1: 'person'}
    """
    check_table(tracks, name="the tracks")
    labels = [labels] if isinstance(labels, str) else labels
    rows = tracks.sort_values(["frame", "id"], kind="stable")
    classes, names = _labels_of(rows, None if labels is None else list(labels))
    table = pd.DataFrame({name: rows[name].astype(np.int64) for name in ("frame", "id")})
    for name in "xywh":
        table[name] = rows[name].astype(float)
    table["not_ignored"] = (column_of(rows, "conf", 1.0) != 0).astype(int)
    table["class"] = classes
    visibility = column_of(rows, "visibility", 1.0).astype(float)
    table["visibility"] = np.where(np.isnan(visibility), 1.0, visibility)
    text = table.to_csv(header=False, index=False, lineterminator="\n")
    return write_zip(path, {"gt/gt.txt": text, "gt/labels.txt": "\n".join(names) + "\n"}, tracks)


def _labels_of(rows: pd.DataFrame, labels: list[str] | None) -> tuple[np.ndarray, list[str]]:
    """Return the position of each row's label, from 1, and the labels."""
    classes = column_of(rows, "class_id", -1).astype(np.int64)
    known: dict[int, str] = rows.attrs.get("classes") or {}
    if labels is None and known:
        numbers = sorted(known)
        labels = [str(known[number]) for number in numbers]
        place = {number: position for position, number in enumerate(numbers, start=1)} | {-1: 1}
        odd = next((int(each) for each in classes if int(each) not in place), None)
        if odd is not None:
            raise EvaluationError(f"Class {odd} has no name in attrs['classes'] of the table; pass labels=.")
        return np.array([place[int(each)] for each in classes], dtype=np.int64), _checked(labels)
    if (classes == 0).any() and (classes > 0).any():
        classes = np.where(classes >= 0, classes + 1, 1)
        if labels is None:
            labels = [f"class {number}" for number in range(int(classes.max()))]
    classes = np.where(classes <= 0, np.where(classes < -1, classes, 1), classes)
    if labels is None:
        last = int(classes.max()) if len(classes) else 1
        labels = [PERSON, *(MOTCHALLENGE_CLASSES.get(n, f"class {n}") for n in range(2, last + 1))]
    if len(rows) and (classes.min() < 1 or classes.max() > len(labels)):
        odd = int(classes[(classes < 1) | (classes > len(labels))][0])
        raise EvaluationError(
            f"Class {odd} has no label: there are {len(labels)} ({', '.join(labels)}), counted from 1; "
            "pass labels= with one for each class."
        )
    return classes, _checked(labels)


def _checked(labels: list[str]) -> list[str]:
    odd = next((label for label in labels if not label.strip() or "\n" in label or "\r" in label), None)
    if odd is not None:
        raise EvaluationError(f"{odd!r} cannot be a label: give a name of one line.")
    return labels


def read_cvat(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read annotations that CVAT exported as "MOT 1.1".

    Parameters
    ----------
    path
        The zip, the folder it was unpacked to, or its gt/gt.txt.

    Returns
    -------
    pandas.DataFrame
        Ground truth as `read_mot` gives it: `class_id` counts the labels from 1, `conf` is 0 for what was ignored, and
        `attrs["classes"]` holds the labels.

    Raises
    ------
    MotFileError
        If gt/gt.txt is missing or breaks the rules of `read_mot`.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp(), "gt")
    >>> folder.mkdir()
    >>> _ = (folder / "gt.txt").write_text("1,1,10,20,30,60,1,2,1.0\\n")
    >>> _ = (folder / "labels.txt").write_text("car\\nperson\\n")
    >>> read_cvat(folder.parent).attrs["classes"]
    {1: 'car', 2: 'person'}
    """
    path = Path(path)
    if path.name == "gt.txt" and not path.is_dir():
        path = path.parent.parent
    if path.is_dir():
        found = {name: read_bytes(path / name) for name in _MEMBERS if (path / name).is_file()}
    else:
        found = read_members(path, _MEMBERS)
    if "gt/gt.txt" not in found:
        raise MotFileError(f"{path} holds no gt/gt.txt; export the task from CVAT as MOT 1.1.")
    place = path / "gt" / "gt.txt"
    table = table_of(*numbers_of(found["gt/gt.txt"], place), place, "ground_truth")
    labels = labels_in(found.get("gt/labels.txt", b"person\n"), path / "gt" / "labels.txt")
    classes = named_classes(table, labels)
    if len(table) and table["class_id"].max() > max(classes):
        raise MotFileError(
            f"{path}: gt/gt.txt has class {table['class_id'].max()} and gt/labels.txt has {len(labels)} labels; "
            "export again."
        )
    name = path.resolve().name.removesuffix(".zip")
    files = [os.path.realpath(path / each) for each in found] if path.is_dir() else [os.path.realpath(path)]
    table.attrs |= {"sequence": name, "format": FORMAT.title, "classes": classes, "files": files}
    return table


def read_cvat_video(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read annotations that CVAT exported as "CVAT for video 1.1".

    Parameters
    ----------
    path
        annotations.xml, or the zip or folder that holds it.

    Returns
    -------
    pandas.DataFrame
        Ground truth as `read_mot` gives it, frames from 1. `class_id` counts the labels from 1, `attrs["classes"]`
        holds them. Boxes that are `outside` are left out: the object is not in the image.

    Raises
    ------
    MotFileError
        If it is "CVAT for images", which has no tracks, or a value is missing.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "annotations.xml")
    >>> _ = path.write_text('<annotations><track id="3" label="person">'
    ...     '<box frame="0" outside="0" xtl="10" ytl="20" xbr="40" ybr="80"/></track></annotations>')
    >>> read_cvat_video(path)[["frame", "id", "x", "y", "w", "h"]].values.tolist()
    [[1.0, 3.0, 10.0, 20.0, 30.0, 60.0]]
    """
    path = Path(path)
    if path.is_dir():
        path = path / _XML
    if path.suffix.lower() == ".zip":
        found = read_members(path, [_XML])
        if _XML not in found:
            raise MotFileError(f"{path} holds no {_XML}; export the task from CVAT as 'CVAT for video 1.1'.")
        root = read_xml(path / _XML, found[_XML])
    else:
        root = read_xml(path)
    tracks = root.findall("track")
    if root.tag != "annotations" or (not tracks and root.find("image") is not None):
        raise MotFileError(
            f"{path} has no tracks: it is 'CVAT for images'; export the task from CVAT as 'CVAT for video 1.1' or 'MOT "
            "1.1'."
        )
    names = [(label.findtext("name") or "").strip() for label in root.iterfind("meta//labels/label")]
    numbers = {name: index for index, name in enumerate(dict.fromkeys(name for name in names if name), start=1)}
    tasks = {track.get("task_id") for track in tracks}
    if len(tasks) > 1:
        raise MotFileError(f"{path} holds the tracks of {len(tasks)} tasks; export each task by itself from CVAT.")
    rows = []
    unread = Counter({"shapes without a track": len(root.findall("image/*"))})
    for track in tracks:
        kind = numbers.setdefault((track.get("label") or PERSON).strip(), len(numbers) + 1)
        place = Path(f"{path}, track {track.get('id')}")
        identity = whole(track.get("id"), "the id of a track", path)
        for box in track:
            if box.get("outside") == "1":
                continue
            if box.tag != "box":
                unread[f"{box.tag} shapes"] += 1
                continue
            unread["turns of boxes (rotation)"] += float(box.get("rotation") or 0) != 0
            left, top, right, bottom = (number(box.get(k), k, place) for k in ("xtl", "ytl", "xbr", "ybr"))
            frame = whole(box.get("frame"), "a frame", place) + 1
            rows.append((frame, identity, left, top, right - left, bottom - top, 1.0, kind))
    if +unread:
        warn(
            f"{path}: {', '.join(f'{count} {what}' for what, count in (+unread).items())} are not read; tracks of "
            "upright rectangles are."
        )
    size = root.find("meta//original_size")
    width, height = (
        (None, None) if size is None else (int(number(size.findtext(k), k, path)) for k in ("width", "height"))
    )
    classes = {index: label for label, index in numbers.items()}
    return truth_table(
        rows, path, format=VIDEO.title, classes=classes, sequence=_video_name(path), width=width, height=height
    )


def _is_zip_with(path: Path, head: bytes, member: str) -> bool:
    return head.startswith(b"PK") and member in member_names(path)


def _recognise(path: Path, head: bytes) -> bool:
    if path.name == "gt.txt" and (path.parent / "labels.txt").is_file():
        return True
    return _is_zip_with(path, head, "gt/gt.txt")


def _recognise_video(path: Path, head: bytes) -> bool:
    is_xml = b"<annotations" in head and beginning(head).startswith(b"<")
    return is_xml or _is_zip_with(path, head, _XML)


def _video_name(path: Path) -> str:
    return path.resolve().parent.name if path.name == _XML else stem(path)


FORMAT = Format(
    name="cvat",
    title="CVAT MOT 1.1",
    recognise=_recognise,
    sequences=one_sequence(read_cvat),
    frames=("../img1",),
    protocol="the labels that name a person are scored, or every label where none does",
)
VIDEO = Format(
    name="cvat-video",
    title="CVAT for video",
    recognise=_recognise_video,
    sequences=one_sequence(read_cvat_video, _video_name),
    frames=("images",),
    protocol="the labels that name a person are scored, or every label where none does",
)
