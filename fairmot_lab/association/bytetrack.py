"""ByteTrack as its authors published it: every detection box is associated, those of low score second.

Source: Y. Zhang, P. Sun, Y. Jiang, D. Yu, F. Weng, Z. Yuan, P. Luo, W. Liu, X. Wang, "ByteTrack: Multi-object tracking
by associating every detection box", ECCV 2022, and its code, yolox/tracker/byte_tracker.py.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .._jit import compiled
from ..data import FrameTracks
from ..errors import ConfigError
from . import kalman_xyah
from .assignment import Pairs, pair
from .base import Tracker
from .costs import overlaps
from .settings import TrackerSettings, number, switch

if TYPE_CHECKING:
    from ..data import FrameDetections


FREE, TRACKED, LOST, REMOVED = 0, 1, 2, 3  # status of a slot
DUPLICATE_IOU = 0.85  # above it a tracked and a lost track are one


def check_low_score(low_name: str, low: float, high_name: str, high: float) -> None:
    """Refuse thresholds that leave no detections to the second stage.

    Raises
    ------
    ConfigError
        Naming both settings.
    """
    if low >= high:
        raise ConfigError(f"{low_name} is {low:g} and {high_name} is {high:g}; {low_name} must be the smaller.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ByteTrackSettings(TrackerSettings):
    """Settings of ByteTrack, with the defaults of its authors' script for MOT17."""

    track_thresh: float = number(
        0.6, 0, 1, (0.2, 0.8), "detections with a score above this are offered in the first stage", is_score=True
    )
    low_thresh: float = number(
        0.1, 0, 1, (0.05, 0.4), "detections with a score above this are offered in the second stage", is_score=True
    )
    birth_margin: float = number(
        0.1, 0, 1, (0.0, 0.3), "a detection left over starts a track if its score is at least track_thresh plus this"
    )
    match_thresh: float = number(
        0.9, 0, 1, (0.5, 1.0), "first stage: largest cost (1 - IoU x score) at which a track takes a detection"
    )
    second_thresh: float = number(
        0.5, 0, 1, (0.3, 0.9), "second stage: largest cost 1 - IoU at which a track takes a detection of low score"
    )
    unconfirmed_thresh: float = number(
        0.7, 0, 1, (0.3, 1.0), "largest cost at which a track of one frame is confirmed by a second detection"
    )
    track_buffer: int = number(
        30, 0, 100_000, (5, 120), "how long a lost track can be found again, in frames of a 30 frames/s video"
    )
    fuse_score: bool = switch(
        True, "multiply the IoU by the detection's score in the first and third stage (the authors do not on MOT20)"
    )
    min_box_area: float = number(
        100.0, 0, 1e12, (0, 1000), "tracks with a box of at most this many square pixels are not reported"
    )
    vertical_ratio: float = number(
        1.6, 0, 1e6, (0.8, 2.5), "tracks with a box wider than this times its height are not reported; 0 reports all"
    )

    def check_together(self) -> None:
        """Refuse a low_thresh that leaves nothing to the second stage."""
        check_low_score("low_thresh", self.low_thresh, "track_thresh", self.track_thresh)


