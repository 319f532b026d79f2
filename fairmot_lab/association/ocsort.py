"""OC-SORT: SORT that trusts observations more than its own predictions.

Source: J. Cao, J. Pang, X. Weng, R. Khirodkar, K. Kitani, "Observation-centric SORT: Rethinking SORT for robust
multi-object tracking", CVPR 2023, and its code, trackers/ocsort_tracker/ocsort.py.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from .._jit import compiled
from ..data import FrameTracks
from .assignment import assign_all, part, sole_pairs, without
from .base import Tracker
from .costs import overlaps
from .lists import NO_ROWS
from .settings import TrackerSettings, number, switch

if TYPE_CHECKING:
    from ..data import FrameDetections


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
    min_box_area: float = number(
        100.0, 0, 1e12, (0, 1000), "tracks with a box of at most this many square pixels are not reported"
    )
    vertical_ratio: float = number(
        1.6, 0, 1e6, (0.8, 2.5), "tracks with a box wider than this times its height are not reported; 0 reports all"
    )


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
        self._tracks = _Tracks.none(settings.delta_t)
        self._last_id = 0

    def _step(self, detections: FrameDetections, warp: np.ndarray | None) -> FrameTracks:
        settings, scores = self.settings, detections.scores
        least, record = settings.iou_threshold, self._record
        observed = _observations(detections.boxes, scores)
        corners = np.ascontiguousarray(observed[:, :4])
        high = np.flatnonzero(scores > np.float32(settings.det_thresh))
        low = NO_ROWS
        if settings.use_byte:
            is_low = (scores > np.float32(settings.low_thresh)) & (scores < np.float32(settings.det_thresh))
            low = np.flatnonzero(is_low)

        tracks = self._tracks
        predicted, is_valid = _predict(tracks.motion, tracks.age, tracks.since_update, tracks.streak)
        if not is_valid.all():  # the filter's area or aspect has become negative
            self._note_ends(tracks.ids[~is_valid], "its predicted box has no size any more")
            tracks = self._tracks = tracks.of(is_valid)
            predicted = predicted[is_valid]
        previous = _previous(tracks.recent, tracks.recent_age, tracks.last, tracks.age)
        last = tracks.last[:, :4].copy()

        # first round: IoU with the prediction, and direction
        everyone = np.arange(len(tracks))
        iou = overlaps(corners[high], predicted, everyone, 0.0)
        first, is_sole = sole_pairs(iou, least)
        direction = None
        if record is not None or not is_sole:
            direction = _direction(observed, high, previous, tracks.velocity, settings.inertia)
            if not is_sole:
                first = assign_all(-(iou + direction))[0]
        self._record_round("first stage", everyone, high, iou, first, direction)
        rows, columns, free_rows, free = part(first, iou, least)
        self._update_matched(columns, high[rows], observed, previous)
        free_rows = high[free_rows]

        # BYTE: IoU of what is left with the detections of low score
        if len(low) and len(free):
            iou = overlaps(corners[low], predicted, free, 0.0)
            if iou.max() > least:
                byte = assign_all(-iou)[0]
                self._record_round("low scores", free, low, iou, byte)
                rows, columns, _, _ = part(byte, iou, least)
                self._update_matched(free[columns], low[rows], observed, previous)
                free = without(free, columns)

        # recovery: IoU of what is left with the last detections
        if len(free) and len(free_rows):
            iou = overlaps(corners[free_rows], last, free, 0.0)
            if iou.max() > least:
                recovery = assign_all(-iou)[0]
                self._record_round("recovery", free, free_rows, iou, recovery)
                rows, columns, _, _ = part(recovery, iou, least)
                self._update_matched(free[columns], free_rows[rows], observed, previous)
                free_rows, free = without(free_rows, rows), without(free, columns)

        _miss(tracks.motion, tracks.saved, tracks.has_saved, tracks.is_observed, free)
        if len(free_rows):
            tracks = self._tracks = tracks.with_new(observed[free_rows], free_rows, self._last_id)
            self._last_id += len(free_rows)
        result = self._report(detections)
        expires = tracks.since_update > settings.max_age
        if record is not None:
            self._note(detections, free, free_rows, low, expires)
        if expires.any():
            self._tracks = tracks.of(~expires)
        return result

    def _update_matched(self, places: np.ndarray, rows: np.ndarray, observed: np.ndarray, previous: np.ndarray) -> None:
        """Correct tracks by the detections that they took."""
        tracks = self._tracks
        _update(
            tracks.motion,
            tracks.saved,
            tracks.has_saved,
            tracks.is_observed,
            tracks.last,
            tracks.recent,
            tracks.recent_age,
            tracks.velocity,
            tracks.age,
            tracks.since_update,
            tracks.streak,
            places,
            observed,
            rows,
            previous,
        )
        tracks.row[places] = rows

    def _report(self, detections: FrameDetections) -> FrameTracks:
        """Return the tracks that took a detection and have done so often enough."""
        tracks, settings = self._tracks, self.settings
        is_start = self._count_before(detections.frame) < settings.min_hits
        seen = tracks.since_update < 1
        shown = np.flatnonzero(seen & ((tracks.streak >= settings.min_hits) | is_start))
        boxes = _boxes(tracks.motion, tracks.last, shown)
        is_shown = boxes[:, 2] * boxes[:, 3] > settings.min_box_area
        if settings.vertical_ratio > 0:
            is_shown &= boxes[:, 2] / boxes[:, 3] <= settings.vertical_ratio
        if self._record is not None:
            young = np.setdiff1d(np.flatnonzero(seen), shown)
            for track, streak in zip(tracks.ids[young].tolist(), tracks.streak[young].tolist(), strict=True):
                text = f"track {track} is not reported yet: {streak} of min_hits {settings.min_hits} detections."
                self._record.note("filtered", text, track=track)
            for track in tracks.ids[shown[~is_shown]].tolist():
                text = f"track {track} is not reported: its box is too small (min_box_area) or wide (vertical_ratio)."
                self._record.note("filtered", text, track=track)
        shown, boxes = shown[is_shown], boxes[is_shown]
        rows = tracks.row[shown]
        scores, class_ids = detections.scores[rows], detections.class_ids[rows]
        return FrameTracks(detections.frame, tracks.ids[shown], boxes.astype(np.float32), scores, class_ids, rows)

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
        if self._record is None:
            return
        least = self.settings.iou_threshold
        benefit = iou if direction is None else iou + direction
        cost = np.where(iou < least, np.inf, 1.0 - benefit).T
        matched = np.full(len(places), -1)
        if len(places):
            taken = np.flatnonzero((owners >= 0) & (iou[np.arange(len(rows)), owners] >= least))
            matched[owners[taken]] = taken
        measures = {} if direction is None else {"measures": {"direction": direction.T}}
        limit = 1.0 - least + (0.0 if direction is None else self.settings.inertia / 2)
        ids = self._tracks.ids[places]
        self._record_stage(title, ids, rows, cost, limit, "iou_threshold", matched, iou=iou.T, **measures)

    def _note(
        self, detections: FrameDetections, free: np.ndarray, born: np.ndarray, low: np.ndarray, expires: np.ndarray
    ) -> None:
        record, tracks, settings = self._record, self._tracks, self.settings
        assert record is not None
        limit = settings.det_thresh
        for row in np.flatnonzero(~(detections.scores > np.float32(limit))).tolist():
            if row not in low:
                text = (
                    f"detection {row} has score {detections.scores[row]:.2f} <= det_thresh {limit:g}: it was not used."
                )
                record.note("unused", text, detection=row)
        for track, row in zip(tracks.ids[len(tracks) - len(born) :].tolist(), born.tolist(), strict=True):
            text = f"a new track {track} was born from detection {row}, which no track took."
            record.note("birth", text, track=track, detection=row)
        for place in free.tolist():
            track, left = int(tracks.ids[place]), settings.max_age - int(tracks.since_update[place])
            if expires[place]:
                text = f"track {track} ends: it was not seen for more than max_age {settings.max_age} frames."
                record.note("expired", text, track=track)
            else:
                record.note("lost", f"track {track} is lost; it can be found for {left + 1} more frames.", track=track)

    def _note_ends(self, ids: np.ndarray, reason: str) -> None:
        if self._record is not None:
            for track in ids.tolist():
                self._record.note("ended", f"track {track} ends: {reason}.", track=track)


# A track's motion is a row of 17 numbers: centre x, centre y, area and aspect w / h; the velocities of the first three;
# the variance, covariance with the velocity and variance of the velocity of each of them; the variance of the aspect.
MOTION_SIZE = 17


@dataclasses.dataclass
class _Tracks:
    """Per-track state, in the authors' order."""

    ids: np.ndarray
    motion: np.ndarray  # (n, 17)
    saved: np.ndarray  # (n, 17): the motion in the first frame without a detection
    has_saved: np.ndarray
    is_observed: np.ndarray  # it took a detection in the last frame, after the one it was born from
    last: np.ndarray  # (n, 5): left, top, right, bottom, score of the last detection after the first; else -1
    recent: np.ndarray  # (n, delta_t, 5): the same of the last frames, by age modulo delta_t
    recent_age: np.ndarray  # (n, delta_t): the age they were taken at
    velocity: np.ndarray  # (n, 2): unit vector y, x; 0 where not known
    age: np.ndarray
    since_update: np.ndarray
    streak: np.ndarray
    row: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def none(cls, delta_t: int) -> _Tracks:
        return cls._fresh(np.empty(0, np.int64), np.empty((0, MOTION_SIZE)), np.empty(0, np.int64), delta_t)

    @classmethod
    def _fresh(cls, ids: np.ndarray, motion: np.ndarray, rows: np.ndarray, delta_t: int) -> _Tracks:
        n = len(ids)
        return cls(
            ids=ids,
            motion=motion,
            saved=np.zeros((n, MOTION_SIZE)),
            has_saved=np.zeros(n, np.bool_),
            is_observed=np.zeros(n, np.bool_),
            last=np.full((n, 5), -1.0),
            recent=np.full((n, delta_t, 5), -1.0),
            recent_age=np.full((n, delta_t), -1),
            velocity=np.zeros((n, 2)),
            age=np.zeros(n, np.int64),
            since_update=np.zeros(n, np.int64),
            streak=np.zeros(n, np.int64),
            row=rows,
        )

    def of(self, keep: np.ndarray) -> _Tracks:
        """Return some of the tracks."""
        return _Tracks(**{name: values[keep] for name, values in vars(self).items()})

    def with_new(self, observed: np.ndarray, rows: np.ndarray, last_id: int) -> _Tracks:
        """Return the tracks and new ones, at detections."""
        ids = np.arange(last_id + 1, last_id + 1 + len(rows))
        new = vars(_Tracks._fresh(ids, _initiate(observed), rows, self.recent.shape[1]))
        return _Tracks(**{name: np.concatenate((values, new[name])) for name, values in vars(self).items()})


