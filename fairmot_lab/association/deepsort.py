"""DeepSORT: appearance in a cascade from tracks seen lately to tracks lost for long, then IoU.

Source: N. Wojke, A. Bewley, D. Paulus, "Simple online and realtime tracking with a deep association metric", ICIP 2017,
and its code, deep_sort/tracker.py and deep_sort_app.py.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from .._jit import compiled
from ..data import FrameTracks
from ..errors import TrackingError
from . import kalman_xyah
from .base import Tracker
from .costs import GATE, overlaps
from .kalman_xyah import innovation_variance
from .settings import TrackerSettings, number, switch

if TYPE_CHECKING:
    from ..data import FrameDetections


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeepSORTSettings(TrackerSettings):
    """Settings of DeepSORT, with the values of its authors' example."""

    min_confidence: float = number(
        0.3, 0, 1, (0.1, 0.8), "detections with a score of at least this are used", is_score=True
    )
    max_cosine_distance: float = number(
        0.2, 0, 2, (0.05, 0.6), "cascade: largest cosine distance at which a track takes a detection"
    )
    max_iou_distance: float = number(0.7, 0, 1, (0.3, 1.0), "afterwards: largest 1 - IoU at which a track takes one")
    nn_budget: int = number(
        100, 0, 100_000, (1, 200), "embeddings that are kept of each track, the latest; 0 keeps all"
    )
    max_age: int = number(30, 0, 100_000, (5, 120), "how long a lost track can be found again, in frames")
    n_init: int = number(3, 1, 1000, (1, 5), "detections in a row before a track is confirmed and reported")
    nms_max_overlap: float = number(
        1.0,
        0,
        1,
        (0.5, 1.0),
        "a detection is not used if a stronger one covers more than this share of it; 1: all are used",
    )
    min_detection_height: int = number(0, 0, 100_000, (0, 80), "detections of a smaller height are not used, in pixels")
    report_missed: bool = switch(
        True, "report a track in the first frame without a detection too, where it is predicted (det is -1)"
    )


