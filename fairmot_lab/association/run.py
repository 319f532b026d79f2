"""Track or trace the detections of a whole sequence."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .._files import files_of
from ..data import FrameDetections, FrameTracks
from ..errors import ConfigError, TrackingError
from .base import Tracker
from .checks import check_ascending, check_detections, no_detections, own_copy
from .records import FrameRecord
from .registry import tracker_for, trackers

if TYPE_CHECKING:
    from ..detection.detections import Detections

Warps = Mapping[int, np.ndarray]


def track_detections(
    detections: Detections, tracker: Tracker | str | None = None, *, camera_motion: Warps | None = None
) -> pd.DataFrame:
    """Track the detections of a whole sequence, as `Tracker.update` does frame by frame.

    Parameters
    ----------
    detections
        As `open_detections`, `detect` or `Detections.from_frames` gives them.
    tracker
        A clone of it is used; unless given that which the detections' model was published with, or `JDETracker()`.
    camera_motion
        From a frame's number to the affine matrix (2, 3) that moves points of the frame before to where they are in
        it; frames may be missing. By default what the detections carry.

    Returns
    -------
    pandas.DataFrame
        `frame`, `id`, `x`, `y`, `w`, `h` (pixels, top-left), `score`, `class_id`, and `det`: the row of the detection
        that the track took in `detections.table()`, -1 where a predicted box is reported. Sorted by frame; `attrs`
        hold sequence, frame_rate, tracker, settings, length (in frames), and missing (frames without an image), classes
        and files where there are such.

    Raises
    ------
    TrackingError
        If the detections hold something that no tracker should accept; see `Tracker.update`.

    Examples
    --------
    >>> scene = fl.example()
    >>> track_detections(scene.detections, "jde")["id"].nunique()
    2
    """
    return _Sequence(detections, tracker, camera_motion).track()


def trace(detections: Detections, tracker: Tracker | str | None = None, *, camera_motion: Warps | None = None) -> Trace:
    """Track, and return the record of every decision.

    Parameters
    ----------
    detections, tracker, camera_motion
        As of `track_detections`.

    Returns
    -------
    Trace
        `trace[frame]` is what the tracker saw and did in a frame, for `explain`; `trace.tracks` the table of tracks.

    Raises
    ------
    TrackingError
        If the detections hold something that no tracker should accept; see `Tracker.update`.

    Examples
    --------
    >>> scene = fl.example()
    >>> record = fl.trace(scene.detections, "sort")[10]
    >>> [stage.title for stage in record.stages]
    ['only stage']
    """
    return Trace(_Sequence(detections, tracker, camera_motion))


class Trace:
    """The records of the frames of a sequence, by frame number: `trace[17]`.

    The records of a crowded sequence take gigabytes. So the sequence is tracked once without them, the tracker is
    copied every 32 frames, and records are made from the copy before them when they are asked for.

    Attributes
    ----------
    tracks : pandas.DataFrame
        As of `track_detections`.
    tracker : Tracker
        As it was used.
    """

    def __init__(self, sequence: _Sequence) -> None:
        self._sequence = sequence
        self._copies: list[bytes] = []
        self._windows: OrderedDict[int, dict[int, FrameRecord]] = OrderedDict()
        self.tracker = sequence.tracker.clone()
        self.tracks = sequence.track(self._copies)

    def __getitem__(self, frame: int) -> FrameRecord:
        record = self.get(frame)
        if record is None:
            frames = self._sequence.frames
            span = f"the frames {frames[0]} to {frames[-1]}" if len(frames) else "none"
            raise TrackingError(f"The trace holds no frame {frame}; it holds {span}.")
        return record

    def __contains__(self, frame: int) -> bool:
        return self.get(frame) is not None

    def __iter__(self) -> Iterator[FrameRecord]:
        for number in range(len(self._copies)):
            yield from self._window(number).values()

    def __len__(self) -> int:
        return sum(len(self._window(number)) for number in range(len(self._copies)))

    def get(self, frame: int) -> FrameRecord | None:
        """Return the record of a frame; None in a long gap of the detections, with nothing left to follow."""
        index = int(np.searchsorted(self._sequence.frames, frame))
        if index == len(self._sequence.frames):
            return None
        return self._window(index // _EVERY).get(frame)

    def _window(self, number: int) -> dict[int, FrameRecord]:
        """Return the records that one copy of the tracker leads to, those of a gap before a frame included."""
        if number not in self._windows:
            tracker: Tracker = pickle.loads(self._copies[number])
            tracker.records = []
            for index in range(number * _EVERY, min((number + 1) * _EVERY, len(self._sequence.frames))):
                self._sequence.step(tracker, index)
            self._windows[number] = {record.frame: record for record in tracker.records}
            if len(self._windows) > _WINDOWS:
                self._windows.popitem(last=False)
        self._windows.move_to_end(number)
        return self._windows[number]


_EVERY, _WINDOWS = 32, 4


class _Sequence:
    """The detections of a sequence, all checked, and a tracker that has seen none of them."""

    def __init__(self, detections: Detections, tracker: Tracker | str | None, camera_motion: Warps | None) -> None:
        from ..detection.cache import as_detections  # brings the sources along

        self.source = detections = as_detections(detections)
        self.tracker = tracker_for(detections, tracker).clone(detections.frame_rate)
        self.tracker.frame_grid = detections.frame_grid
        if camera_motion is None and self.tracker.uses_camera_motion:
            camera_motion = detections.camera_motion
        motions: Mapping[Any, Any] = camera_motion or {}
        named = [name for name in motions if isinstance(name, str)]
        if named:  # of several sequences
            if detections.name not in named:
                raise ConfigError(f"camera_motion is of {named[0]}, and the detections are of {detections.name}.")
            motions = motions[detections.name]
        self.frames, self.offsets = detections.frames, detections.offsets
        missing = np.isin(self.frames, detections.missing)
        self.before = set(self.frames[: int(np.argmin(np.append(missing, False)))].tolist())
        embeddings = detections.embeddings() if detections.has_embeddings else None
        whole = FrameDetections(0, detections.boxes, detections.scores, embeddings, detections.class_ids)
        try:
            self.detections = own_copy(whole, "the sequence")
            check_ascending(self.frames)
            check_detections(
                self.detections, self.tracker.settings.any_scores, self._place, self.tracker.several_classes
            )
        except TrackingError as error:
            raise TrackingError(f"{detections.name}: {error}") from error
        self.warps = {int(frame): self.tracker._check_warp(warp, int(frame)) for frame, warp in motions.items()}
        if len(self.detections):
            self.tracker.check_embeddings(self.detections.embeddings is not None)

    def _place(self, row: int) -> str:
        index = int(np.searchsorted(self.offsets, row, side="right")) - 1
        return f"Frame {self.frames[index]}, detection {row - self.offsets[index]}"

    def step(self, tracker: Tracker, index: int) -> FrameTracks:
        """Put the frame of an index through a tracker."""
        frame = int(self.frames[index])
        if frame in self.before:  # as a tracker that is fed from the source, it begins with the first image
            return tracker._leave_out(self._frame(frame, index))
        if self.warps and tracker._frame is not None:  # the camera moves on in frames without detections
            for missing in range(max(tracker._frame + 1, frame - tracker.max_time_lost - 4), frame):
                tracker._update(no_detections(missing), self.warps.get(missing))
        return tracker._update(self._frame(frame, index), self.warps.get(frame))

    def _frame(self, frame: int, index: int) -> FrameDetections:
        rows, whole = slice(self.offsets[index], self.offsets[index + 1]), self.detections
        embeddings = None if whole.embeddings is None else whole.embeddings[rows].copy()  # trackers may change them
        return FrameDetections(frame, whole.boxes[rows], whole.scores[rows], embeddings, whole.class_ids[rows])

    def track(self, copies: list[bytes] | None = None) -> pd.DataFrame:
        """Track all frames; `copies` receives the tracker as it was before every 32nd."""
        tracker = self.tracker.clone()
        results = []
        for index in range(len(self.frames)):
            if copies is not None and index % _EVERY == 0:
                copies.append(pickle.dumps(tracker))
            results.append(self.step(tracker, index))
        tracks = tracks_table(results, self.offsets[:-1])
        source = self.source
        tracks.attrs = {
            "sequence": source.name,
            "frame_rate": source.frame_rate,
            "tracker": tracker.name,
            "settings": tracker.arguments(),
            "length": source.length or (int(self.frames[-1]) if len(self.frames) else 0),
        }
        if source.missing:
            tracks.attrs["missing"] = list(source.missing)
        if source.class_names:
            tracks.attrs["classes"] = source.class_names
        if files := files_of(source):
            tracks.attrs["files"] = [os.path.realpath(file) for file in files]
        return tracks


def tracks_table(results: Sequence[FrameTracks], first_rows: Sequence[int] | np.ndarray | None = None) -> pd.DataFrame:
    """Return the tracks table of frames that were tracked.

    Parameters
    ----------
    results
        What `Tracker.update` gave, frame by frame.
    first_rows
        For each frame the row of its first detection among those of the sequence; without it `det` counts within
        frames.

    Returns
    -------
    pandas.DataFrame
        As of `track_detections`, without `attrs`.

    Examples
    --------
    >>> scene = fl.example()
    >>> tracker = fl.JDETracker()
    >>> tracks_table([tracker.update(one) for one in scene.detections])["id"].nunique()
    2
    """
    counts = np.array([len(result) for result in results], np.int64)
    boxes = np.concatenate([result.boxes for result in results] or [np.empty((0, 4))]).astype(np.float64)
    first = np.zeros(len(results), np.int64) if first_rows is None else np.asarray(first_rows, np.int64)

    def column(name: str, kind: type) -> np.ndarray:
        return np.concatenate([getattr(result, name) for result in results] or [np.empty(0)]).astype(kind)

    rows = column("detections", np.int64)
    return pd.DataFrame(
        {
            "frame": np.repeat(np.array([result.frame for result in results], np.int64), counts),
            "id": column("ids", np.int64),
            "x": boxes[:, 0],
            "y": boxes[:, 1],
            "w": boxes[:, 2],
            "h": boxes[:, 3],
            "score": column("scores", np.float64),
            "class_id": column("class_ids", np.int64),
            "det": np.where(rows < 0, -1, rows + np.repeat(first, counts)),
        }
    )


def warm_up() -> None:
    """Compile all that the trackers need, or load it from numba's cache: about a minute once per machine.

    The first frames of a tracker do the same unasked; this lets an installation do it ahead.

    Examples
    --------
    >>> warm_up()
    """
    boxes = np.array([[10.0, 10, 40, 100], [25.0, 10, 40, 100]])  # they overlap: pairs have to be chosen
    looks = np.array([[1.0, 0.0], [0.0, 1.0]])
    scores = ([0.9, 0.9], [0.9, 0.9], [0.9, 0.2], [0.9, 0.9], [0.9, 0.9], [0.9, 0.9])
    for kind in trackers().values():
        tracker = kind()
        for frame, score in enumerate(scores, start=1):
            detections = FrameDetections(frame, boxes + frame, np.array(score), looks)
            tracker.update(detections, np.eye(2, 3) if kind.uses_camera_motion else None)
