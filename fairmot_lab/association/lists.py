"""What JDE, ByteTrack and the trackers made from them share: lists of tracks that are tracked or lost.

A track of one frame waits to be confirmed by a second detection; a track without a detection is lost, can be found
again for some frames, and ends. The order of the lists decides ties, so it is that of the authors' code.

The functions below are compiled. They write down what happens to a track as an event, which `ListTracker` puts into
words where a record is kept.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from .._jit import compiled
from .base import Tracker

FREE, TRACKED, LOST, REMOVED = 0, 1, 2, 3  # status of a slot
DUPLICATE_IOU = 0.85  # above it a tracked and a lost track are one
NO_ROWS = np.empty(0, np.int64)

TRACK = np.dtype(
    [
        ("id", np.int64),
        ("status", np.int64),
        ("start", np.int64),  # first frame
        ("last", np.int64),  # last frame in which it took a detection
        ("row", np.int64),  # of that detection in its frame
        ("score", np.float32),
        ("confirmed", np.bool_),  # it was seen twice, or in the first frame
        ("has_expired", np.bool_),  # its buffer ran out once
    ],
    align=True,
)

# Kinds of events. Each has four numbers: kind, id of the track, and two more, which are named here.
BORN = 1  # row of the detection, whether the track is confirmed
WEAK = 2  # row of a detection that was left over and starts no track
NEWLY_LOST = 3
STAYS_LOST = 4  # last frame in which it took a detection
EXPIRED = 5  # the same
EXPIRED_AGAIN = 6
CONFIRMED = 7
UNCONFIRMED = 8
DUPLICATE = 9  # id of the track that is kept, IoU
HIDDEN = 10
NO_EVENTS = np.empty((0, 4))


class ListTracker(Tracker):
    """Base class of trackers that keep a list of tracked and one of lost tracks.

    A subclass has settings `track_buffer`, `min_box_area` and `vertical_ratio`, and says how pairs are made in `_step`.
    """

    motion_size: ClassVar[int]
    motion_type: ClassVar[type] = np.float64

    def _reset(self) -> None:
        # as published, an expired track can be found for one more frame; if it is, it ends at its next miss
        self._grace = " (it can still be found in the next frame)"
        self._no_second = "it gets no second one"
        self.max_time_lost = int(self.frame_rate / 30.0 * self.settings.track_buffer)
        self._tracks = np.zeros(64, TRACK)  # a track holds one slot (row) of these arrays; free slots are reused
        self._motion: np.ndarray = np.zeros((64, self.motion_size), self.motion_type)
        self._feature = np.zeros((64, 0), np.float32)  # smoothed embeddings
        self._tracked = NO_ROWS  # slots, in the authors' order
        self._lost = NO_ROWS
        self._last_id = 0

    @property
    def _birth_score(self) -> tuple[float, str]:
        """Smallest score that starts a track, and what it is called."""
        raise NotImplementedError

    def _make_room(self, count: int, dimension: int) -> None:
        """Enlarge the arrays where new tracks could be too many for them, or have embeddings as none had before."""
        size, held = len(self._tracks), len(self._tracked) + len(self._lost)
        if held + count <= size and dimension <= self._feature.shape[1]:
            return
        size = max(size, 2 * (held + count))
        dimension = max(dimension, self._feature.shape[1])
        self._tracks = _enlarged(self._tracks, np.zeros(size, TRACK))
        self._motion = _enlarged(self._motion, np.zeros((size, self.motion_size), self.motion_type))
        self._feature = _enlarged(self._feature, np.zeros((size, dimension), np.float32))

    # -- the record in words; called only where one is kept

    def _note_unused(self, row: int, words: str, kind: str = "unused") -> None:
        assert self._record is not None
        self._record.note(kind, f"detection {row} {words}", detection=row)

    def _room_for_events(self, detections: int) -> np.ndarray:
        """Return room for the events of a frame: at most two of each detection, and four of each track."""
        return np.zeros((1 + 6 * detections + 4 * (len(self._tracked) + len(self._lost)), 4))

    def _note_events(self, events: np.ndarray, frame: int, scores: np.ndarray) -> None:
        """Put the events of a frame into words."""
        assert self._record is not None
        note, buffer, settings, (limit, name) = self._record.note, self.max_time_lost, self.settings, self._birth_score
        for kind, track, other, value in zip(*events[1 : 1 + int(events[0, 0])].T.tolist(), strict=True):
            track, other = int(track), int(other)
            if kind == BORN:
                end = "." if value else "; a second detection has to confirm it."
                born = f"a new track {track} was born from detection {other}"
                words = f"{born} (score {scores[other]:.2f} >= {name} {limit:g}){end}"
                note("birth", words, track=track, detection=other)
            elif kind == WEAK:
                words = f"was left over; its score {scores[other]:.2f} < {name} {limit:g} starts no track."
                self._note_unused(other, words, "unborn")
            elif kind == NEWLY_LOST:
                note("lost", f"track {track} is lost; it can be found again for {frames(buffer)}.", track=track)
            elif kind == STAYS_LOST:
                left = frames(buffer - (frame - other) + 1, " more")
                note("lost", f"track {track} stays lost; it can be found again for {left}.", track=track)
            elif kind == EXPIRED:
                grace = self._grace if frame - other == buffer + 1 else ""
                words = f"track {track} ends: its buffer of {frames(buffer)} has run out{grace}."
                note("expired", words, track=track)
            elif kind == EXPIRED_AGAIN:
                words = f"track {track} ends: its buffer had run out before it was found again, and {self._no_second}."
                note("re_expired", words, track=track)
            elif kind == CONFIRMED:
                note("confirmed", f"track {track} is confirmed: it was seen a second time.", track=track)
            elif kind == UNCONFIRMED:
                note("unconfirmed", f"track {track} ends: it was seen in one frame only.", track=track)
            elif kind == DUPLICATE:
                shown = f"{value:.4f}" if value - DUPLICATE_IOU < 0.005 else f"{value:.2f}"
                words = f"track {track} is dropped as a duplicate of track {other}"
                reason = f"track {track} has been seen over fewer frames, or as few"
                note("duplicate", f"{words}: their IoU {shown} > {DUPLICATE_IOU:g}, and {reason}.", track=track)
                note("kept", f"{words} (IoU {value:.2f}).", track=other)
            else:
                words = (
                    f"track {track} is not reported: its box has at most min_box_area {settings.min_box_area:g} square "
                    f"pixels, or is wider than vertical_ratio {settings.vertical_ratio:g} times its height."
                )
                note("filtered", words, track=track)


def frames(count: int, more: str = "") -> str:
    """Return a number of frames in words.

    Examples
    --------
    >>> frames(1), frames(2, " more")
    ('1 frame', '2 more frames')
    """
    return f"{count}{more} frame{'' if count == 1 else 's'}"


def _enlarged(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    new[tuple(map(slice, old.shape))] = old
    return new


@compiled(inline="always")
def note(events, kind, track, other, value):
    """Append an event; the first row counts them. Nothing is kept where there is no room for any."""
    if len(events):
        events[0, 0] += 1
        k = int(events[0, 0])
        events[k, 0], events[k, 1], events[k, 2], events[k, 3] = kind, track, other, value


@compiled
def keep_stage(places, slots, rows, matched):
    """Write down tracks, detections and for each track the column it took, after their number, where there is room."""
    if places.shape[1]:
        for k, values in enumerate((slots, rows, matched)):
            places[k, 0] = len(values)
            for i in range(len(values)):
                places[k, 1 + i] = values[i]


@compiled(inline="always")
def divide(tracks, tracked, lost):
    """Return how many tracks were seen twice, those followed by the lost ones, and the tracks of one frame."""
    is_confirmed = tracks["confirmed"][tracked]
    confirmed = tracked[is_confirmed]
    return len(confirmed), np.concatenate((confirmed, lost)), tracked[~is_confirmed]


@compiled(inline="always")
def unseen_and_found(matched, pool, count):
    """Return those of the first `count` tracks that took no detection, and those of the others that did."""
    return pool[:count][matched[:count] < 0], pool[count:][matched[count:] >= 0]


@compiled
def mark_seen(tracks, slots, rows, scores, frame, events):
    """Change the state of tracks that took a detection."""
    for i in range(len(slots)):
        track = tracks[slots[i]]
        if not track.confirmed:
            note(events, CONFIRMED, track.id, 0, 0.0)
        track.status, track.confirmed, track.last = TRACKED, True, frame
        track.score, track.row = scores[rows[i]], rows[i]


@compiled(inline="always")
def start(tracks, rows, scores, least, frame, last_id, is_confirmed, events):
    """Start tracks at detections with a score of at least `least`; return their slots and the detections."""
    slots, born = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
    count, slot = 0, -1
    for row in rows:
        if scores[row] < least:
            note(events, WEAK, 0, row, 0.0)
            continue
        slot += 1
        while tracks[slot].status != FREE:
            slot += 1
        track = tracks[slot]
        track.id, track.status, track.start, track.last = last_id + 1 + count, TRACKED, frame, frame
        track.row, track.score = row, scores[row]
        track.confirmed, track.has_expired = is_confirmed, False
        slots[count], born[count] = slot, row
        count += 1
        note(events, BORN, track.id, row, is_confirmed)
    return slots[:count], born[:count]


@compiled(inline="always")
def next_lists(
    tracks, tracked, lost, newborn, found, newly_lost, unconfirmed, frame, max_time_lost, keeps_expired, events
):
    """Change the status of tracks; return those tracked and those lost in the next frame.

    Parameters
    ----------
    tracked, lost
        The lists of the frame before.
    newborn, found, newly_lost, unconfirmed
        Tracks that were born, found again, lost, and not seen a second time in this frame.
    keeps_expired
        Whether an expired track can be found for one more frame; if it is, it ends at its next miss.
    """
    for slot in newly_lost:
        tracks[slot].status = LOST
    for slot in unconfirmed:
        tracks[slot].status = REMOVED
        note(events, UNCONFIRMED, tracks[slot].id, 0, 0.0)
    next_tracked = np.empty(len(tracked) + len(newborn) + len(found), np.int64)
    next_lost = np.empty(len(lost) + len(newly_lost), np.int64)
    count = left = 0
    for slots in (tracked, newborn, found):
        for slot in slots:
            if tracks[slot].status == TRACKED:
                next_tracked[count] = slot
                count += 1
    for slot in lost:
        track = tracks[slot]
        if track.status == TRACKED:
            continue
        is_expired = frame - track.last > max_time_lost
        if not track.has_expired and (keeps_expired or not is_expired):
            next_lost[left] = slot
            left += 1
        if is_expired:
            track.status, track.has_expired = REMOVED, True
        note(events, EXPIRED if is_expired else STAYS_LOST, track.id, track.last, 0.0)
    for slot in newly_lost:
        track = tracks[slot]
        if not track.has_expired:
            next_lost[left] = slot
            left += 1
        note(events, EXPIRED_AGAIN if track.has_expired else NEWLY_LOST, track.id, 0, 0.0)
    return next_tracked[:count], next_lost[:left]


@compiled(inline="always")
def without_duplicates(tracks, tracked, lost, iou, limit, events):
    """Drop the track seen over fewer frames of a tracked and a lost one on the same spot; free the slots of others.

    Parameters
    ----------
    iou : (n, m) float64
        Of tracked and lost tracks.
    limit : float
        They are on the same spot where 1 - IoU is below it.

    Returns
    -------
    Both lists.
    """
    keeps, keeps_lost = np.ones(len(tracked), np.bool_), np.ones(len(lost), np.bool_)
    for i in range(len(tracked)):
        for j in range(len(lost)):
            if 1.0 - iou[i, j] < limit:
                one, other = tracks[tracked[i]], tracks[lost[j]]
                if one.last - one.start > other.last - other.start:
                    keeps_lost[j] = False
                    note(events, DUPLICATE, other.id, one.id, iou[i, j])
                else:
                    keeps[i] = False
                    note(events, DUPLICATE, one.id, other.id, iou[i, j])
    tracked, lost = tracked[keeps], lost[keeps_lost]
    is_held = np.zeros(len(tracks), np.bool_)
    is_held[tracked] = True
    is_held[lost] = True
    for slot in range(len(tracks)):
        if not is_held[slot]:
            tracks[slot].status = FREE
    return tracked, lost


@compiled(inline="always")
def confirmed_among(tracks, slots):
    """Return the tracks that are confirmed."""
    return slots[tracks["confirmed"][slots]]


@compiled(inline="always")
def report(tracks, slots, boxes, class_ids, min_box_area, vertical_ratio, events):
    """Return ids, boxes, scores, classes and detections of the tracks that are large enough and not too wide."""
    n, count = len(slots), 0
    ids, shown, scores = np.empty(n, np.int64), np.empty((n, 4), np.float32), np.empty(n, np.float32)
    kinds, rows = np.empty(n, np.int64), np.empty(n, np.int64)
    for k in range(n):
        track, width, height = tracks[slots[k]], boxes[k, 2], boxes[k, 3]
        if width * height > min_box_area and (vertical_ratio <= 0 or width / height <= vertical_ratio):
            ids[count], scores[count], rows[count], kinds[count] = (
                track.id,
                track.score,
                track.row,
                class_ids[track.row],
            )
            for c in range(4):
                shown[count, c] = boxes[k, c]
            count += 1
        else:
            note(events, HIDDEN, track.id, 0, 0.0)
    return ids[:count], shown[:count], scores[:count], kinds[:count], rows[:count]