class DeepSORTTracker(Tracker):
    """DeepSORT on the kept embeddings, one frame at a time.

    Confirmed tracks are offered the detections by appearance, those seen last first; a pair outside the motion gate is
    forbidden. What is left, and tracks that are not confirmed, are paired by IoU.

    Parameters
    ----------
    frame_rate
        Has no effect: the settings count frames.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> tracker = DeepSORTTracker(n_init=1)
    >>> frame = SimpleNamespace(frame=1, boxes=[[10, 10, 40, 100]], scores=[0.9], embeddings=[[0.6, 0.8]])
    >>> tracker.update(frame).ids, frame.__setattr__("frame", 2), tracker.update(frame).ids
    (array([], dtype=int64), None, array([1]))
    """

    name = "deepsort"
    title = "DeepSORT (Wojke et al., ICIP 2017)"
    Settings = DeepSORTSettings

    def _reset(self) -> None:
        self.max_time_lost = self.settings.max_age
        self.min_score = float(np.nextafter(np.float32(self.settings.min_confidence), np.float32(-np.inf)))
        self._tracks = _Tracks.none()
        self._galleries: list[_Gallery] = []
        self._last_id = 0

    def check_embeddings(self, present: bool) -> None:
        """Refuse detections without embeddings."""
        if not present:
            raise TrackingError("DeepSORT compares embeddings and these detections have none; use bytetrack or ocsort.")

    def _step(self, detections: FrameDetections, warp: np.ndarray | None) -> FrameTracks:
        settings, tracks = self.settings, self._tracks
        corners, measurements = kalman_xyah.measure(detections.boxes)
        rows = self._used(detections, corners)
        features = np.empty((0, 0), np.float32)
        if detections.embeddings is not None:
            features = detections.embeddings / np.linalg.norm(detections.embeddings, axis=1, keepdims=True)

        everyone = np.arange(len(tracks))
        kalman_xyah.predict(tracks.motion, everyone, len(tracks))
        tracks.since_update += 1

        pairs, free, left = self._cascade(rows, features, measurements)
        candidates = np.concatenate((np.flatnonzero(~tracks.confirmed), free[tracks.since_update[free] == 1]))
        by_iou, _, left = self._by_iou(candidates, left, corners)
        pairs += by_iou

        places = np.array([place for place, _ in pairs], np.int64)
        taken = np.array([row for _, row in pairs], np.int64)
        kalman_xyah.update(tracks.motion, places, measurements, taken)
        for place, row in pairs:
            self._galleries[place].add(features[row])
        tracks.hits[places] += 1
        tracks.since_update[places] = 0
        tracks.confirmed[places] |= tracks.hits[places] >= settings.n_init
        tracks.score[places] = detections.scores[taken]
        tracks.row[places] = taken
        is_missed = np.ones(len(tracks), np.bool_)
        is_missed[places] = False
        tracks.row[is_missed] = -1
        ends = is_missed & (~tracks.confirmed | (tracks.since_update > settings.max_age))
        if self._record is not None:
            self._note(detections, rows, left, is_missed, ends)

        if ends.any():
            tracks = tracks.of(~ends)
        if left:
            tracks = tracks.with_new(np.array(left, np.int64), measurements, detections.scores, self._last_id)
        self._galleries = [gallery for gallery, is_over in zip(self._galleries, ends, strict=True) if not is_over]
        self._galleries += [_Gallery(settings.nn_budget, features[row]) for row in left]
        self._last_id += len(left)
        self._tracks = tracks
        return self._report(detections)

    def _used(self, detections: FrameDetections, corners: np.ndarray) -> list[int]:
        """Return the rows of the detections that are used, in the authors' order."""
        settings, scores = self.settings, detections.scores
        is_used = scores >= np.float32(settings.min_confidence)
        if settings.min_detection_height:
            is_used &= detections.boxes[:, 3] >= settings.min_detection_height
        rows = np.flatnonzero(is_used)
        if settings.nms_max_overlap < 1:
            rows = rows[_suppress(corners[rows], np.argsort(scores[rows].astype(np.float64)), settings.nms_max_overlap)]
        return rows.tolist()

    # -- pairing

    def _cascade(
        self, rows: list[int], features: np.ndarray, measurements: np.ndarray
    ) -> tuple[list[tuple[int, int]], np.ndarray, list[int]]:
        """Pair confirmed tracks by appearance, those seen last first; return pairs, tracks and detections left."""
        tracks, settings = self._tracks, self.settings
        confirmed = np.flatnonzero(tracks.confirmed)
        pairs: list[tuple[int, int]] = []
        left = rows
        for level in np.unique(tracks.since_update[confirmed]).tolist():
            if level > settings.max_age or not left:
                break
            places = confirmed[tracks.since_update[confirmed] == level]
            offered, mahalanobis = features[left], _gate(tracks.motion, places, measurements, np.array(left, np.int64))
            is_near = mahalanobis <= GATE
            # beyond the gate the appearance decides nothing: it is computed only to be shown
            wanted = is_near if self._record is None else np.ones_like(is_near)
            which, columns = np.nonzero(wanted)
            ends = np.searchsorted(which, np.arange(len(places) + 1)).tolist()
            similarity = np.zeros(len(which), np.float32)
            for i, place in enumerate(places.tolist()):
                part = slice(ends[i], ends[i + 1])
                if ends[i] < ends[i + 1]:
                    (offered[columns[part]] @ self._galleries[place].rows().T).max(1, out=similarity[part])
            appearance = np.full(is_near.shape, np.inf)
            appearance[which, columns] = np.float32(1.0) - similarity
            cost = np.where(is_near, appearance, np.inf)
            title = "cascade" if level == 1 else f"cascade, lost for {level - 1} frame{'' if level == 2 else 's'}"
            found, _, left = self._pair(
                title,
                places,
                left,
                cost,
                "max_cosine_distance",
                appearance=appearance,
                mahalanobis=mahalanobis,
                gate=GATE,
            )
            pairs += found
        # the order in which CPython gives the members of a set decides ties further down: the authors' expression
        unmatched = list(set(confirmed.tolist()) - {place for place, _ in pairs})
        return pairs, np.array(unmatched, np.int64), left

    def _by_iou(
        self, places: np.ndarray, rows: list[int], corners: np.ndarray
    ) -> tuple[list[tuple[int, int]], list[int], list[int]]:
        """Pair tracks with the detections left, by IoU."""
        _, own = kalman_xyah.boxes_of(self._tracks.motion, places)
        iou = overlaps(own, corners, np.array(rows, np.int64), 0.0)
        return self._pair("IoU", places, rows, 1.0 - iou, "max_iou_distance", iou=iou)

    def _pair(
        self, title: str, places: np.ndarray, rows: list[int], cost: np.ndarray, setting: str, **measures: Any
    ) -> tuple[list[tuple[int, int]], list[int], list[int]]:
        """Pair at the least total cost; return the pairs, and the tracks and detections left in the authors' order."""
        limit = getattr(self.settings, setting)
        matched = np.full(len(places), -1)
        pairs: list[tuple[int, int]] = []
        free, left = places.tolist(), rows
        if len(places) and len(rows):
            capped = np.where(cost > limit, limit + 1e-5, cost)
            i, j = linear_sum_assignment(capped)
            is_pair = capped[i, j] <= limit
            matched[i[is_pair]] = j[is_pair]
            pairs = [(int(places[a]), rows[b]) for a, b in zip(i[is_pair], j[is_pair], strict=True)]
            free = places[_others(len(places), i).tolist() + i[~is_pair].tolist()].tolist()
            left = [rows[b] for b in _others(len(rows), j).tolist() + j[~is_pair].tolist()]
        if self._record is not None:
            ids = self._tracks.ids[places]
            self._record_stage(title, ids, np.array(rows, np.int64), cost, limit, setting, matched, **measures)
        return pairs, free, left

    # -- results

    def _report(self, detections: FrameDetections) -> FrameTracks:
        """Return the confirmed tracks that were seen, or missed for the first time."""
        tracks = self._tracks
        shown = np.flatnonzero(tracks.confirmed & (tracks.since_update <= int(self.settings.report_missed)))
        if self._record is not None:
            for place in np.flatnonzero(~tracks.confirmed).tolist():
                track, hits = int(tracks.ids[place]), int(tracks.hits[place])
                text = f"track {track} is not reported yet: {hits} of n_init {self.settings.n_init} detections."
                self._record.note("filtered", text, track=track)
        boxes, _ = kalman_xyah.boxes_of(tracks.motion, shown)
        rows = tracks.row[shown]
        classes = np.full(len(shown), -1 if self._class is None else self._class)
        return FrameTracks(
            detections.frame, tracks.ids[shown], boxes.astype(np.float32), tracks.score[shown], classes, rows
        )

    def _note(
        self, detections: FrameDetections, rows: list[int], born: list[int], is_missed: np.ndarray, ends: np.ndarray
    ) -> None:
        record, tracks, settings = self._record, self._tracks, self.settings
        assert record is not None
        for row in np.setdiff1d(np.arange(len(detections.scores)), rows).tolist():
            score = detections.scores[row]
            reason = "it is too low, or covered by a stronger one"
            if score < np.float32(settings.min_confidence):
                reason = f"its score {score:.2f} < min_confidence {settings.min_confidence:g}"
            record.note("unused", f"detection {row} was not used: {reason}.", detection=row)
        for number_, row in enumerate(born, start=self._last_id + 1):
            text = f"a new track {number_} was born from detection {row}, which no track took."
            record.note("birth", text, track=number_, detection=row)
        for place in np.flatnonzero(is_missed).tolist():
            track, left = int(tracks.ids[place]), settings.max_age - int(tracks.since_update[place]) + 1
            if not ends[place]:
                record.note("lost", f"track {track} is lost; it can be found for {left} more frames.", track=track)
            elif tracks.confirmed[place]:
                text = f"track {track} ends: it was not seen for more than max_age {settings.max_age} frames."
                record.note("expired", text, track=track)
            else:
                text = f"track {track} ends: it was missed before it had n_init {settings.n_init} detections."
                record.note("unconfirmed", text, track=track)


