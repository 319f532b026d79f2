"""BDD100K box tracking (labels/box_track_20/train/VIDEO.json): Scalabel's JSON, frames from 0.

https://doc.bdd100k.com/format.html
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import MotFileError
from .base import Format, several_sequences, stem
from .text import beginning
from .truth import first_of, number, read_json, truth_table, whole

BDD100K_CLASSES = {
    0: "ignored region", 1: "pedestrian", 2: "rider", 3: "car", 4: "truck", 5: "bus", 6: "train", 7: "motorcycle",
    8: "bicycle", 9: "other person", 10: "trailer", 11: "other vehicle",
}  # fmt: skip


def read_bdd100k(path: str | os.PathLike[str]) -> dict[str, pd.DataFrame]:
    """Read a file of BDD100K's box tracking labels.

    Parameters
    ----------
    path
        A JSON list of frames, or Scalabel's object with `frames`: `videoName`, `frameIndex` (from 0), `labels` with
        `id`, `category` and `box2d`.

    Returns
    -------
    dict from str to pandas.DataFrame
        Ground truth of each video as `read_mot` gives it, frames from 1. Labels marked as a crowd are regions to
        ignore: class 0, conf 0.

    Raises
    ------
    MotFileError
        If it is not such a file, or a value in it is missing.

    Examples
    --------
    >>> import json, tempfile
    >>> path = Path(tempfile.mkdtemp(), "b1.json")
    >>> box = {"x1": 10, "y1": 20, "x2": 40, "y2": 80}
    >>> frame = {"videoName": "b1", "frameIndex": 0, "labels": [{"id": "7", "category": "rider", "box2d": box}]}
    >>> _ = path.write_text(json.dumps([frame]))
    >>> read_bdd100k(path)["b1"][["frame", "id", "w", "class_id"]].values.tolist()
    [[1.0, 7.0, 30.0, 2.0]]
    """
    path = Path(path)
    content = read_json(path)
    frames = content.get("frames") if isinstance(content, dict) else content
    if not isinstance(frames, list) or not all(isinstance(frame, dict) for frame in frames):
        raise MotFileError(f"{path} is not a list of frames; give a file of BDD100K's box tracking labels.")
    numbers = {name: index for index, name in BDD100K_CLASSES.items()}
    rows: dict[str, list[tuple]] = {}
    lengths: dict[str, int] = {}
    codes: dict[str, dict[str, int]] = {}
    positions: Counter[str] = Counter()
    for frame in frames:
        video = str(frame.get("videoName") or frame.get("video_name") or stem(path))
        index = whole(first_of(frame, ("frameIndex", "frame_index", "index"), positions[video]), "frameIndex", path) + 1
        positions[video] += 1
        lengths[video] = max(lengths.get(video, 0), index)
        there = rows.setdefault(video, [])
        for label in frame.get("labels") or ():
            box = label.get("box2d") if isinstance(label, dict) else None
            if box is None:  # lanes and areas that can be driven on
                continue
            place = Path(f"{path}, {video} frame {index}")
            if not isinstance(box, dict):
                raise MotFileError(f"{place}: box2d is not an object with x1, y1, x2, y2; correct the file.")
            x1, y1, x2, y2 = (number(box.get(key), f"{key} of box2d", place) for key in ("x1", "y1", "x2", "y2"))
            name = str(label.get("category", "")).lower()
            kind = numbers.setdefault(name, len(numbers))
            attributes = label.get("attributes") or {}
            crowd = isinstance(attributes, dict) and bool(first_of(attributes, ("crowd", "Crowd")))
            track = _id(label.get("id"), codes.setdefault(video, {}), place)
            rest = (0.0, 0) if crowd else (1.0, kind)
            there.append((index, -1 if crowd else track, x1, y1, x2 - x1, y2 - y1, *rest))
    classes = {index: name for name, index in numbers.items()}
    return {
        video: truth_table(there, path, format=FORMAT.title, classes=classes, sequence=video, length=lengths[video])
        for video, there in rows.items()
    }


def _id(value: Any, codes: dict[str, int], place: Path) -> int:
    """Return a number for an id that may be any text: the number itself where all ids are numbers."""
    text = str(value)
    if value is None or len(text) > 200:
        raise MotFileError(f"{place}: a label has no id; these are labels for detection, and tracking needs ids.")
    if text.isdecimal() and text.isascii() and len(text) <= 15:
        return int(text)
    return codes.setdefault(text, 10**15 + len(codes))


def _recognise(path: Path, head: bytes) -> bool:
    if not beginning(head).startswith((b"[", b"{")):
        return False
    video = any(key in head for key in (b'"videoName"', b'"video_name"', b'"frameIndex"'))
    return b'"box2d"' in head or (video and b'"labels"' in head)


FORMAT = Format(
    name="bdd100k",
    title="BDD100K box tracking",
    recognise=_recognise,
    sequences=several_sequences(read_bdd100k),
    frames=("../../../images/track/train/{sequence}", "../../../images/track/val/{sequence}"),
    labels=(
        "../../../../labels/box_track_20/train/{sequence}.json",
        "../../../../labels/box_track_20/val/{sequence}.json",
    ),
    protocol="BDD100K MOT: pedestrians, or its eight classes each by itself and averaged; crowds, other people, "
    "trailers and other vehicles are ignored",
)
