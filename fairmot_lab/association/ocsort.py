"""OC-SORT: SORT that trusts observations more than its own predictions.

Source: J. Cao, J. Pang, X. Weng, R. Khirodkar, K. Kitani, "Observation-centric SORT: Rethinking SORT for robust
multi-object tracking", CVPR 2023, and its code, trackers/ocsort_tracker/ocsort.py.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from .._jit import compiled
from ..data import FrameDetections, FrameTracks
from .assignment import assign_all, part, sole_pairs, without
from .base import Tracker
from .costs import overlaps
from .settings import TrackerSettings, number, smallest_area, switch, widest_shape
from .tables import keep, with_room

FIRST, LOW, RECOVERY = 0, 1, 2  # rounds


@dataclasses.dataclass(frozen=True, kw_only=True)
class OCSORTSettings(TrackerSettings):
    """Settings of OC-SORT, with the defaults of its authors' script for MOT17."""

    det_thresh: float = number(0.6, 0, 1, (0.2, 0.8), "detections with a score above this are tracked", is_score=True)
    iou_threshold: float = number(0.3, 0, 1, (0.1, 0.6), "smallest IoU at which a track takes a detection")
    inertia: float = number(0.2, 0, 2, (0.0, 0.5), "weight of a consistent direction of motion beside the IoU")
    delta_t: int = number(3, 1, 30, (1, 6), "frames back to the detection from which a direction is measured")
    min_hits: int = number(3, 0, 1000, (1, 5), "detections in a row, after the first, before a track is reported")
    max_age: int = number(30, 0, 100_000, (5, 120), "how long a lost track can be found again, in frames")
    use_byte: bool = switch(False, "BYTE: offer the tracks left over the detections of low score before recovery")
    low_thresh: float = number(
        0.1,
        0,
        1,
        (0.05, 0.4),
        "BYTE: detections with a score above this, and below det_thresh, are offered",
        is_score=True,
    )
    min_box_area: float = smallest_area(100.0)
    vertical_ratio: float = widest_shape()