@dataclasses.dataclass
class _Tracks:
    """Per-track state, in the authors' order."""

    ids: np.ndarray
    motion: np.ndarray  # (n, 20), see kalman_xyah.py
    confirmed: np.ndarray
    hits: np.ndarray
    since_update: np.ndarray
    score: np.ndarray
    row: np.ndarray  # of the detection taken in this frame, or -1

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def none(cls) -> _Tracks:
        return cls(
            np.empty(0, np.int64),
            np.empty((0, kalman_xyah.MOTION_SIZE)),
            np.empty(0, np.bool_),
            np.empty(0, np.int64),
            np.empty(0, np.int64),
            np.empty(0, np.float32),
            np.empty(0, np.int64),
        )

    def of(self, keep: np.ndarray) -> _Tracks:
        """Return some of the tracks."""
        return _Tracks(**{name: values[keep] for name, values in vars(self).items()})

    def with_new(self, rows: np.ndarray, measurements: np.ndarray, scores: np.ndarray, last_id: int) -> _Tracks:
        """Return the tracks and new ones, at detections."""
        n = len(rows)
        motion = np.empty((n, kalman_xyah.MOTION_SIZE))
        kalman_xyah.initiate(motion, np.arange(n), measurements, rows)
        ids = np.arange(last_id + 1, last_id + 1 + n)
        new = _Tracks(
            ids, motion, np.zeros(n, np.bool_), np.ones(n, np.int64), np.zeros(n, np.int64), scores[rows], rows
        )
        return _Tracks(**{name: np.concatenate((a, getattr(new, name))) for name, a in vars(self).items()})