@compiled
def _observations(boxes, scores):
    """Return left, top, right, bottom, score in double precision."""
    observed = np.empty((len(boxes), 5))
    for i in range(len(boxes)):
        observed[i, 0], observed[i, 1] = boxes[i, 0], boxes[i, 1]
        observed[i, 2] = np.float64(boxes[i, 0]) + np.float64(boxes[i, 2])
        observed[i, 3] = np.float64(boxes[i, 1]) + np.float64(boxes[i, 3])
        observed[i, 4] = scores[i]
    return observed


@compiled
def _previous(recent, recent_age, last, age):
    """Return the detection that each track took `delta_t` frames ago, or the earliest one after; else its last."""
    n, delta_t = recent_age.shape
    previous = last.copy()
    for i in range(n):
        for dt in range(delta_t, 0, -1):
            k = (age[i] - dt) % delta_t
            if age[i] >= dt and recent_age[i, k] == age[i] - dt:
                previous[i] = recent[i, k]
                break
    return previous


@compiled
def _direction(observed, rows, previous, velocity, inertia):
    """Return how well each detection lies in the direction that each track moves in, times `inertia` and score."""
    m, n = len(rows), len(previous)
    x, y, weight = np.empty(m), np.empty(m), np.empty(m)
    for j in range(m):
        box = observed[rows[j]]
        x[j], y[j], weight[j] = (box[0] + box[2]) / 2.0, (box[1] + box[3]) / 2.0, box[4] * inertia / np.pi
    benefit = np.zeros((n, m))
    for i in range(n):
        if previous[i, 4] >= 0 and (velocity[i, 0] != 0 or velocity[i, 1] != 0):
            before_x, before_y = (previous[i, 0] + previous[i, 2]) / 2.0, (previous[i, 1] + previous[i, 3]) / 2.0
            for j in range(m):
                dx, dy = x[j] - before_x, y[j] - before_y
                cosine = (velocity[i, 1] * dx + velocity[i, 0] * dy) / (np.sqrt(dx * dx + dy * dy) + 1e-6)
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
def _initiate(observed):
    """Return the motion of tracks that start at detections."""
    motion = np.zeros((len(observed), MOTION_SIZE))
    for i in range(len(observed)):
        state = motion[i]
        state[0], state[1], state[2], state[3] = _measure(observed[i])
        for c in range(3):
            state[7 + 3 * c], state[9 + 3 * c] = 10.0, 10_000.0
        state[16] = 10.0
    return motion


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
def _predict(motion, age, since_update, streak):
    """Move all tracks by one frame, in place; return left, top, right, bottom, and whether they are finite."""
    predicted, is_valid = np.empty((len(motion), 4)), np.ones(len(motion), np.bool_)
    for i in range(len(motion)):
        state = motion[i]
        if state[6] + state[2] <= 0:
            state[6] = 0.0
        _advance(state)
        age[i] += 1
        if since_update[i] > 0:
            streak[i] = 0
        since_update[i] += 1
        width = np.sqrt(state[2] * state[3])
        height = state[2] / width
        predicted[i, 0], predicted[i, 1] = state[0] - width / 2.0, state[1] - height / 2.0
        predicted[i, 2], predicted[i, 3] = state[0] + width / 2.0, state[1] + height / 2.0
        for c in range(4):
            is_valid[i] &= np.isfinite(predicted[i, c])
    return predicted, is_valid