class OCSORTTracker(Tracker):
    """OC-SORT, one frame at a time.

    Tracks take detections by IoU with the prediction and by direction (momentum); those left over by IoU with the box
    they were last seen in (recovery). A track that is found again runs its Kalman filter once more along the straight
    line between both detections (re-update). Embeddings are not used. The box reported is that of the detection.

    Parameters
    ----------
    frame_rate
        Has no effect: the settings count frames.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> tracker = OCSORTTracker(det_thresh=0.5)
    >>> tracker.update(SimpleNamespace(frame=1, boxes=np.array([[10, 10, 40, 100]]), scores=np.array([0.9]))).ids
    array([1])
    """

    name = "ocsort"
    title = "OC-SORT (Cao et al., CVPR 2023)"
    Settings = OCSORTSettings

    def _reset(self) -> None:
        settings = self.settings
        self.max_time_lost = settings.max_age
        self.min_score = settings.low_thresh if settings.use_byte else settings.det_thresh
        self._tracks = np.zeros(64, TRACK)  # the first `_count` are in use, in the authors' order
        # their detections of the last frames, by age modulo `delta_t`: as `last`, and the age they were taken at
        self._recent = np.zeros((64, settings.delta_t, 6))
        self._count = self._last_id = 0

    def _step(self, detections: FrameDetections, warp: np.ndarray | None) -> FrameTracks:
        settings, scores, record = self.settings, detections.scores, self._record
        min_hits, max_age = settings.min_hits, settings.max_age
        tracks = self._tracks = with_room(self._tracks, self._count + len(detections))
        recent = self._recent = with_room(self._recent, self._count + len(detections))
        observed, high, low = _observe(
            detections.boxes, scores, settings.det_thresh, settings.low_thresh, settings.use_byte
        )
        count, ended = _predict(tracks, recent, self._count)
        if record is not None:
            self._note_each("ended", ended, "track {} ends: its predicted box has no size any more.")

        # first round: IoU with the prediction, and direction
        free, left = self._round("first stage", FIRST, np.arange(count), high, observed)
        # BYTE: IoU of what is left with the detections of low score
        if len(low) and len(free):
            free, _ = self._round("low scores", LOW, free, low, observed)
        # recovery: IoU of what is left with the last detections
        if len(free) and len(left):
            free, left = self._round("recovery", RECOVERY, free, left, observed)

        count = _start(tracks, recent, count, free, left, observed, self._last_id)
        self._last_id += len(left)
        if self._count_before(detections.frame) < min_hits:
            min_hits = 0  # at the start every track is reported
        smallest, widest = float(settings.min_box_area), float(settings.vertical_ratio)
        *reported, hidden = _reported(tracks, count, min_hits, smallest, widest, scores, detections.class_ids)
        if record is not None:
            self._note_hidden(count, min_hits, hidden)
            self._note(detections, tracks[:count], free, left, low)
        is_kept = tracks["missed"][:count] <= max_age
        keep(recent, is_kept)
        self._count = keep(tracks, is_kept)
        return FrameTracks(detections.frame, *reported)

    def _round(
        self, title: str, kind: int, places: np.ndarray, rows: np.ndarray, observed: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Pair tracks with detections and correct them; return the tracks and detections left."""
        settings, record = self.settings, self._record
        is_tried, iou, direction, owners, free, left = _pair(
            self._tracks,
            self._recent,
            places,
            rows,
            observed,
            kind,
            settings.iou_threshold,
            settings.inertia,
            record is not None,
        )
        if record is not None and is_tried:
            self._record_round(title, places, rows, iou, owners, direction if kind == FIRST else None)
        return free, left

    # -- the record; called only where one is kept

    def _record_round(
        self,
        title: str,
        places: np.ndarray,
        rows: np.ndarray,
        iou: np.ndarray,
        owners: np.ndarray,
        direction: np.ndarray | None = None,
    ) -> None:
        least = self.settings.iou_threshold
        benefit = iou if direction is None else iou + direction
        cost = np.where(iou < least, np.inf, 1.0 - benefit).T
        matched = np.full(len(places), -1)
        if len(places):
            taken = np.flatnonzero((owners >= 0) & (iou[np.arange(len(rows)), owners] >= least))
            matched[owners[taken]] = taken
        measures = {} if direction is None else {"measures": {"direction": direction.T}}
        limit = 1.0 - least + (0.0 if direction is None else self.settings.inertia / 2)
        ids = self._tracks["id"][places]
        self._record_stage(title, ids, rows, cost, limit, "iou_threshold", matched, iou=iou.T, **measures)

    def _note(
        self, detections: FrameDetections, tracks: np.ndarray, free: np.ndarray, born: np.ndarray, low: np.ndarray
    ) -> None:
        record, settings = self._record, self.settings
        assert record is not None
        limit = settings.det_thresh
        for row in np.flatnonzero(~(detections.scores > np.float32(limit))).tolist():
            if row not in low:
                text = (
                    f"detection {row} has score {detections.scores[row]:.2f} <= det_thresh {limit:g}: it was not used."
                )
                record.note("unused", text, detection=row)
        newborn = tracks["id"][len(tracks) - len(born) :]
        self._note_each("birth", newborn, "a new track {} was born from detection {}, which no track took.", born)
        for track, missed in zip(tracks["id"][free].tolist(), tracks["missed"][free].tolist(), strict=True):
            left = settings.max_age - missed
            if left < 0:
                text = f"track {track} ends: it was not seen for more than max_age {settings.max_age} frames."
                record.note("expired", text, track=track)
            else:
                record.note("lost", f"track {track} is lost; it can be found for {left + 1} more frames.", track=track)

    def _note_hidden(self, count: int, min_hits: int, hidden: np.ndarray) -> None:
        assert self._record is not None
        held = self._tracks[:count]
        young = held[(held["missed"] == 0) & (held["streak"] < min_hits)]
        for track, streak in zip(young["id"].tolist(), young["streak"].tolist(), strict=True):
            text = f"track {track} is not reported yet: {streak} of min_hits {self.settings.min_hits} detections."
            self._record.note("filtered", text, track=track)
        words = "track {} is not reported: its box is too small (min_box_area) or wide (vertical_ratio)."
        self._note_each("filtered", hidden, words)


TRACK = np.dtype(
    [
        ("id", np.int64),
        # centre x, centre y, area and aspect w / h; the velocities of the first three; the variance, covariance with
        # the velocity and variance of the velocity of each of them; the variance of the aspect
        ("state", np.float64, 17),
        ("saved", np.float64, 17),  # the state in the first frame without a detection
        ("predicted", np.float64, 4),  # left, top, right, bottom
        ("last", np.float64, 5),  # left, top, right, bottom, score of the last detection after the first; else -1
        ("velocity", np.float64, 2),  # unit vector y, x; 0 where not known
        ("age", np.int64),
        ("missed", np.int64),  # frames since the last detection
        ("streak", np.int64),  # detections in a row after the first
        ("row", np.int64),  # of the last detection in its frame
        ("has_saved", np.bool_),
        ("is_observed", np.bool_),  # it took a detection in the last frame, after the one it was born from
    ],
    align=True,
)


@compiled
def _observe(boxes, scores, det_thresh, low_thresh, use_byte):
    """Return left, top, right, bottom, score in double precision; detections of high score; those of low score."""
    observed, n = np.empty((len(boxes), 5)), len(boxes)
    high, low, first, second = np.empty(n, np.int64), np.empty(n, np.int64), 0, 0
    for i in range(n):
        observed[i, 0], observed[i, 1] = boxes[i, 0], boxes[i, 1]
        observed[i, 2] = np.float64(boxes[i, 0]) + np.float64(boxes[i, 2])
        observed[i, 3] = np.float64(boxes[i, 1]) + np.float64(boxes[i, 3])
        observed[i, 4] = scores[i]
        if scores[i] > np.float32(det_thresh):
            high[first] = i
            first += 1
        elif use_byte and np.float32(low_thresh) < scores[i] < np.float32(det_thresh):
            low[second] = i
            second += 1
    return observed, high[:first], low[:second]


@compiled
def _predict(tracks, recent, count):
    """Move all tracks by one frame; return how many still have a size, and the ids of the others.

    The area or the aspect of the filter may have become negative.
    """
    has_size, ended, end = np.empty(count, np.bool_), np.empty(count, np.int64), 0
    for i in range(count):
        track = tracks[i]
        state = track.state
        if state[6] + state[2] <= 0:
            state[6] = 0.0
        _advance(state)
        track.age += 1
        if track.missed > 0:
            track.streak = 0
        track.missed += 1
        width = np.sqrt(state[2] * state[3])
        height = state[2] / width
        box = track.predicted
        box[0], box[1] = state[0] - width / 2.0, state[1] - height / 2.0
        box[2], box[3] = state[0] + width / 2.0, state[1] + height / 2.0
        has_size[i] = True
        for c in range(4):
            has_size[i] &= np.isfinite(box[c])
        if not has_size[i]:
            ended[end] = track.id
            end += 1
    keep(recent, has_size)
    return keep(tracks, has_size), ended[:end]


@compiled
def _pair(tracks, recent, places, rows, observed, kind, least, inertia, keeps_direction):
    """Pair tracks with detections in one round, and correct them.

    Returns
    -------
    is_tried : bool
        Whether there was anything to pair.
    iou : (m, n) float64
        Of detections and tracks; with their prediction, in recovery with their last detection.
    direction : (m, n) float64
        See `_direction`; empty where it was not needed.
    owners : (m,) int64
        For each detection the column of its track, or -1; pairs that overlap too little are undone.
    free, left : int64
        Tracks and detections that are left, in the authors' order.
    """
    n, m = len(places), len(rows)
    boxes, corners = np.empty((n, 4)), np.empty((m, 4))
    for i in range(n):
        track = tracks[places[i]]
        for c in range(4):
            boxes[i, c] = track.last[c] if kind == RECOVERY else track.predicted[c]
    for j in range(m):
        for c in range(4):
            corners[j, c] = observed[rows[j], c]
    iou = overlaps(corners, boxes, np.arange(n), 0.0)
    owners, is_sole = sole_pairs(iou, least)
    is_tried = kind == FIRST
    for j in range(m):
        is_tried |= owners[j] >= 0
    if not is_tried:
        return is_tried, iou, np.empty((0, 0)), owners, places, rows

    direction = np.empty((0, 0))
    if kind == FIRST and (keeps_direction or not is_sole):
        direction = _direction(tracks, recent, places, rows, observed, inertia)
    if kind != FIRST or not is_sole:
        cost = np.empty((m, n))
        for j in range(m):
            for i in range(n):
                cost[j, i] = -(iou[j, i] + direction[j, i]) if kind == FIRST else -iou[j, i]
        owners = assign_all(cost)[0]
    taken, columns, left, free = part(owners, iou, least)
    for k in range(len(taken)):
        place, row = places[columns[k]], rows[taken[k]]
        _update(tracks[place], recent[place], observed[row])
        tracks[place].row = row
    if kind != FIRST:  # sorted, as the authors have it
        return is_tried, iou, direction, owners, without(places, columns), without(rows, taken)
    for k in range(len(left)):
        left[k] = rows[left[k]]
    return is_tried, iou, direction, owners, free, left


@compiled
def _previous(track, recent):
    """Return the detection that a track took `delta_t` frames ago, or the earliest one after; else its last."""
    delta_t = len(recent)
    for dt in range(delta_t, 0, -1):
        box = recent[(track.age - dt) % delta_t]
        if track.age >= dt and box[5] == track.age - dt:
            return box[0], box[1], box[2], box[3], box[4]
    last = track.last
    return last[0], last[1], last[2], last[3], last[4]


@compiled
def _direction(tracks, recent, places, rows, observed, inertia):
    """Return how well each detection lies in the direction that each track moves in, times `inertia` and score."""
    m, n = len(rows), len(places)
    x, y, weight = np.empty(m), np.empty(m), np.empty(m)
    for j in range(m):
        box = observed[rows[j]]
        x[j], y[j], weight[j] = (box[0] + box[2]) / 2.0, (box[1] + box[3]) / 2.0, box[4] * inertia / np.pi
    benefit = np.zeros((n, m))
    for i in range(n):
        track = tracks[places[i]]
        left, top, right, bottom, score = _previous(track, recent[places[i]])
        vy, vx = track.velocity[0], track.velocity[1]
        if score >= 0 and (vy != 0 or vx != 0):
            before_x, before_y = (left + right) / 2.0, (top + bottom) / 2.0
            for j in range(m):
                dx, dy = x[j] - before_x, y[j] - before_y
                cosine = (vx * dx + vy * dy) / (np.sqrt(dx * dx + dy * dy) + 1e-6)
                benefit[i, j] = weight[j] * _arcsin(min(1.0, max(-1.0, cosine)))
    return benefit.T


@compiled(inline="always")
def _arcsin(x):
    """Return the arc sine to 1e-15, in a form without branches that compiles to vector instructions.

    The rational approximation of Sun's fdlibm, e_asin.c.
    """
    size = abs(x)
    is_large = size > 0.5
    z = (1.0 - size) * 0.5 if is_large else x * x
    root = np.sqrt(z) if is_large else size
    above = -4.00555345006794114027e-02 + z * (7.91534994289814532176e-04 + z * 3.47933107596021167570e-05)
    above = 1.66666666666666657415e-01 + z * (
        -3.25565818622400915405e-01 + z * (2.01212532134862925881e-01 + z * above)
    )
    below = 2.02094576023350569471 + z * (-6.88283971605453293030e-01 + z * 7.70381505559019352791e-02)
    below = 1.0 + z * (-2.40339491173441421878 + z * below)
    angle = root + root * (z * above / below)
    angle = np.pi / 2 - 2.0 * angle if is_large else angle
    return angle if x >= 0 else -angle


# -- SORT's Kalman filter, of centre, area and aspect


@compiled
def _measure(box):
    """Return centre x, centre y, area and aspect of left, top, right, bottom."""
    width, height = box[2] - box[0], box[3] - box[1]
    return box[0] + width / 2.0, box[1] + height / 2.0, width * height, width / (height + 1e-6)


@compiled
def _advance(state):
    """Move a track by one frame."""
    for c in range(3):
        k = 7 + 3 * c
        state[c] += state[4 + c]
        state[k] += 2 * state[k + 1] + state[k + 2] + 1.0
        state[k + 1] += state[k + 2]
        state[k + 2] += 1e-4 if c == 2 else 1e-2
    state[16] += 1.0


@compiled
def _correct(state, x, y, area, aspect):
    """Correct a track by a measurement."""
    for c in range(3):
        k = 7 + 3 * c
        measured = x if c == 0 else (y if c == 1 else area)
        variance = state[k] + (10.0 if c == 2 else 1.0)
        gain, velocity_gain = state[k] / variance, state[k + 1] / variance
        innovation = measured - state[c]
        state[c] += gain * innovation
        state[4 + c] += velocity_gain * innovation
        state[k + 2] -= velocity_gain * state[k + 1]
        state[k + 1] -= gain * state[k + 1]
        state[k] -= gain * state[k]
    gain = state[16] / (state[16] + 10.0)
    state[3] += gain * (aspect - state[3])
    state[16] -= gain * state[16]


@compiled
def _re_update(state, start, end, frames):
    """Run the filter along the straight line between two detections that are `frames` apart."""
    x1, y1, area, aspect = _measure(start)
    w1, h1 = np.sqrt(area * aspect), np.sqrt(area / aspect)
    x2, y2, area, aspect = _measure(end)
    w2, h2 = np.sqrt(area * aspect), np.sqrt(area / aspect)
    for k in range(1, frames + 1):
        part = k / frames
        width, height = w1 + part * (w2 - w1), h1 + part * (h2 - h1)
        _correct(state, x1 + part * (x2 - x1), y1 + part * (y2 - y1), width * height, width / height)
        if k < frames:
            _advance(state)


@compiled
def _update(track, recent, box):
    """Correct a track by the detection that it took."""
    if _is_set(track.last):
        left, top, right, bottom, _ = _previous(track, recent)
        dx, dy = (box[0] + box[2]) / 2.0 - (left + right) / 2.0, (box[1] + box[3]) / 2.0 - (top + bottom) / 2.0
        norm = np.sqrt(dx * dx + dy * dy) + 1e-6
        track.velocity[0], track.velocity[1] = dy / norm, dx / norm
    if not track.is_observed and track.has_saved:
        for c in range(17):
            track.state[c] = track.saved[c]
        track.has_saved = False
        _re_update(track.state, track.last, box, track.missed)
    track.is_observed = True
    x, y, area, aspect = _measure(box)
    _correct(track.state, x, y, area, aspect)  # after a re-update the authors correct by it a second time
    k = track.age % len(recent)
    recent[k, 5] = track.age
    for c in range(5):
        track.last[c] = recent[k, c] = box[c]
    track.missed = 0
    track.streak += 1


@compiled
def _is_set(last):
    """Return whether a track took a detection after the first, by the authors' test."""
    return last[0] + last[1] + last[2] + last[3] + last[4] >= 0


@compiled
def _start(tracks, recent, count, free, left, observed, last_id):
    """Keep the motion of tracks that were just lost, and start tracks at detections; return how many there are."""
    for place in free:
        track = tracks[place]
        if track.is_observed:
            for c in range(17):
                track.saved[c] = track.state[c]
            track.has_saved = True
        track.is_observed = False
    for k in range(len(left)):
        track, row = tracks[count + k], left[k]
        state = track.state
        for c in range(17):
            state[c] = 0.0
        state[0], state[1], state[2], state[3] = _measure(observed[row])
        for c in range(3):
            state[7 + 3 * c], state[9 + 3 * c] = 10.0, 10_000.0
        state[16] = 10.0
        for c in range(5):
            track.last[c] = -1.0
        for d in range(recent.shape[1]):
            recent[count + k, d, 5] = -1.0
        track.velocity[0] = track.velocity[1] = 0.0
        track.id, track.age, track.missed, track.streak, track.row = last_id + 1 + k, 0, 0, 0, row
        track.has_saved = track.is_observed = False
    return count + len(left)


@compiled
def _reported(tracks, count, min_hits, min_box_area, vertical_ratio, scores, class_ids):
    """Return ids, boxes, scores, classes and detections of the tracks seen in this frame, often enough in a row.

    Their box is that of the last detection; of the motion where there is none after the first. The last array holds the
    ids of those whose box is too small or too wide.
    """
    ids, boxes, hidden = np.empty(count, np.int64), np.empty((count, 4), np.float32), np.empty(count, np.int64)
    kept, kinds, rows = np.empty(count, np.float32), np.empty(count, np.int64), np.empty(count, np.int64)
    shown = rest = 0
    for i in range(count):
        track = tracks[i]
        if track.missed > 0 or track.streak < min_hits:
            continue
        state, last = track.state, track.last
        if _is_set(last):
            left, top, width, height = last[0], last[1], last[2] - last[0], last[3] - last[1]
        else:
            width = np.sqrt(state[2] * state[3])
            height = state[2] / width
            left, top = state[0] - width / 2.0, state[1] - height / 2.0
        if width * height > min_box_area and (vertical_ratio <= 0 or width / height <= vertical_ratio):
            boxes[shown, 0], boxes[shown, 1], boxes[shown, 2], boxes[shown, 3] = left, top, width, height
            ids[shown], rows[shown] = track.id, track.row
            kept[shown], kinds[shown] = scores[track.row], class_ids[track.row]
            shown += 1
        else:
            hidden[rest] = track.id
            rest += 1
    return ids[:shown], boxes[:shown], kept[:shown], kinds[:shown], rows[:shown], hidden[:rest]
