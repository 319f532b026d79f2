"""SORT: a Kalman filter and IoU, nothing else.

A. Bewley, Z. Ge, L. Ott, F. Ramos, B. Upcroft, "Simple online and realtime tracking", ICIP 2016, and its code, sort.py.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from .._jit import compiled
from ..data import FrameDetections, FrameTracks
from .assignment import assign_all, part, sole_pairs
from .base import Tracker
from .costs import overlaps
from .settings import TrackerSettings, number
from .tables import keep, with_room

MEASUREMENT_NOISE = np.array([1.0, 1.0, 10.0, 10.0])  # of centre x, centre y, area, aspect w / h
VELOCITY_NOISE = np.array([1e-2, 1e-2, 1e-4])  # of the first three


@dataclasses.dataclass(frozen=True, kw_only=True)
class SORTSettings(TrackerSettings):
    """Settings of SORT, with the defaults of its authors."""

    max_age: int = number(1, 0, 100_000, (1, 30), "how long a lost track can be found again, in frames")
    min_hits: int = number(3, 0, 1000, (1, 5), "detections in a row, after the first, before a track is reported")
    iou_threshold: float = number(0.3, 0, 1, (0.1, 0.6), "smallest IoU at which a track takes a detection")


class SORTTracker(Tracker):
    """SORT: tracks take the detections that overlap with where the Kalman filter expects them.

    Scores and embeddings are not used.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> tracker = SORTTracker(max_age=5)
    >>> tracker.update(SimpleNamespace(frame=1, boxes=[[10, 10, 40, 100]], scores=[0.9])).ids
    array([1])
    """

    name = "sort"
    title = "SORT (Bewley et al., ICIP 2016)"
    Settings: ClassVar[type[TrackerSettings]] = SORTSettings

    def _reset(self) -> None:
        self.max_time_lost = self.settings.max_age
        self._tracks = np.zeros(64, TRACK)  # the first `_count` are in use, in the authors' order
        self._count = self._last_id = 0

    def _step(self, detections: FrameDetections, warp: np.ndarray | None) -> FrameTracks:
        settings, record = self.settings, self._record
        least, min_hits, max_age = settings.iou_threshold, settings.min_hits, settings.max_age
        tracks = self._tracks = with_room(self._tracks, self._count + len(detections))
        count, ended, measurements, iou, matched, tracks_left, rows_left = _pair(
            tracks, self._count, detections.boxes, least
        )
        if record is not None:
            ids, rows = tracks["id"][:count].copy(), np.arange(len(detections))
            born = np.arange(self._last_id + 1, self._last_id + 1 + len(rows_left))
            self._note_each("ended", ended, "track {} ends: its predicted box has no size any more.")
            self._record_stage("only stage", ids, rows, 1 - iou.T, 1 - least, "1 - iou_threshold =", matched, iou=iou.T)
            self._note_each("lost", ids[tracks_left], "track {} found no detection.")
            self._note_each("birth", born, "a new track {} was born from detection {}, which no track took.", rows_left)

        count = _update(tracks, count, matched, measurements, rows_left, self._last_id)
        self._last_id += len(rows_left)
        if self._count_before(detections.frame) < min_hits:
            min_hits = 0  # at the start every track is reported
        reported = _reported(tracks, count, min_hits, detections.scores, detections.class_ids)
        if record is not None:
            held = tracks[:count]
            young = held["id"][(held["missed"] == 0) & (held["streak"] < min_hits)]
            self._note_each("filtered", young, f"track {{}} is not reported before min_hits {min_hits}.")
            expired = held["id"][held["missed"] > max_age]
            self._note_each("expired", expired, f"track {{}} ends: max_age {max_age} has passed.")
        self._count = keep(tracks, tracks["missed"][:count] <= max_age)
        return FrameTracks(detections.frame, *reported)


# The state of the Kalman filter is centre x, centre y, area, aspect w / h, and the velocities of the first three. Noise
# and measurement do not mix coordinates, so the covariance is a 2 x 2 block for each of the first three, and the
# variance of the aspect. Every rounding step follows filterpy, which the authors use: people who are detected twice
# give ties that the last bit decides.
TRACK = np.dtype(
    [
        ("id", np.int64),
        ("state", np.float64, 7),
        ("variance", np.float64, 4),  # of the first four
        ("upper", np.float64, 3),  # covariance of the first three with their velocities
        ("lower", np.float64, 3),  # the same in the lower half of the matrix
        ("fast", np.float64, 3),  # variance of the velocities
        ("missed", np.int64),  # frames since the last detection
        ("streak", np.int64),  # detections in a row after the first
        ("row", np.int64),  # of the last detection in its frame
    ],
    align=True,
)


@compiled
def _pair(tracks, count, boxes, least):
    """Move all tracks by one frame and pair them with detections at the largest sum of IoU.

    Where no two compete above the threshold, the authors take those pairs without an assignment. Detections that are
    left come in the authors' order, in which tracks are numbered.

    Returns
    -------
    count : int
        Of the tracks that still have a size; their area may have become negative.
    ended : (e,) int64
        Ids of the others.
    measurements : (m, 4) float64
    iou : (m, count) float64
    matched : (count,) int64
        For each track the detection it took, or -1.
    tracks_left, rows_left : int64
    """
    corners, measurements = _measure(boxes)
    predicted, has_size = np.empty((count, 4)), np.empty(count, np.bool_)
    ended, left = np.empty(count, np.int64), 0
    for i in range(count):
        _predict(tracks[i])
        box = _corners(tracks[i].state)
        has_size[i] = True
        for c in range(4):
            predicted[left, c] = box[c]
            has_size[i] &= np.isfinite(box[c])
        if has_size[i]:
            left += 1
        else:
            ended[i - left] = tracks[i].id
    ended = ended[: count - left]
    count = keep(tracks, has_size)
    iou = overlaps(corners, predicted, np.arange(count), 0.0)
    owners, is_sole = sole_pairs(iou, least)
    if not is_sole:
        cost = np.empty(iou.shape)
        for j in range(len(boxes)):
            for i in range(count):
                cost[j, i] = -iou[j, i]
        owners = assign_all(cost)[0]
    taken, places, rows_left, tracks_left = part(owners, iou, least)
    matched = np.full(count, -1)
    for k in range(len(places)):
        matched[places[k]] = taken[k]
    return count, ended, measurements, iou, matched, tracks_left, rows_left


@compiled
def _update(tracks, count, matched, measurements, rows_left, last_id):
    """Correct tracks by the detections that they took, and start tracks at those left; return how many there are."""
    for i in range(count):
        track = tracks[i]
        if matched[i] >= 0:
            _correct(track, measurements[matched[i]])
            track.missed = 0
            track.streak += 1
            track.row = matched[i]
    for k in range(len(rows_left)):
        _start(tracks[count + k], last_id + 1 + k, measurements[rows_left[k]], rows_left[k])
    return count + len(rows_left)


@compiled
def _reported(tracks, count, min_hits, scores, class_ids):
    """Return ids, boxes, scores, classes and detections of the tracks seen in this frame, often enough in a row."""
    ids, boxes, kept = np.empty(count, np.int64), np.empty((count, 4), np.float32), np.empty(count, np.float32)
    kinds, rows, k = np.empty(count, np.int64), np.empty(count, np.int64), 0
    for i in range(count):
        track = tracks[i]
        if track.missed == 0 and track.streak >= min_hits:
            left, top, right, bottom = _corners(track.state)
            boxes[k, 0], boxes[k, 1], boxes[k, 2], boxes[k, 3] = left, top, right - left, bottom - top
            ids[k], rows[k], kept[k], kinds[k] = track.id, track.row, scores[track.row], class_ids[track.row]
            k += 1
    return ids[:k], boxes[:k], kept[:k], kinds[:k], rows[:k]


@compiled
def _measure(boxes):
    """Return corners (left, top, right, bottom) and measurements (centre x, centre y, area, aspect) of boxes."""
    corners, measurements = np.empty((len(boxes), 4)), np.empty((len(boxes), 4))
    for i in range(len(boxes)):
        x, y = np.float64(boxes[i, 0]), np.float64(boxes[i, 1])
        right, bottom = x + np.float64(boxes[i, 2]), y + np.float64(boxes[i, 3])
        width, height = right - x, bottom - y
        corners[i, 0], corners[i, 1], corners[i, 2], corners[i, 3] = x, y, right, bottom
        measurements[i, 0], measurements[i, 1] = x + width / 2, y + height / 2
        measurements[i, 2], measurements[i, 3] = width * height, width / height
    return corners, measurements


@compiled
def _corners(state):
    """Return left, top, right, bottom; NaN where the area is negative."""
    width = np.sqrt(state[2] * state[3])
    height = state[2] / width
    return state[0] - width / 2, state[1] - height / 2, state[0] + width / 2, state[1] + height / 2


@compiled
def _start(track, number, measurement, row):
    """Start a track at a measurement, at rest."""
    track.id, track.row, track.missed, track.streak = number, row, 0, 0
    for c in range(4):
        track.state[c], track.variance[c] = measurement[c], 10.0
    for c in range(3):
        track.state[4 + c], track.upper[c], track.lower[c], track.fast[c] = 0.0, 0.0, 0.0, 1e4


@compiled
def _predict(track):
    """Move a track by one frame."""
    state, variance, upper, lower, fast = track.state, track.variance, track.upper, track.lower, track.fast
    if state[6] + state[2] <= 0:
        state[6] = 0.0
    for c in range(3):
        state[c] += state[4 + c]
        upper[c] += fast[c]
        variance[c] = variance[c] + lower[c] + upper[c]
        lower[c] += fast[c]
        fast[c] += VELOCITY_NOISE[c]
    for c in range(4):
        variance[c] += 1.0
    if track.missed > 0:
        track.streak = 0
    track.missed += 1


@compiled
def _correct(track, measurement):
    """Correct a track by a measurement, in Joseph's form: (I - KH) P (I - KH)' + K R K'."""
    state, variance, upper, lower, fast = track.state, track.variance, track.upper, track.lower, track.fast
    for c in range(4):
        before, noise = variance[c], MEASUREMENT_NOISE[c]
        inverse = 1.0 / (before + noise)
        gain, innovation = before * inverse, measurement[c] - state[c]
        rest = 1.0 - gain
        state[c] += gain * innovation
        variance[c] = rest * before * rest + gain * noise * gain
        if c < 3:
            share = lower[c] * inverse
            below = lower[c] - share * before
            velocity = fast[c] - share * upper[c]
            state[4 + c] += share * innovation
            upper[c] = (rest * upper[c] - rest * before * share) + gain * noise * share
            lower[c] = below * rest + share * noise * gain
            fast[c] = (velocity - below * share) + share * noise * share
