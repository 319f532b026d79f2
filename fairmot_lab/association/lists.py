"""What JDE, ByteTrack and the trackers made from them share: lists of tracks that are tracked or lost.

A track of one frame waits to be confirmed by a second detection; a track without a detection is lost, can be found
again for some frames, and ends. The order of the lists decides ties, so it is that of the authors' code.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, NamedTuple

import numpy as np

from .._jit import compiled
from ..data import FrameDetections, FrameTracks
from .assignment import Pairs, pair
from .base import Tracker

FREE, TRACKED, LOST, REMOVED = 0, 1, 2, 3  # status of a slot
DUPLICATE_IOU = 0.85  # above it a tracked and a lost track are one
NO_ROWS = np.empty(0, np.int64)


class Observations(NamedTuple):
    """A frame's detections as the stages take them; see `measure` of the Kalman filter."""

    detections: FrameDetections
    embeddings: np.ndarray  # (N, D), D being 0 where they are not used
    corners: np.ndarray
    measurements: np.ndarray

    @property
    def scores(self) -> np.ndarray:
        """Of the detections."""
        return self.detections.scores


class ListTracker(Tracker):
    """Base class of trackers that keep a list of tracked and one of lost tracks.

    A subclass has settings `track_buffer`, `min_box_area` and `vertical_ratio`, and says how pairs are made in `_step`.
    """

    kalman: ClassVar[Any]
    motion_type: ClassVar[type] = np.float64
    reports_unconfirmed: ClassVar[bool] = False

    def _reset(self) -> None:
        # as published, an expired track can be found for one more frame; if it is, it ends at its next miss
        self._keeps_expired = True
        self._grace = " (it can still be found in the next frame)"
        self._no_second = "it gets no second one"
        self.max_time_lost = int(self.frame_rate / 30.0 * self.settings.track_buffer)
        self._table = TrackTable.empty(64, 0, self.kalman.MOTION_SIZE, self.motion_type)
        self._tracked = NO_ROWS  # slots, in the authors' order
        self._lost = NO_ROWS
        self._last_id = 0

    # -- what a subclass supplies

    @property
    def _birth_score(self) -> tuple[float, str]:
        """Smallest score that starts a track, and what it is called."""
        raise NotImplementedError

    def _duplicates(self, tracked: np.ndarray, lost: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the pairs of tracked and lost tracks on one spot, and their IoU."""
        raise NotImplementedError

    # -- one frame

    def _pair(
        self,
        title: str,
        slots: np.ndarray,
        rows: np.ndarray,
        cost: np.ndarray,
        max_cost: float,
        setting: str,
        **measures: Any,
    ) -> Pairs:
        """Pair tracks and detections at the least total cost, and record the stage."""
        if cost.size:
            pairs = pair(cost, max_cost, slots, rows)
        else:
            matched = np.full(len(slots), -1) if len(slots) else NO_ROWS
            pairs = Pairs(matched, NO_ROWS, NO_ROWS, slots, rows)
        if self._record is not None:
            self._record_stage(title, self._table.ids[slots], rows, cost, max_cost, setting, pairs.matched, **measures)
        return pairs

    def _update_matched(self, slots: np.ndarray, rows: np.ndarray, frame: Observations) -> None:
        """Correct tracks by the detections that they took."""
        if not len(slots):
            return
        table = self._table
        self.kalman.update(table.motion, slots, frame.measurements, rows)
        _mark_seen(
            table.status,
            table.confirmed,
            table.last,
            table.score,
            table.row,
            slots,
            rows,
            frame.scores,
            frame.detections.frame,
        )

    def _spawn(self, rows: np.ndarray, frame: Observations) -> np.ndarray:
        """Start tracks at detections; return their slots."""
        if not len(rows):
            return NO_ROWS
        dimension, number = frame.embeddings.shape[1], frame.detections.frame
        slots = np.flatnonzero(self._table.status == FREE)[: len(rows)]
        if len(slots) < len(rows) or self._table.feature.shape[1] != dimension:
            self._table = self._table.enlarged(2 * len(self._table.ids) + len(rows), dimension)
            slots = np.flatnonzero(self._table.status == FREE)[: len(rows)]
        table = self._table
        self.kalman.initiate(table.motion, slots, frame.measurements, rows)
        table.feature[slots] = frame.embeddings[rows]
        table.ids[slots] = np.arange(self._last_id + 1, self._last_id + 1 + len(rows))
        self._last_id += len(rows)
        table.status[slots] = TRACKED
        table.confirmed[slots] = number == self._first_frame
        table.has_expired[slots] = False
        table.start[slots] = table.last[slots] = number
        table.score[slots] = frame.scores[rows]
        table.row[slots] = rows
        return slots

    def _finish(
        self,
        frame: Observations,
        newborn: np.ndarray,
        found: np.ndarray,
        newly_lost: np.ndarray,
        third: Pairs,
        weak: np.ndarray,
    ) -> FrameTracks:
        """Make the lists of the next frame, and return what is reported of this one.

        Parameters
        ----------
        newborn, found, newly_lost
            Slots of tracks that were born, found again and lost in this frame.
        third
            The stage in which tracks of one frame were confirmed.
        weak
            Detections that were left over and start no track.
        """
        table, number = self._table, frame.detections.frame
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
            number,
            self.max_time_lost,
            self._keeps_expired,
        )
        if self._record is not None:
            self._note_births(newborn, weak, frame.scores)
            self._note_losses(newly_lost[~again], expired, newly_lost[again], number)
            self._note_unconfirmed(third)
        if len(lost) and len(tracked):
            tracked, lost = self._remove_duplicates(tracked, lost)
        result = self._report(frame.detections, tracked)
        if len(tracked) + len(lost) < len(self._tracked) + len(self._lost) + len(newborn):
            table.keep_only(tracked, lost)
        self._tracked, self._lost = tracked, lost
        return result

    def _remove_duplicates(self, tracked: np.ndarray, lost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Drop the track seen over fewer frames where a tracked and a lost track overlap."""
        table = self._table
        i, j, iou = self._duplicates(tracked, lost)
        if not len(i):
            return tracked, lost
        age = table.last - table.start
        drops_lost = age[tracked[i]] > age[lost[j]]
        if self._record is not None:
            dropped = table.ids[np.where(drops_lost, lost[j], tracked[i])]
            kept = table.ids[np.where(drops_lost, tracked[i], lost[j])]
            self._note_duplicates(dropped, kept, iou)
        return np.delete(tracked, i[~drops_lost]), np.delete(lost, j[drops_lost])

    def _report(self, detections: FrameDetections, tracked: np.ndarray) -> FrameTracks:
        """Return the tracks that are confirmed, large enough and not too wide."""
        table, settings = self._table, self.settings
        slots = tracked if self.reports_unconfirmed else tracked[table.confirmed[tracked]]
        boxes, _ = self.kalman.boxes_of(table.motion, slots)
        shown = _shown(
            boxes,
            slots,
            table.ids,
            table.score,
            table.row,
            detections.class_ids,
            float(settings.min_box_area),
            float(settings.vertical_ratio),
        )
        if self._record is not None:
            for track in table.ids[slots][~np.isin(table.ids[slots], shown[0])].tolist():
                self._record.note(
                    "filtered",
                    f"track {track} is not reported: its box has at most min_box_area {settings.min_box_area:g} square "
                    f"pixels, or is wider than vertical_ratio {settings.vertical_ratio:g} times its height.",
                    track=track,
                )
        return FrameTracks(detections.frame, *shown)

    # -- the record in words; called only where one is kept

    def _note_unused(self, row: int, words: str, kind: str = "unused") -> None:
        assert self._record is not None
        self._record.note(kind, f"detection {row} {words}", detection=row)

    def _note_births(self, newborn: np.ndarray, weak: np.ndarray, scores: np.ndarray) -> None:
        record, table, (limit, name) = self._record, self._table, self._birth_score
        assert record is not None
        for slot in newborn.tolist():
            track, row = int(table.ids[slot]), int(table.row[slot])
            end = "." if table.confirmed[slot] else "; a second detection has to confirm it."
            words = (
                f"a new track {track} was born from detection {row} (score {scores[row]:.2f} >= {name} {limit:g}){end}"
            )
            record.note("birth", words, track=track, detection=row)
        for row in weak.tolist():
            words = f"was left over; its score {scores[row]:.2f} < {name} {limit:g} starts no track."
            self._note_unused(row, words, "unborn")

    def _note_losses(self, lost: np.ndarray, expired: np.ndarray, again: np.ndarray, number: int) -> None:
        record, table, buffer = self._record, self._table, self.max_time_lost
        assert record is not None
        for track in table.ids[lost].tolist():
            record.note("lost", f"track {track} is lost; it can be found again for {frames(buffer)}.", track=track)
        for slot in self._lost[table.status[self._lost] == LOST].tolist():
            track, left = int(table.ids[slot]), buffer - (number - int(table.last[slot])) + 1
            words = f"track {track} stays lost; it can be found again for {frames(left, ' more')}."
            record.note("lost", words, track=track)
        for slot in expired.tolist():
            track = int(table.ids[slot])
            grace = self._grace if number - table.last[slot] == buffer + 1 else ""
            words = f"track {track} ends: its buffer of {frames(buffer)} has run out{grace}."
            record.note("expired", words, track=track)
        for track in table.ids[again].tolist():
            words = f"track {track} ends: its buffer had run out before it was found again, and {self._no_second}."
            record.note("re_expired", words, track=track)

    def _note_unconfirmed(self, third: Pairs) -> None:
        record, ids = self._record, self._table.ids
        assert record is not None
        for track in ids[third.tracks].tolist():
            record.note("confirmed", f"track {track} is confirmed: it was seen a second time.", track=track)
        for track in ids[third.tracks_left].tolist():
            record.note("unconfirmed", f"track {track} ends: it was seen in one frame only.", track=track)

    def _note_duplicates(self, dropped: np.ndarray, kept: np.ndarray, iou: np.ndarray) -> None:
        record = self._record
        assert record is not None
        for one, other, overlap in zip(dropped.tolist(), kept.tolist(), iou.tolist(), strict=True):
            shown = f"{overlap:.4f}" if overlap - DUPLICATE_IOU < 0.005 else f"{overlap:.2f}"
            words = f"track {one} is dropped as a duplicate of track {other}"
            reason = (
                f"their IoU {shown} > {DUPLICATE_IOU:g}, and track {one} has been seen over fewer frames, or as few"
            )
            record.note("duplicate", f"{words}: {reason}.", track=one)
            record.note("kept", f"{words} (IoU {overlap:.2f}).", track=other)


def frames(count: int, more: str = "") -> str:
    """Return a number of frames in words.

    Examples
    --------
    >>> frames(1), frames(2, " more")
    ('1 frame', '2 more frames')
    """
    return f"{count}{more} frame{'' if count == 1 else 's'}"


@compiled
def unseen_and_found(matched, pool, count):
    """Return those of the first `count` tracks that took no detection, and those of the others that did."""
    is_taken = matched >= 0
    return pool[:count][~is_taken[:count]], pool[count:][is_taken[count:]]


@compiled
def pairs_below(cost, limit):
    """Return rows and columns of the costs below a limit, and those costs."""
    count = 0
    for i in range(cost.shape[0]):
        for j in range(cost.shape[1]):
            count += cost[i, j] < limit
    rows, columns, found = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count)
    count = 0
    for i in range(cost.shape[0]):
        for j in range(cost.shape[1]):
            if cost[i, j] < limit:
                rows[count], columns[count], found[count] = i, j, cost[i, j]
                count += 1
    return rows, columns, found