@compiled
def _boxes(motion, last, places):
    """Return x, y, w, h of the last detections; of the motion where there is none after the first."""
    boxes = np.empty((len(places), 4))
    for t in range(len(places)):
        i = places[t]
        if last[i].sum() < 0:
            width = np.sqrt(motion[i, 2] * motion[i, 3])
            height = motion[i, 2] / width
            boxes[t, 0], boxes[t, 1] = motion[i, 0] - width / 2.0, motion[i, 1] - height / 2.0
        else:
            boxes[t, 0], boxes[t, 1] = last[i, 0], last[i, 1]
            width, height = last[i, 2] - last[i, 0], last[i, 3] - last[i, 1]
        boxes[t, 2], boxes[t, 3] = width, height
    return boxes


@compiled
def _miss(motion, saved, has_saved, is_observed, places):
    """Keep the motion of tracks that were seen in the frame before and not in this one."""
    for i in places:
        if is_observed[i]:
            saved[i] = motion[i]
            has_saved[i] = True
        is_observed[i] = False


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
def _update(
    motion,
    saved,
    has_saved,
    is_observed,
    last,
    recent,
    recent_age,
    velocity,
    age,
    since_update,
    streak,
    places,
    observed,
    rows,
    previous,
):
    """Correct tracks by detections, in place; see `_Tracks` for the arrays."""
    delta_t = recent_age.shape[1]
    for t in range(len(places)):
        i, box = places[t], observed[rows[t]]
        if last[i].sum() >= 0:  # the authors' test for a detection before
            dx = (box[0] + box[2]) / 2.0 - (previous[i, 0] + previous[i, 2]) / 2.0
            dy = (box[1] + box[3]) / 2.0 - (previous[i, 1] + previous[i, 3]) / 2.0
            norm = np.sqrt(dx * dx + dy * dy) + 1e-6
            velocity[i, 0], velocity[i, 1] = dy / norm, dx / norm
        if not is_observed[i] and has_saved[i]:
            motion[i] = saved[i]
            has_saved[i] = False
            _re_update(motion[i], last[i], box, since_update[i])
        is_observed[i] = True
        x, y, area, aspect = _measure(box)
        _correct(motion[i], x, y, area, aspect)  # after a re-update the authors correct by it a second time
        last[i] = box
        recent[i, age[i] % delta_t] = box
        recent_age[i, age[i] % delta_t] = age[i]
        since_update[i] = 0
        streak[i] += 1
