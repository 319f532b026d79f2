"""SORT: a Kalman filter and IoU, nothing else.

A. Bewley, Z. Ge, L. Ott, F. Ramos, B. Upcroft, "Simple online and realtime tracking", ICIP 2016, and its code, sort.py.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from .._jit import compiled
from ..data import FrameDetections, FrameTracks
from .assignment import Pairs, assign_all, part, sole_pairs
from .base import Tracker, tracks_of
from .costs import overlaps
from .settings import TrackerSettings, number

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
        self._tracks = _Tracks.started(np.empty(0, np.int64), np.empty((0, 4)))
        self._last_id = 0

    def _step(self, detections: FrameDetections, warp: np.ndarray | None) -> FrameTracks:
        corners, measurements = _measure(detections.boxes)
        tracks = self._tracks
        predicted = tracks.predict()
        has_size = np.isfinite(predicted).all(axis=1)
        if not has_size.all():  # the area has become negative
            self._note("ended", tracks.ids[~has_size], "track {} ends: its predicted box has no size any more.")
            tracks, predicted = tracks.of(has_size), predicted[has_size]

        iou = overlaps(corners, predicted, np.arange(len(predicted)), 0.0)
        pairs = self._pair(iou, tracks.ids)
        tracks.update(pairs.tracks, measurements[pairs.rows])
        tracks.row[pairs.tracks] = pairs.rows
        self._note("lost", tracks.ids[pairs.tracks_left], "track {} found no detection.")

        ids = np.arange(self._last_id + 1, self._last_id + 1 + len(pairs.rows_left))
        self._last_id += len(ids)
        words = "a new track {} was born from detection {}, which no track took."
        self._note("birth", ids, words, pairs.rows_left)
        if len(ids):
            tracks = tracks.with_new(ids, measurements[pairs.rows_left], pairs.rows_left)
        result = self._report(detections, tracks)

        expired = tracks.missed > self.settings.max_age
        self._note("expired", tracks.ids[expired], f"track {{}} ends: max_age {self.settings.max_age} has passed.")
        self._tracks = tracks.of(~expired) if expired.any() else tracks
        return result

    def _pair(self, iou: np.ndarray, ids: np.ndarray) -> Pairs:
        """Pair tracks with detections at the largest sum of IoU, then drop pairs that overlap too little.

        Where no two compete above the threshold, the authors take those pairs without an assignment. Detections that
        are left come in the authors' order, in which tracks are numbered.
        """
        least = self.settings.iou_threshold
        owners, is_sole = sole_pairs(iou, least)
        if not is_sole:
            owners = assign_all(-iou)[0]
        taken, tracks, rows_left, tracks_left = part(owners, iou, least)
        matched = np.full(len(ids), -1)
        matched[tracks] = taken
        rows = np.arange(len(iou))
        self._record_stage("only stage", ids, rows, 1 - iou.T, 1 - least, "1 - iou_threshold =", matched, iou=iou.T)
        return Pairs(matched, tracks, taken, tracks_left, rows_left)

    def _report(self, detections: FrameDetections, tracks: _Tracks) -> FrameTracks:
        is_start = self._count_before(detections.frame) < self.settings.min_hits
        is_shown = (tracks.missed == 0) & ((tracks.streak >= self.settings.min_hits) | is_start)
        young = tracks.ids[(tracks.missed == 0) & ~is_shown]
        self._note("filtered", young, f"track {{}} is not reported before min_hits {self.settings.min_hits}.")
        shown = np.flatnonzero(is_shown)
        boxes, rows = _corners(tracks.state[shown]), tracks.row[shown]
        boxes[:, 2:] -= boxes[:, :2]
        return tracks_of(detections, tracks.ids[shown], boxes, rows)

    def _note(self, kind: str, ids: np.ndarray, words: str, rows: np.ndarray | None = None) -> None:
        """Add a note on each track to the record, where one is kept."""
        if self._record is not None:
            for index, track in enumerate(ids.tolist()):
                row = None if rows is None else int(rows[index])
                self._record.note(kind, words.format(track, row), track=track, detection=row)


@dataclasses.dataclass
class _Tracks:
    """All tracks, and the Kalman filter of each.

    The state is centre x, centre y, area, aspect w / h, and the velocities of the first three. Noise and measurement do
    not mix coordinates, so the covariance is a 2 x 2 block for each of the first three, and the variance of the aspect.
    Every rounding step follows filterpy, which the authors use: people who are detected twice give ties that the last
    bit decides.
    """

    ids: np.ndarray
    state: np.ndarray  # (n, 7)
    variance: np.ndarray  # (n, 4), of the first four
    upper: np.ndarray  # (n, 3), covariance of the first three with their velocities
    lower: np.ndarray  # (n, 3), the same in the lower half of the matrix
    velocity_variance: np.ndarray  # (n, 3)
    missed: np.ndarray  # frames since the last detection
    streak: np.ndarray  # detections in a row after the first
    row: np.ndarray  # of the last detection in its frame

    @classmethod
    def started(cls, ids: np.ndarray, measurements: np.ndarray, rows: np.ndarray | None = None) -> _Tracks:
        """Return tracks that start at measurements, at rest."""
        n, none = len(ids), np.zeros(len(ids), np.int64)
        state = np.concatenate((measurements, np.zeros((n, 3))), axis=1)
        variance, fast, zero = np.full((n, 4), 10.0), np.full((n, 3), 1e4), np.zeros((n, 3))
        rows = none if rows is None else rows
        return cls(ids, state, variance, zero, zero.copy(), fast, none, none.copy(), rows)

    def of(self, keep: np.ndarray) -> _Tracks:
        """Return some of the tracks."""
        return _Tracks(**{name: values[keep] for name, values in vars(self).items()})

    def with_new(self, ids: np.ndarray, measurements: np.ndarray, rows: np.ndarray) -> _Tracks:
        """Return these tracks and new ones."""
        new = vars(_Tracks.started(ids, measurements, rows))
        return _Tracks(**{name: np.concatenate((values, new[name])) for name, values in vars(self).items()})

    def predict(self) -> np.ndarray:
        """Move all tracks by one frame; return left, top, right, bottom."""
        _predict(self.state, self.variance, self.upper, self.lower, self.velocity_variance)
        self.streak[self.missed > 0] = 0
        self.missed += 1
        return _corners(self.state)

    def update(self, places: np.ndarray, measurements: np.ndarray) -> None:
        """Update tracks with the measurements that they took."""
        _update(self.state, self.variance, self.upper, self.lower, self.velocity_variance, places, measurements)
        self.missed[places] = 0
        self.streak[places] += 1


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
    corners = np.empty((len(state), 4))
    for i in range(len(state)):
        width = np.sqrt(state[i, 2] * state[i, 3])
        height = state[i, 2] / width
        corners[i, 0], corners[i, 1] = state[i, 0] - width / 2, state[i, 1] - height / 2
        corners[i, 2], corners[i, 3] = state[i, 0] + width / 2, state[i, 1] + height / 2
    return corners


@compiled
def _predict(state, variance, upper, lower, velocity_variance):
    """Move tracks by one frame, in place."""
    for i in range(len(state)):
        if state[i, 6] + state[i, 2] <= 0:
            state[i, 6] = 0.0
        for c in range(3):
            state[i, c] += state[i, 4 + c]
            upper[i, c] += velocity_variance[i, c]
            variance[i, c] = variance[i, c] + lower[i, c] + upper[i, c]
            lower[i, c] += velocity_variance[i, c]
            velocity_variance[i, c] += VELOCITY_NOISE[c]
        for c in range(4):
            variance[i, c] += 1.0


@compiled
def _update(state, variance, upper, lower, velocity_variance, places, measurements):
    """Update tracks with measurements, in place, in Joseph's form: (I - KH) P (I - KH)' + K R K'."""
    for t in range(len(places)):
        i = places[t]
        for c in range(4):
            before, noise = variance[i, c], MEASUREMENT_NOISE[c]
            inverse = 1.0 / (before + noise)
            gain, innovation = before * inverse, measurements[t, c] - state[i, c]
            rest = 1.0 - gain
            state[i, c] += gain * innovation
            variance[i, c] = rest * before * rest + gain * noise * gain
            if c < 3:
                fast = lower[i, c] * inverse
                below = lower[i, c] - fast * before
                velocity = velocity_variance[i, c] - fast * upper[i, c]
                state[i, 4 + c] += fast * innovation
                upper[i, c] = (rest * upper[i, c] - rest * before * fast) + gain * noise * fast
                lower[i, c] = below * rest + fast * noise * gain
                velocity_variance[i, c] = (velocity - below * fast) + fast * noise * fast