@compiled
def _mark_seen(status, confirmed, last, score, row, slots, rows, scores, frame):
    """Change the state of tracks that took a detection, in place."""
    for i in range(len(slots)):
        slot = slots[i]
        status[slot], confirmed[slot], last[slot] = TRACKED, True, frame
        score[slot], row[slot] = scores[rows[i]], rows[i]


@compiled
def _shown(boxes, slots, ids, scores, rows, class_ids, min_box_area, vertical_ratio):
    """Return ids, boxes, scores, classes and detections of the tracks that are large enough and not too wide."""
    shown = np.empty(len(slots), np.int64)
    count = 0
    for i in range(len(slots)):
        width, height = boxes[i, 2], boxes[i, 3]
        if width * height > min_box_area and (vertical_ratio <= 0 or width / height <= vertical_ratio):
            shown[count] = i
            count += 1
    size = (count, 4)
    own, box, score = np.empty(count, np.int64), np.empty(size, np.float32), np.empty(count, np.float32)
    kind, taken = np.empty(count, np.int64), np.empty(count, np.int64)
    for k in range(count):
        i = shown[k]
        slot = slots[i]
        own[k], score[k], taken[k] = ids[slot], scores[slot], rows[slot]
        kind[k] = class_ids[taken[k]]
        box[k] = boxes[i]
    return own, box, score, kind, taken


