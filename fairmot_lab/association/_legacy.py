"""Association: detections of one frame after another in, tracks out.

The rules are those of FairMOT's tracker as PaddleDetection implements it (ppdet/modeling/mot/tracker/jde_tracker.py),
with its BYTE form. The compiled arithmetic is in kernels.py, the sentences that explain a decision in explanation.py.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels
from ..errors import FairMOTLabWarning, TrackingError
from ..explanation import FrameRecord, StageRecord, Trace, explain
from ..settings import Setting, TrackerConfig, check_frame_rate

__all__ = ["FrameTracks", "Setting", "Trace", "Tracker", "TrackerConfig", "explain", "track_arrays", "track_outputs"]

if TYPE_CHECKING:
    import pandas as pd

    from ..data import FrameDetections, SequenceArrays
    from ..detection.detections import Detections as Outputs


@dataclasses.dataclass(frozen=True)
class FrameTracks:
    """The tracks that are reported in one frame.

    Attributes
    ----------
    frame : int
        Frame number, counted from 1.
    ids : (M,) int64
        Track ids, counted from 1 within one tracker.
    boxes : (M, 4) float32
        `x, y, w, h` in pixels: the Kalman filter's estimate, not the detector's box.
    scores : (M,) float32
        The score of the detection that the track took.
    class_ids : (M,) int64
        The class of that detection (-1 unknown).
    detections : (M,) int64
        Row of that detection in the frame's boxes.
    """

    frame: int
    ids: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    class_ids: np.ndarray
    detections: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


class Tracker:
    """FairMOT's tracker, one frame at a time; exactly ppdet's JDETracker, at a fraction of its time.

    Frames come in ascending order. A gap in their numbers means frames in which nothing was detected: time passes,
    tracks are lost and forgotten. In the first frame, whatever its number, detections are tracked at once; later ones
    must be seen twice. All state belongs to the object; it can be pickled and copied at any time.

    Without embeddings the first stage compares boxes (IoU with `match_thres`) in place of embeddings and motion, as
    ppdet does; a warning says so once, except for BYTE, which is published that way.

    Parameters
    ----------
    config
        The settings.
    frame_rate
        Frames per second; a lost track is kept for `int(frame_rate / 30 * track_buffer)` frames, as in
        PaddleDetection's engine.
    trace
        Keep a record of every decision in `tracker.trace`, for `explain`.

    Attributes
    ----------
    config, frame_rate, max_time_lost
        As given, and the buffer in frames.
    trace : Trace or None
        One record per frame.

    Raises
    ------
    ConfigError
        If the frame rate is not a positive number.
    """

    def __init__(self, config: TrackerConfig | None = None, frame_rate: float = 30.0, *, trace: bool = False) -> None:
        self.config = config or TrackerConfig()
        self.frame_rate = check_frame_rate(frame_rate)
        self.max_time_lost = int(self.frame_rate / 30.0 * self.config.track_buffer)
        self.trace = Trace() if trace else None
        # in BYTE ppdet derives det_thresh from conf_thres
        self._birth_thresh = self.config.conf_thres + 0.1 if self.config.use_byte else self.config.det_thresh
        self._store = _Store.room_for(64, 0)
        self._tracked = np.empty(0, np.int64)  # slots, in ppdet's order
        self._lost = np.empty(0, np.int64)
        self._last_id = 0
        self._frame: int | None = None
        self._first_frame: int | None = None
        self._class: int | None = None
        self._dimension: int | None = None  # of the embeddings; 0: none; None: not known yet

    def update(self, outputs: FrameDetections | Detections) -> FrameTracks:
        """Track the next frame.

        Parameters
        ----------
        outputs
            Anything with `frame`, `boxes` (N, 4: x, y, w, h in pixels), `scores` (N,), and where they exist
            `embeddings` (N, D) and `class_ids` (N,). Nothing of it is changed.

        Raises
        ------
        TrackingError
            If the frame does not follow the one before, or holds something that no tracker should accept: a box that is
            not finite or has no size, a score that is not finite or outside 0..1, an embedding that is zero or not
            finite, embeddings that come and go or change their length, several classes. The tracker is then as it was
            before.
        """
        detections = Detections.from_frame(outputs)
        self._check(detections)
        if self._dimension is None and len(detections) and not detections.dimension and not self.config.use_byte:
            warn_of_iou()
        return self._update(detections)

    def _check(self, detections: Detections) -> None:
        """Refuse what does not follow the frame before."""
        check_order(detections, self._frame, self.config.any_scores)
        if len(detections) and self._dimension is not None and detections.dimension != self._dimension:
            raise TrackingError(
                f"frame {detections.frame} has embeddings of {detections.dimension} numbers and the frames before had "
                f"{self._dimension}; use the outputs of one model throughout."
            )
        if len(detections) and self._class is not None and detections.class_ids[0] != self._class:
            raise TrackingError(
                f"frame {detections.frame} has detections of class {detections.class_ids[0]} and the frames before of "
                f"class {self._class}; track each class with its own tracker."
            )

    def _update(self, detections: Detections) -> FrameTracks:
        """`update` with detections that were checked; their embeddings are normalised in place."""
        if self._frame is None:
            self._first_frame = detections.frame
        else:  # frames that are missing; once every track is forgotten nothing happens in them
            end = min(detections.frame, self._frame + self.max_time_lost + 4)
            for frame in range(self._frame + 1, end):
                self._step(Detections.none(frame))
        if len(detections) and self._dimension is None:
            self._dimension = detections.dimension
            self._class = int(detections.class_ids[0])
        return self._step(detections)

    def _step(self, detections: Detections) -> FrameTracks:
        """One frame of ppdet's `JDETracker.update`."""
        config, store = self.config, self._store
        frame = self._frame = detections.frame
        scores = detections.scores
        offered = _Offer(detections, *kernels.measure(detections.boxes))
        if self._dimension:
            kernels.normalise(detections.embeddings)

        # tracks that were seen twice, and lost ones, move; ppdet lets those of one frame wait
        is_confirmed = store.confirmed[self._tracked]
        confirmed, unconfirmed = self._tracked[is_confirmed], self._tracked[~is_confirmed]
        pool = np.concatenate((confirmed, self._lost))
        kernels.predict(store.motion, pool, len(confirmed))
        last_seen = store.last[pool] if self.trace is not None else None
        if config.predict_unconfirmed:
            kernels.predict(store.motion, unconfirmed, len(unconfirmed))

        # first stage: embeddings and motion, or IoU where there are no embeddings
        high = (scores > np.float32(config.conf_thres)).nonzero()[0]
        if self._dimension:
            first = self._appearance_stage(pool, high, offered)
        else:
            first = self._iou_stage("first", pool, high, offered, config.match_thres)
        is_taken = first.columns >= 0
        unseen = confirmed[~is_taken[: len(confirmed)]]
        found = self._lost[is_taken[len(confirmed) :]]

        # second stage: IoU of the tracks still to be seen, in BYTE with the detections of low score
        if config.use_byte:
            second = self._iou_stage("second", unseen, self._low_rows(scores), offered, BYTE_SECOND_THRESH)
            left = first.rows_left
        else:
            second = self._iou_stage("second", unseen, first.rows_left, offered, config.r_tracked_thresh)
            left = second.rows_left
        newly_lost = second.slots_left

        # third stage: tracks of one frame are confirmed or dropped
        third = self._iou_stage("unconfirmed", unconfirmed, left, offered, config.unconfirmed_thresh)

        old_scores = store.score[found]
        for stage in (first, second, third):
            self._take(stage.slots_taken, stage.rows_taken, offered)
        if not config.refresh_score:
            store.score[found] = old_scores
        is_strong = ~(scores[third.rows_left].astype(np.float64) < self._birth_thresh)
        newborn = self._bear(third.rows_left[is_strong], offered)
        store = self._store  # the births may have called for a larger one

        # the lists of the next frame; ppdet takes an expired track off the lost ones one frame late, and off at once
        # if it is found in that frame and lost again later
        store.status[newly_lost] = LOST
        store.status[third.slots_left] = REMOVED
        expired = self._lost[frame - store.last[self._lost] > self.max_time_lost]
        store.status[expired] = REMOVED
        stays_lost = (store.status[self._lost] != TRACKED) & ~store.retired[self._lost]
        if config.forget_removed:
            stays_lost &= store.status[self._lost] != REMOVED
        has_relapsed = store.retired[newly_lost]
        store.retired[expired] = True
        stays_tracked = store.status[self._tracked] == TRACKED
        tracked = np.concatenate((self._tracked[stays_tracked], newborn, found))
        lost = np.concatenate((self._lost[stays_lost], newly_lost[~has_relapsed]))
        duplicates: tuple = ()
        if len(lost):
            tracked, lost, duplicates = self._part_duplicates(tracked, lost)

        result, hidden = self._report(detections, tracked)
        if self.trace is not None and last_seen is not None:
            self.trace.append(
                FrameRecord(
                    detections=detections,
                    tracks=result,
                    stages=tuple(stage.record(store) for stage in (first, second, third)),
                    born=tuple(zip(store.ids[newborn].tolist(), third.rows_left[is_strong].tolist(), strict=True)),
                    too_weak=tuple(third.rows_left[~is_strong].tolist()),
                    expired=tuple(store.ids[expired].tolist()),
                    relapsed=tuple(store.ids[newly_lost[has_relapsed]].tolist()),
                    duplicates=duplicates,
                    hidden=tuple(store.ids[hidden].tolist()),
                    last_seen=dict(zip(store.ids[pool].tolist(), last_seen.tolist(), strict=True)),
                    config=config,
                    max_time_lost=self.max_time_lost,
                )
            )
        if len(tracked) + len(lost) < len(self._tracked) + len(self._lost) + len(newborn):
            store.keep_only(tracked, lost)
        self._tracked, self._lost = tracked, lost
        return result

    def _low_rows(self, scores: np.ndarray) -> np.ndarray:
        """BYTE's detections of low score."""
        low, high = np.float32(self.config.low_conf_thres), np.float32(self.config.conf_thres)
        below = scores <= high if self.config.keep_equal_scores else scores < high
        return np.flatnonzero((scores > low) & below)

    def _appearance_stage(self, slots: np.ndarray, rows: np.ndarray, offered: _Offer) -> _Stage:
        store = self._store
        appearance, gate, cost = kernels.appearance_cost(
            store.motion,
            store.feature,
            slots,
            offered.detections.embeddings,
            offered.measurements,
            rows,
            self.config.metric_type == "euclidean",
            self.trace is not None,
        )
        return _Stage.assigned("first", slots, rows, cost, self.config.tracked_thresh, appearance, gate)

    def _iou_stage(self, name: str, slots: np.ndarray, rows: np.ndarray, offered: _Offer, limit: float) -> _Stage:
        if len(slots) and len(rows):
            _, corners = kernels.estimate(self._store.motion, slots)
            cost = kernels.iou_cost(corners, offered.corners, rows)
        else:
            cost = np.empty((len(slots), len(rows)))
        return _Stage.assigned(name, slots, rows, cost, limit)

    def _take(self, slots: np.ndarray, rows: np.ndarray, offered: _Offer) -> None:
        """Tracks take detections: they are corrected by them."""
        if not len(slots):
            return
        store = self._store
        kernels.correct(store.motion, slots, offered.measurements, rows)
        if self._dimension:
            kernels.absorb(store.feature, slots, offered.detections.embeddings, rows)
        store.status[slots] = TRACKED
        store.confirmed[slots] = True
        store.last[slots] = offered.detections.frame
        store.score[slots] = offered.detections.scores[rows]
        store.row[slots] = rows

    def _bear(self, rows: np.ndarray, offered: _Offer) -> np.ndarray:
        """Start tracks at detections; give their slots."""
        if not len(rows):
            return np.empty(0, np.int64)
        detections = offered.detections
        slots = np.flatnonzero(self._store.status == FREE)[: len(rows)]
        if len(slots) < len(rows) or self._store.feature.shape[1] != detections.dimension:
            self._store = self._store.enlarged(2 * len(self._store.ids) + len(rows), detections.dimension)
            slots = np.flatnonzero(self._store.status == FREE)[: len(rows)]
        store = self._store
        kernels.begin(store.motion, slots, offered.measurements, rows)
        store.feature[slots] = detections.embeddings[rows]
        store.ids[slots] = np.arange(self._last_id + 1, self._last_id + 1 + len(rows))
        self._last_id += len(rows)
        store.status[slots] = TRACKED
        store.confirmed[slots] = detections.frame == self._first_frame
        store.retired[slots] = False
        store.start[slots] = store.last[slots] = detections.frame
        store.score[slots] = detections.scores[rows]
        store.row[slots] = rows
        return slots

    def _part_duplicates(self, tracked: np.ndarray, lost: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple]:
        """Of a tracked and a lost track on one spot, drop the one that has been seen for fewer frames."""
        if not (len(tracked) and len(lost)):
            return tracked, lost, ()
        store = self._store
        _, corners = kernels.estimate(store.motion, tracked)
        _, others = kernels.estimate(store.motion, lost)
        cost = kernels.iou_cost(corners, others, np.arange(len(lost)))
        i, j = np.nonzero(cost < float(np.float32(DUPLICATE_COST)))
        if not len(i):
            return tracked, lost, ()
        age = store.last - store.start
        drops_lost = age[tracked[i]] > age[lost[j]]
        dropped = np.where(drops_lost, lost[j], tracked[i])
        kept = np.where(drops_lost, tracked[i], lost[j])
        pairs = tuple(zip(store.ids[dropped].tolist(), store.ids[kept].tolist(), cost[i, j].tolist(), strict=True))
        return np.delete(tracked, i[~drops_lost]), np.delete(lost, j[drops_lost]), pairs

    def _report(self, detections: Detections, tracked: np.ndarray) -> tuple[FrameTracks, np.ndarray]:
        """The tracks that are shown, and the slots that are not because of their size or shape."""
        store = self._store
        slots = tracked[store.confirmed[tracked]]
        boxes, _ = kernels.estimate(store.motion, slots)
        width, height = boxes[:, 2], boxes[:, 3]
        is_shown = (width * height).astype(np.float64) > self.config.min_box_area
        if self.config.vertical_ratio > 0:
            is_shown &= (width / height).astype(np.float64) <= self.config.vertical_ratio
        shown = slots[is_shown]
        rows = store.row[shown]
        tracks = FrameTracks(
            detections.frame, store.ids[shown], boxes[is_shown], store.score[shown], detections.class_ids[rows], rows
        )
        return tracks, slots[~is_shown]


