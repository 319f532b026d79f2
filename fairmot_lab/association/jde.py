"""JDE's tracker as FairMOT uses it and PaddleDetection implements it (ppdet/modeling/mot/tracker/jde_tracker.py).

Wang et al., "Towards Real-Time Multi-Object Tracking", ECCV 2020; Zhang et al., "FairMOT", IJCV 2021.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..data import FrameDetections, FrameTracks
from ..errors import warn
from . import costs, kalman
from .assignment import Pairs, pair
from .kalman_xyah import boxes_of
from .lists import (
    NO_EVENTS,
    NO_ROWS,
    ListTracker,
    confirmed_among,
    divide,
    frames,
    mark_seen,
    next_lists,
    report,
    start,
    unseen_and_found,
    without_duplicates,
)
from .settings import TrackerSettings, choice, lost_buffer, number, smallest_area, switch, widest_shape

_DUPLICATE_COST = float(np.float32(0.15))  # 1 - DUPLICATE_IOU, in ppdet's precision


@dataclasses.dataclass(frozen=True, kw_only=True)
class PPDetSettings(TrackerSettings):
    """What both forms of PaddleDetection's tracker have: its names, with the defaults of its FairMOT models.

    A cost is a distance (0: the same; embeddings: at most 2, IoU: at most 1), a score is a confidence (1: certain).
    """

    conf_thres: float = number(
        0.4, 0, 1, (0.1, 0.8), "detections with a score above this take part in the first stage", is_score=True
    )
    match_thres: float = number(
        0.8, 0, 1, (0.3, 1.0), "first stage without embeddings: largest cost 1 - IoU at which a track takes a detection"
    )
    tracked_thresh: float = number(
        0.4, 0, 3, (0.1, 1.0), "first stage: largest cost of embedding and motion at which a track takes a detection"
    )
    metric_type: str = choice("cosine", ("cosine", "euclidean"), "the distance between embeddings")
    unconfirmed_thresh: float = number(
        0.7, 0, 1, (0.1, 1.0), "largest cost 1 - IoU at which a track of one frame is confirmed by a second detection"
    )
    track_buffer: int = lost_buffer()
    min_box_area: float = smallest_area(200.0)
    vertical_ratio: float = widest_shape()
    ppdet_quirks: bool = switch(
        True,
        "decide exactly as PaddleDetection, faults included: an expired track can be found for one more frame and is "
        "then dropped at its next miss; a track found again reports its old score; a track of one frame is not moved "
        "before it is compared; in BYTE a score of exactly conf_thres is dropped",
        search=(True,),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class JDESettings(PPDetSettings):
    """Settings of `JDETracker`."""

    det_thresh: float = number(
        0.3, 0, 1, (0.1, 0.8), "a detection with a score below this starts no track", is_score=True
    )
    r_tracked_thresh: float = number(
        0.5, 0, 1, (0.1, 1.0), "second stage: largest cost 1 - IoU at which a track takes a detection left over"
    )


class Observations(NamedTuple):
    """A frame's detections as the stages take them; see `kalman.measure`."""

    detections: FrameDetections
    embeddings: np.ndarray  # (N, D), D being 0 where there are none
    corners: np.ndarray
    measurements: np.ndarray

    @property
    def scores(self) -> np.ndarray:
        """Of the detections."""
        return self.detections.scores


