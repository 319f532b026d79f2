"""ByteTrack as its authors published it: every detection box is associated, those of low score second.

Source: Y. Zhang, P. Sun, Y. Jiang, D. Yu, F. Weng, Z. Yuan, P. Luo, W. Liu, X. Wang, "ByteTrack: Multi-object tracking
by associating every detection box", ECCV 2022, and its code, yolox/tracker/byte_tracker.py.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .._jit import compiled
from ..data import FrameTracks
from ..errors import ConfigError
from . import kalman_xyah
from .costs import overlaps
from .lists import DUPLICATE_IOU, ListTracker, Observations, pairs_below, unseen_and_found
from .settings import TrackerSettings, number, switch

if TYPE_CHECKING:
    from ..data import FrameDetections


def check_low_score(low_name: str, low: float, high_name: str, high: float) -> None:
    """Refuse thresholds that leave no detections to the second stage.

    Raises
    ------
    ConfigError
        Naming both settings.
    """
    if low >= high:
        raise ConfigError(f"{low_name} is {low:g} and {high_name} is {high:g}; {low_name} must be the smaller.")


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
    track_buffer: int = number(
        30, 0, 100_000, (5, 120), "how long a lost track can be found again, in frames of a 30 frames/s video"
    )
    fuse_score: bool = switch(
        True, "multiply the IoU by the detection's score in the first and third stage (the authors do not on MOT20)"
    )
    min_box_area: float = number(
        100.0, 0, 1e12, (0, 1000), "tracks with a box of at most this many square pixels are not reported"
    )
    vertical_ratio: float = number(
        1.6, 0, 1e6, (0.8, 2.5), "tracks with a box wider than this times its height are not reported; 0 reports all"
    )

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
    kalman: ClassVar[Any] = kalman_xyah

    def _reset(self) -> None:
        super()._reset()
        low, high, birth = self._score_thresholds()
        self.min_score = low
        # detections hold single precision: a score of 0.7 must not be below a threshold of 0.7
        self._low, self._high, self._birth = np.float32(low), np.float32(high), np.float32(birth)

    def _score_thresholds(self) -> tuple[float, float, float]:
        """Scores above the first are used, above the second in the first stage; the third starts a track."""
        settings = self.settings
        return settings.low_thresh, settings.track_thresh, settings.track_thresh + settings.birth_margin

    @property
    def _birth_score(self) -> tuple[float, str]:
        return float(self._birth), "track_thresh + birth_margin ="

    def _features(self, detections: FrameDetections) -> np.ndarray:
        """Return the embeddings that tracks learn, (N, D); ByteTrack has no use for any."""
        return np.empty((len(detections), 0), np.float32)

    def _step(self, detections: FrameDetections, warp: np.ndarray | None) -> FrameTracks:
        table, kalman, scores = self._table, self.kalman, detections.scores
        frame = Observations(detections, self._features(detections), *kalman.measure(detections.boxes))

        count, pool, unconfirmed, high, low = _divide(
            table.confirmed, self._tracked, self._lost, scores, float(self._low), float(self._high)
        )
        kalman.predict(table.motion, pool, count)  # tracks of one frame are not moved
        if warp is not None:
            kalman.warp(table.motion, pool, warp)
            kalman.warp(table.motion, unconfirmed, warp)
        if self._record is not None:
            self._note_scores(detections, low)

        settings = self.settings
        cost, measures = self._cost(pool, high, frame)
        first = self._pair("first stage", pool, high, cost, settings.match_thresh, "match_thresh", **measures)
        unseen, found = unseen_and_found(first.matched, pool, count)

        cost, iou = self._overlap_cost(unseen, low, frame, False)
        second = self._pair("second stage", unseen, low, cost, settings.second_thresh, "second_thresh", iou=iou)

        left = first.rows_left
        cost, measures = self._cost(unconfirmed, left, frame)
        third = self._pair(
            "third stage", unconfirmed, left, cost, settings.unconfirmed_thresh, "unconfirmed_thresh", **measures
        )

        for stage in (first, second, third):
            self._update_matched(stage.tracks, stage.rows, frame)
        for stage in (first, third):
            self._update_appearance(stage.tracks, stage.rows, frame)
        is_strong = scores[third.rows_left] >= self._birth
        newborn = self._spawn(third.rows_left[is_strong], frame)
        return self._finish(frame, newborn, found, second.tracks_left, third, third.rows_left[~is_strong])

    # -- costs and pairs

    def _cost(self, slots: np.ndarray, rows: np.ndarray, frame: Observations) -> tuple[np.ndarray, dict[str, Any]]:
        """Return the cost of the first and third stage, and what it was made from."""
        cost, iou = self._overlap_cost(slots, rows, frame, self.settings.fuse_score)
        return cost, {"iou": iou}

    def _overlap_cost(
        self, slots: np.ndarray, rows: np.ndarray, frame: Observations, fuse_score: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return 1 - IoU, the IoU multiplied by the score where wanted; and the IoU."""
        if not (len(slots) and len(rows)):
            nothing = np.empty((len(slots), len(rows)))
            return nothing, nothing
        return _overlap_cost(self._corners(slots), frame.corners, rows, frame.scores, fuse_score)

    def _corners(self, slots: np.ndarray) -> np.ndarray:
        return self.kalman.boxes_of(self._table.motion, slots)[1]

    def _update_appearance(self, slots: np.ndarray, rows: np.ndarray, frame: Observations) -> None:
        """Learn the appearance of tracks from detections of high score; ByteTrack has no use for it."""

    def _duplicates(self, tracked: np.ndarray, lost: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        i, j, cost = _duplicates(self._corners(np.concatenate((tracked, lost))), len(tracked))
        return i, j, 1.0 - cost

    # -- the record

    def _note_scores(self, detections: FrameDetections, low: np.ndarray) -> None:
        assert self._record is not None
        scores = detections.scores
        for row in np.flatnonzero(~(scores > self._high)).tolist():
            if row in low:
                continue
            kind = "on the limit between the stages" if scores[row] == self._high else f"not above {self.min_score:g}"
            self._record.note(
                "unused", f"detection {row} has score {scores[row]:.2f}, {kind}: it was not used.", detection=row
            )


@compiled
def _divide(confirmed, tracked, lost, scores, low, high):
    """Return how many tracks were seen twice, those and the lost ones, the others, and rows of high and low score."""
    count = first = second = 0
    for slot in tracked:
        count += confirmed[slot]
    pool, unconfirmed = np.empty(count + len(lost), np.int64), np.empty(len(tracked) - count, np.int64)
    for slot in tracked:
        if confirmed[slot]:
            pool[first] = slot
            first += 1
        else:
            unconfirmed[second] = slot
            second += 1
    pool[count:] = lost
    low, high = np.float32(low), np.float32(high)  # numba takes longer over a scalar of numpy's than over an array
    return count, pool, unconfirmed, np.flatnonzero(scores > high), np.flatnonzero((scores > low) & (scores < high))


@compiled
def _duplicates(corners, tracked):
    """Return which of the first `tracked` boxes are which of the others, and their 1 - IoU."""
    others = corners[tracked:]
    cost = 1.0 - overlaps(corners[:tracked], others, np.arange(len(others)), 1.0)
    return pairs_below(cost, 1.0 - DUPLICATE_IOU)


@compiled
def _overlap_cost(own, corners, rows, scores, fuse_score):
    """Return the cost and the IoU, each (n, m)."""
    iou = overlaps(own, corners, rows, 1.0)
    cost = np.empty_like(iou)
    for j in range(len(rows)):
        weight = np.float64(scores[rows[j]]) if fuse_score else 1.0
        for i in range(len(own)):
            cost[i, j] = 1.0 - iou[i, j] * weight
    return cost, iou
