"""DeepSORT: appearance in a cascade from tracks seen lately to tracks lost for long, then IoU.

Source: N. Wojke, A. Bewley, D. Paulus, "Simple online and realtime tracking with a deep association metric", ICIP 2017,
and its code, deep_sort/tracker.py and deep_sort_app.py.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from .._jit import compiled
from ..data import FrameTracks
from ..errors import TrackingError
from . import kalman_xyah
from .assignment import assign_most
from .base import Tracker
from .checks import NO_FEATURES
from .costs import GATE, dot, overlaps
from .settings import TrackerSettings, number, switch
from .tables import keep, with_room

if TYPE_CHECKING:
    from ..data import FrameDetections

_ONE = np.float32(1)


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
        self._tracks = np.zeros(64, TRACK)  # the first `_count` are in use, in the authors' order
        self._motion = np.zeros((0, kalman_xyah.MOTION_SIZE))
        self._gallery = np.zeros((0, 0, 0), np.float32)  # of each slot the latest embeddings
        self._count = self._last_id = 0

    def check_embeddings(self, present: bool) -> None:
        """Refuse detections without embeddings."""
        if not present:
            raise TrackingError("DeepSORT compares embeddings and these detections have none; use bytetrack or ocsort.")

    def _step(self, detections: FrameDetections, warp: np.ndarray | None) -> FrameTracks:
        settings, record, scores = self.settings, self._record, detections.scores
        tracks = self._tracks = with_room(self._tracks, self._count + len(detections))
        embeddings = NO_FEATURES if detections.embeddings is None else detections.embeddings
        corners, measurements, features, rows, levels = _prepare(
            tracks,
            self._count,
            self._motion,
            detections.boxes,
            scores,
            embeddings,
            settings.min_confidence,
            settings.min_detection_height,
        )
        if settings.nms_max_overlap < 1:
            order = np.argsort(scores[rows].astype(np.float64))
            rows = rows[_suppress(corners[rows], order, settings.nms_max_overlap)]

        taken, left = np.full(self._count, -1), rows  # for each track the row of its detection
        limit = settings.max_cosine_distance
        for level in levels.tolist():  # tracks that are confirmed, those seen last first
            if level > settings.max_age or not len(left):
                break
            places, cost, appearance, mahalanobis, matched, rest = _by_appearance(
                tracks,
                self._motion,
                self._gallery,
                level,
                left,
                measurements,
                features,
                limit,
                taken,
                record is not None,
            )
            if record is not None:
                title = "cascade" if level == 1 else f"cascade, lost for {level - 1} frame{'' if level == 2 else 's'}"
                measures = {"appearance": appearance, "mahalanobis": mahalanobis, "gate": GATE}
                ids = tracks["id"][places]
                self._record_stage(title, ids, left, cost, limit, "max_cosine_distance", matched, **measures)
            left = rest

        limit = settings.max_iou_distance
        places = self._left_by_cascade(taken)
        iou, matched, rest = _by_iou(tracks, self._motion, places, left, corners, limit, taken)
        if record is not None:
            ids = tracks["id"][places]
            self._record_stage("IoU", ids, left, 1.0 - iou, limit, "max_iou_distance", matched, iou=iou)
        left = rest

        self._make_room(len(left), features.shape[1])
        _update(tracks, self._motion, self._gallery, taken, measurements, features, scores, settings.n_init)
        if record is not None:
            self._note(detections, rows, left)
        held = tracks[: self._count]
        is_kept = (taken >= 0) | (held["confirmed"] & (held["missed"] <= settings.max_age))
        self._count = keep(tracks, is_kept)
        self._count = _start(
            tracks, self._count, self._motion, self._gallery, left, measurements, features, scores, self._last_id
        )
        self._last_id += len(left)
        if record is not None:
            self._note_hidden()
        most = int(settings.report_missed)
        unseen = -1 if self._class is None else self._class
        reported = _reported(tracks, self._count, self._motion, most, detections.class_ids, unseen)
        return FrameTracks(detections.frame, *reported)

    def _left_by_cascade(self, taken: np.ndarray) -> np.ndarray:
        """Return the tracks that are compared by IoU: those not confirmed, and those seen in the frame before."""
        held = self._tracks[: len(taken)]
        is_confirmed = held["confirmed"]
        confirmed = is_confirmed.nonzero()[0]
        # the order in which CPython gives the members of a set decides ties further down: the authors' expression
        free = list(set(confirmed.tolist()) - set((taken >= 0).nonzero()[0].tolist()))
        lately = [place for place in free if held["missed"][place] == 1] if free else []
        return np.array((~is_confirmed).nonzero()[0].tolist() + lately, np.int64)

    def _make_room(self, births: int, dimension: int) -> None:
        """Enlarge the arrays of slots where tracks or their embeddings could be too many for them."""
        slots, kept, _ = self._gallery.shape
        held, budget = self._tracks[: self._count], self.settings.nn_budget
        most = int(held["stored"].max(initial=0)) + 1
        most = min(most, budget) if budget else most
        if self._count + births <= slots and most <= kept:
            return
        size = slots if self._count + births <= slots else (self._count + births) * 5 // 4
        depth = kept if most <= kept else min(2 * most, budget or 2 * most)
        motion = np.zeros((size, kalman_xyah.MOTION_SIZE))
        gallery = np.zeros((size, depth, max(dimension, self._gallery.shape[2])), np.float32)
        motion[:slots] = self._motion
        if slots:
            gallery[:slots, :kept] = self._gallery
        self._motion, self._gallery = motion, gallery

    # -- the record; called only where one is kept

    def _note_hidden(self) -> None:
        record, held = self._record, self._tracks[: self._count]
        assert record is not None
        for track, hits in zip(*(held[~held["confirmed"]][name].tolist() for name in ("id", "hits")), strict=True):
            text = f"track {track} is not reported yet: {hits} of n_init {self.settings.n_init} detections."
            record.note("filtered", text, track=track)

    def _note(self, detections: FrameDetections, rows: np.ndarray, born: np.ndarray) -> None:
        record, held, settings = self._record, self._tracks[: self._count], self.settings
        assert record is not None
        for row in np.setdiff1d(np.arange(len(detections.scores)), rows).tolist():
            score = detections.scores[row]
            reason = "it is too low, or covered by a stronger one"
            if score < np.float32(settings.min_confidence):
                reason = f"its score {score:.2f} < min_confidence {settings.min_confidence:g}"
            record.note("unused", f"detection {row} was not used: {reason}.", detection=row)
        newborn = np.arange(self._last_id + 1, self._last_id + 1 + len(born))
        self._note_each("birth", newborn, "a new track {} was born from detection {}, which no track took.", born)
        missed = held[held["row"] < 0]
        for track, age, is_confirmed in zip(
            *(missed[name].tolist() for name in ("id", "missed", "confirmed")), strict=True
        ):
            left = settings.max_age - age + 1
            if not is_confirmed:
                text = f"track {track} ends: it was missed before it had n_init {settings.n_init} detections."
                record.note("unconfirmed", text, track=track)
            elif left > 0:
                record.note("lost", f"track {track} is lost; it can be found for {left} more frames.", track=track)
            else:
                text = f"track {track} ends: it was not seen for more than max_age {settings.max_age} frames."
                record.note("expired", text, track=track)


TRACK = np.dtype(
    [
        ("id", np.int64),
        ("slot", np.int64),  # row of the motions (see kalman_xyah.py) and of the gallery
        ("stored", np.int64),  # embeddings that it was given so far
        ("hits", np.int64),
        ("missed", np.int64),  # frames since the last detection
        ("row", np.int64),  # of the detection taken in this frame, or -1
        ("score", np.float32),
        ("confirmed", np.bool_),
    ],
    align=True,
)


@compiled
def _prepare(tracks, count, motion, boxes, scores, embeddings, min_confidence, min_height):
    """Move all tracks by one frame.

    Returns
    -------
    corners, measurements : (N, 4) float64
    features : (N, D) float32
        Embeddings of length 1.
    rows : (m,) int64
        Detections that are used.
    levels : int64
        For how many frames confirmed tracks have not been seen, each once, ascending.
    """
    corners, measurements = kalman_xyah.measure(boxes)
    features = np.empty_like(embeddings)
    for j in range(len(embeddings)):
        length = np.float32(np.sqrt(dot(embeddings[j], embeddings[j])))
        for c in range(embeddings.shape[1]):
            features[j, c] = embeddings[j, c] / length
    kalman_xyah.predict(motion, tracks["slot"][:count], count)
    levels, end = np.empty(count, np.int64), 0
    for place in range(count):
        track = tracks[place]
        track.missed += 1
        k = 0
        while k < end and levels[k] < track.missed:
            k += 1
        if track.confirmed and (k == end or levels[k] > track.missed):
            for after in range(end, k, -1):
                levels[after] = levels[after - 1]
            levels[k] = track.missed
            end += 1
    rows, used = np.empty(len(scores), np.int64), 0
    for row in range(len(scores)):
        if scores[row] >= np.float32(min_confidence) and boxes[row, 3] >= min_height:
            rows[used] = row
            used += 1
    return corners, measurements, features, rows[:used], levels[:end]


@compiled
def _by_appearance(tracks, motion, gallery, level, rows, measurements, features, limit, taken, all_pairs):
    """Pair the confirmed tracks of one level of the cascade by the smallest cosine distance to their embeddings.

    Beyond the motion gate the appearance decides nothing: it is computed only to be shown.

    Returns
    -------
    places : (n,) int64
    cost, appearance, mahalanobis : (n, m) float64
    matched : (n,) int64
    left : int64
        As of `_assign`.
    """
    places, count = np.empty(len(taken), np.int64), 0
    for place in range(len(taken)):
        if tracks[place].confirmed and tracks[place].missed == level:
            places[count] = place
            count += 1
    places = places[:count]
    shape = len(places), len(rows)
    mahalanobis, appearance, cost = np.empty(shape), np.full(shape, np.inf), np.full(shape, np.inf)
    for i in range(len(places)):
        track = tracks[places[i]]
        state, stored = motion[track.slot], gallery[track.slot, : min(track.stored, gallery.shape[1])]
        for j in range(len(rows)):
            row, total = rows[j], 0.0
            for c in range(4):
                difference = measurements[row, c] - state[c]
                total += difference * difference / kalman_xyah.innovation_variance(state, c)
            mahalanobis[i, j] = total
            if total <= GATE or all_pairs:
                appearance[i, j] = _ONE - _similarity(stored, features[row])
                if total <= GATE:
                    cost[i, j] = appearance[i, j]
    matched, left = _assign(cost, limit, places, rows, taken)
    return places, cost, appearance, mahalanobis, matched, left


@compiled(fastmath={"reassoc", "contract"})
def _similarity(stored, feature):
    """Return the largest cosine of a feature and those stored, all of length 1."""
    best = np.float32(-np.inf)
    for g in range(len(stored)):
        total = np.float32(0)
        for k in range(len(feature)):
            total += stored[g, k] * feature[k]
        best = max(best, total)
    return best


@compiled
def _by_iou(tracks, motion, places, rows, corners, limit, taken):
    """Pair tracks by 1 - IoU; return the IoU, and the rest as of `_assign`."""
    iou = overlaps(kalman_xyah.boxes_of(motion, tracks["slot"][places])[1], corners, rows, 0.0)
    matched, left = _assign(1.0 - iou, limit, places, rows, taken)
    return iou, matched, left


@compiled(inline="always")
def _assign(cost, limit, places, rows, taken):
    """Pair at the least total cost, and set the rows taken.

    Returns
    -------
    matched : (n,) int64
        For each track the column of the detection it took, or -1.
    left : int64
        The detections left, in the authors' order: those that were not assigned, then those assigned above the limit.
    """
    n, m = cost.shape
    matched, is_free = np.full(n, -1), np.ones(m, np.bool_)
    left = rows.copy()
    if n and m:
        capped = cost.copy()
        for i in range(n):
            for j in range(m):
                if capped[i, j] > limit:
                    capped[i, j] = limit + 1e-5
        columns = assign_most(capped)
        for i in range(n):
            if columns[i] >= 0:
                is_free[columns[i]] = False
        end = 0
        for j in range(m):
            if is_free[j]:
                left[end] = rows[j]
                end += 1
        for i in range(n):
            j = columns[i]
            if j >= 0 and capped[i, j] <= limit:
                matched[i], taken[places[i]] = j, rows[j]
            elif j >= 0:
                left[end] = rows[j]
                end += 1
        left = left[:end]
    return matched, left


@compiled
def _update(tracks, motion, gallery, taken, measurements, features, scores, n_init):
    """Correct tracks by the detections that they took."""
    slots, rows, count = np.empty(len(taken), np.int64), np.empty(len(taken), np.int64), 0
    for place in range(len(taken)):
        track, row = tracks[place], taken[place]
        track.row = row
        if row < 0:
            continue
        slots[count], rows[count] = track.slot, row
        count += 1
        for c in range(features.shape[1]):
            gallery[track.slot, track.stored % gallery.shape[1], c] = features[row, c]
        track.stored += 1
        track.hits += 1
        track.missed = 0
        track.score = scores[row]
        track.confirmed |= track.hits >= n_init
    kalman_xyah.update(motion, slots[:count], measurements, rows[:count])


@compiled
def _start(tracks, count, motion, gallery, rows, measurements, features, scores, last_id):
    """Start tracks at detections, in free slots; return how many tracks there are."""
    is_free = np.ones(len(motion), np.bool_)
    is_free[tracks["slot"][:count]] = False
    slots = np.flatnonzero(is_free)[: len(rows)]
    kalman_xyah.initiate(motion, slots, measurements, rows)
    for k in range(len(rows)):
        track, row, slot = tracks[count + k], rows[k], slots[k]
        for c in range(features.shape[1]):
            gallery[slot, 0, c] = features[row, c]
        track.id, track.slot, track.stored, track.hits, track.missed = last_id + 1 + k, slot, 1, 1, 0
        track.row, track.score, track.confirmed = row, scores[row], False
    return count + len(rows)


@compiled
def _reported(tracks, count, motion, most_missed, class_ids, unseen):
    """Return ids, boxes, scores, classes and detections of the confirmed tracks that were missed so often at most."""
    held = tracks[:count]
    shown = held[held["confirmed"] & (held["missed"] <= most_missed)]
    boxes = kalman_xyah.boxes_of(motion, shown["slot"])[0].astype(np.float32)
    return shown["id"].copy(), boxes, shown["score"].copy(), np.full(len(shown), unseen), shown["row"].copy()


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
