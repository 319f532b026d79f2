"""What every tracker is: settings, one frame at a time, a fresh start by `clone()`, a record of its decisions."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from ..errors import TrackingError
from .checks import check_detections, check_warp, dimension, no_detections, no_tracks, own_copy
from .records import FrameRecord, Stage
from .settings import TrackerSettings, check_frame_rate

if TYPE_CHECKING:
    from ..data import FrameDetections, FrameTracks

DEFAULT_FRAME_RATE = 30.0


class Tracker:
    """Base class of all trackers.

    A tracker is a subclass with `name` (by default `module:Class`), `title` and `Settings`, a method `_reset` that
    makes its state, and a method `_step` that tracks one frame; docs/association.md shows one being added. All state
    belongs to the object; it can be pickled and copied at any time. Functions that are given a tracker work on a clone,
    so that nothing of one sequence gets into the next.

    Frames come in ascending order. A gap in their numbers means frames in which nothing was detected: time passes,
    tracks are lost and forgotten.

    Parameters
    ----------
    frame_rate
        Frames per second; by default that of the detections, 30 where they have none.
    **settings
        See the table below, or `Settings.settings()`.

    Attributes
    ----------
    settings : TrackerSettings
    frame_rate : float
    max_time_lost : int
        Frames that a lost track is kept.
    min_score : float
        Detections with scores up to this are not used; NaN where there is no such threshold.
    frame_grid : (int, int) or None
        First number and step of frames that are numbered in steps, such as 1, 3, 5: they are taken as consecutive, and
        empty frames between them are left out. Functions that track a sequence set it.
    records : list of FrameRecord or None
        Set it to a list, and a record of each frame is appended to it; see `records.py`.

    Raises
    ------
    ConfigError
        If a setting is unknown or refused, or the frame rate is not a positive number.
    """

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    Settings: ClassVar[type[TrackerSettings]] = TrackerSettings
    uses_camera_motion: ClassVar[bool] = False
    several_classes: ClassVar[bool] = False
    max_time_lost: int = 0
    min_score: float = float("nan")

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "name" not in vars(cls):  # not the name of the tracker that it derives from
            cls.name = f"{cls.__module__}:{cls.__qualname__}"
        if "Settings" in vars(cls):
            rows = [f"`{s.name}` (default {s.default!r})\n    {s.doc}" for s in cls.Settings.settings().values()]
            cls.__doc__ = "\n".join([inspect.cleandoc(cls.__doc__ or ""), "", "Settings", "--------", *rows, ""])

    def __init__(self, *, frame_rate: float | None = None, **settings: Any) -> None:
        self.settings: Any = self.Settings.from_dict(settings)
        self._given_rate = None if frame_rate is None else check_frame_rate(frame_rate)
        self.frame_rate = self._given_rate or DEFAULT_FRAME_RATE
        self.frame_grid: tuple[int, int] | None = None
        self.records: list[FrameRecord] | None = None
        self._record: FrameRecord | None = None  # of the frame under way, where records are kept
        self._frame: int | None = None
        self._first_frame: int | None = None
        self._class: int | None = None
        self._dimension: int | None = None  # of the embeddings; 0: none; None: not known yet
        self._last_id = 0  # new tracks get the next ids; PerClass shares the counter among its trackers
        self._reset()

    # -- what a tracker supplies

    def _reset(self) -> None:
        """Make the state of a tracker that has seen nothing, and set `max_time_lost` and `min_score`."""

    def _step(self, detections: FrameDetections, warp: np.ndarray | None) -> FrameTracks:
        """Track one frame.

        Parameters
        ----------
        detections
            Contiguous float32 arrays that the tracker may change.
        warp : (2, 3) float64 or None
            Moves points of the frame before to where they are in this one. None unless `uses_camera_motion`.
        """
        raise NotImplementedError

    def check_embeddings(self, present: bool) -> None:
        """Warn or refuse where detections come without embeddings; by default neither."""

    # -- what every tracker does

    def update(self, detections: Any, warp: np.ndarray | None = None) -> FrameTracks:
        """Track the next frame.

        Parameters
        ----------
        detections
            A `FrameDetections`, or anything with `frame`, `boxes` (N, 4: x, y, w, h in pixels), `scores` (N,), and
            where they exist `embeddings` (N, D) and `class_ids` (N,). It is not modified.
        warp : (2, 3) or None
            Camera motion: the affine matrix that moves points of the frame before to where they are in this one.

        Raises
        ------
        TrackingError
            If the frame does not follow the one before, or holds something that no tracker should accept: a box that is
            not finite or has no size, a score that is not finite or outside 0..1, an embedding that is zero or not
            finite, embeddings that come and go or change their length, several classes; or if this tracker cannot use
            camera motion. The tracker is then as it was before.
        """
        own = own_copy(detections)
        frame = own.frame
        if self._frame is not None and frame <= self._frame:
            raise TrackingError(
                f"Frame {frame} comes after frame {self._frame}; give each frame once, in ascending order."
            )
        check_detections(
            own, self.settings.any_scores, lambda row: f"Frame {frame}, detection {row}", self.several_classes
        )
        if len(own) and self._dimension is not None and dimension(own) != self._dimension:
            raise TrackingError(
                f"Frame {frame} has embeddings of {dimension(own)} numbers and the frames before had "
                f"{self._dimension}; use the detections of one model throughout."
            )
        changed = len(own) and self._class is not None and own.class_ids[0] != self._class
        if changed and not self.several_classes:
            raise TrackingError(
                f"Frame {frame} has detections of class {own.class_ids[0]} and the frames before of class "
                f"{self._class}; track each class by itself with PerClass(tracker), --tracker per_class:NAME."
            )
        if warp is not None:
            warp = self._check_warp(warp, frame)
        if len(own) and self._dimension is None:
            self.check_embeddings(dimension(own) > 0)
        return self._update(own, warp)

    def _check_warp(self, warp: Any, frame: int) -> np.ndarray:
        if not self.uses_camera_motion:
            raise TrackingError(
                f"{self.name} does not use camera motion; leave it out, or use a tracker that does, such as botsort."
            )
        return check_warp(warp, frame)

    def _update(self, detections: FrameDetections, warp: np.ndarray | None = None) -> FrameTracks:
        """`update` with detections that were checked and belong to the tracker."""
        first, step = self.frame_grid or (0, 1)
        if not len(detections) and (detections.frame - first) % step:
            return self._leave_out(detections)
        if self._frame is None:
            self._first_frame = detections.frame
        else:  # frames that are missing; once every track is forgotten nothing happens in them
            end = min(detections.frame, self._frame + (self.max_time_lost + 4) * step)
            for frame in range(self._frame + step, end, step):
                self._advance(no_detections(frame), None)
        if len(detections) and self._dimension is None:
            self._dimension = dimension(detections)
            self._class = int(detections.class_ids[0])
        return self._advance(detections, warp)

    def _count_before(self, frame: int) -> int:
        """Return how many frames there are from the first one to this one, which is not counted."""
        assert self._first_frame is not None
        return (frame - self._first_frame) // (self.frame_grid or (0, 1))[1]

    def _leave_out(self, detections: FrameDetections) -> FrameTracks:
        """Report nothing in an empty frame between those of the grid, and change nothing."""
        tracks = no_tracks(detections.frame)
        if self.records is not None:
            self.records.append(FrameRecord(detections, tracks, [], [], self.min_score, self.max_time_lost))
        return tracks

    def _advance(self, detections: FrameDetections, warp: np.ndarray | None) -> FrameTracks:
        self._frame = detections.frame
        if self.records is None:
            return self._step(detections, warp)
        nothing: Any = None
        self._record = FrameRecord(detections, nothing, [], [], self.min_score, self.max_time_lost)
        try:
            self._record.tracks = self._step(detections, warp)
            self.records.append(self._record)
        finally:
            record, self._record = self._record, None
        return record.tracks

    def _record_stage(self, title: str, *stage: Any, **measures: Any) -> None:
        """Append a `Stage` to the record, where one is kept."""
        if self._record is not None:
            self._record.stages.append(Stage(title, *stage, **measures))

    def _note_each(self, kind: str, tracks: np.ndarray, words: str, rows: np.ndarray | None = None) -> None:
        """Append a note on each track, and on its detection where their rows are given, to the record."""
        assert self._record is not None
        detections = [None] * len(tracks) if rows is None else rows.tolist()
        for track, row in zip(tracks.tolist(), detections, strict=True):
            self._record.note(kind, words.format(track, row), track=track, detection=row)

    def clone(self, frame_rate: float | None = None) -> Self:
        """Return a tracker with the same settings that has seen nothing.

        Parameters
        ----------
        frame_rate
            Frames per second, used unless the tracker was made with its own.
        """
        fresh = self._made_again()
        if self._given_rate is None:
            fresh.frame_rate = self.frame_rate if frame_rate is None else check_frame_rate(frame_rate)
            fresh._reset()
        fresh.frame_grid = self.frame_grid
        return fresh

    def _made_again(self) -> Self:
        """Return a tracker made with the same arguments."""
        return type(self)(**self.arguments())

    def replace(self, **changes: Any) -> Self:
        """Return a tracker with some settings changed that has seen nothing.

        Raises
        ------
        ConfigError
            If a name is unknown (the nearest is proposed) or a value is refused.
        """
        rate = changes.pop("frame_rate", self._given_rate)
        return type(self)(frame_rate=rate, **self.settings.replace(**changes).to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return the tracker's name and arguments as plain values; `tracker_from_dict` makes a tracker of them."""
        return {"tracker": self.name, **self.arguments()}

    def arguments(self) -> dict[str, Any]:
        """Return what the tracker is made with: all settings, and the frame rate if it has its own."""
        rate = {} if self._given_rate is None else {"frame_rate": self._given_rate}
        return {**self.settings.to_dict(), **rate}

    def to_json(self) -> str:
        """Return the same as a JSON object, one line per setting; `load_tracker` reads it."""
        return json.dumps(self.to_dict(), indent=2)

    def __repr__(self) -> str:
        changed = self.settings.changed()
        if self._given_rate is not None:
            changed["frame_rate"] = self._given_rate
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in changed.items())})"