@compiled
def _free_others(status, tracked, lost):
    """Free the slots of all tracks but these."""
    is_held = np.zeros(len(status), np.bool_)
    is_held[tracked] = True
    is_held[lost] = True
    status[~is_held] = FREE


@compiled
def _next_lists(
    status, has_expired, last, tracked, lost, newborn, found, newly_lost, unconfirmed, frame, max_time_lost, keeps
):
    """Change the status of tracks; return those tracked, lost and expired, and which of `newly_lost` had expired."""
    status[newly_lost] = LOST
    status[unconfirmed] = REMOVED
    expired = lost[frame - last[lost] > max_time_lost]
    status[expired] = REMOVED
    again = has_expired[newly_lost]
    is_lost = (status[lost] != TRACKED) & ~has_expired[lost]
    if not keeps:
        is_lost &= status[lost] != REMOVED
    stays_lost = lost[is_lost]
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

    motion: np.ndarray  # (K, ...), the Kalman filter's
    feature: np.ndarray  # (K, D) float32, the smoothed embedding
    ids: np.ndarray
    status: np.ndarray
    confirmed: np.ndarray  # it was seen twice, or in the first frame
    has_expired: np.ndarray  # its buffer ran out once
    start: np.ndarray  # first frame
    last: np.ndarray  # last frame in which it took a detection
    score: np.ndarray
    row: np.ndarray  # of the detection that it took last

    @classmethod
    def empty(cls, slots: int, dimension: int, motion_size: int, motion_type: Any) -> TrackTable:
        """Return a table of free slots."""

        def integers() -> np.ndarray:
            return np.zeros(slots, np.int64)

        return cls(
            motion=np.zeros((slots, motion_size), motion_type),
            feature=np.zeros((slots, dimension), np.float32),
            ids=integers(),
            status=integers(),
            confirmed=np.zeros(slots, np.bool_),
            has_expired=np.zeros(slots, np.bool_),
            start=integers(),
            last=integers(),
            score=np.zeros(slots, np.float32),
            row=integers(),
        )

    def enlarged(self, slots: int, dimension: int) -> TrackTable:
        """Return the same tracks with more slots; embeddings may appear where there were none."""
        new = TrackTable.empty(slots, dimension, self.motion.shape[1], self.motion.dtype)
        for name, old in vars(self).items():
            if old.size:
                getattr(new, name)[: len(old)] = old
        return new

    def keep_only(self, tracked: np.ndarray, lost: np.ndarray) -> None:
        """Free the slots of all other tracks."""
        _free_others(self.status, tracked, lost)
