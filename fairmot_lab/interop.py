"""Other people's tools: recordings for Rerun's viewer, and `supervision.Detections` from and to a frame."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ._files import atomic_write, refuse_overwrite
from .boxes import BOX, from_corners, to_corners
from .data import FrameDetections, FrameTracks, column_of
from .drawing import id_color
from .errors import ConfigError
from .sources.base import Source
from .sources.open import open_source

if TYPE_CHECKING:
    import supervision


def write_rerun(
    path: str | Path,
    source: Any,
    tracks: pd.DataFrame | Mapping[str, pd.DataFrame] | None = None,
    ground_truth: pd.DataFrame | None = None,
    *,
    switches: Iterable[Mapping[str, Any]] = (),
    first: int = 1,
    last: int | None = None,
    max_width: int = 960,
) -> Path:
    """Write frames, boxes and ID switches as a recording that Rerun's viewer opens (`rerun FILE.rrd`).

    Parameters
    ----------
    path
        The file, usually `.rrd`.
    source
        What `open_source` takes, of known length and with random access.
    tracks
        A tracks table, or several by the name of their tracker: entities `frame/NAME`.
    ground_truth
        Entity `frame/ground truth`; rows with conf 0 are left out.
    switches
        Rows with `frame`, `gt_id`, `from_id`, `to_id`: a text log. For instance `result.switches.to_dict("records")`.
    first, last
        The frames, both included.
    max_width
        Wider frames are scaled down to this width (pixels), and the boxes with them.

    Returns
    -------
    Path
        The file. Its timelines are `frame` (from 1) and `time` (seconds).

    Raises
    ------
    ConfigError
        If Rerun is not installed (extra `[rerun]`).
    SourceError
        If the source has no such frames.

    Examples
    --------
    >>> import tempfile, fairmot_lab as fl
    >>> scene = fl.example()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fl.write_rerun(f"{folder}/scene.rrd", scene.source, scene.tracks, last=3).stat().st_size > 1000
    True
    """
    rr = _need("rerun")
    source = open_source(source)
    path = Path(path)
    refuse_overwrite(path, source, tracks, ground_truth)
    first, last = source.span(first, last)
    tables = dict(tracks) if isinstance(tracks, Mapping) else {} if tracks is None else {"tracks": tracks}
    if ground_truth is not None:
        counted = ground_truth[ground_truth["conf"] != 0] if "conf" in ground_truth else ground_truth
        tables["ground truth"] = counted
    parts = {name: dict(list(table.groupby("frame"))) for name, table in tables.items()}
    marks: dict[int, list[Mapping[str, Any]]] = {}
    for mark in switches:
        marks.setdefault(int(mark["frame"]), []).append(mark)
    with atomic_write(path) as temporary:
        recording = rr.RecordingStream(f"fairmot_lab {source.name}")
        recording.save(str(temporary))
        for number in range(first, last + 1):
            _log_frame(rr, recording, source, number, parts, marks.get(number, ()), max_width)
        recording.flush()
        recording.disconnect()
    return path


def _log_frame(
    rr: ModuleType,
    recording: Any,
    source: Source,
    number: int,
    parts: Mapping[str, Mapping[int, pd.DataFrame]],
    marks: Iterable[Mapping[str, Any]],
    max_width: int,
) -> None:
    rr.set_time("frame", sequence=number, recording=recording)
    rr.set_time("time", duration=(number - 1) / (source.frame_rate or 25), recording=recording)
    jpeg = source.jpeg(number, max_width=max_width, quality=85)
    recording.log("frame", rr.EncodedImage(contents=jpeg, media_type="image/jpeg"))
    scale = min(1.0, max_width / source.width)
    for name, by_frame in parts.items():
        table = by_frame.get(number)
        if table is None:
            recording.log(["frame", name], rr.Clear(recursive=False))
            continue
        ids = table["id"].to_numpy()
        truth = name == "ground truth"
        boxes = rr.Boxes2D(
            array=table[BOX].to_numpy(float) * scale,
            array_format=rr.Box2DFormat.XYWH,
            labels=[f"person {i}" if truth else str(i) for i in ids],
            colors=[(255, 255, 255) if truth else id_color(i)[::-1] for i in ids],
        )
        recording.log(["frame", name], boxes)
    for mark in marks:
        words = (
            f"person {_plain(mark.get('gt_id'))}: track {_plain(mark.get('from_id'))} to {_plain(mark.get('to_id'))}"
        )
        recording.log(["ID switches"], rr.TextLog(words, level="WARN"))


def _plain(value: Any) -> str:
    return "?" if pd.isna(value) else str(int(value))


def to_supervision(frame: FrameDetections | FrameTracks | pd.DataFrame) -> supervision.Detections:
    """Return the boxes of one frame as supervision's `Detections`.

    Parameters
    ----------
    frame
        Detections or tracks of one frame, or the rows of one frame of a tracks or detections table. Embeddings go to
        `data["embedding"]`, the rows of the detections that tracks took to `data["det"]`.

    Returns
    -------
    supervision.Detections
        `xyxy` in pixels; `tracker_id` for tracks.

    Raises
    ------
    ConfigError
        If supervision is not installed (extra `[supervision]`).

    Examples
    --------
    >>> rows = pd.DataFrame({"frame": 1, "id": [7], "x": [10.0], "y": 20.0, "w": 30.0, "h": 40.0, "score": 0.5})
    >>> made = to_supervision(rows)
    >>> made.xyxy.tolist(), made.tracker_id.tolist()
    ([[10.0, 20.0, 40.0, 60.0]], [7])
    """
    sv = _need("supervision")
    data: dict[str, Any] = {}
    ids: Any = None
    if isinstance(frame, pd.DataFrame):
        if frame["frame"].nunique() > 1:
            raise ConfigError("to_supervision takes the rows of one frame; select them with table[table.frame == n].")
        boxes = frame[BOX].to_numpy(float)
        scores, classes = column_of(frame, "score", 1.0), column_of(frame, "class_id", 0)
        ids = frame["id"].to_numpy(int) if "id" in frame else None
    else:
        boxes, scores, classes = (np.asarray(part) for part in (frame.boxes, frame.scores, frame.class_ids))
        if isinstance(frame, FrameTracks):
            ids, data["det"] = frame.ids, frame.detections
        elif frame.embeddings is not None:
            data["embedding"] = frame.embeddings
    return sv.Detections(
        xyxy=to_corners(boxes.reshape(-1, 4)).astype(np.float32),
        confidence=np.asarray(scores, np.float32),
        class_id=np.asarray(classes, int),
        tracker_id=None if ids is None else np.asarray(ids, int),
        data=data,
    )


def from_supervision(detections: supervision.Detections, frame: int = 0) -> FrameDetections:
    """Return supervision's `Detections` as detections of one frame, for trackers, caches and views.

    Parameters
    ----------
    detections
        From any detector that supervision reads. `data["embedding"]` is taken as the appearance.
    frame
        Frame number, counted from 1.

    Returns
    -------
    FrameDetections
        By descending score; boxes without a confidence get a score of 1.

    Examples
    --------
    >>> rows = pd.DataFrame({"frame": 1, "x": [10.0], "y": 20.0, "w": 30.0, "h": 40.0, "score": 0.5})
    >>> from_supervision(to_supervision(rows), frame=1).boxes.tolist()
    [[10.0, 20.0, 30.0, 40.0]]
    """
    corners = np.asarray(detections.xyxy, np.float32).reshape(-1, 4)
    count = len(corners)
    scores = detections.confidence if detections.confidence is not None else np.ones(count)
    classes = detections.class_id if detections.class_id is not None else np.full(count, -1)
    embeddings = detections.data.get("embedding")
    order = np.argsort(-np.asarray(scores, np.float32), kind="stable")
    return FrameDetections(
        frame,
        from_corners(corners)[order],
        np.asarray(scores, np.float32)[order],
        None if embeddings is None else np.asarray(embeddings, np.float32)[order],
        np.asarray(classes, np.int64)[order],
    )


def _need(module: str) -> ModuleType:
    """Import a module that an extra of the same name installs."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{module} is not installed; install it with pip install 'fairmot-lab[{module}]'.") from error
