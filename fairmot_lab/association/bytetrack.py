"""ByteTrack as its authors published it: every detection box is associated, those of low score second.

Source: Y. Zhang, P. Sun, Y. Jiang, D. Yu, F. Weng, Z. Yuan, P. Luo, W. Liu, X. Wang, "ByteTrack: Multi-object tracking
by associating every detection box", ECCV 2022, and its code, yolox/tracker/byte_tracker.py.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from .._jit import compiled
from ..data import FrameTracks
from . import kalman_xyah, kalman_xywh
from .assignment import pair
from .checks import NO_FEATURES
from .costs import dot, overlaps
from .lists import (
    DUPLICATE_IOU,
    NO_EVENTS,
    ListTracker,
    confirmed_among,
    divide,
    keep_stage,
    mark_seen,
    next_lists,
    report,
    start,
    unseen_and_found,
    without_duplicates,
)
from .settings import TrackerSettings, check_low_score, lost_buffer, number, smallest_area, switch, widest_shape

if TYPE_CHECKING:
    from ..data import FrameDetections

_XYAH = kalman_xyah.MOTION_SIZE
_ZERO, _ONE, _KEEP = np.float32(0), np.float32(1), np.float32(0.9)  # share of a track's embedding that stays

LIMITS = np.dtype(  # what `_track` needs of the settings
    [
        # detections hold single precision: a score of 0.7 must not be below a threshold of 0.7
        ("low", np.float32),
        ("high", np.float32),
        ("birth", np.float32),
        ("first", np.float64),  # the largest cost of each stage
        ("second", np.float64),
        ("third", np.float64),
        ("appearance", np.float64),  # BoT-SORT's; see `_cost`
        ("proximity", np.float64),
        ("min_box_area", np.float64),
        ("vertical_ratio", np.float64),
        ("max_time_lost", np.int64),
        ("fuse_score", np.bool_),
        ("reports_unconfirmed", np.bool_),
    ],
    align=True,
)
_NO_WARP = np.empty((0, 3))
_NO_COSTS, _NO_PLACES = np.empty((3, 3, 0, 0)), np.empty((3, 3, 0), np.int64)


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
    track_buffer: int = lost_buffer()
    fuse_score: bool = switch(
        True, "multiply the IoU by the detection's score in the first and third stage (the authors do not on MOT20)"
    )
    min_box_area: float = smallest_area(100.0)
    vertical_ratio: float = widest_shape()

    def check_together(self) -> None:
        """Refuse a low_thresh that leaves nothing to the second stage."""
        check_low_score("low_thresh", self.low_thresh, "track_thresh", self.track_thresh)


class ByteTrackTracker(ListTracker):
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
    motion_size: ClassVar[int] = kalman_xyah.MOTION_SIZE
    reports_unconfirmed: ClassVar[bool] = False

    def _reset(self) -> None:
        super()._reset()
        settings, limits = self.settings, np.zeros(1, LIMITS)
        self.min_score, limits["high"], limits["birth"] = self._score_thresholds()
        limits["low"] = self.min_score
        limits["first"], limits["second"] = settings.match_thresh, settings.second_thresh
        limits["third"], limits["fuse_score"] = settings.unconfirmed_thresh, settings.fuse_score
        limits["max_time_lost"], limits["reports_unconfirmed"] = self.max_time_lost, self.reports_unconfirmed
        limits["min_box_area"], limits["vertical_ratio"] = settings.min_box_area, settings.vertical_ratio
        self._limits = limits

    def _score_thresholds(self) -> tuple[float, float, float]:
        """Scores above the first are used, above the second in the first stage; the third starts a track."""
        settings = self.settings
        return settings.low_thresh, settings.track_thresh, settings.track_thresh + settings.birth_margin

    @property
    def _birth_score(self) -> tuple[float, str]:
        return float(self._limits["birth"][0]), "track_thresh + birth_margin ="

    def _features(self, detections: FrameDetections) -> np.ndarray:
        """Return the embeddings that tracks learn, (N, D); ByteTrack has no use for any."""
        return NO_FEATURES

    def _step(self, detections: FrameDetections, warp: np.ndarray | None) -> FrameTracks:
        features, record, count = self._features(detections), self._record, len(detections)
        self._make_room(count, features.shape[1])
        costs, places, events = _NO_COSTS, _NO_PLACES, NO_EVENTS
        if record is not None:
            size = len(self._tracked) + len(self._lost)
            costs, places = np.zeros((3, 3, size, count)), np.zeros((3, 3, 1 + max(size, count)), np.int64)
            events = self._room_for_events(count)
        reported, self._tracked, self._lost, self._last_id = _track(
            self._tracks,
            self._motion,
            self._feature,
            self._tracked,
            self._lost,
            detections.boxes,
            detections.scores,
            detections.class_ids,
            features,
            _NO_WARP if warp is None else warp,
            self._limits,
            detections.frame,
            detections.frame == self._first_frame,
            self._last_id,
            costs,
            places,
            events,
        )
        if record is not None:
            self._note_scores(detections)
            self._record_stages(costs, places, features.shape[1] > 0)
            self._note_events(events, detections.frame, detections.scores)
        return FrameTracks(detections.frame, *reported)

    # -- the record; called only where one is kept

    def _note_scores(self, detections: FrameDetections) -> None:
        scores, low, high = detections.scores, self._limits["low"][0], self._limits["high"][0]
        for row in np.flatnonzero(~(scores > high) & ~((scores > low) & (scores < high))).tolist():
            kind = "on the limit between the stages" if scores[row] == high else f"not above {self.min_score:g}"
            self._note_unused(row, f"has score {scores[row]:.2f}, {kind}: it was not used.")

    def _record_stages(self, costs: np.ndarray, places: np.ndarray, has_appearance: bool) -> None:
        settings = ("match_thresh", "second_thresh", "unconfirmed_thresh")
        for k, (title, setting) in enumerate(zip(("first", "second", "third"), settings, strict=True)):
            slots, rows, matched = (one[1 : 1 + one[0]] for one in places[k])
            cost, iou, appearance = costs[k, :, : len(slots), : len(rows)]
            measures = {"iou": iou}
            if has_appearance and k != 1 and cost.size:
                measures["appearance"] = appearance
            limit = getattr(self.settings, setting)
            ids = self._tracks["id"][slots]
            self._record_stage(f"{title} stage", ids, rows, cost, limit, setting, matched, **measures)


@compiled
def _track(
    tracks,
    motion,
    feature,
    tracked,
    lost,
    boxes,
    scores,
    class_ids,
    features,
    warp,
    limits,
    frame,
    is_first,
    last_id,
    costs,
    places,
    events,
):
    """Track one frame.

    Parameters
    ----------
    tracks, motion, feature, tracked, lost
        The state of `ListTracker`; the first three are changed.
    boxes, scores, class_ids, features
        Of the detections.
    warp : (2, 3) or (0, 3) float64
        Camera motion, if any.
    limits : (1,) LIMITS
    costs, places, events
        Receive the stages and what happened, where there is room for them; see `_cost`, `lists.keep_stage`
        and `lists.note`.

    Returns
    -------
    What is reported, the lists of the next frame, and the last id.
    """
    limit = limits[0]
    corners, measurements = _measure(motion, boxes)

    # tracks seen twice, and lost ones, are moved; those of one frame with the camera alone
    count, pool, unconfirmed = divide(tracks, tracked, lost)
    _predict(motion, pool, count)
    if len(warp):
        _warp(motion, pool, warp)
        _warp(motion, unconfirmed, warp)

    # first stage: detections of high score
    high = _rows_between(scores, limit.high, np.float32(np.inf))
    iou = overlaps(_boxes_of(motion, pool)[1], corners, high, 1.0)
    cost = _cost(iou, pool, high, scores, feature, features, limit, costs[0])
    first = pair(cost, limit.first, pool, high)
    unseen, found = unseen_and_found(first.matched, pool, count)
    keep_stage(places[0], pool, high, first.matched)

    # second stage: tracks still to be seen, detections of low score
    low = _rows_between(scores, limit.low, limit.high)
    iou = overlaps(_boxes_of(motion, unseen)[1], corners, low, 1.0)
    second = pair(_one_minus(iou, costs[1]), limit.second, unseen, low)
    keep_stage(places[1], unseen, low, second.matched)

    # third stage: tracks of one frame, what the first stage left
    left = first.rows_left
    iou = overlaps(_boxes_of(motion, unconfirmed)[1], corners, left, 1.0)
    cost = _cost(iou, unconfirmed, left, scores, feature, features, limit, costs[2])
    third = pair(cost, limit.third, unconfirmed, left)
    keep_stage(places[2], unconfirmed, left, third.matched)

    for stage in (first, second, third):
        _update(motion, stage.tracks, measurements, stage.rows)
        mark_seen(tracks, stage.tracks, stage.rows, scores, frame, events)
    for stage in (first, third):
        _learn(feature, stage.tracks, features, stage.rows, _KEEP)
    newborn, born = start(tracks, third.rows_left, scores, np.float64(limit.birth), frame, last_id, is_first, events)
    _initiate(motion, newborn, measurements, born)
    _learn(feature, newborn, features, born, _ZERO)

    tracked, lost = next_lists(
        tracks,
        tracked,
        lost,
        newborn,
        found,
        second.tracks_left,
        third.tracks_left,
        frame,
        limit.max_time_lost,
        True,
        events,
    )
    iou = overlaps(_boxes_of(motion, tracked)[1], _boxes_of(motion, lost)[1], np.arange(len(lost)), 1.0)
    tracked, lost = without_duplicates(tracks, tracked, lost, iou, 1.0 - DUPLICATE_IOU, events)
    slots = tracked if limit.reports_unconfirmed else confirmed_among(tracks, tracked)
    boxes_now = _boxes_of(motion, slots)[0]
    reported = report(tracks, slots, boxes_now, class_ids, limit.min_box_area, limit.vertical_ratio, events)
    return reported, tracked, lost, last_id + len(born)


@compiled
def _rows_between(scores, low, high):
    """Return the detections with scores above one limit and below another."""
    return np.flatnonzero((low < scores) & (scores < high))


@compiled
def _one_minus(iou, kept):
    """Return 1 - IoU; `kept` receives it and the IoU, where there is room for them."""
    cost = np.empty(iou.shape)
    for i in range(iou.shape[0]):
        for j in range(iou.shape[1]):
            cost[i, j] = 1.0 - iou[i, j]
            if kept.size:
                kept[0, i, j], kept[1, i, j] = cost[i, j], iou[i, j]
    return cost


@compiled
def _cost(iou, slots, rows, scores, feature, features, limit, kept):
    """Return 1 - IoU x score, or half the distance of embeddings where those are near enough and it is less.

    `kept` receives it, the IoU and the distance of embeddings, where there is room for them.
    """
    cost = np.empty(iou.shape)
    for i in range(len(slots)):
        track = feature[slots[i]]
        for j in range(len(rows)):
            weight = np.float64(scores[rows[j]]) if limit.fuse_score else 1.0
            cost[i, j] = 1.0 - iou[i, j] * weight
            is_near = 1.0 - iou[i, j] <= limit.proximity
            if len(track) and (is_near or kept.size):
                distance = _distance(track, features[rows[j]])
                if is_near and distance / 2.0 <= limit.appearance:
                    cost[i, j] = min(cost[i, j], distance / 2.0)
                if kept.size:
                    kept[2, i, j] = distance
            if kept.size:
                kept[0, i, j], kept[1, i, j] = cost[i, j], iou[i, j]
    return cost


@compiled
def _distance(one, other):
    """Return the cosine distance of embeddings."""
    return max(0.0, 1.0 - dot(one, other) / (np.sqrt(dot(one, one)) * np.sqrt(dot(other, other))))


@compiled
def _learn(feature, slots, features, rows, keep):
    """Move the embeddings of tracks towards those of the detections that they took, in place."""
    if not feature.shape[1]:
        return
    for k in range(len(slots)):
        track, new = feature[slots[k]], features[rows[k]]
        length = np.float32(np.sqrt(dot(new, new)))
        for c in range(len(track)):
            track[c] = keep * track[c] + (_ONE - keep) * (new[c] / length)
        if keep:
            length = np.float32(np.sqrt(dot(track, track)))
            for c in range(len(track)):
                track[c] /= length


# -- the Kalman filter: BoT-SORT's motions are longer than DeepSORT's


@compiled(inline="always")
def _measure(motion, boxes):
    return kalman_xyah.measure(boxes) if motion.shape[1] == _XYAH else kalman_xywh.measure(boxes)


@compiled(inline="always")
def _initiate(motion, slots, measurements, rows):
    if motion.shape[1] == _XYAH:
        kalman_xyah.initiate(motion, slots, measurements, rows)
    else:
        kalman_xywh.initiate(motion, slots, measurements, rows)


@compiled(inline="always")
def _predict(motion, slots, moving):
    if motion.shape[1] == _XYAH:
        kalman_xyah.predict(motion, slots, moving)
    else:
        kalman_xywh.predict(motion, slots, moving)


@compiled(inline="always")
def _update(motion, slots, measurements, rows):
    if motion.shape[1] == _XYAH:
        kalman_xyah.update(motion, slots, measurements, rows)
    else:
        kalman_xywh.update(motion, slots, measurements, rows)


@compiled(inline="always")
def _warp(motion, slots, matrix):
    if motion.shape[1] == _XYAH:
        kalman_xyah.warp(motion, slots, matrix)
    else:
        kalman_xywh.warp(motion, slots, matrix)


@compiled
def _boxes_of(motion, slots):
    return kalman_xyah.boxes_of(motion, slots) if motion.shape[1] == _XYAH else kalman_xywh.boxes_of(motion, slots)