class _Gallery:
    """The latest embeddings of a track."""

    def __init__(self, budget: int, feature: np.ndarray) -> None:
        self._budget = budget
        self._rows = np.empty((4, len(feature)), np.float32)
        self._count = 0
        self.add(feature)

    def add(self, feature: np.ndarray) -> None:
        """Keep an embedding, in place of the oldest once there are as many as the budget allows."""
        place = self._count % self._budget if self._budget else self._count
        if place == len(self._rows):
            self._rows = np.concatenate((self._rows, np.empty_like(self._rows)))
        self._rows[place] = feature
        self._count += 1

    def rows(self) -> np.ndarray:
        """Return them, (g, D)."""
        count = min(self._count, self._budget) if self._budget else self._count
        return self._rows[:count]


@compiled
def _gate(motion, places, measurements, rows):
    """Return the squared Mahalanobis distance between tracks and detections."""
    result = np.empty((len(places), len(rows)))
    for i in range(len(places)):
        state = motion[places[i]]
        for j in range(len(rows)):
            total = 0.0
            for c in range(4):
                difference = measurements[rows[j], c] - state[c]
                total += difference * difference / innovation_variance(state, c)
            result[i, j] = total
    return result


def _others(count: int, taken: np.ndarray) -> np.ndarray:
    """Return the numbers below `count` that are not in `taken`."""
    is_other = np.ones(count, np.bool_)
    is_other[taken] = False
    return np.flatnonzero(is_other)


def _suppress(corners: np.ndarray, order: np.ndarray, max_overlap: float) -> list[int]:
    """Return the detections that no stronger one covers by more than `max_overlap` of their area, strongest first."""
    size = corners[:, 2:] - corners[:, :2] + 1
    picked = []
    while len(order):
        best, rest = order[-1], order[:-1]
        picked.append(int(best))
        low = np.maximum(corners[best, :2], corners[rest, :2])
        common = np.maximum(0, np.minimum(corners[best, 2:], corners[rest, 2:]) - low + 1).prod(1)
        order = rest[common / size[rest].prod(1) <= max_overlap]
    return picked