FREE, TRACKED, LOST, REMOVED = 0, 1, 2, 3  # status of a slot
_NONE = np.empty(0, np.int64)
BYTE_SECOND_THRESH = 0.4  # fixed in ByteTrack and in ppdet
DUPLICATE_COST = 0.15  # 1 - IoU below which a tracked and a lost track are one


@dataclasses.dataclass
class _Store:
    """What is known of each track; a track holds one slot (row) of every array, and slots are used again."""

    motion: np.ndarray  # (K, 24) float32, see kernels.py
    feature: np.ndarray  # (K, D) float32, the smoothed embedding
    ids: np.ndarray
    status: np.ndarray
    confirmed: np.ndarray  # it was seen twice, or in the first frame
    retired: np.ndarray  # its buffer ran out once
    start: np.ndarray  # first frame
    last: np.ndarray  # last frame in which it took a detection
    score: np.ndarray
    row: np.ndarray  # of the detection that it took last

    @classmethod
    def room_for(cls, slots: int, dimension: int) -> _Store:
        def whole() -> np.ndarray:
            return np.zeros(slots, np.int64)

        return cls(
            motion=np.zeros((slots, kernels.MOTION_SIZE), np.float32),
            feature=np.zeros((slots, dimension), np.float32),
            ids=whole(),
            status=whole(),
            confirmed=np.zeros(slots, np.bool_),
            retired=np.zeros(slots, np.bool_),
            start=whole(),
            last=whole(),
            score=np.zeros(slots, np.float32),
            row=whole(),
        )

    def enlarged(self, slots: int, dimension: int) -> _Store:
        """The same tracks with more room; embeddings may appear where there were none."""
        new = _Store.room_for(slots, dimension)
        for name, old in vars(self).items():
            if old.size:
                getattr(new, name)[: len(old)] = old
        return new

    def keep_only(self, tracked: np.ndarray, lost: np.ndarray) -> None:
        """Free the slots of all other tracks."""
        is_held = np.zeros(len(self.status), np.bool_)
        is_held[tracked] = True
        is_held[lost] = True
        self.status[~is_held] = FREE


