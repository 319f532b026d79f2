"""COCO's JSON for videos, as mmtracking (CocoVID), CenterTrack, ByteTrack and TAO write it, and YouTube-VIS' form."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .._files import natural_order, write_text
from ..data import PERSON, by_sequence
from ..errors import ConfigError, EvaluationError, MotFileError
from .base import Format, several_sequences, stem
from .classes import MOTCHALLENGE_CLASSES
from .mot import check_table
from .text import beginning
from .truth import first_of, number, read_json, truth_table, whole

_TRACK_KEYS = ("track_id", "instance_id")
_FRAME_KEYS = ("frame_id", "frame_index", "frame_number")


def read_coco(path: str | os.PathLike[str]) -> dict[str, pd.DataFrame]:
    """Read ground truth from a COCO JSON file for videos.

    Parameters
    ----------
    path
        An object with `videos`, `images` (with `video_id` and `frame_id`), `categories` and `annotations` (with
        `image_id`, `track_id` or `instance_id`, `category_id`, `bbox`). YouTube-VIS' annotations with `bboxes` of a
        whole video are read too. Frames that count from 0 anywhere in the file are taken to count from 0 everywhere.

    Returns
    -------
    dict from str to pandas.DataFrame
        Ground truth of each video as `read_mot` gives it. Annotations with `iscrowd` or `ignore` are regions to
        ignore: a class of their own, conf 0.

    Raises
    ------
    MotFileError
        If the file has no tracks, or a value in it is missing.

    Examples
    --------
    >>> import tempfile
    >>> table = pd.DataFrame({"frame": [1], "id": [7], "x": [10.0], "y": [20.0], "w": [30.0], "h": [60.0]})
    >>> path = write_coco({"street": table}, Path(tempfile.mkdtemp(), "train.json"))
    >>> read_coco(path)["street"][["frame", "id", "x", "y", "w", "h"]].values.tolist()
    [[1.0, 7.0, 10.0, 20.0, 30.0, 60.0]]
    """
    path = Path(path)
    content = read_json(path)
    if not isinstance(content, dict):
        raise MotFileError(f"{path} is a JSON list; ground truth is an object with images and annotations.")
    images, annotations = (_items(content, key, path) for key in ("images", "annotations"))
    classes = {
        whole(one.get("id"), "the id of a category", path): str(one.get("name", one.get("id")))
        for one in _items(content, "categories", path)
    }
    videos = {_key(one.get("id")): one for one in _items(content, "videos", path)}
    if not videos:
        videos = {None: {"name": stem(path)}}
    if annotations and "bboxes" in annotations[0]:
        images, annotations = _unroll(annotations, videos, path)
    crowd = max([0, *classes]) + 1
    if any(_is_crowd(one) for one in annotations):
        classes[crowd] = "ignored region"
    place_of, lengths, first_images = _frames_of(images, videos, path)
    rows: dict[Any, list[tuple]] = {key: [] for key in videos}
    share: dict[Any, list[float]] = {key: [] for key in videos}
    for one in annotations:
        image = _key(one.get("image_id"))
        if image not in place_of:
            raise MotFileError(
                f"{path}: annotation {one.get('id')} has image_id {image!r}, which is not in images; correct the file."
            )
        video, frame = place_of[image]
        place = Path(f"{path}, annotation {one.get('id')}")
        rows[video].append((frame, *_row_of(one, crowd, place)))
        visible = one.get("visibility")
        share[video].append(np.nan if visible is None else number(visible, "visibility", place))
    tables: dict[str, pd.DataFrame] = {}
    names = {key: _name(video, key) for key, video in videos.items()}
    if len(set(names.values())) < len(names):  # as of train/S and val/S, or S/img1 and T/img1
        names = {key: str(video.get("name") or video.get("file_name") or key) for key, video in videos.items()}
    for key, video in videos.items():
        size = _sizes(video, first_images.get(key, {}))
        name = names[key]
        if name in tables:
            raise MotFileError(f"{path} has two videos that are called {name}; give them different names.")
        tables[name] = truth_table(
            rows[key], path, format=FORMAT.title, classes=classes, sequence=name, visibility=share[key],
            length=lengths.get(key), **size,
        )  # fmt: skip
    return tables


def write_coco(
    tracks: Mapping[str, pd.DataFrame] | pd.DataFrame,
    path: str | os.PathLike[str],
    *,
    classes: Mapping[int, str] | None = None,
    file_name: str = "{sequence}/img1/{frame:06d}.jpg",
) -> Path:
    """Write tracks or ground truth as COCO JSON for videos; `read_coco` gives the same boxes back.

    Parameters
    ----------
    tracks
        A table, of one sequence or of several joined, or tables by name of sequence; `attrs` may hold length, width,
        height and classes.
    path
        The file to make or replace.
    classes
        Name of each `class_id`; by default what `attrs["classes"]` of the tables names, else "person" for a class of
        -1 or 0 (written as 1) and "class N" for others.
    file_name
        Pattern for the images' names.

    Raises
    ------
    ConfigError
        If the pattern asks for more than `sequence` and `frame`.
    EvaluationError
        If a class has no name, where others have one, or two sequences give it different names.
    MotFileError
        If a table breaks the rules of `read_mot`.
    WriteError
        If the file cannot be written, or is one that a table was read from.

    Examples
    --------
    >>> import tempfile
    >>> table = pd.DataFrame({"frame": [2], "id": [7], "x": [10.0], "y": [20.0], "w": [30.0], "h": [60.0]})
    >>> path = write_coco({"street": table}, Path(tempfile.mkdtemp(), "train.json"))
    >>> sorted(json.loads(path.read_text()))
    ['annotations', 'categories', 'images', 'videos']
    """
    tracks = by_sequence(tracks)
    names = dict(classes or _names_of(tracks))
    is_named = bool(names)
    people = any((table["class_id"] == 1).any() for table in tracks.values() if "class_id" in table)
    lowest = 0 if people else 1  # without a class 1, people may be class 0, as detectors with one class have it
    try:
        file_name.format(sequence="", frame=1)
    except (LookupError, ValueError, AttributeError) as error:
        raise ConfigError(f"file_name={file_name!r} cannot be filled in; use {{sequence}}, {{frame:06d}}.") from error
    videos: list[dict] = []
    images: list[dict] = []
    annotations: list[dict] = []
    for video, (name, table) in enumerate(tracks.items(), start=1):
        check_table(table, name=f"tracks of {name}")
        attrs = table.attrs
        length = int(attrs.get("length") or (table["frame"].max() if len(table) else 0))
        size = {key: int(attrs[key]) for key in ("width", "height") if attrs.get(key)}
        videos.append({"id": video, "name": name, **size})
        first = len(images)
        images += [
            {
                "id": first + frame, "video_id": video, "frame_id": frame,
                "file_name": file_name.format(sequence=name, frame=frame), **size,
            }
            for frame in range(1, length + 1)
        ]  # fmt: skip
        for row in table.sort_values("frame", kind="stable").to_dict("records"):
            kind = int(row.get("class_id", -1))
            if is_named and kind not in names:
                raise EvaluationError(f"{name} has rows of class {kind}, which has no name; pass classes=.")
            if not is_named:
                kind = 1 if kind < lowest else kind
                known = MOTCHALLENGE_CLASSES if "conf" in row else {}
                names.setdefault(kind, PERSON if kind == 1 else known.get(kind, f"class {kind}"))
            box = [float(row[side]) for side in "xywh"]
            one = {
                "id": len(annotations) + 1, "image_id": first + int(row["frame"]), "category_id": kind,
                "track_id": int(row["id"]), "bbox": box, "area": box[2] * box[3], "iscrowd": 0,
            }  # fmt: skip
            confidence = row.get("conf", row.get("score"))
            if confidence is not None:
                one["conf" if "conf" in row else "score"] = float(confidence)
            if np.isfinite(row.get("visibility", np.nan)):
                one["visibility"] = float(row["visibility"])
            annotations.append(one)
    content = {
        "videos": videos,
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in sorted(names.items())],
    }
    return write_text(path, json.dumps(content) + "\n", tracks)


def _names_of(tables: Mapping[str, pd.DataFrame]) -> dict[int, str]:
    """Return the names of classes that tables of several sequences give."""
    names: dict[int, str] = {}
    for sequence, table in tables.items():
        for class_id, name in (table.attrs.get("classes") or {}).items():
            if names.setdefault(class_id, name) != name:
                raise EvaluationError(
                    f"{sequence} calls class {class_id} {name}, another sequence {names[class_id]}; pass classes=."
                )
    return names


def _row_of(annotation: dict, crowd: int, place: Path) -> tuple[float, ...]:
    """Return id, x, y, w, h, conf and class of an annotation; those of a region to ignore have the class `crowd`."""
    box, more = annotation.get("bbox"), annotation.get("attributes")  # where CVAT keeps the track
    track = first_of({**more, **annotation} if isinstance(more, dict) else annotation, _TRACK_KEYS)
    if track is None:
        raise MotFileError(
            f"{place} has no track_id; these are labels for detection, and tracking needs the same track_id in all "
            "frames of an object."
        )
    if not isinstance(box, list) or len(box) != 4:
        raise MotFileError(f"{place}: bbox is {box!r}; it must be [x, y, width, height].")
    x, y, w, h = (number(value, "a number of bbox", place) for value in box)
    kind = whole(annotation.get("category_id"), "category_id", place)
    conf = number(first_of(annotation, ("conf",), 1.0), "conf", place)
    if _is_crowd(annotation):
        return -1, x, y, w, h, 0.0, crowd
    return whole(track, "track_id", place), x, y, w, h, conf, kind


def _is_crowd(annotation: dict) -> bool:
    return 1 in (annotation.get("iscrowd"), annotation.get("ignore"))


def _items(content: dict, key: str, path: Path) -> list[dict]:
    items = content.get(key) or []
    if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
        raise MotFileError(f"{path}: {key} is not a list of objects; correct the file.")
    return items


def _key(value: Any) -> Any:
    return value if isinstance(value, str | int) or value is None else str(value)


def _name(video: dict, key: Any) -> str:
    name = str(video.get("name") or video.get("file_name") or key)
    return name.replace("\\", "/").rstrip("/").removesuffix("/img1").rpartition("/")[2] or name


def _sizes(video: dict, image: dict) -> dict[str, Any]:
    sizes = {}
    for key in ("width", "height"):
        value = video.get(key) or image.get(key)
        sizes[key] = int(value) if isinstance(value, int | float) and 1 <= value < np.inf else None
    return sizes


def _frames_of(images: list[dict], videos: dict, path: Path) -> tuple[dict, dict, dict]:
    """Video and frame, from 1, of each image, and the length and the first image of each video."""
    only = next(iter(videos)) if len(videos) == 1 else None
    seen: dict[Any, int] = {}
    numbers: dict[Any, tuple[Any, int]] = {}
    first_images: dict[Any, dict] = {}
    counts_from_0 = False
    if not any(first_of(image, _FRAME_KEYS) is not None for image in images):
        images = _by_file(images)
    for image in images:
        video = _key(image.get("video_id")) if "video_id" in image else only
        if video not in videos:
            raise MotFileError(
                f"{path}: image {image.get('id')} has video_id {video!r}, which is not in videos; correct the file."
            )
        given = first_of(image, _FRAME_KEYS)
        first_images.setdefault(video, image)
        seen[video] = seen.get(video, 0) + 1
        frame = seen[video] if given is None else whole(given, "the frame of an image", path)
        counts_from_0 = counts_from_0 or frame == 0
        key = _key(image.get("id"))
        if key in numbers:
            raise MotFileError(f"{path}: two images have the id {image.get('id')}; number them through.")
        numbers[key] = (video, frame)
    lengths: dict[Any, int] = {}
    for image_id, (video, frame) in numbers.items():
        numbers[image_id] = (video, frame + counts_from_0)
        lengths[video] = max(lengths.get(video, 0), frame + counts_from_0)
    return numbers, lengths, first_images


def _by_file(images: list[dict]) -> list[dict]:
    """Return images in the order of their files, as a folder of them is read; unchanged where a name is missing."""
    names = [str(image.get("file_name") or "") for image in images]
    place = {path: index for index, path in enumerate(natural_order(set(map(Path, names))))}
    return images if "" in names else sorted(images, key=lambda image: place[Path(str(image["file_name"]))])


def _unroll(annotations: list[dict], videos: dict, path: Path) -> tuple[list[dict], list[dict]]:
    """YouTube-VIS keeps one annotation for each track, with a box or null for each frame."""
    images: list[dict] = []
    rows: list[dict] = []
    lengths: dict[Any, int] = {}
    for one in annotations:
        boxes = one.get("bboxes")
        if not isinstance(boxes, list):
            raise MotFileError(f"{path}: annotation {one.get('id')} has no list of bboxes; correct the file.")
        video = _key(one.get("video_id"))
        lengths[video] = max(lengths.get(video, 0), len(boxes))
        for frame, box in enumerate(boxes):
            if box is not None:
                rows.append({**one, "image_id": f"{video}/{frame}", "track_id": one.get("id"), "bbox": box})
    for key in videos:
        for frame in range(lengths.get(key, 0)):  # each annotation has an entry for each frame
            images.append({"id": f"{key}/{frame}", "video_id": key, "frame_id": frame})
    return images, rows


def _recognise(path: Path, head: bytes) -> bool:
    return beginning(head).startswith(b"{") and any(key in head for key in (b'"images"', b'"annotations"', b'"videos"'))


FORMAT = Format(
    name="coco",
    title="COCO JSON for videos",
    recognise=_recognise,
    sequences=several_sequences(read_coco),
    frames=("../{sequence}", "../{sequence}/img1", "../images/{sequence}"),
    protocol="the data set's own; people are scored, or every class where none is a person",
)