class ByteTrackTracker(Tracker):
    """ByteTrack as published, one frame at a time.

    Tracks meet the detections of high score first (IoU, multiplied by the score), those still without one the
    detections of low score second (IoU); tracks of one frame are confirmed by what is left. Embeddings are not used.
    PaddleDetection's BYTE, `ppdet_byte`, differs: it does not multiply by the score, and its second stage accepts 0.4.

    Parameters
    ----------
    frame_rate
        Frames per second; by default that of the detections, 30 where they have none. A lost track is kept for
        `int(frame_rate / 30 * track_buffer)` frames.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> tracker = ByteTrackTracker(track_thresh=0.5)
    >>> tracker.update(SimpleNamespace(frame=1, boxes=np.array([[10, 10, 40, 100]]), scores=np.array([0.9]))).ids
    array([1])
    """

    name = "bytetrack"
    title = "ByteTrack (Zhang et al., ECCV 2022)"
    Settings: ClassVar[type[TrackerSettings]] = ByteTrackSettings
    uses_camera_motion = True
    kalman: ClassVar[Any] = kalman_xyah
    reports_unconfirmed: ClassVar[bool] = False

    def _reset(self) -> None:
        settings = self.settings
        low, high, birth = self._score_thresholds()
        self.min_score = low
        # detections hold single precision: a score of 0.7 must not be below a threshold of 0.7
        self._low, self._high, self._birth = np.float32(low), np.float32(high), np.float32(birth)
        self.max_time_lost = int(self.frame_rate / 30.0 * settings.track_buffer)
        self._table = TrackTable.empty(64, self.kalman.MOTION_SIZE)
        self._tracked = np.empty(0, np.int64)  # slots, in the authors' order
        self._lost = np.empty(0, np.int64)
        self._last_id = 0

    def _score_thresholds(self) -> tuple[float, float, float]:
        """Scores above the first are used, above the second in the first stage; the third starts a track."""
        settings = self.settings
        return settings.low_thresh, settings.track_thresh, settings.track_thresh + settings.birth_margin

    def _step(self, detections: FrameDetections, warp: np.ndarray | None) -> FrameTracks:
        table, kalman, frame = self._table, self.kalman, detections.frame
        scores = detections.scores
        corners, measurements = kalman.measure(detections.boxes)

        count, pool, unconfirmed, high, low = _divide(
            table.confirmed, self._tracked, self._lost, scores, self._low, self._high
        )
        confirmed = pool[:count]
        kalman.predict(table.motion, pool, len(confirmed))  # tracks of one frame are not moved
        if warp is not None:
            kalman.warp(table.motion, pool, warp)
            kalman.warp(table.motion, unconfirmed, warp)

        cost, measures = self._cost(pool, high, corners, detections)
        first = self._pair("first stage", pool, high, cost, "match_thresh", measures)
        is_taken = first.matched >= 0
        unseen, found = confirmed[~is_taken[:count]], self._lost[is_taken[count:]]

        cost, iou = self._overlap_cost(unseen, low, corners, scores, False)
        second = self._pair("second stage", unseen, low, cost, "second_thresh", {"iou": iou})
        newly_lost = second.tracks_left

        cost, measures = self._cost(unconfirmed, first.rows_left, corners, detections)
        third = self._pair("third stage", unconfirmed, first.rows_left, cost, "unconfirmed_thresh", measures)

        for stage in (first, second, third):
            self._update_matched(stage, measurements, detections)
        for stage in (first, third):
            self._update_appearance(stage.tracks, stage.rows, detections, new=False)
        is_strong = scores[third.rows_left] >= self._birth
        newborn = self._spawn(third.rows_left[is_strong], measurements, detections)
        table = self._table  # a larger one if there were too few slots

        # The authors drop an expired track from the lost ones one frame late, so that it can be found for one frame
        # more; if it is, and is lost again, they drop it at once.
        tracked, lost, expired, again = _next_lists(
            table.status,
            table.has_expired,
            table.last,
            self._tracked,
            self._lost,
            newborn,
            found,
            newly_lost,
            third.tracks_left,
            frame,
            self.max_time_lost,
        )
        tracked, lost = self._remove_duplicates(tracked, lost)

        result = self._report(detections, tracked)
        if self._record is not None:
            self._note_scores(detections, low)
            self._note_births(newborn, third.rows_left[~is_strong], detections)
            self._note_ends(newly_lost, again, expired, third, frame)
        if len(tracked) + len(lost) < len(self._tracked) + len(self._lost) + len(newborn):
            table.keep_only(tracked, lost)
        self._tracked, self._lost = tracked, lost
        return result

    # -- costs and pairs

    def _cost(
        self, slots: np.ndarray, rows: np.ndarray, corners: np.ndarray, detections: FrameDetections
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Return the cost of the first and third stage, and what it was made from."""
        cost, iou = self._overlap_cost(slots, rows, corners, detections.scores, self.settings.fuse_score)
        return cost, {"iou": iou}

    def _overlap_cost(
        self, slots: np.ndarray, rows: np.ndarray, corners: np.ndarray, scores: np.ndarray, fuse_score: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return 1 - IoU, the IoU multiplied by the score where wanted; and the IoU."""
        if not (len(slots) and len(rows)):
            nothing = np.empty((len(slots), len(rows)))
            return nothing, nothing
        return _overlap_cost(self._corners(slots), corners, rows, scores, fuse_score)

    def _corners(self, slots: np.ndarray) -> np.ndarray:
        return self.kalman.boxes_of(self._table.motion, slots)[1]

    def _pair(
        self, title: str, slots: np.ndarray, rows: np.ndarray, cost: np.ndarray, setting: str, measures: dict[str, Any]
    ) -> Pairs:
        max_cost = getattr(self.settings, setting)
        if cost.size:
            pairs = pair(cost, max_cost, slots, rows)
        else:
            pairs = Pairs(np.full(len(slots), -1), slots[:0], rows[:0], slots, rows)
        if self._record is not None:
            self._record_stage(title, self._table.ids[slots], rows, cost, max_cost, setting, pairs.matched, **measures)
        return pairs

    # -- changes of tracks

    def _update_matched(self, stage: Pairs, measurements: np.ndarray, detections: FrameDetections) -> None:
        """Correct tracks by the detections that they took."""
        slots, rows, table = stage.tracks, stage.rows, self._table
        if not len(slots):
            return
        self.kalman.update(table.motion, slots, measurements, rows)
        table.status[slots] = TRACKED
        table.confirmed[slots] = True
        table.last[slots] = detections.frame
        table.score[slots] = detections.scores[rows]
        table.row[slots] = rows

    def _update_appearance(self, slots: np.ndarray, rows: np.ndarray, detections: FrameDetections, new: bool) -> None:
        """Learn the appearance of tracks from detections of high score; ByteTrack has no use for it."""

    def _spawn(self, rows: np.ndarray, measurements: np.ndarray, detections: FrameDetections) -> np.ndarray:
        """Start tracks at detections; return their slots."""
        slots = np.flatnonzero(self._table.status == FREE)[: len(rows)]
        if len(slots) < len(rows):
            self._table = self._table.enlarged(2 * len(self._table.ids) + len(rows))
            slots = np.flatnonzero(self._table.status == FREE)[: len(rows)]
        table = self._table
        if len(rows):
            self.kalman.initiate(table.motion, slots, measurements, rows)
            table.ids[slots] = np.arange(self._last_id + 1, self._last_id + 1 + len(rows))
            self._last_id += len(rows)
            table.status[slots] = TRACKED
            table.confirmed[slots] = detections.frame == self._first_frame
            table.has_expired[slots] = False
            table.start[slots] = table.last[slots] = detections.frame
            table.score[slots] = detections.scores[rows]
            table.row[slots] = rows
            self._update_appearance(slots, rows, detections, new=True)
        return slots

    def _remove_duplicates(self, tracked: np.ndarray, lost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of a tracked and a lost track on one spot, drop the one that has been seen over fewer frames."""
        if not (len(tracked) and len(lost)):
            return tracked, lost
        table = self._table
        iou = overlaps(self._corners(tracked), self._corners(lost), np.arange(len(lost)), 1.0)
        i, j = np.nonzero(1.0 - iou < 1.0 - DUPLICATE_IOU)
        if not len(i):
            return tracked, lost
        age = table.last - table.start
        drops_lost = age[tracked[i]] > age[lost[j]]
        if self._record is not None:
            for a, b, drops in zip(tracked[i], lost[j], drops_lost, strict=True):
                dropped, kept = (b, a) if drops else (a, b)
                self._record.note(
                    "duplicate",
                    f"track {table.ids[dropped]} is dropped as a duplicate of track {table.ids[kept]}: their IoU is "
                    f"above {DUPLICATE_IOU}, and it has been seen over fewer frames, or as few.",
                    track=int(table.ids[dropped]),
                )
        return np.delete(tracked, i[~drops_lost]), np.delete(lost, j[drops_lost])

    def _report(self, detections: FrameDetections, tracked: np.ndarray) -> FrameTracks:
        """Return the tracks that are reported."""
        table, settings = self._table, self.settings
        slots = tracked if self.reports_unconfirmed else tracked[table.confirmed[tracked]]
        boxes, _ = self.kalman.boxes_of(table.motion, slots)
        width, height = boxes[:, 2], boxes[:, 3]
        is_shown = width * height > settings.min_box_area
        if settings.vertical_ratio > 0:
            is_shown &= width / height <= settings.vertical_ratio
        if self._record is not None:
            for track in table.ids[slots[~is_shown]].tolist():
                self._record.note(
                    "filtered",
                    f"track {track} is not reported: its box has at most min_box_area {settings.min_box_area:g} square "
                    f"pixels, or is wider than vertical_ratio {settings.vertical_ratio:g} times its height.",
                    track=track,
                )
        shown = slots[is_shown]
        rows = table.row[shown]
        return FrameTracks(
            detections.frame,
            table.ids[shown],
            boxes[is_shown].astype(np.float32),
            table.score[shown],
            detections.class_ids[rows],
            rows,
        )

    # -- the record

    def _note_scores(self, detections: FrameDetections, low: np.ndarray) -> None:
        assert self._record is not None
        scores = detections.scores
        for row in np.flatnonzero(~(scores > self._high)).tolist():
            if row in low:
                continue
            kind = "on the limit between the stages" if scores[row] == self._high else f"not above {self.min_score:g}"
            self._record.note(
                "unused", f"detection {row} has score {scores[row]:.2f}, {kind}: it was not used.", detection=row
            )

    def _note_births(self, newborn: np.ndarray, weak: np.ndarray, detections: FrameDetections) -> None:
        assert self._record is not None
        table, scores = self._table, detections.scores
        for track, row in zip(table.ids[newborn].tolist(), table.row[newborn].tolist(), strict=True):
            end = "." if detections.frame == self._first_frame else "; a second detection has to confirm it."
            self._record.note(
                "birth",
                f"a new track {track} was born from detection {row} "
                f"(score {scores[row]:.2f} >= {self._birth:.4g}){end}",
                track=track,
                detection=row,
            )
        for row in weak.tolist():
            self._record.note(
                "unborn",
                f"detection {row} was left over; its score {scores[row]:.2f} < {self._birth:.4g} starts no track.",
                detection=row,
            )

    def _note_ends(
        self, newly_lost: np.ndarray, again: np.ndarray, expired: np.ndarray, third: Pairs, frame: int
    ) -> None:
        assert self._record is not None
        record, table = self._record, self._table
        for track, is_over in zip(table.ids[newly_lost].tolist(), again.tolist(), strict=True):
            if is_over:
                text = "ends: it had expired before it was found again, and is then dropped at its next miss."
                record.note("re_expired", f"track {track} {text}", track=track)
            else:
                text = f"is lost; it can be found again for {self.max_time_lost} frames."
                record.note("lost", f"track {track} {text}", track=track)
        for track in table.ids[expired].tolist():
            text = f"ends: it was not seen for more than {self.max_time_lost} frames."
            record.note("expired", f"track {track} {text}", track=track)
        for track in table.ids[third.tracks_left].tolist():
            record.note("unconfirmed", f"track {track} ends: it was seen in one frame only.", track=track)


@compiled
def _divide(confirmed, tracked, lost, scores, low, high):
    """Return how many tracks were seen twice, those and the lost ones, the others, and rows of high and low score."""
    count = first = second = 0
    for slot in tracked:
        count += confirmed[slot]
    pool, unconfirmed = np.empty(count + len(lost), np.int64), np.empty(len(tracked) - count, np.int64)
    for slot in tracked:
        if confirmed[slot]:
            pool[first] = slot
            first += 1
        else:
            unconfirmed[second] = slot
            second += 1
    pool[count:] = lost
    return count, pool, unconfirmed, np.flatnonzero(scores > high), np.flatnonzero((scores > low) & (scores < high))


@compiled
def _overlap_cost(own, corners, rows, scores, fuse_score):
    """Return the cost and the IoU, each (n, m)."""
    iou = overlaps(own, corners, rows, 1.0)
    cost = np.empty_like(iou)
    for j in range(len(rows)):
        weight = np.float64(scores[rows[j]]) if fuse_score else 1.0
        for i in range(len(own)):
            cost[i, j] = 1.0 - iou[i, j] * weight
    return cost, iou


@compiled
def _next_lists(
    status, has_expired, last, tracked, lost, newborn, found, newly_lost, unconfirmed, frame, max_time_lost
):
    """Change the status of tracks; return those tracked, lost and expired, and which of `newly_lost` had expired."""
    status[newly_lost] = LOST
    status[unconfirmed] = REMOVED
    expired = lost[frame - last[lost] > max_time_lost]
    status[expired] = REMOVED
    again = has_expired[newly_lost]
    stays_lost = lost[(status[lost] != TRACKED) & ~has_expired[lost]]
    has_expired[expired] = True
    stays_tracked = tracked[status[tracked] == TRACKED]
    return (
        np.concatenate((stays_tracked, newborn, found)),
        np.concatenate((stays_lost, newly_lost[~again])),
        expired,
        again,
    )


@dataclasses.dataclass
class TrackTable:
    """Per-track state: a track holds one slot (row) of every array; free slots are reused."""

    motion: np.ndarray  # (K, ...) float64, the Kalman filter's
    ids: np.ndarray
    status: np.ndarray
    confirmed: np.ndarray  # it was seen twice, or in the first frame
    has_expired: np.ndarray
    start: np.ndarray  # first frame
    last: np.ndarray  # last frame in which it took a detection
    score: np.ndarray
    row: np.ndarray  # of the detection that it took last

    @classmethod
    def empty(cls, slots: int, motion_size: int) -> TrackTable:
        """Return a table of free slots."""

        def integers() -> np.ndarray:
            return np.zeros(slots, np.int64)

        return cls(
            motion=np.zeros((slots, motion_size)),
            ids=integers(),
            status=integers(),
            confirmed=np.zeros(slots, np.bool_),
            has_expired=np.zeros(slots, np.bool_),
            start=integers(),
            last=integers(),
            score=np.zeros(slots, np.float32),
            row=integers(),
        )

    def enlarged(self, slots: int) -> TrackTable:
        """Return the same tracks with more slots."""
        new = TrackTable.empty(slots, self.motion.shape[1])
        for name, old in vars(self).items():
            getattr(new, name)[: len(old)] = old
        return new

    def keep_only(self, tracked: np.ndarray, lost: np.ndarray) -> None:
        """Free the slots of all other tracks."""
        is_held = np.zeros(len(self.status), np.bool_)
        is_held[tracked] = True
        is_held[lost] = True
        self.status[~is_held] = FREE