@dataclasses.dataclass(frozen=True)
class _Offer:
    """A frame's detections as the stages take them; see `kernels.measure`."""

    detections: Detections
    corners: np.ndarray
    measurements: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Stage:
    """Tracks (slots) and detections (rows) that were to be paired, and what came of it."""

    name: str
    slots: np.ndarray
    rows: np.ndarray
    cost: np.ndarray
    limit: float
    columns: np.ndarray  # for each track the column it took, or -1
    slots_taken: np.ndarray
    rows_taken: np.ndarray
    slots_left: np.ndarray
    rows_left: np.ndarray
    appearance: np.ndarray | None
    gate: np.ndarray | None

    @classmethod
    def assigned(
        cls,
        name: str,
        slots: np.ndarray,
        rows: np.ndarray,
        cost: np.ndarray,
        limit: float,
        appearance: np.ndarray | None = None,
        gate: np.ndarray | None = None,
    ) -> _Stage:
        """Pair at the least cost, no pair above `limit`."""
        if not (len(slots) and len(rows)):
            columns = np.full(len(slots), -1)
            return cls(name, slots, rows, cost, limit, columns, _NONE, _NONE, slots, rows, appearance, gate)
        columns, owners = kernels.assign(cost, limit)
        hit = columns >= 0
        return cls(
            name,
            slots,
            rows,
            cost,
            limit,
            columns,
            slots[hit],
            rows[columns[hit]],
            slots[~hit],
            rows[owners < 0],
            appearance,
            gate,
        )

    def record(self, store: _Store) -> StageRecord:
        """The same in terms of ids, for slots are used again."""
        return StageRecord(
            name=self.name,
            tracks=store.ids[self.slots],
            detections=self.rows,
            cost=self.cost,
            limit=self.limit,
            columns=self.columns,
            appearance=self.appearance,
            gate=self.gate,
        )