class JDETracker(ListTracker):
    """FairMOT's tracker: appearance and motion first, then IoU; exactly ppdet's JDETracker, at a fraction of its time.

    In the first frame, whatever its number, detections are tracked at once; later ones must be seen twice. Without
    embeddings the first stage compares boxes (IoU with `match_thres`) in place of embeddings and motion, as ppdet does;
    a warning says so.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> tracker = JDETracker(conf_thres=0.3)
    >>> frame = SimpleNamespace(frame=1, boxes=[[10, 10, 40, 100]], scores=[0.9], embeddings=[[0.6, 0.8]])
    >>> tracker.update(frame).ids
    array([1])
    """

    name = "jde"
    title = "JDE, as FairMOT uses it (PaddleDetection)"
    uses_camera_motion = True
    Settings: ClassVar[type[TrackerSettings]] = JDESettings
    motion_size: ClassVar[int] = kalman.MOTION_SIZE
    motion_type: ClassVar[type] = np.float32

    def _reset(self) -> None:
        super()._reset()
        self.min_score = self.settings.conf_thres
        repaired = "ppdet_quirks=False repairs that"
        quirks = self.settings.ppdet_quirks
        self._grace = f" (ppdet can find it in the next frame still; {repaired})" if quirks else ""
        self._no_second = f"ppdet then gives it no second one ({repaired})"

    def check_embeddings(self, present: bool) -> None:
        """Say what is compared where there are no embeddings."""
        if not present:
            warn(
                "These detections have no embeddings: the first stage compares boxes alone (IoU with match_thres), "
                "tracked_thresh and metric_type have no effect"
            )

    # -- where BYTE differs

    @property
    def _birth_score(self) -> tuple[float, str]:
        return self.settings.det_thresh, "det_thresh"

    def _second_stage(self, unseen: np.ndarray, first: Pairs, frame: Observations) -> tuple[Pairs, np.ndarray]:
        """Offer the tracks still to be seen what the first stage left over; return what is left after that too."""
        second = self._iou_stage(
            "second stage", unseen, first.rows_left, frame, self.settings.r_tracked_thresh, "r_tracked_thresh"
        )
        return second, second.rows_left

    def _note_scores(self, scores: np.ndarray) -> None:
        """Say which detections are not used because of their score."""
        limit = self.settings.conf_thres
        for row in np.flatnonzero(~(scores > np.float32(limit))).tolist():
            self._note_unused(row, f"has score {scores[row]:.2f} <= conf_thres {limit:g}: it was not used.")

    # -- one frame

    def _step(self, detections: FrameDetections, warp: np.ndarray | None) -> FrameTracks:
        """Track one frame as ppdet's `JDETracker.update` does."""
        settings, quirks = self.settings, self.settings.ppdet_quirks
        number, scores = detections.frame, detections.scores
        features = detections.embeddings
        if features is None:
            features = np.empty((len(detections), 0), np.float32)
        self._make_room(len(detections), features.shape[1])
        tracks, motion = self._tracks, self._motion
        frame = Observations(detections, features, *kalman.measure(detections.boxes))
        if self._dimension:
            costs.normalise(frame.embeddings)
        events = NO_EVENTS if self._record is None else self._room_for_events(len(detections))

        # tracks that were seen twice, and lost ones, move; ppdet lets those of one frame wait
        count, pool, unconfirmed = divide(tracks, self._tracked, self._lost)
        kalman.predict(motion, pool, count)
        if not quirks:
            kalman.predict(motion, unconfirmed, len(unconfirmed))
        if warp is not None:
            kalman.warp(motion, pool, warp)
            kalman.warp(motion, unconfirmed, warp)
        if self._record is not None:
            self._note_scores(scores)
            self._note_absence(pool, number)

        # first stage: embeddings and motion, or IoU where there are no embeddings
        high = (scores > np.float32(settings.conf_thres)).nonzero()[0]
        first = self._first_stage(pool, high, frame)
        unseen, found = unseen_and_found(first.matched, pool, count)

        # second stage: IoU of the tracks still to be seen; third: tracks of one frame are confirmed or dropped
        second, left = self._second_stage(unseen, first, frame)
        third = self._iou_stage(
            "unconfirmed tracks", unconfirmed, left, frame, settings.unconfirmed_thresh, "unconfirmed_thresh"
        )

        old_scores = tracks["score"][found]
        for stage in (first, second, third):
            if len(stage.tracks):
                kalman.update(motion, stage.tracks, frame.measurements, stage.rows)
                mark_seen(tracks, stage.tracks, stage.rows, scores, number, events)
                if self._dimension:
                    costs.update_embeddings(self._feature, stage.tracks, frame.embeddings, stage.rows)
        if quirks:
            tracks["score"][found] = old_scores
        newborn = born = NO_ROWS
        if len(third.rows_left):
            is_first = number == self._first_frame
            newborn, born = start(
                tracks, third.rows_left, scores, self._birth_score[0], number, self._last_id, is_first, events
            )
        if len(newborn):
            kalman.initiate(motion, newborn, frame.measurements, born)
            self._feature[newborn] = frame.embeddings[born]
            self._last_id += len(newborn)

        tracked, lost = next_lists(
            tracks,
            self._tracked,
            self._lost,
            newborn,
            found,
            second.tracks_left,
            third.tracks_left,
            number,
            self.max_time_lost,
            quirks,
            events,
        )
        iou = self._iou(tracked, lost)
        self._tracked, self._lost = without_duplicates(tracks, tracked, lost, iou, _DUPLICATE_COST, events)
        slots = confirmed_among(tracks, self._tracked)
        boxes, _ = boxes_of(motion, slots)
        smallest, widest = float(settings.min_box_area), float(settings.vertical_ratio)
        shown = report(tracks, slots, boxes, detections.class_ids, smallest, widest, events)
        if self._record is not None:
            self._note_events(events, number, scores)
        return FrameTracks(number, *shown)

    def _pair(
        self,
        title: str,
        slots: np.ndarray,
        rows: np.ndarray,
        cost: np.ndarray,
        max_cost: float,
        setting: str,
        **measures: Any,
    ) -> Pairs:
        """Pair tracks and detections at the least total cost, and record the stage."""
        if cost.size:
            pairs = pair(cost, max_cost, slots, rows)
        else:
            pairs = Pairs(np.full(len(slots), -1), NO_ROWS, NO_ROWS, slots, rows)
        if self._record is not None:
            ids = self._tracks["id"][slots]
            self._record_stage(title, ids, rows, cost, max_cost, setting, pairs.matched, **measures)
        return pairs

    def _first_stage(self, slots: np.ndarray, rows: np.ndarray, frame: Observations) -> Pairs:
        settings = self.settings
        if not self._dimension:
            return self._iou_stage("first stage", slots, rows, frame, settings.match_thres, "match_thres")
        appearance, mahalanobis, cost = costs.appearance_cost(
            self._motion,
            self._feature,
            slots,
            frame.embeddings,
            frame.measurements,
            rows,
            settings.metric_type == "euclidean",
            self._record is not None,
        )
        measures = {"appearance": appearance, "metric": settings.metric_type, "mahalanobis": mahalanobis}
        limit = settings.tracked_thresh
        return self._pair("first stage", slots, rows, cost, limit, "tracked_thresh", gate=costs.GATE, **measures)

    def _iou_stage(
        self, title: str, slots: np.ndarray, rows: np.ndarray, frame: Observations, max_cost: float, setting: str
    ) -> Pairs:
        cost = np.empty((len(slots), len(rows)))
        if cost.size:
            _, corners = boxes_of(self._motion, slots)
            cost = costs.iou_cost(corners, frame.corners, rows)
        measures = {} if self._record is None else {"iou": 1 - cost}
        return self._pair(title, slots, rows, cost, max_cost, setting, **measures)

    def _iou(self, tracked: np.ndarray, lost: np.ndarray) -> np.ndarray:
        """Return the IoU of tracked and lost tracks."""
        if not (len(tracked) and len(lost)):
            return np.empty((len(tracked), len(lost)))
        _, corners = boxes_of(self._motion, tracked)
        _, others = boxes_of(self._motion, lost)
        return 1.0 - costs.iou_cost(corners, others, np.arange(len(lost)))

    def _note_absence(self, pool: np.ndarray, number: int) -> None:
        assert self._record is not None
        step = (self.frame_grid or (0, 1))[1]
        for track, last in zip(*(self._tracks[name][pool].tolist() for name in ("id", "last")), strict=True):
            missed = (number - last) // step - 1
            if missed > 0:
                self._record.note("absent", f"track {track} had been lost for {frames(missed)}.", track=track)
