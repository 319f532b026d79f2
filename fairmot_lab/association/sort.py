"""SORT: a Kalman filter and IoU, nothing else.

A. Bewley, Z. Ge, L. Ott, F. Ramos, B. Upcroft, "Simple online and realtime tracking", ICIP 2016, and its code, sort.py.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from ..data import FrameDetections, FrameTracks
from .assignment import Pairs, assign_all, split
from .base import Tracker
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
        boxes = detections.boxes.astype(np.float64)
        corners = np.concatenate((boxes[:, :2], boxes[:, :2] + boxes[:, 2:]), axis=1)
        size = corners[:, 2:] - corners[:, :2]
        area, aspect = size[:, :1] * size[:, 1:], size[:, :1] / size[:, 1:]
        measurements = np.concatenate((corners[:, :2] + size / 2, area, aspect), axis=1)
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
        tracks = tracks.with_new(ids, measurements[pairs.rows_left], pairs.rows_left)
        result = self._report(detections, tracks)

        expired = tracks.missed > self.settings.max_age
        self._note("expired", tracks.ids[expired], f"track {{}} ends: max_age {self.settings.max_age} has passed.")
        self._tracks = tracks.of(~expired)
        return result

    def _pair(self, iou: np.ndarray, ids: np.ndarray) -> Pairs:
        """Pair tracks with detections at the largest sum of IoU, then drop pairs that overlap too little.

        Where no two compete above the threshold, the authors take those pairs without an assignment. Detections that
        are left come in the authors' order, in which tracks are numbered.
        """
        least = self.settings.iou_threshold
        above = iou > least
        if iou.size and above.sum(axis=0).max() == 1 and above.sum(axis=1).max() == 1:
            owners = np.where(above.any(axis=1), above.argmax(axis=1), -1)
        else:
            owners = assign_all(-iou)[0]
        assigned = np.flatnonzero(owners >= 0)
        dropped = assigned[iou[assigned, owners[assigned]] < least]
        rows_left = np.concatenate((np.flatnonzero(owners < 0), dropped))
        owners[dropped] = -1
        matched = np.full(len(ids), -1)
        matched[owners[owners >= 0]] = np.flatnonzero(owners >= 0)
        rows = np.arange(len(iou))
        self._record_stage("only stage", ids, rows, 1 - iou.T, 1 - least, "1 - iou_threshold =", matched, iou=iou.T)
        return split(matched, np.arange(len(ids)), rows)._replace(rows_left=rows_left)

    def _report(self, detections: FrameDetections, tracks: _Tracks) -> FrameTracks:
        is_start = self._count_before(detections.frame) < self.settings.min_hits
        is_shown = (tracks.missed == 0) & ((tracks.streak >= self.settings.min_hits) | is_start)
        young = tracks.ids[(tracks.missed == 0) & ~is_shown]
        self._note("filtered", young, f"track {{}} is not reported before min_hits {self.settings.min_hits}.")
        shown = tracks.of(is_shown)
        corners, rows = shown.corners(), shown.row
        boxes = np.concatenate((corners[:, :2], corners[:, 2:] - corners[:, :2]), axis=1).astype(np.float32)
        return FrameTracks(
            detections.frame, shown.ids, boxes, detections.scores[rows], detections.class_ids[rows], rows
        )

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
        self.state[self.state[:, 6] + self.state[:, 2] <= 0, 6] = 0.0
        self.state[:, :3] += self.state[:, 4:]
        self.upper += self.velocity_variance
        self.variance[:, :3] += self.lower
        self.variance[:, :3] += self.upper
        self.variance += 1.0
        self.lower += self.velocity_variance
        self.velocity_variance += VELOCITY_NOISE
        self.streak[self.missed > 0] = 0
        self.missed += 1
        return self.corners()

    def update(self, places: np.ndarray, measurements: np.ndarray) -> None:
        """Update tracks with the measurements that they took."""
        variance, upper, lower = self.variance[places], self.upper[places], self.lower[places]
        inverse = 1.0 / (variance + MEASUREMENT_NOISE)
        gain, fast = variance * inverse, lower * inverse[:, :3]
        innovation = measurements - self.state[places, :4]
        self.state[places, :4] += gain * innovation
        self.state[places, 4:] += fast * innovation[:, :3]
        # Joseph's form, (I - KH) P (I - KH)' + K R K'
        rest, noise = 1.0 - gain, gain * MEASUREMENT_NOISE
        fast_noise = fast * MEASUREMENT_NOISE[:3]
        below = lower - fast * variance[:, :3]
        self.variance[places] = rest * variance * rest + noise * gain
        self.upper[places] = (rest[:, :3] * upper - rest[:, :3] * variance[:, :3] * fast) + noise[:, :3] * fast
        self.lower[places] = below * rest[:, :3] + fast_noise * gain[:, :3]
        velocity = self.velocity_variance[places] - fast * upper
        self.velocity_variance[places] = (velocity - below * fast) + fast_noise * fast
        self.missed[places] = 0
        self.streak[places] += 1

    def corners(self) -> np.ndarray:
        """Return left, top, right, bottom of all tracks; NaN where the area is negative."""
        with np.errstate(invalid="ignore", divide="ignore"):
            width = np.sqrt(self.state[:, 2] * self.state[:, 3])
            half = np.stack((width, self.state[:, 2] / width), axis=1) / 2
        return np.concatenate((self.state[:, :2] - half, self.state[:, :2] + half), axis=1)