@dataclasses.dataclass(frozen=True)
class Detections:
    """Detections of one frame, or of a whole sequence, in the form that the compiled code takes: contiguous copies."""

    frame: int
    boxes: np.ndarray
    scores: np.ndarray
    embeddings: np.ndarray
    class_ids: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def dimension(self) -> int:
        """Length of the embeddings, 0 where there are none."""
        return self.embeddings.shape[1]

    @classmethod
    def none(cls, frame: int) -> Detections:
        """A frame without detections."""
        return cls(
            frame,
            np.empty((0, 4), np.float32),
            np.empty(0, np.float32),
            np.empty((0, 0), np.float32),
            np.empty(0, np.int64),
        )

    @classmethod
    def from_frame(cls, outputs: FrameDetections | Detections) -> Detections:
        """Convert to the types of the compiled code, and check shapes.

        Raises
        ------
        TrackingError
            If the arrays do not belong together.
        """
        frame = int(outputs.frame)
        return cls(frame, *_arrays(f"frame {frame}", outputs))


def _arrays(place: str, outputs: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """boxes, scores, embeddings and class_ids of outputs as contiguous copies of the right types."""
    try:
        boxes = np.array(outputs.boxes, np.float32, order="C").reshape(-1, 4)
        scores = np.array(outputs.scores, np.float32, order="C").reshape(-1)
        embeddings, class_ids = outputs.embeddings, getattr(outputs, "class_ids", None)
        if embeddings is None:
            embeddings = np.empty((len(scores), 0), np.float32)
        else:
            embeddings = np.array(embeddings, np.float32, order="C")
            embeddings = embeddings.reshape(len(scores), -1 if len(scores) else 0)
        class_ids = np.full(len(scores), -1) if class_ids is None else np.array(class_ids, np.int64).reshape(-1)
    except ValueError as error:
        raise TrackingError(f"{place}: the arrays do not belong together ({error}); see FrameDetections.") from error
    if not len(boxes) == len(scores) == len(class_ids):
        raise TrackingError(
            f"{place} has {len(boxes)} boxes, {len(scores)} scores and {len(class_ids)} classes; "
            "each detection needs one of each."
        )
    return boxes, scores, embeddings, class_ids.astype(np.int64)


def check_order(detections: Detections, last_frame: int | None, any_scores: bool) -> None:
    """Refuse a frame that does not come after `last_frame`, or whose detections no tracker should accept.

    Raises
    ------
    TrackingError
        Naming the frame, the value and the remedy.
    """
    frame = detections.frame
    if last_frame is not None and frame <= last_frame:
        raise TrackingError(f"frame {frame} comes after frame {last_frame}; give each frame once, in ascending order.")
    check_detections(detections, any_scores, lambda row: f"frame {frame}, detection {row}")


_FAULTS = {
    1: ("has the box {box}", "every number of a box must be finite"),
    2: ("has the box {box}", "width and height must be above 0"),
    3: ("has the score {score}", "scores must be finite"),
    4: ("has the score {score}", "scale scores to 0..1, or set any_scores=True for a detector with another scale"),
    5: ("has an embedding that is not finite", "make the outputs again"),
    6: ("has an embedding of zeros", "leave embeddings out (None) where there are none"),
}


def check_detections(detections: Detections, any_scores: bool, place: Callable[[int], str]) -> None:
    """Refuse detections that no tracker should accept.

    Parameters
    ----------
    place
        Gives the words for where a row is.

    Raises
    ------
    TrackingError
        Naming the place, the value and the remedy.
    """
    row, kind = kernels.fault(detections.boxes, detections.scores, detections.embeddings, any_scores)
    if kind:
        box = ", ".join(f"{value:g}" for value in detections.boxes[row])
        what, remedy = _FAULTS[kind]
        what = what.format(box=f"({box})", score=f"{detections.scores[row]:g}")
        raise TrackingError(f"{place(row)} {what}; {remedy}.")
    if len(detections) and (detections.class_ids != detections.class_ids[0]).any():
        row = int(np.argmax(detections.class_ids != detections.class_ids[0]))
        raise TrackingError(
            f"{place(row)} is of class {detections.class_ids[row]}, the first of class {detections.class_ids[0]}; "
            "track each class with its own tracker."
        )


def track_arrays(
    arrays: SequenceArrays, config: TrackerConfig | None = None, frame_rate: float = 30.0, *, trace: bool = False
) -> Any:
    """Track a whole sequence from the flat arrays of its detections; the same as `Tracker.update` frame by frame.

    Parameters
    ----------
    arrays
        As `Outputs.arrays()` gives them: `frames` (F,) ascending, `offsets` (F + 1,), `boxes` (T, 4: x, y, w, h in
        pixels), `scores` (T,), `embeddings` (T, D) or None, `class_ids` (T,).
    config
        The settings.
    frame_rate
        Frames per second.
    trace
        Give a record of every decision too.

    Returns
    -------
    pandas.DataFrame
        `frame`, `id`, `x`, `y`, `w`, `h` (pixels, top-left), `score`, `class_id`, and `det`: the row of the detection
        that the track took. Sorted by frame; `attrs` hold frame_rate, settings and length (the last frame's number).
    Trace
        Only with `trace=True`; the result is then a pair.

    Raises
    ------
    TrackingError
        If the detections hold something that no tracker should accept; see `Tracker.update`.
    """
    tracker = Tracker(config, frame_rate, trace=trace)
    if len(arrays.scores) and arrays.embeddings is None and not tracker.config.use_byte:
        warn_of_iou()
    tracks = track_sequence(tracker, arrays)
    return (tracks, tracker.trace) if trace else tracks


def track_sequence(tracker: Any, arrays: SequenceArrays) -> pd.DataFrame:
    """Put the frames of flat arrays through a fresh tracker, all checked before the first.

    Parameters
    ----------
    tracker
        A `Tracker` or `ReferenceTracker`.
    arrays
        As of `track_arrays`.

    Returns
    -------
    pandas.DataFrame
        As of `track_arrays`.
    """
    boxes, scores, embeddings, class_ids = _arrays("the sequence", arrays)
    frames = np.asarray(arrays.frames, np.int64)
    offsets = np.asarray(arrays.offsets, np.int64)
    if len(offsets) != len(frames) + 1 or offsets[0] or offsets[-1] != len(scores) or (np.diff(offsets) < 0).any():
        raise TrackingError(
            f"offsets do not divide {len(scores)} detections among {len(frames)} frames; see SequenceArrays."
        )
    if (np.diff(frames) <= 0).any():
        late = int(np.argmax(np.diff(frames) <= 0)) + 1
        raise TrackingError(
            f"frame {frames[late]} comes after frame {frames[late - 1]}; give each frame once, in ascending order."
        )

    def place(row: int) -> str:
        index = int(np.searchsorted(offsets, row, side="right")) - 1
        return f"frame {frames[index]}, detection {row - offsets[index]}"

    check_detections(Detections(0, boxes, scores, embeddings, class_ids), tracker.config.any_scores, place)
    results = []
    for index, frame in enumerate(frames.tolist()):
        rows = slice(offsets[index], offsets[index + 1])
        # the compiled code normalises embeddings in place: `embeddings` is our own copy
        results.append(tracker._update(Detections(frame, boxes[rows], scores[rows], embeddings[rows], class_ids[rows])))
    tracks = tracks_table(results, offsets[:-1])
    tracks.attrs = {
        "frame_rate": tracker.frame_rate,
        "settings": tracker.config.to_dict(),
        "length": int(frames[-1]) if len(frames) else 0,
    }
    return tracks


def track_outputs(outputs: Outputs, config: TrackerConfig | None = None, *, trace: bool = False) -> Any:
    """Track kept network outputs, or public detections.

    Parameters
    ----------
    outputs
        As `open_detections` or `detect` gives them.
    config
        The settings.
    trace
        Give a record of every decision too.

    Returns
    -------
    pandas.DataFrame
        As of `track_arrays`; `det` is the row in `outputs.embeddings()`, and `attrs` name the sequence and its length
        too.
    Trace
        Only with `trace=True`; the result is then a pair.

    Raises
    ------
    TrackingError
        If the detections hold something that no tracker should accept; see `Tracker.update`.
    """
    try:
        result = track_arrays(outputs.arrays(), config, outputs.frame_rate or 30.0, trace=trace)
    except TrackingError as error:
        raise TrackingError(f"{outputs.name}: {error}") from error
    tracks = result[0] if trace else result
    tracks.attrs["sequence"] = outputs.name
    tracks.attrs["length"] = outputs.length or tracks.attrs["length"]
    return result


def tracks_table(results: Sequence[FrameTracks], first_rows: Sequence[int] | np.ndarray | None = None) -> pd.DataFrame:
    """The tracks table of frames that were tracked.

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
        As of `track_arrays`, without `attrs`.
    """
    import pandas as pd

    counts = np.array([len(result) for result in results], np.int64)
    boxes = np.concatenate([result.boxes for result in results] or [np.empty((0, 4))]).astype(np.float64)
    first = np.zeros(len(results), np.int64) if first_rows is None else np.asarray(first_rows, np.int64)

    def column(name: str, kind: type) -> np.ndarray:
        return np.concatenate([getattr(result, name) for result in results] or [np.empty(0)]).astype(kind)

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
            "det": column("detections", np.int64) + np.repeat(first, counts),
        }
    )


def warm_up() -> None:
    """Compile all that a tracker needs, or load it from numba's cache: about ten seconds once per machine.

    The first frame of the first tracker does the same unasked; this lets an installation do it ahead.
    """
    tracker = Tracker()
    for frame, look in enumerate(([1.0, 0.0], [1.0, 0.0], [0.0, 1.0]), start=1):
        boxes, scores = np.array([[10.0, 10, 40, 100]]), np.array([0.9])
        tracker.update(Detections(frame, boxes, scores, np.array([look]), np.array([-1])))


def warn_of_iou() -> None:
    """Say what is compared where there are no embeddings."""
    warnings.warn(
        "these detections have no embeddings: the first stage compares boxes alone (IoU with match_thres), "
        "tracked_thresh and metric_type have no effect",
        FairMOTLabWarning,
        stacklevel=3,
    )
